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

// The error function. A quotient of polynomials in x^2, fitted to the least relative error up to
// 3.92 (2e-8; scripts/fit_erf.py), from where on it is 1 in f32.
fn numeric_erf(x: vec4<f32>) -> vec4<f32> {
    let a = min(abs(x), vec4<f32>(4.0));
    let s = a * a;
    let p = 1.1283791461848334 + s * (0.19040261963980118 + s * (0.052748244647314375
        + s * (0.003765463047460062 + s * (0.00028488107721614 + s * 0.000002050138004251))));
    let q = 1.0 + s * (0.5020726695882967 + s * (0.11410754964952617 + s * (0.014968903399920604
        + s * (0.0011625018211270338 + s * 0.00003809216125373809))));
    return sign(x) * select(a * p / q, vec4<f32>(1.0), a > vec4<f32>(3.92));
}

// 1 / (1 + exp(-x)), without overflow on either side.
fn numeric_sigmoid(x: vec4<f32>) -> vec4<f32> {
    let e = exp(-abs(x));
    let s = 1.0 / (1.0 + e);
    return select(e * s, s, x >= vec4<f32>(0.0));
}

// Whether no component is NaN or infinite, by the bits of the exponents.
fn numeric_finite(v: vec4<f32>) -> bool {
    let exponent = bitcast<vec4<u32>>(v) & vec4<u32>(0x7f800000u);
    return all(exponent != vec4<u32>(0x7f800000u));
}
