// tn: nothing for C, and the sums of the columns of A.
@group(0) @binding(4) var<storage, read_write> db: array<vec4<f32>>;
fn column_term(quad: u32) -> vec4<f32> {
    return vec4<f32>(0.0);
}
fn finish(value: vec4<f32>, row: u32, quad: u32, term: vec4<f32>) -> vec4<f32> {
    return value;
}
fn store_db(quad: u32, sum: vec4<f32>) {
    if (4u * quad < sizes.m) {
        var v = sum;
        if ((sizes.flags & ADD) != 0u) {
            v += db[quad];
        }
        db[quad] = inside(v, quad, sizes.m);
    }
}
