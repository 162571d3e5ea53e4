// The gradients of an update's batches, added up pairwise: sums of neighbours, of neighbouring pairs,
// and so on, as src/optim/accumulate.rs orders them.
//
// add:  g_i <- sum_i + g_i    sum: that of the batches before, g: that of as many after them
// keep: kept_i <- g_i         until as many batches follow
//
// Invocation i owns the four floats 4i .. 4i + 3; padding of parameters has gradient 0.
// Rust twin: src/optim/accumulate.rs.

struct Dims {
    quads: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read_write> g: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> sum: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> kept: array<vec4<f32>>;

@compute @workgroup_size(64)
fn add(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    if i < dims.quads {
        g[i] = sum[i] + g[i];
    }
}

@compute @workgroup_size(64)
fn keep(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    if i < dims.quads {
        kept[i] = g[i];
    }
}
