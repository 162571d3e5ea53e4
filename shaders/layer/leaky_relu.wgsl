// Leaky rectified linear unit.
//
// forward:  y = x where x > 0, else negative_slope x
// backward: dx = dy where x > 0, else negative_slope dy. `saved` is x.
//
// Invocation i owns four neighbouring columns of one row: quad i % quads of row i / quads, with
// quads = ceil(cols / 4). Matrices are rows x cols with rows of `stride` vec4s; padding stays 0.
// Rust twin: src/layer/leaky_relu.rs.

struct Dims {
    rows: u32,
    cols: u32,
    stride: u32,
    negative_slope: f32,
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
    let v = x[at];
    y[at] = select(dims.negative_slope * v, v, v > vec4<f32>(0.0));
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
    dx[at] = dy[at] * select(vec4<f32>(dims.negative_slope), vec4<f32>(1.0), saved[at] > vec4<f32>(0.0));
}
