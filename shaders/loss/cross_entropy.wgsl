// Cross entropy of softmax, with label smoothing: loss, right answers and gradient in one pass.
//
// loss = -sum_j t_j log p_j with p = softmax(x) and t_j = (1 - s) [j = label] + s / cols;
// dx = (p - t) / count. The largest logit is subtracted first, so logits of +-1e4 are exact.
//
// Rows from `step.count` on are idle: their gradient is 0 and they count nothing.
//
// Invocation r of the grid owns row r (one sample). A workgroup of 64 rows adds up its losses and
// its right answers in a fixed tree and writes the two sums to its own place of the step's results,
// which the host adds up in f64. `rows` keeps each sample's loss and chosen class (the first of
// equal largest ones) for those who look at single samples.
// Rust twin: src/loss/cross_entropy.rs.

struct Dims {
    rows: u32,
    // Width of a row: the number of classes.
    cols: u32,
    stride: u32,
    // Where a slot's partial sums start, and how many places lie between slots.
    results_first: u32,
    results_stride: u32,
    // s, and s / cols.
    smoothing: f32,
    uniform_share: f32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read> indices: array<u32>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> rows: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read_write> results: array<vec2<f32>>;
@group(1) @binding(0) var<uniform> step: Step;

var<workgroup> sums: array<vec2<f32>, 64>;

// (loss, chosen class) of the row; writes the row's gradient. The class is -1 where an output is NaN
// or infinite: arithmetic on such values is not portable, so the bits are looked at.
fn row_loss(row: u32, label: u32) -> vec2<f32> {
    let quads = (dims.cols + 3u) / 4u;
    let base = row * dims.stride;
    var largest = -3.4028234e38;
    var chosen = 0u;
    for (var quad = 0u; quad < quads; quad++) {
        let v = x[base + quad];
        if !numeric_finite(v) {
            return vec2<f32>(0.0, -1.0);
        }
        for (var lane = 0u; lane < 4u; lane++) {
            if 4u * quad + lane < dims.cols && v[lane] > largest {
                largest = v[lane];
                chosen = 4u * quad + lane;
            }
        }
    }
    var total = 0.0;
    var shifted_sum = 0.0;
    var shifted_label = 0.0;
    for (var quad = 0u; quad < quads; quad++) {
        let shifted = x[base + quad] - largest;
        let e = numeric_mask(exp(shifted), quad, dims.cols);
        total += (e.x + e.y) + (e.z + e.w);
        let s = numeric_mask(shifted, quad, dims.cols);
        shifted_sum += (s.x + s.y) + (s.z + s.w);
        if quad == label / 4u {
            shifted_label = shifted[label % 4u];
        }
    }
    for (var quad = 0u; quad < quads; quad++) {
        let p = exp(x[base + quad] - largest) / total;
        let column = vec4<u32>(4u * quad) + vec4<u32>(0u, 1u, 2u, 3u);
        let one_hot = select(vec4<f32>(0.0), vec4<f32>(1.0), column == vec4<u32>(label));
        let t = (1.0 - dims.smoothing) * one_hot + dims.uniform_share;
        dx[base + quad] = numeric_mask((p - t) * step.inv_count, quad, dims.cols);
    }
    let loss = log(total) - (1.0 - dims.smoothing) * shifted_label
        - dims.uniform_share * shifted_sum;
    return vec2<f32>(loss, f32(chosen));
}

@compute @workgroup_size(64)
fn loss(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let block = group.y * groups.x + group.x;
    let row = block * 64u + local;
    sums[local] = vec2<f32>(0.0);
    if row < step.count {
        let label = labels[indices[step.start + row]];
        let result = row_loss(row, label);
        rows[step.start + row] = result;
        let right = select(0.0, 1.0, result.y == f32(label));
        // A number of right answers below zero says that an output was not finite.
        sums[local] = vec2<f32>(result.x, select(right, -16777216.0, result.y < 0.0));
    } else if row < dims.rows {
        for (var quad = 0u; quad < (dims.cols + 3u) / 4u; quad++) {
            dx[row * dims.stride + quad] = vec4<f32>(0.0);
        }
    }
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            sums[local] += sums[local + half];
        }
    }
    if local == 0u && block * 64u < dims.rows {
        results[step.slot * dims.results_stride + dims.results_first + block] = sums[0];
    }
}
