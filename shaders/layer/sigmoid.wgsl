// Logistic function.
//
// forward:  y = 1 / (1 + exp(-x))
// backward: dx = dy y (1 - y). `saved` is y.
//
// Which invocation computes what stands in the skeleton, shaders/layer/unary.wgsl, which follows.
// Rust twin: src/layer/sigmoid.rs.

const KEEPS_ZERO: bool = false;

fn value(v: vec4<f32>, _argument: f32) -> vec4<f32> {
    return numeric_sigmoid(v);
}

fn gradient(dy: vec4<f32>, s: vec4<f32>, _argument: f32) -> vec4<f32> {
    return dy * s * (1.0 - s);
}
