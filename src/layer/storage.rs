//! How parameters lie in the flat buffers: logical order against stored layout.

use crate::kernel::Matrix;

/// How a parameter is stored in the flat buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// A matrix of its first dimension by the rest; a vector is one row.
    #[default]
    Rows,
    /// The weights of a convolution, `[co, ci, ky, kx]`: a row for each (ky, kx, ci), with ci padded
    /// to a multiple of four, and a column for each co.
    Taps,
}

impl Storage {
    /// The layout of a parameter of `shape`.
    #[must_use]
    pub fn matrix(self, shape: &[usize]) -> Matrix {
        match (self, shape) {
            (Self::Taps, [co, ci, ky, kx]) => Matrix::new(ky * kx * ci.next_multiple_of(4), *co),
            (_, [rows, rest @ ..]) if !rest.is_empty() => Matrix::new(*rows, rest.iter().product()),
            _ => Matrix::new(1, shape.iter().product()),
        }
    }

    /// For each stored row and column, in order, the position of its value in logical order.
    fn positions(self, shape: &[usize]) -> Vec<Option<usize>> {
        let (Self::Taps, [co, ci, ky, kx]) = (self, shape) else {
            return (0..shape.iter().product()).map(Some).collect();
        };
        let mut positions = Vec::new();
        for tap in 0..ky * kx {
            for i in 0..ci.next_multiple_of(4) {
                positions
                    .extend((0..*co).map(|o| (i < *ci).then_some((o * ci + i) * ky * kx + tap)));
            }
        }
        positions
    }

    /// Lays values in logical order out as they are stored.
    #[must_use]
    pub fn store(self, shape: &[usize], values: &[f32]) -> Vec<f32> {
        let positions = self.positions(shape);
        let rows: Vec<f32> = positions
            .iter()
            .map(|at| at.map_or(0.0, |at| values[at]))
            .collect();
        self.matrix(shape).store(&rows)
    }

    /// The reverse of [`Storage::store`].
    #[must_use]
    pub fn load(self, shape: &[usize], stored: &[f32]) -> Vec<f32> {
        let rows = self.matrix(shape).load(stored);
        let mut values = vec![0.0; shape.iter().product()];
        for (value, at) in rows.iter().zip(self.positions(shape)) {
            if let Some(at) = at {
                values[at] = *value;
            }
        }
        values
    }
}
