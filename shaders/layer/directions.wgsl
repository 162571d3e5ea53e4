// The two directions of a recurrent layer, side by side in one row.
//
// join:  y[row] = a[row], then b[row]
// split: a[row] = the `width` columns of y[row] from `offset` on
//
// Invocation i owns quad i % quads of row i / quads of what is written; its padding is 0. Rows are
// `stride` (y) and `part_stride` (a and b) vec4s apart; what is read is read number by number, since
// `width` need be no multiple of four. Rust twin: src/layer/recurrent/work.rs.

struct Dims {
    rows: u32,
    // Quads of a row of what is written.
    quads: u32,
    stride: u32,
    part_stride: u32,
    // Numbers of a row of one direction.
    width: u32,
    offset: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> joined: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> y: array<f32>;
@group(0) @binding(5) var<storage, read_write> part: array<vec4<f32>>;

// Column `column` of a row of both.
fn both(row: u32, column: u32) -> f32 {
    let at = row * 4u * dims.part_stride;
    if column < dims.width {
        return a[at + column];
    }
    if column < 2u * dims.width {
        return b[at + column - dims.width];
    }
    return 0.0;
}

@compute @workgroup_size(64)
fn join(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows * dims.quads {
        return;
    }
    let row = i / dims.quads;
    let column = 4u * (i % dims.quads);
    joined[row * dims.stride + i % dims.quads] = vec4<f32>(both(row, column), both(row, column + 1u),
        both(row, column + 2u), both(row, column + 3u));
}

// Column `column` of the part of a row.
fn one(row: u32, column: u32) -> f32 {
    if column < dims.width {
        return y[row * 4u * dims.stride + dims.offset + column];
    }
    return 0.0;
}

@compute @workgroup_size(64)
fn split(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows * dims.quads {
        return;
    }
    let row = i / dims.quads;
    let column = 4u * (i % dims.quads);
    part[row * dims.part_stride + i % dims.quads] = vec4<f32>(one(row, column), one(row, column + 1u),
        one(row, column + 2u), one(row, column + 3u));
}
