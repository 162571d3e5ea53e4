// Weight gradient of a convolution for software adapters.
//
//   dw[ky][kx][ci][co] = sum over n, oy, ox of
//                        x[n][oy sy + ky - py][ox sx + kx - px][ci] dy[n][oy][ox][co]
//   db[co] = sum over n, oy, ox of dy[n][oy][ox][co]
//
// One workgroup is one subgroup of LANES invocations and owns TILE_M rows (a kernel row's taps and
// input channels are neighbours, in dw as in a row of x) by 4 LANES COLUMNS columns of dw, in one
// part of the sum. Lane l owns, in each of its COLUMNS blocks, the four columns
// 4 (LANES j + l) + {0, 1, 2, 3} of every row, in named private accumulators c<row>_<j>. The sum
// runs over the samples, four at a time, and the pixels of dy for which the tile's taps lie within
// x: each lane loads its own columns of dy and a share of x, which `subgroupBroadcast` hands to all
// lanes (without subgroups every lane loads its own copy). Samples beyond the last count as zero in
// dy. Rows of channels beyond those of an x of fewer than four stay zero. No workgroup memory, no
// barriers.
//
// db is added up in passing, by the tiles that have all pixels: those of the first tap that does
// not look into the padding at the start.
//
// Bindings (by name): x and dy as texture with a layer per sample or array of vec4; dw (with more
// than one part: the parts, one after the other, each followed by its db) and db arrays; dims. The
// text before this file declares them and holds the register block:
//   place(m0, lane)                            decodes the rows that the lane loads
//   multiply_add(ox, oy, n, n0, lane)          adds one pixel of four samples
//   store_tile(m0, n0, part, with_db, lane)    writes the tile
// Rust twin: `Variant` in src/product/conv/mod.rs; reference: the formulas above in f64.

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    sizes = dims;
    let m0 = group.x * TILE_M;
    let n0 = group.y * TILE_N;
    place(m0, lane);
    let bounds = bounds_of(m0 / 4u, m0 / 4u + TILE_M / 4u - 1u, group.z);
    if (bounds.n_begin < bounds.n_end && bounds.y_begin < bounds.y_end && bounds.x_begin < bounds.x_end) {
        var n = bounds.n_begin;
        loop {
            var oy = bounds.y_begin;
            loop {
                var ox = bounds.x_begin;
                loop {
                    multiply_add(ox, oy, n, n0, lane);
                    ox += 1u;
                    // At the end: a test at the start costs a pass with all lanes masked off.
                    if (ox >= bounds.x_end) {
                        break;
                    }
                }
                oy += 1u;
                if (oy >= bounds.y_end) {
                    break;
                }
            }
            n += 4u;
            if (n >= bounds.n_end) {
                break;
            }
        }
    }
    store_tile(m0, n0, group.z, bounds.with_db, lane);
}
