// Leaky rectified linear unit.
//
// forward:  y = x where x > 0, else negative_slope x
// backward: dx = dy where x > 0, else negative_slope dy. `saved` is x.
//
// Which invocation computes what stands in the skeleton, shaders/layer/unary.wgsl, which follows.
// Rust twin: src/layer/leaky_relu.rs.

const KEEPS_ZERO: bool = true;

fn value(v: vec4<f32>, negative_slope: f32) -> vec4<f32> {
    return select(negative_slope * v, v, v > vec4<f32>(0.0));
}

fn gradient(dy: vec4<f32>, v: vec4<f32>, negative_slope: f32) -> vec4<f32> {
    return dy * select(vec4<f32>(negative_slope), vec4<f32>(1.0), v > vec4<f32>(0.0));
}
