// What the kernels of attention share: sizes, which keys a query sees, and dropout of its weights.
//
// A sample is `steps` rows; in a row of `qkv` lie the queries of all heads, then their keys, then their
// values, `width` numbers each, `head` for a head. For each sample and head, with S = scale q k^T and
// P = softmax of S by rows:
//
//   forward  o = P v, l = log of the sum of exp(S) by rows
//   query    d = sum of g o by rows, dS = P (g v^T - d), dq = scale dS k
//   key      dv = P^T g, dk = scale dS^T q
//
// with g, the gradient by o.
//
// P is exp(S - l), made anew from q, k and l, and never stored (Dao et al., arXiv 2205.14135). Where
// weights drop, o and dv take P m and dS takes m (g v^T), m being 0 or 1 / (1 - p). Where `causal` is
// set, a query sees the keys up to its own step.
//
// A workgroup owns ROWS * LANES neighbouring rows of one sample and head (queries; in `key` keys) and
// one slice of QUADS quads of a head; short heads have one slice. Lane r owns the rows
// r, r + LANES, ...: `Block` holds its rows of a slice, `Row` one row that all lanes look at, `Each`
// a number for each of its rows. Rows from `steps` on are read as the last one, and not written.
// The text before this file holds the constants, `Row` and `Block` with their functions, and how they
// are loaded and stored: `block_qkv` from qkv, `row_g` from g. `product_qkv_g(a, b, ..)` is the product
// of a block of qkv with a row of g: where a head has one slice that of `a` and `b`, else over all
// slices, read anew.
// Rust twin: `Variant` in src/product/attention/mod.rs.

struct Dims {
    steps: u32,
    heads: u32,
    // Numbers of a head, and of all heads.
    head: u32,
    width: u32,
    // Floats from row to row of qkv (and its gradient), and of o (and its gradient).
    stride: u32,
    o_stride: u32,
    // vec4s from list to list of l and d: a list for each sample and head.
    list_stride: u32,
    // Workgroups of a sample and head, and all.
    tiles: u32,
    slices: u32,
    total: u32,
    causal: u32,
    scale: f32,
    // The probability that a weight drops, 1 / (1 - p), and the layer's draw of the random words.
    p: f32,
    kept: f32,
    draw: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;

// Where a workgroup works.
struct Place {
    sample: u32,
    head: u32,
    // First row of its tile, within the sample.
    first: u32,
    slice: u32,
    // Columns where its head begins, in the queries.
    column: u32,
}

fn place(index: u32) -> Place {
    let slice = index % dims.slices;
    let tile = index / dims.slices % dims.tiles;
    let list = index / dims.slices / dims.tiles;
    let head = list % dims.heads;
    return Place(list / dims.heads, head, tile * ROWS * LANES, slice, head * dims.head);
}

// Whether the queries `i` see the key `j`; and whether the query `i` sees the keys `j`.
fn seen_by(i: Which, j: u32) -> Whether {
    return (Which(j) < Which(dims.steps)) & ((Which(j) <= i) | (Which(dims.causal) == Which(0u)));
}

fn sees(i: u32, j: Which) -> Whether {
    return (Which(i) < Which(dims.steps)) & ((j <= Which(i)) | (Which(dims.causal) == Which(0u)));
}
