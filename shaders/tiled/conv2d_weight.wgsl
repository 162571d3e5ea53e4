// Weight gradient of a convolution for GPUs.
//
//   dw[ky][kx][ci][co] = sum over n, oy, ox of
//                        x[n][oy sy + ky - py][ox sx + kx - px][ci] dy[n][oy][ox][co]
//   db[co] = sum over n, oy, ox of dy[n][oy][ox][co]
//
// A matrix product over the pixels of dy; its left side is read from x where it lies. A workgroup
// of 256 invocations owns a tile of TILE_A rows (a kernel row's taps and input channels are
// neighbours, in dw as in a row of x) by TILE_B columns of dw in one part of the sum; invocation
// (ty, tx) owns the ROWS neighbouring rows from m0 + ROWS ty in the four columns from n0 + 4 tx,
// one vec4 accumulator per row. The sum runs over the pixels for which a tap of the tile lies within
// x, in steps of 16: the steps of both sides are loaded once, as whole vec4, into workgroup memory
// (while the step before is multiplied they already travel to registers), laid out as in
// shaders/tiled/matmul.wgsl. What lies outside x counts as zero.
//
// Bindings (by name): x, dy, dw (with more than one part: the parts, one after the other, each
// followed by its db) and db arrays of vec4; dims. The text before this file declares them and holds
// what depends on the tile:
//   place(m0, t)                               finds the rows that this invocation loads
//   fetch(k, k_end, n0, t)                     loads this invocation's share of a step
//   keep(t)                                    puts it into workgroup memory
//   multiply_add(ty, tx)                       adds the 16 terms of a step
//   column_sums(tx)                            adds the step's dy to the sums of db
//   store_tile(m0, n0, part, with_db, ty, tx)  writes the tile
// Rust twin: `Variant` in src/product/conv/mod.rs; reference: the formulas above in f64.

var<private> bounds: Bounds;

// Column, row and sample of term k of the tile's sum.
fn pixel_of(k: u32) -> vec3<u32> {
    let columns = bounds.x_end - bounds.x_begin;
    let rows = bounds.y_end - bounds.y_begin;
    let line = k / columns;
    let n = line / rows;
    return vec3<u32>(
        bounds.x_begin + k - line * columns,
        bounds.y_begin + line - n * rows,
        bounds.n_begin + n,
    );
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    sizes = dims;
    let m0 = group.x * TILE_A;
    let n0 = group.y * TILE_B;
    let tx = t % (TILE_B / 4u);
    let ty = t / (TILE_B / 4u);
    // Control flow from locals and the uniform: private variables are not uniform by definition.
    let range = bounds_of(m0 / 4u, m0 / 4u + TILE_A / 4u - 1u, group.z);
    bounds = range;
    var k_end = 0u;
    if (range.y_begin < range.y_end && range.x_begin < range.x_end) {
        let samples = min(range.n_end, dims.samples) - min(range.n_begin, dims.samples);
        k_end = samples * (range.y_end - range.y_begin) * (range.x_end - range.x_begin);
    }
    place(m0, t);
    fetch(0u, k_end, n0, t);
    for (var k = 0u; k < k_end; k += TILE_K) {
        workgroupBarrier();
        keep(t);
        workgroupBarrier();
        fetch(k + TILE_K, k_end, n0, t);
        multiply_add(ty, tx);
        if (range.with_db) {
            column_sums(tx);
        }
    }
    store_tile(m0, n0, group.z, range.with_db, ty, tx);
}
