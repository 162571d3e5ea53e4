// Matrix product for software adapters: C = A B with A or B transposed in storage (nt, nn, tn).
//
//   nt  C[m][n] = sum_k A[m][k] B[n][k]     linear forward: y = x wT (+ bias, relu)
//   nn  C[m][n] = sum_k A[m][k] B[k][n]     gradient of the input: dx = dy w (gated by relu')
//   tn  C[m][n] = sum_k A[k][m] B[k][n]     gradient of the weights: dw = dyT x (+ db)
//
// One workgroup is one subgroup of LANES invocations and owns a tile of TILE_M rows by
// TILE_N = 4 LANES COLUMNS columns of C. Lane l owns, in each of its COLUMNS blocks, the four
// columns n0 + 4 (LANES j + l) + {0, 1, 2, 3} of every row, in named private accumulators
// c<row>_<j>. The sum runs with k ascending, four k per iteration: each lane loads its own columns
// of B and a share of A, which `subgroupBroadcast` hands to all lanes (without subgroups every
// lane loads the whole of A). Loads outside an operand only reach elements that are not stored.
// No workgroup memory, no barriers.
//
// Bindings (by name): a and b as texture (one texel = four values of a row) or array of vec4;
// c array of vec4; dims; and bias (nt), gate (nn: rows as c; texture or array) or db (tn).
// The text before this file declares them and holds the register block:
//   multiply_add(k, m0, n0, lane)  adds four terms of the sum, k to k + 3
//   store_tile(m0, n0, lane)       writes the tile
// Rust twin: `Variant` in src/product/matmul/mod.rs; reference: the three formulas above in f64.

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    sizes = dims;
    let m0 = group.x * TILE_M;
    let n0 = group.y * TILE_N;
    // Control flow from the uniform itself: private variables are not uniform by definition.
    let k_end = dims.k_end;
    var k = dims.k_begin;
    loop {
        multiply_add(k, m0, n0, lane);
        k += 4u;
        // At the end: a test at the start costs a whole further pass with all lanes masked off.
        if (k >= k_end) {
            break;
        }
    }
    store_tile(m0, n0, lane);
}
