// The sum of two branches, and of the gradients that come back through them.
//
// y = a + b; with flag 1 negative sums become 0 (relu); with flag 2 the sum is 0 where `gate` is not
// positive (the gradient of a relu whose output `gate` is).
//
// Invocation i owns four neighbouring columns of one row: quad i % quads of row i / quads, with
// quads = ceil(cols / 4). Matrices are rows x cols with rows of `stride` vec4s; padding stays 0.
// Rust twin: src/layer/residual.rs.

struct Dims {
    rows: u32,
    cols: u32,
    stride: u32,
    flags: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> gate: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn sum(
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
    var v = a[at] + b[at];
    if (dims.flags & 1u) != 0u {
        v = select(v, vec4<f32>(0.0), v < vec4<f32>(0.0));
    }
    if (dims.flags & 2u) != 0u {
        v = select(vec4<f32>(0.0), v, gate[at] > vec4<f32>(0.0));
    }
    y[at] = v;
}
