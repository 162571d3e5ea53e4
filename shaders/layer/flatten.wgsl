// From pixels of channels, or the steps of a sequence, to a list of features, in PyTorch's order, and back.
//
// forward:  y[n][(c H + h) W + w] = x[n][h][w][c]
// backward: dx[n][h][w][c] = dy[n][(c H + h) W + w], with `gated` 1 zero where x is not positive
//
// A sequence is such pictures of one channel: H steps of W numbers that lie side by side.
// Forward, invocation i owns four neighbouring features of one sample; backward, four neighbouring
// channels of one pixel, in `backward_steps` four neighbouring numbers of a step. x: rows of `x_stride`
// floats, one for each row of a picture, pixels `pixel` floats apart, channels padded to `quads` groups
// of four; of a sequence one for each step, of `quads` groups of four. y: rows of `y_stride` floats. Padding stays 0.
// Rust twin: src/layer/flatten.rs.

struct Dims {
    samples: u32,
    channels: u32,
    height: u32,
    width: u32,
    // Groups of four channels, of a sequence those of a step; floats from pixel to pixel.
    quads: u32,
    pixel: u32,
    x_stride: u32,
    y_stride: u32,
    gated: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4<f32>>;

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let features = dims.channels * dims.height * dims.width;
    let quads = (features + 3u) / 4u;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.samples * quads {
        return;
    }
    let n = i / quads;
    let first = 4u * (i % quads);
    var v = vec4<f32>(0.0);
    for (var lane = 0u; lane < 4u; lane++) {
        let feature = first + lane;
        if feature < features {
            let w = feature % dims.width;
            let h = feature / dims.width % dims.height;
            let c = feature / (dims.width * dims.height);
            v[lane] = x[(n * dims.height + h) * dims.x_stride + w * dims.pixel + c];
        }
    }
    y[n * dims.y_stride / 4u + i % quads] = v;
}

@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row_quads = dims.width * dims.quads;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.samples * dims.height * row_quads {
        return;
    }
    let row = i / row_quads;
    let n = row / dims.height;
    let h = row % dims.height;
    let w = i % row_quads / dims.quads;
    let first = 4u * (i % dims.quads);
    let at = row * dims.x_stride + w * 4u * dims.quads + first;
    var v = vec4<f32>(0.0);
    for (var lane = 0u; lane < 4u; lane++) {
        let c = first + lane;
        let open = dims.gated == 0u || x[at + lane] > 0.0;
        if c < dims.channels && open {
            v[lane] = dy[n * dims.y_stride + (c * dims.height + h) * dims.width + w];
        }
    }
    dx[at / 4u] = v;
}

@compute @workgroup_size(64)
fn backward_steps(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.samples * dims.height * dims.quads {
        return;
    }
    let row = i / dims.quads;
    let first = 4u * (i % dims.quads);
    let at = row * dims.x_stride + first;
    let begin = row / dims.height * dims.y_stride + row % dims.height * dims.width + first;
    var v = vec4<f32>(0.0);
    for (var lane = 0u; lane < 4u; lane++) {
        let open = dims.gated == 0u || x[at + lane] > 0.0;
        if first + lane < dims.width && open {
            v[lane] = dy[begin + lane];
        }
    }
    dx[at / 4u] = v;
}
