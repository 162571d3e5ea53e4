//! Comparison element by element: a failure names the worst element and both values.

use wavetrain::kernel::Matrix;

/// What a buffer holds before a kernel writes it: an element that is left out shows.
pub(crate) const POISON: f32 = 1.0e30;

/// `Ok` where every element lies within its bound; else a sentence about the worst one. `cols` is
/// the length of a row.
pub(crate) fn within(
    what: &str,
    cols: usize,
    got: &[f32],
    want: &[f64],
    bound: impl Fn(usize) -> f64,
) -> Result<(), String> {
    if got.len() != want.len() {
        return Err(format!(
            "{what}: {} elements, not {}",
            got.len(),
            want.len()
        ));
    }
    // How often the bound the error is; a NaN counts as infinitely often.
    let excess = |i: usize| {
        let error = (f64::from(got[i]) - want[i]).abs();
        let excess = if error == 0.0 { 0.0 } else { error / bound(i) };
        if excess.is_nan() {
            f64::INFINITY
        } else {
            excess
        }
    };
    let worst = (0..got.len()).max_by(|a, b| excess(*a).total_cmp(&excess(*b)));
    match worst {
        Some(i) if excess(i) > 1.0 => Err(format!(
            "{what}: element {i} (row {}, column {}) is {:e}, the reference says {:e}; they differ by {:e}, allowed is {:e}",
            i / cols.max(1),
            i % cols.max(1),
            got[i],
            want[i],
            (f64::from(got[i]) - want[i]).abs(),
            bound(i)
        )),
        _ => Ok(()),
    }
}

/// Takes the padding away, and checks that it is zero.
pub(crate) fn without_padding(
    what: &str,
    matrix: Matrix,
    stored: &[f32],
) -> Result<Vec<f32>, String> {
    for (i, value) in stored[..matrix.floats()].iter().enumerate() {
        let (row, column) = (i / matrix.stride, i % matrix.stride);
        if (row >= matrix.rows || column >= matrix.cols) && *value != 0.0 {
            return Err(format!(
                "{what}: the padding at row {row}, column {column} of {} x {} is {value:e}, not 0",
                matrix.rows, matrix.cols
            ));
        }
    }
    Ok(matrix.load(stored))
}

/// A matrix as it lies in a buffer, each element poisoned.
pub(crate) fn poisoned(matrix: Matrix) -> Vec<f32> {
    matrix.store(&vec![POISON; matrix.rows * matrix.cols])
}

/// Floats as f64.
pub(crate) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

/// Magnitudes of floats as f64.
pub(crate) fn magnitudes(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(value.abs())).collect()
}
