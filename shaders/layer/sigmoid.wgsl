// Logistic function.
//
// forward:  y = 1 / (1 + exp(-x))
// backward: dx = dy y (1 - y). `saved` is y.
//
// Invocation i owns four neighbouring columns of one row: quad i % quads of row i / quads, with
// quads = ceil(cols / 4). Matrices are rows x cols with rows of `stride` vec4s; padding stays 0.
// Rust twin: src/layer/sigmoid.rs.

struct Dims {
    rows: u32,
    cols: u32,
    stride: u32,
    // Channels of a pixel (columns of a row of features), and groups of four of them.
    channels: u32,
    channel_quads: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> saved: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> dx: array<vec4<f32>>;

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
    let at = i / quads * dims.stride + i % quads;
    y[at] = numeric_mask(numeric_sigmoid(x[at]), i % quads % dims.channel_quads, dims.channels);
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
    let at = i / quads * dims.stride + i % quads;
    let s = saved[at];
    dx[at] = dy[at] * s * (1.0 - s);
}
