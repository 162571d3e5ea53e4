// The smallest dispatch: what a dispatch costs before it does anything.
//
// Invocation i of one workgroup writes zero to y[i]. Rust twin: src/bench/arithmetic.rs.

@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(8)
fn nothing(@builtin(local_invocation_index) local: u32) {
    y[local] = vec4<f32>(0.0);
}
