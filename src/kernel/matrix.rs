//! How matrices lie in buffers: row-major, with padded rows.

use serde::{Deserialize, Serialize};

use super::element::Element;
use super::plan::Bound;
use crate::shape::Shape;

/// Length in floats of a row of `columns` in storage: a multiple of 64 (256 bytes, which copies to
/// textures ask for), but no multiple of 256: rows that lie 1 KiB, 2 KiB or 4 KiB apart fall into
/// few sets of a CPU's cache (128x512x512 nt on lavapipe 22: 69 GFLOP/s with rows of 512 floats,
/// 80 with rows of 576).
#[must_use]
pub fn stride(columns: usize) -> usize {
    let stride = columns.next_multiple_of(64);
    if stride.is_multiple_of(256) {
        stride + 64
    } else {
        stride
    }
}

/// A matrix in a buffer: `rows` x `cols`, row-major.
///
/// Rows are `stride` floats apart, a multiple of 64 (so that each row starts at a multiple of 256
/// bytes: what copies to textures and offsets of bindings need), and never a multiple of 256: see
/// [`stride`]. Padding is zero and stays
/// zero. The buffer holds a multiple of 4 rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Floats from the start of one row to the start of the next.
    pub stride: usize,
}

impl Matrix {
    /// The layout of a matrix of `rows` x `cols`.
    #[must_use]
    pub fn new(rows: usize, cols: usize) -> Self {
        Self {
            rows,
            cols,
            stride: stride(cols.max(1)),
        }
    }

    /// Rows with padding.
    #[must_use]
    pub fn padded_rows(&self) -> usize {
        self.rows.next_multiple_of(4)
    }

    /// Size in floats, with padding.
    #[must_use]
    pub fn floats(&self) -> usize {
        self.padded_rows() * self.stride
    }

    /// Size in bytes, with padding.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        4 * self.floats() as u64
    }

    /// Groups of four columns in a row, without padding.
    #[must_use]
    pub fn quads(&self) -> usize {
        self.cols.div_ceil(4)
    }

    /// Lays `logical` (row by row, without padding) out with padding.
    #[must_use]
    pub fn store(&self, logical: &[f32]) -> Vec<f32> {
        let mut stored = vec![0.0; self.floats()];
        for (row, values) in logical.chunks(self.cols.max(1)).enumerate() {
            stored[row * self.stride..][..values.len()].copy_from_slice(values);
        }
        stored
    }

    /// Takes the padding away: the reverse of [`Matrix::store`].
    #[must_use]
    pub fn load(&self, stored: &[f32]) -> Vec<f32> {
        (0..self.rows)
            .flat_map(|row| &stored[row * self.stride..][..self.cols])
            .copied()
            .collect()
    }
}

/// The shape of a picture-like value: channels by height by width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geometry {
    /// Channels.
    pub channels: usize,
    /// Rows of a picture.
    pub height: usize,
    /// Columns of a picture.
    pub width: usize,
}

impl Geometry {
    /// Of pictures; nothing for other shapes.
    #[must_use]
    pub fn of(shape: &Shape) -> Option<Self> {
        match *shape {
            Shape::Picture {
                channels,
                height,
                width,
            } => Some(Self {
                channels,
                height,
                width,
            }),
            Shape::Features(_) | Shape::Sequence { .. } | Shape::Tokens { .. } => None,
        }
    }

    /// Groups of four channels of a pixel: channels are padded with zeros to a multiple of four.
    #[must_use]
    pub fn channel_quads(&self) -> usize {
        self.channels.div_ceil(4)
    }

    /// The layout of `samples` pictures: NHWC, a matrix row for each picture row.
    #[must_use]
    pub fn matrix(&self, samples: usize) -> Matrix {
        Matrix::new(samples * self.height, self.width * 4 * self.channel_quads())
    }

    /// Number of values of a picture, without padding.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.channels * self.height * self.width
    }
}

/// A value of a plan: activations or their gradients.
///
/// It has [`Shape::rows`] matrix rows for each sample. Pictures lie as pixels of channels (NHWC), a
/// matrix row for each row of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    pub(super) buffer: usize,
    /// Its layout.
    pub matrix: Matrix,
    /// Shape of one sample as it lies here: a picture that was read as a list is a list. Of a matrix
    /// that is not made of samples, a row.
    pub shape: Shape,
    /// What it is made of.
    pub element: Element,
}

impl From<Value> for Bound {
    fn from(value: Value) -> Self {
        value.bound()
    }
}

impl Value {
    /// How pictures lie; nothing for lists.
    #[must_use]
    pub fn geometry(&self) -> Option<Geometry> {
        Geometry::of(&self.shape)
    }

    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.matrix.rows / self.shape.rows().max(1)
    }

    /// Groups of four neighbouring channels of a pixel; of a row for values without pixels.
    #[must_use]
    pub fn channel_quads(&self) -> usize {
        self.geometry()
            .map_or(self.matrix.quads(), |geometry| geometry.channel_quads())
    }

    /// Takes the layout away: the values of `stored` sample by sample in PyTorch's order.
    #[must_use]
    pub fn load(&self, stored: &[f32]) -> Vec<f32> {
        let Some(geometry) = self.geometry() else {
            return self.matrix.load(stored);
        };
        let lanes = 4 * geometry.channel_quads();
        let mut values = Vec::with_capacity(self.samples() * geometry.elements());
        for sample in 0..self.samples() {
            for c in 0..geometry.channels {
                for h in 0..geometry.height {
                    let row = (sample * geometry.height + h) * self.matrix.stride;
                    values.extend((0..geometry.width).map(|w| stored[row + w * lanes + c]));
                }
            }
        }
        values
    }

    /// Channels of a pixel; columns for values without pixels.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.geometry()
            .map_or(self.matrix.cols, |geometry| geometry.channels)
    }
}

/// A parameter of a plan: a stretch of the flat parameter buffer, and of the gradients'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Where it starts in the flat buffers, in floats.
    pub offset: usize,
    /// Its layout.
    pub matrix: Matrix,
    /// For a parameter that is another one's twin under its own name (tied weights): its number, from
    /// 1, among all of these; 0 else. Its gradient is added to the other's.
    pub twin: usize,
}

impl Parameter {
    /// A parameter of its own.
    #[must_use]
    pub fn new(offset: usize, matrix: Matrix) -> Self {
        Self {
            offset,
            matrix,
            twin: 0,
        }
    }

    /// The same stretch under another name: the `twin`th of its kind.
    #[must_use]
    pub fn tied(self, twin: usize) -> Self {
        Self { twin, ..self }
    }
}

impl Value {
    /// The value, to be bound whole.
    #[must_use]
    pub fn bound(&self) -> Bound {
        Bound::Buffer {
            buffer: self.buffer,
            offset: 0,
            bytes: self.matrix.bytes(),
            element: Some(self.element),
        }
    }
}

/// The rows of a matrix that one of several dispatches takes, where all do not fit into one binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portion {
    /// First row and one past the last.
    pub rows: std::ops::Range<usize>,
}

/// Rows of all portions but the last are a multiple of this.
pub const PORTION: usize = 64;

impl Portion {
    /// The fewest portions of `rows` rows of these strides of which each fits into `most` bytes; one, if
    /// not even [`PORTION`] rows fit.
    #[must_use]
    pub fn all(rows: usize, strides: &[usize], most: u64) -> Vec<Self> {
        let widest = strides.iter().copied().max().unwrap_or(0).max(1);
        let fit = (most / (4 * widest as u64)) as usize / PORTION * PORTION;
        if fit == 0 || rows.next_multiple_of(4) <= fit {
            return vec![Self { rows: 0..rows }];
        }
        let each = rows.div_ceil(rows.div_ceil(fit)).next_multiple_of(PORTION);
        let begins = (0..rows).step_by(each);
        let portion = |begin: usize| begin..(begin + each).min(rows);
        begins
            .map(|begin| Self {
                rows: portion(begin),
            })
            .collect()
    }

    /// These rows of a matrix.
    #[must_use]
    pub fn of(&self, bound: Bound, matrix: Matrix) -> (Bound, Matrix) {
        let part = Matrix {
            rows: self.rows.len(),
            ..matrix
        };
        let Bound::Buffer {
            buffer,
            offset,
            element,
            ..
        } = bound
        else {
            return (bound, matrix);
        };
        let part_bound = Bound::Buffer {
            buffer,
            offset: offset + 4 * (self.rows.start * matrix.stride) as u64,
            bytes: part.bytes(),
            element,
        };
        (part_bound, part)
    }
}

/// Zero pixels around an image in a texture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Border {
    /// Columns on the left.
    pub left: u32,
    /// Columns on the right.
    pub right: u32,
    /// Rows above.
    pub top: u32,
    /// Rows below.
    pub bottom: u32,
}

impl Border {
    /// The border that serves readers of both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            left: self.left.max(other.left),
            right: self.right.max(other.right),
            top: self.top.max(other.top),
            bottom: self.bottom.max(other.bottom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_padded_to_64_floats_and_spare_the_cache() {
        for (cols, stride) in [
            (1, 64),
            (64, 64),
            (65, 128),
            (256, 320),
            (512, 576),
            (784, 832),
            (1024, 1088),
            (2000, 2112),
        ] {
            assert_eq!(Matrix::new(3, cols).stride, stride, "{cols}");
        }
    }

    #[test]
    fn strides_hold_a_row_and_spare_the_cache() {
        for columns in 1..3000 {
            let stride = stride(columns);
            assert!(stride >= columns && stride < columns + 128);
            assert_eq!(stride % 64, 0);
            assert_ne!(stride % 256, 0);
        }
    }

    #[test]
    fn storing_and_loading_gives_the_same_values_back() {
        let matrix = Matrix::new(3, 70);
        let logical: Vec<f32> = (0..210).map(|i| i as f32).collect();
        let stored = matrix.store(&logical);
        assert_eq!(stored.len(), 4 * 128);
        assert_eq!(stored[128], 70.0);
        assert_eq!(stored[70], 0.0);
        assert_eq!(matrix.load(&stored), logical);
    }
}
