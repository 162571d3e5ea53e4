// Huber's loss: (x - t)^2 / 2 up to a distance of delta, delta (|x - t| - delta / 2) beyond it, element by
// element; the derivative is x - t, between -delta and delta.
//
// Stands in front of `shaders/loss/numbers.wgsl`, which has the other bindings and the entry point.
// Rust twin: src/loss/huber.rs.

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
    // Up to which distance it is quadratic.
    delta: f32,
}

@group(0) @binding(0) var<uniform> dims: Dims;

fn number_loss(d: vec4<f32>) -> vec4<f32> {
    let linear = dims.delta * (abs(d) - 0.5 * dims.delta);
    return select(linear, 0.5 * d * d, abs(d) <= vec4<f32>(dims.delta));
}

fn number_slope(d: vec4<f32>) -> vec4<f32> {
    return clamp(d, vec4<f32>(-dims.delta), vec4<f32>(dims.delta));
}
