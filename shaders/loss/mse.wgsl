// Mean squared error against one-hot rows: loss, right answers and gradient in one pass.
//
// loss = sum_j (x_j - t_j)^2 / cols with t_j = [j = label]; dx = 2 (x - t) / (cols count).
// The chosen class is the largest output.
//
// Stands in front of `shaders/loss/rows.wgsl`, which has the other bindings and the entry point.
// Rust twin: src/loss/mse.rs.

struct Dims {
    // Rows of this dispatch, and the first of them among all.
    rows: u32,
    first_row: u32,
    // Width of a row: the number of classes.
    cols: u32,
    stride: u32,
    // Where a slot's partial sums start, and how many places lie between slots.
    results_first: u32,
    results_stride: u32,
    // Rows of one sample.
    positions: u32,
    // 1 / cols.
    inv_cols: f32,
}

@group(0) @binding(0) var<uniform> dims: Dims;

// (loss, chosen class) of the row, -1 where an output is not finite; writes the row's gradient.
fn row_loss(row: u32, label: u32) -> vec2<f32> {
    let base = row * dims.stride;
    var best = Best(-3.4028234e38, 0u);
    var total = 0.0;
    for (var quad = 0u; quad < (dims.cols + 3u) / 4u; quad++) {
        let v = x[base + quad];
        if !numeric_finite(v) {
            return vec2<f32>(0.0, -1.0);
        }
        best = better(best, v, 4u * quad);
        let column = vec4<u32>(4u * quad) + vec4<u32>(0u, 1u, 2u, 3u);
        let t = select(vec4<f32>(0.0), vec4<f32>(1.0), column == vec4<u32>(label));
        let d = numeric_mask(v - t, quad, dims.cols);
        total += dot(d, d);
        dx[base + quad] = d * (2.0 * dims.inv_cols * step.inv_count);
    }
    return vec2<f32>(total * dims.inv_cols, f32(best.choice));
}
