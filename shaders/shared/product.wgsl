// What every matrix product shares: its sizes and the meaning of its flags (no bindings here).
//
// m n              rows and columns of C
// k_begin k_end    the part of the sum that this dispatch takes (k_begin a multiple of 4)
// *_stride         length of a row of A, B and C, counted in vec4
// Rust twin: `Dims` in src/product/matmul/mod.rs.

struct Dims {
    m: u32,
    n: u32,
    k_begin: u32,
    k_end: u32,
    a_stride: u32,
    b_stride: u32,
    c_stride: u32,
    flags: u32,
}

const ADD: u32 = 1u; // add to what C (and db) hold
const BIAS: u32 = 2u; // nt: add bias[n]
const RELU: u32 = 4u; // nt: negative values become 0 (NaN stays)
const GATE: u32 = 8u; // nn: zero where gate[m][n] <= 0
const DB: u32 = 16u; // tn: db[m] = sum over k of A[k][m]

// The four values of quad `quad`, zero in the columns from `n` on: the padding of a row stays zero.
fn inside(value: vec4<f32>, quad: u32, n: u32) -> vec4<f32> {
    let column = 4u * quad + vec4<u32>(0u, 1u, 2u, 3u);
    return select(value, vec4<f32>(0.0), column >= vec4<u32>(n));
}
