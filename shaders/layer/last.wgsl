// The last step of a sequence, and its gradient.
//
// forward:  y[n] = x[n][steps - 1]
// backward: dx[n][steps - 1] = dy[n], 0 in all other steps
//
// Invocation i owns four neighbouring columns of one row: forward of y, backward of dx: quad i % quads
// of row i / quads, with quads = ceil(cols / 4). Rows of sequences and of y are `stride` vec4s; padding
// stays 0.
// Rust twin: src/layer/last.rs.

struct Dims {
    samples: u32,
    steps: u32,
    cols: u32,
    stride: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4<f32>>;

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let quads = (dims.cols + 3u) / 4u;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.samples * quads {
        return;
    }
    let n = i / quads;
    let row = n * dims.steps + dims.steps - 1u;
    y[n * dims.stride + i % quads] = x[row * dims.stride + i % quads];
}

@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let quads = (dims.cols + 3u) / 4u;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.samples * dims.steps * quads {
        return;
    }
    let row = i / quads;
    let n = row / dims.steps;
    var v = vec4<f32>(0.0);
    if row % dims.steps + 1u == dims.steps {
        v = dy[n * dims.stride + i % quads];
    }
    dx[row * dims.stride + i % quads] = v;
}
