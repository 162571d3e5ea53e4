// Cross entropy of softmax with a weight for each class, and label smoothing: loss, right answers and
// gradient in one pass.
//
// loss = -sum_j t_j log p_j with p = softmax(x) and t_j = w_j ((1 - s) [j = label] + s / cols);
// dx = (p sum_j t_j - t) / count, where the count is the sum of the weights of all labels. The largest logit
// is subtracted first, so logits of +-1e4 are exact.
//
// Stands in front of `shaders/loss/rows.wgsl`, which has the other bindings and the entry point.
// Rust twin: src/loss/cross_entropy.rs.

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
    // s, and s / cols.
    smoothing: f32,
    uniform_share: f32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
// The weight of each class, padded with zeros to whole quads.
@group(0) @binding(7) var<storage, read> class_weights: array<vec4<f32>>;

// (loss, chosen class) of the row, -1 where an output is not finite; writes the row's gradient.
fn row_loss(row: u32, label: u32) -> vec2<f32> {
    let quads = (dims.cols + 3u) / 4u;
    let base = row * dims.stride;
    var best = Best(-3.4028234e38, 0u);
    for (var quad = 0u; quad < quads; quad++) {
        let v = x[base + quad];
        if !numeric_finite(v) {
            return vec2<f32>(0.0, -1.0);
        }
        best = better(best, v, 4u * quad);
    }
    let largest = best.value;
    let own = class_weights[label / 4u][label % 4u];
    var total = 0.0;
    var weighted_sum = 0.0;
    var weights = 0.0;
    var shifted_label = 0.0;
    for (var quad = 0u; quad < quads; quad++) {
        let shifted = x[base + quad] - largest;
        let e = numeric_mask(exp(shifted), quad, dims.cols);
        total += (e.x + e.y) + (e.z + e.w);
        let w = numeric_mask(class_weights[quad], quad, dims.cols);
        weights += (w.x + w.y) + (w.z + w.w);
        let s = numeric_mask(shifted, quad, dims.cols) * w;
        weighted_sum += (s.x + s.y) + (s.z + s.w);
        if quad == label / 4u {
            shifted_label = shifted[label % 4u];
        }
    }
    let keep = (1.0 - dims.smoothing) * own;
    let all = keep + dims.uniform_share * weights;
    for (var quad = 0u; quad < quads; quad++) {
        let p = exp(x[base + quad] - largest) / total;
        let column = vec4<u32>(4u * quad) + vec4<u32>(0u, 1u, 2u, 3u);
        let one_hot = select(vec4<f32>(0.0), vec4<f32>(1.0), column == vec4<u32>(label));
        let t = keep * one_hot + dims.uniform_share * class_weights[quad];
        dx[base + quad] = numeric_mask((all * p - t) * step.inv_count, quad, dims.cols);
    }
    let loss = all * log(total) - keep * shifted_label - dims.uniform_share * weighted_sum;
    return vec2<f32>(loss, f32(best.choice));
}
