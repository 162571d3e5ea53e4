// Mean absolute error: |x - t| and its sign, element by element; 0 where x is t.
//
// Stands in front of `shaders/loss/numbers.wgsl`, which has the other bindings and the entry point.
// Rust twin: src/loss/l1.rs.

struct Dims {
    // Rows of this dispatch, and the first of them among all.
    rows: u32,
    first_row: u32,
    // Width of a row: how many numbers are predicted.
    cols: u32,
    stride: u32,
    // Where a slot's partial sums start, and how many places lie between slots.
    results_first: u32,
    results_stride: u32,
    // 1 / cols.
    inv_cols: f32,
}

@group(0) @binding(0) var<uniform> dims: Dims;

fn number_loss(d: vec4<f32>) -> vec4<f32> {
    return abs(d);
}

fn number_slope(d: vec4<f32>) -> vec4<f32> {
    return sign(d);
}
