// A constant factor.
//
// forward:  y = factor x
// backward: dx = factor dy. Nothing is saved.
//
// Which invocation computes what stands in the skeleton, shaders/layer/unary.wgsl, which follows.
// Rust twin: src/layer/scale.rs.

const KEEPS_ZERO: bool = true;

fn value(v: vec4<f32>, factor: f32) -> vec4<f32> {
    return factor * v;
}

fn gradient(dy: vec4<f32>, _saved: vec4<f32>, factor: f32) -> vec4<f32> {
    return factor * dy;
}
