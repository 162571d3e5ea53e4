// Matrix product for GPUs: C = A B with A or B transposed in storage (nt, nn, tn).
//
//   nt  C[m][n] = sum_k A[m][k] B[n][k]     linear forward: y = x wT (+ bias, relu)
//   nn  C[m][n] = sum_k A[m][k] B[k][n]     gradient of the input: dx = dy w (gated by relu')
//   tn  C[m][n] = sum_k A[k][m] B[k][n]     gradient of the weights: dw = dyT x (+ db)
//
// A workgroup of 16 x 16 invocations owns a tile of TILE_M rows by 64 columns of C; invocation
// (ty, tx) owns the TILE_M / 16 neighbouring rows from m0 + ty TILE_M / 16 in the four columns
// from n0 + 4 tx, one vec4 accumulator per row. The sum runs with k ascending in steps of 16: the
// steps of A and B are loaded once, as whole vec4, into workgroup memory (while the step before is
// multiplied they already travel to registers), then each invocation reads its rows and columns.
//
// A step lies in workgroup memory as it lies in its operand:
//   rows along k ([K][M] or [K][N])   slot = 16 or TILE_M / 4 times k, plus the quad of columns
//   k along rows ([M][K] or [N][K])   slot = 17 (row / 4) + 4 (row % 4) + k / 4; the 17th keeps
//                                     neighbours out of each other's memory bank
//
// Bindings (by name): a, b, c arrays of vec4; dims; and bias (nt), gate (nn: rows as c) or db (tn).
// The text before this file declares them and holds what depends on form and tile:
//   fetch(k, k_end, m0, n0, t)  loads this invocation's share of a step into registers
//   keep(t)                     puts it into workgroup memory
//   multiply_add(ty, tx)        adds the 16 terms of a step
//   column_sums(ty)             tn: adds the step's A to the sums of db
//   store_tile(m0, n0, ty, tx)  writes the tile
// Rust twin: `Variant` in src/product/matmul/mod.rs; reference: the three formulas above in f64.

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    sizes = dims;
    let m0 = group.x * TILE_M;
    let n0 = group.y * TILE_N;
    let ty = t / 16u;
    let tx = t % 16u;
    // Control flow from the uniform itself: private variables are not uniform by definition.
    let k_end = dims.k_end;
    let sums = n0 == 0u && (dims.flags & DB) != 0u;
    fetch(dims.k_begin, k_end, m0, n0, t);
    for (var k = dims.k_begin; k < k_end; k += TILE_K) {
        workgroupBarrier();
        keep(t);
        workgroupBarrier();
        fetch(k + TILE_K, k_end, m0, n0, t);
        multiply_add(ty, tx);
        if (sums) {
            column_sums(ty);
        }
    }
    store_tile(m0, n0, ty, tx);
}
