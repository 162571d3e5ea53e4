// The rows of a loss over numbers, a skeleton: losses and gradient in one pass. The loss that stands in
// front of it has its own `dims` and two functions of x - t, element by element: `number_loss` and its
// derivative `number_slope`. The loss of a row is the mean over its elements, so that
//
// loss = sum_j number_loss(x_j - t_j) / cols; dx = number_slope(x - t) / (cols count).
//
// Rows of samples from `step.count` on are idle: their gradient is 0 and they count nothing. A row with an
// output that is NaN or infinite says so by a number of right answers below zero: arithmetic on such values
// is not portable, so the bits are looked at.
//
// Invocation r of the grid owns row r of the dispatch, which takes all rows or, where they do not fit into
// one binding, those from `first_row` on, a multiple of 64; x and dx are bound from there. A workgroup of
// 64 rows adds up its losses in a fixed tree and writes the sum to its own place of the step's results.
// Rust twin: src/loss/numbers.rs.

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
// `dims.cols` numbers of each sample.
@group(0) @binding(2) var<storage, read> targets: array<f32>;
@group(0) @binding(3) var<storage, read> indices: array<u32>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> rows: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read_write> results: array<vec2<f32>>;
@group(1) @binding(0) var<uniform> step: Step;

var<workgroup> sums: array<vec2<f32>, 64>;

// Those of a quad that are there; 0 behind the last.
fn wanted(sample: u32, quad: u32) -> vec4<f32> {
    let first = sample * dims.cols;
    let last = dims.cols - 1u;
    let column = vec4<u32>(4u * quad) + vec4<u32>(0u, 1u, 2u, 3u);
    let at = first + min(column, vec4<u32>(last));
    return vec4<f32>(targets[at.x], targets[at.y], targets[at.z], targets[at.w]);
}

// The row's loss, and -1 where an output is not finite; writes its gradient.
fn row_loss(row: u32, sample: u32) -> vec2<f32> {
    let base = row * dims.stride;
    var total = 0.0;
    for (var quad = 0u; quad < (dims.cols + 3u) / 4u; quad++) {
        let v = x[base + quad];
        if !numeric_finite(v) {
            return vec2<f32>(0.0, -1.0);
        }
        let d = numeric_mask(v - wanted(sample, quad), quad, dims.cols);
        let l = number_loss(d);
        total += (l.x + l.y) + (l.z + l.w);
        dx[base + quad] = number_slope(d) * (dims.inv_cols * step.inv_count);
    }
    return vec2<f32>(total * dims.inv_cols, 0.0);
}

@compute @workgroup_size(64)
fn loss(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let block = group.y * groups.x + group.x;
    let row = block * 64u + local;
    let whole = dims.first_row + row;
    sums[local] = vec2<f32>(0.0);
    if row < dims.rows && whole < step.count {
        let result = row_loss(row, indices[step.start + whole]);
        rows[step.start + whole] = result;
        sums[local] = vec2<f32>(result.x, 16777216.0 * result.y);
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
        results[step.slot * dims.results_stride + dims.results_first + dims.first_row / 64u + block] = sums[0];
    }
}
