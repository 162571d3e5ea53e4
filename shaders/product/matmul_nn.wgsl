// nn: the gate of relu', which `load_gate` reads.
fn column_term(quad: u32) -> vec4<f32> {
    return vec4<f32>(0.0);
}
fn finish(value: vec4<f32>, row: u32, quad: u32, term: vec4<f32>) -> vec4<f32> {
    var v = value;
    if ((sizes.flags & GATE) != 0u) {
        v = select(v, vec4<f32>(0.0), load_gate(quad, row) <= vec4<f32>(0.0));
    }
    return v;
}
