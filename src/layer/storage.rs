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
    /// So many equal blocks of rows (of a vector: of values), each filled up with zeros to a multiple of
    /// four: the gates of a recurrent layer.
    Blocks(usize),
}

impl Storage {
    /// The layout of a parameter of `shape`.
    #[must_use]
    pub fn matrix(self, shape: &[usize]) -> Matrix {
        match (self, shape) {
            (Self::Taps, [co, ci, ky, kx]) => Matrix::new(ky * kx * ci.next_multiple_of(4), *co),
            (Self::Blocks(blocks), [rows, rest @ ..]) => {
                let rows = blocks * (rows / blocks).next_multiple_of(4);
                match rest {
                    [] => Matrix::new(1, rows),
                    _ => Matrix::new(rows, rest.iter().product()),
                }
            }
            (_, [rows, rest @ ..]) if !rest.is_empty() => Matrix::new(*rows, rest.iter().product()),
            _ => Matrix::new(1, shape.iter().product()),
        }
    }

    /// For each stored row and column, in order, the position of its value in logical order.
    fn positions(self, shape: &[usize]) -> Vec<Option<usize>> {
        let (co, ci, ky, kx) = match (self, shape) {
            (Self::Taps, [co, ci, ky, kx]) => (co, ci, ky, kx),
            (Self::Blocks(blocks), [rows, rest @ ..]) => {
                return in_blocks(rows / blocks, blocks, rest.iter().product());
            }
            _ => return (0..shape.iter().product()).map(Some).collect(),
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

/// For `blocks` blocks of `rows` rows, filled up, with `columns` columns each: the positions of what is
/// stored.
fn in_blocks(rows: usize, blocks: usize, columns: usize) -> Vec<Option<usize>> {
    let mut positions = Vec::new();
    for block in 0..blocks {
        for row in 0..rows.next_multiple_of(4) {
            let first = (block * rows + row) * columns;
            positions.extend((first..first + columns).map(|at| (row < rows).then_some(at)));
        }
    }
    positions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_in_blocks_is_found_again() {
        for (shape, stored) in [
            (vec![6, 5], (8, 5)),
            (vec![10], (1, 16)),
            (vec![8, 1], (8, 1)),
        ] {
            let storage = Storage::Blocks(2);
            let matrix = storage.matrix(&shape);
            assert_eq!((matrix.rows, matrix.cols), stored, "{shape:?}");
            let values: Vec<f32> = (1..=shape.iter().product()).map(|i| i as f32).collect();
            let laid = storage.store(&shape, &values);
            assert_eq!(laid.len(), matrix.floats());
            assert_eq!(storage.load(&shape, &laid), values);
            assert_eq!(laid.iter().filter(|v| **v != 0.0).count(), values.len());
        }
        let laid = Storage::Blocks(2).store(&[6], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(laid[..8], [1.0, 2.0, 3.0, 0.0, 4.0, 5.0, 6.0, 0.0]);
    }
}
