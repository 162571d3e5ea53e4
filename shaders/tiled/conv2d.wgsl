// Convolution for GPUs, the two directions that gather from an image.
//
//   forward         y[p][co] = sum over taps, ci of x[p moved][ci] w[tap][ci][co]   (+ bias, relu)
//   input gradient  dx[p][ci] = sum over taps, co of dy[p moved][co] w[tap][ci][co] (gated by relu')
//
// A matrix product whose rows are pixels, counted over all samples, and whose columns are channels;
// its left side is read from the image where it lies. A workgroup of 256 invocations owns a tile of
// TILE_A pixels by TILE_B channels; invocation (ty, tx) owns the ROWS neighbouring pixels from
// m0 + ROWS ty in the four channels from n0 + 4 tx, one vec4 accumulator per pixel. The sum runs
// over the taps and their channels in steps of 16: the steps of both sides are loaded once, as whole
// vec4, into workgroup memory (while the step before is multiplied they already travel to
// registers), laid out as in shaders/tiled/matmul.wgsl. What lies outside the image counts as zero.
//
// Bindings (by name): x (dy), w, y (dx) arrays of vec4; dims; bias (forward) or gate (input
// gradient). The text before this file declares them and holds what depends on direction and tile:
//   place(m0, t)                finds the pixels that this invocation loads
//   fetch(k, k_end, n0, t)      loads this invocation's share of a step into registers
//   keep(t)                     puts it into workgroup memory
//   multiply_add(ty, tx)        adds the 16 terms of a step
//   store_tile(m0, n0, ty, tx)  writes the tile
// Rust twin: `Variant` in src/product/conv/mod.rs; reference: the two formulas above in f64.

// Column, row and sample of result p of the phase; beyond the last those of the last.
fn pixel_of(p: u32) -> vec3<u32> {
    let area = u32(walk.rows * walk.cols);
    let inside = min(p, sizes.samples * area - 1u);
    let n = inside / area;
    let rest = inside - n * area;
    let row = rest / u32(walk.cols);
    return vec3<u32>(rest - row * u32(walk.cols), row, n);
}

// Where result p is stored, in vec4.
fn address_of(p: u32) -> u32 {
    let pixel = pixel_of(p);
    let row = walk.out_y + pixel.y * walk.out_step_y;
    let column = walk.out_x + pixel.x * walk.out_step_x;
    let at = (pixel.z * result_rows() + row) * result_row() + column * result_quads();
    return select(NOWHERE, at, p < sizes.samples * u32(walk.rows * walk.cols));
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    sizes = dims;
    let tiles = (result_channels() + TILE_B - 1u) / TILE_B;
    let n0 = group.z % tiles * TILE_B;
    // Control flow from locals and the uniform: private variables are not uniform by definition.
    let path = walk_of(group.z / tiles);
    walk = path;
    let m0 = (group.y * groups.x + group.x) * TILE_A;
    if (path.rows * path.cols == 0) {
        return;
    }
    let tx = t % (TILE_B / 4u);
    let ty = t / (TILE_B / 4u);
    place(m0, t);
    let k_end = 4u * u32(path.taps_y * path.taps_x) * image_quads();
    fetch(0u, k_end, n0, t);
    for (var k = 0u; k < k_end; k += TILE_K) {
        workgroupBarrier();
        keep(t);
        workgroupBarrier();
        fetch(k + TILE_K, k_end, n0, t);
        multiply_add(ty, tx);
    }
    store_tile(m0, n0, ty, tx);
}
