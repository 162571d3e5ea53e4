// A function of one number, element by element: the skeleton of the files that define `value` and
// `gradient`.
//
// forward:  y = value(x, argument), and 0 in the padding, which a function that keeps 0 leaves so.
// backward: dx = gradient(dy, saved, argument). The layer says whether `saved` is x or y.
//
// Invocation i owns four neighbouring columns of one row: quad i % quads of row i / quads, with
// quads = ceil(cols / 4). Matrices are rows x cols with rows of `stride` vec4s.
// Rust twin: src/layer/unary.rs.

struct Dims {
    rows: u32,
    cols: u32,
    stride: u32,
    // Channels of a pixel (columns of a row of features), and groups of four of them.
    channels: u32,
    channel_quads: u32,
    argument: f32,
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
    var v = value(x[at], dims.argument);
    if !KEEPS_ZERO {
        v = numeric_mask(v, i % quads % dims.channel_quads, dims.channels);
    }
    y[at] = v;
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
    dx[at] = gradient(dy[at], saved[at], dims.argument);
}
