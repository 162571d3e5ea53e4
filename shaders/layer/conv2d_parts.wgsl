// The weight gradient of a convolution from the parts of its sum.
//
//   dw[r][co] = sum over p of parts[p][r][co]
//   db[co] = sum over p of parts[p][rows][co]      (with with_db)
//
// first part to last. A part is `part` vec4 long: the rows of dw, `row` vec4 apart, then one for db.
//
// Invocation i owns quad i % quads of row i / quads; row `rows` is db.
// Rust twin: src/product/conv/plan.rs.

struct Dims {
    rows: u32,
    quads: u32,
    row: u32,
    part: u32,
    count: u32,
    with_db: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> parts: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> dw: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> db: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    if (i >= (dims.rows + dims.with_db) * dims.quads) {
        return;
    }
    let r = i / dims.quads;
    let q = i % dims.quads;
    let at = r * dims.row + q;
    var sum = parts[at];
    for (var p = 1u; p < dims.count; p++) {
        sum += parts[p * dims.part + at];
    }
    if (r < dims.rows) {
        dw[at] = sum;
    } else {
        db[q] = sum;
    }
}
