// What every matrix product shares: its sizes, the meaning of its flags, and how C is stored.
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

@group(0) @binding(0) var<uniform> dims: Dims;
// The uniform's copy in registers: a CPU loads a uniform anew, lane by lane, after each store.
var<private> sizes: Dims;
@group(0) @binding(3) var<storage, read_write> c: array<vec4<f32>>;

// One quad of one row of C. What happens to a finished value (`finish`, with `column_term`) depends on
// the form.
fn store(row: u32, quad: u32, value: vec4<f32>, term: vec4<f32>) {
    if (row < sizes.m && 4u * quad < sizes.n) {
        let at = row * sizes.c_stride + quad;
        var v = value;
        if ((sizes.flags & ADD) != 0u) {
            v += c[at];
        }
        c[at] = inside(finish(v, row, quad, term), quad, sizes.n);
    }
}
