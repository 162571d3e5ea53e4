// Rectified linear unit.
//
// forward:  y = max(x, 0); NaN stays NaN, so that a diverging net is seen.
// backward: dx = dy where y > 0, else 0. `saved` is y: a product may have applied the relu itself.
//
// Which invocation computes what stands in the skeleton, shaders/layer/unary.wgsl, which follows.
// Rust twin: src/layer/relu.rs.

const KEEPS_ZERO: bool = true;

fn value(v: vec4<f32>, _argument: f32) -> vec4<f32> {
    return select(v, vec4<f32>(0.0), v < vec4<f32>(0.0));
}

fn gradient(dy: vec4<f32>, y: vec4<f32>, _argument: f32) -> vec4<f32> {
    return select(vec4<f32>(0.0), dy, y > vec4<f32>(0.0));
}
