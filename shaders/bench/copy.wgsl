// The adapter's memory: y = x, through buffers that are larger than its caches. What no kernel can
// exceed whose data do not fit into these.
//
// In `one` invocation i owns quad i; in `four` it owns the quads 4i .. 4i + 3, which lie one after
// the other. Which form is faster depends on the adapter. The number of quads is a multiple of four.
// Rust twin: src/bench/memory.rs.

struct Dims {
    quads: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn one(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.quads {
        return;
    }
    y[i] = x[i];
}

@compute @workgroup_size(64)
fn four(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first = 4u * index_linear(group, groups, local, 64u);
    if first >= dims.quads {
        return;
    }
    y[first] = x[first];
    y[first + 1u] = x[first + 1u];
    y[first + 2u] = x[first + 2u];
    y[first + 3u] = x[first + 3u];
}
