// Gaussian error linear unit (Hendrycks and Gimpel, arXiv 1606.08415).
//
// forward:  y = x P(x), with P the normal distribution function (erf), or where
//           `tanh_form` is 1 its tanh form x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
// backward: dx = dy (P(x) + x P'(x)), of the same form. `saved` is x.
//
// Which invocation computes what stands in the skeleton, shaders/layer/unary.wgsl, which follows.
// Rust twin: src/layer/gelu.rs.

const KEEPS_ZERO: bool = true;

fn inner(v: vec4<f32>) -> vec4<f32> {
    return 0.7978845608 * (v + 0.044715 * v * v * v);
}

fn share(v: vec4<f32>, tanh_form: f32) -> vec4<f32> {
    if tanh_form == 1.0 {
        return 0.5 * (1.0 + numeric_tanh(inner(v)));
    }
    return 0.5 * (1.0 + numeric_erf(v * 0.7071067812));
}

fn value(v: vec4<f32>, tanh_form: f32) -> vec4<f32> {
    return v * share(v, tanh_form);
}

fn gradient(dy: vec4<f32>, v: vec4<f32>, tanh_form: f32) -> vec4<f32> {
    var slope: vec4<f32>;
    if tanh_form == 1.0 {
        let t = numeric_tanh(inner(v));
        slope = 0.5 * (1.0 - t) * (1.0 + t) * 0.7978845608 * (1.0 + 0.134145 * v * v);
    } else {
        slope = 0.3989422804 * exp(-0.5 * v * v);
    }
    return dy * (share(v, tanh_form) + v * slope);
}
