// Rows of a table for tokens, and the table's gradient.
//
// y[r t] = w[x[r][t]]; dw[v] = the sum of dy[r t] over all r < step.count and t with x[r][t] = v, in
// their order, and 0 for v = padding.
//
// Invocation i owns four neighbouring elements of a row of y (`forward`) or of dw (`backward`): quad
// i % quads of row i / quads, with quads = ceil(cols / 4). Row r steps + t of y belongs to token t of
// sample r. Strides are in vec4s; padding of rows stays 0.
// Rust twin: src/layer/embedding.rs.

struct Dims {
    // Rows of y, or of dw.
    rows: u32,
    cols: u32,
    // Tokens of a sample.
    steps: u32,
    symbols: u32,
    // The token whose row has no gradient; none where it is too large.
    padding: u32,
    x_stride: u32,
    y_stride: u32,
    w_stride: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> dw: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> step: Step;

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let quads = (dims.cols + 3u) / 4u;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows * quads {
        return;
    }
    let row = i / quads;
    let quad = i % quads;
    let t = row % dims.steps;
    let token = min(x[row / dims.steps * dims.x_stride + t / 4u][t % 4u], dims.symbols - 1u);
    y[row * dims.y_stride + quad] = w[token * dims.w_stride + quad];
}

@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let quads = (dims.cols + 3u) / 4u;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows * quads {
        return;
    }
    let symbol = i / quads;
    let quad = i % quads;
    var sum = vec4<f32>(0.0);
    if symbol != dims.padding {
        for (var sample = 0u; sample < step.count; sample++) {
            let first = sample * dims.steps;
            for (var four = 0u; four < (dims.steps + 3u) / 4u; four++) {
                let same = x[sample * dims.x_stride + four] == vec4<u32>(symbol);
                if any(same) {
                    for (var lane = 0u; lane < 4u; lane++) {
                        let t = 4u * four + lane;
                        if same[lane] && t < dims.steps {
                            sum += dy[(first + t) * dims.y_stride + quad];
                        }
                    }
                }
            }
        }
    }
    dw[symbol * dims.w_stride + quad] = sum;
}
