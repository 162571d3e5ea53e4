// Hyperbolic tangent.
//
// forward:  y = tanh(x)
// backward: dx = dy (1 - y^2). `saved` is y.
//
// Which invocation computes what stands in the skeleton, shaders/layer/unary.wgsl, which follows.
// Rust twin: src/layer/tanh.rs.

const KEEPS_ZERO: bool = true;

fn value(v: vec4<f32>, _argument: f32) -> vec4<f32> {
    return numeric_tanh(v);
}

fn gradient(dy: vec4<f32>, t: vec4<f32>, _argument: f32) -> vec4<f32> {
    return dy * (1.0 - t) * (1.0 + t);
}
