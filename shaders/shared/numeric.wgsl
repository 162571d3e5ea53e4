// Numbers: masks for padding, and functions that WGSL lacks or drivers get wrong.

// The columns 4 * quad .. 4 * quad + 3 of a row of `cols` columns: zero beyond the last.
fn numeric_mask(v: vec4<f32>, quad: u32, cols: u32) -> vec4<f32> {
    let column = vec4<u32>(4u * quad) + vec4<u32>(0u, 1u, 2u, 3u);
    return select(vec4<f32>(0.0), v, column < vec4<u32>(cols));
}

// tanh without overflow (SwiftShader's own is NaN from 88.8 on) and with relative accuracy near
// zero: an odd polynomial below 1/4, (1 - e) / (1 + e) with e = exp(-2|x|) above.
fn numeric_tanh(x: vec4<f32>) -> vec4<f32> {
    let a = abs(x);
    let e = exp(-2.0 * a);
    let far = (1.0 - e) / (1.0 + e);
    // Taylor's series: the first term left out is below 1e-8 of the value at 1/4.
    let s = x * x;
    let near = a * (1.0 + s * (-0.33333333 + s * (0.13333333 + s * (-0.053968254
        + s * (0.021869488 + s * -0.0088632355)))));
    return sign(x) * select(far, near, a < vec4<f32>(0.25));
}

// The error function. Below 1 its Taylor-Maclaurin series in x * P(x^2); above, 1 - exp(-x^2) *
// Q(t) with t = 1 / (1 + x/2) (Numerical Recipes' erfc, Chebyshev fit, relative error 1.2e-7).
fn numeric_erf(x: vec4<f32>) -> vec4<f32> {
    let a = abs(x);
    let t = 1.0 / (1.0 + 0.5 * a);
    let tail = t * exp(-a * a - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418
        + t * (-0.18628806 + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587
        + t * (-0.82215223 + t * 0.17087277)))))))));
    let s = x * x;
    let near = a * (1.1283791670955126 + s * (-0.37612638903183754 + s * (0.11283791670955126
        + s * (-0.026866170645131252 + s * (0.005223977625442188 + s * (-0.0008548327023450853
        + s * (0.00012055332981789664 + s * (-0.000014925650358406252
        + s * 0.0000016462114365889248))))))));
    return sign(x) * select(1.0 - tail, near, a < vec4<f32>(1.0));
}

// 1 / (1 + exp(-x)), without overflow on either side.
fn numeric_sigmoid(x: vec4<f32>) -> vec4<f32> {
    let e = exp(-abs(x));
    let small = e / (1.0 + e);
    return select(small, 1.0 / (1.0 + e), x >= vec4<f32>(0.0));
}

// Whether no component is NaN or infinite, by the bits of the exponents.
fn numeric_finite(v: vec4<f32>) -> bool {
    let exponent = bitcast<vec4<u32>>(v) & vec4<u32>(0x7f800000u);
    return all(exponent != vec4<u32>(0x7f800000u));
}
