// Sigmoid linear unit (Elfwing et al., arXiv 1702.03118).
//
// forward:  y = x s with s = 1 / (1 + exp(-x))
// backward: dx = dy (s + x s (1 - s)). `saved` is x.
//
// Which invocation computes what stands in the skeleton, shaders/layer/unary.wgsl, which follows.
// Rust twin: src/layer/silu.rs.

const KEEPS_ZERO: bool = true;

fn value(v: vec4<f32>, _argument: f32) -> vec4<f32> {
    return v * numeric_sigmoid(v);
}

fn gradient(dy: vec4<f32>, v: vec4<f32>, _argument: f32) -> vec4<f32> {
    let s = numeric_sigmoid(v);
    return dy * (s + v * s * (1.0 - s));
}
