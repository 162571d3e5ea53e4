//! How values and parameters lie in buffers, from and to logical order: a second opinion on the
//! layouts that the shaders and `kernel` agree on.

use wavetrain::kernel::{Matrix, Value};
use wavetrain::layer::ParameterSpec;

use super::compare::{POISON, without_padding};

/// Where each logical element (sample, channel, row, column) of `samples` samples lies.
fn positions(value: &Value, samples: usize) -> Vec<usize> {
    let stride = value.matrix.stride;
    let Some(g) = value.geometry() else {
        let rows = samples * value.shape.rows();
        let rows = (0..rows).flat_map(|n| (0..value.matrix.cols).map(move |c| (n, c)));
        return rows.map(|(n, c)| n * stride + c).collect();
    };
    let pixel = g.channels.next_multiple_of(4);
    let mut positions = Vec::new();
    for n in 0..samples {
        for c in 0..g.channels {
            for h in 0..g.height {
                positions.extend((0..g.width).map(|w| (n * g.height + h) * stride + w * pixel + c));
            }
        }
    }
    positions
}

/// Lays logical values out; padding is zero.
pub(crate) fn store(value: &Value, logical: &[f32]) -> Vec<f32> {
    let width = value.shape.elements();
    let mut stored = vec![0.0; value.matrix.floats()];
    for (at, x) in positions(value, logical.len() / width.max(1))
        .iter()
        .zip(logical)
    {
        stored[*at] = *x;
    }
    stored
}

/// Each element of `samples` samples poisoned; padding is zero.
pub(crate) fn poisoned(value: &Value, samples: usize) -> Vec<f32> {
    let width = value.shape.elements();
    store(value, &vec![POISON; samples * width])
}

/// The logical values; padding must be zero.
pub(crate) fn load(
    what: &str,
    value: &Value,
    samples: usize,
    stored: &[f32],
) -> Result<Vec<f32>, String> {
    let positions = positions(value, samples);
    let logical: Vec<f32> = positions.iter().map(|at| stored[*at]).collect();
    let mut padding = stored.to_vec();
    for at in positions {
        padding[at] = 0.0;
    }
    all_zero(what, value.matrix, &padding)?;
    Ok(logical)
}

fn all_zero(what: &str, matrix: Matrix, padding: &[f32]) -> Result<(), String> {
    match padding.iter().position(|value| *value != 0.0) {
        None => Ok(()),
        Some(at) => Err(format!(
            "{what}: the padding at row {}, column {} is {:e}, not 0",
            at / matrix.stride,
            at % matrix.stride,
            padding[at]
        )),
    }
}

/// Each element of a parameter poisoned; padding is zero.
pub(crate) fn poisoned_parameter(spec: &ParameterSpec) -> Vec<f32> {
    let elements = spec.shape.iter().product();
    spec.storage.store(&spec.shape, &vec![POISON; elements])
}

/// A parameter's logical values; padding must be zero.
pub(crate) fn load_parameter(spec: &ParameterSpec, stored: &[f32]) -> Result<Vec<f32>, String> {
    let what = format!("gradient of {}", spec.name);
    let matrix = spec.storage.matrix(&spec.shape);
    without_padding(&what, matrix, stored)?;
    let logical = spec.storage.load(&spec.shape, stored);
    // What is left of the rows when the logical values are taken out.
    let again = spec.storage.store(&spec.shape, &logical);
    let padding: Vec<f32> = stored
        .iter()
        .zip(&again)
        .map(|(a, b)| if a.to_bits() == b.to_bits() { 0.0 } else { *a })
        .collect();
    all_zero(&what, matrix, &padding)?;
    Ok(logical)
}
