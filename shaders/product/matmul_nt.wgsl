// nt: bias and relu.
@group(0) @binding(4) var<storage, read> bias: array<vec4<f32>>;
fn column_term(quad: u32) -> vec4<f32> {
    var term = vec4<f32>(0.0);
    if ((sizes.flags & BIAS) != 0u) {
        term = bias[quad];
    }
    return term;
}
fn finish(value: vec4<f32>, row: u32, quad: u32, term: vec4<f32>) -> vec4<f32> {
    let v = value + term;
    let negative = v < vec4<f32>(0.0);
    return select(v, vec4<f32>(0.0), negative & vec4<bool>((sizes.flags & RELU) != 0u));
}
