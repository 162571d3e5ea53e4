// Convolution for software adapters, the two directions that gather from an image.
//
//   forward         y[p][co] = sum over taps, ci of x[p moved][ci] w[tap][ci][co]   (+ bias, relu)
//   input gradient  dx[p][ci] = sum over taps, co of dy[p moved][co] w[tap][ci][co] (gated by relu')
//
// Results are counted in blocks of `block` samples, within a block position by position, at each
// position sample by sample: a tile is one position or a few neighbours in several samples, and the
// taps that lie outside the image there are left out instead of multiplied with zeros.
//
// One workgroup is one subgroup of LANES invocations and owns TILE_M channels of PIXELS = 4 LANES
// COLUMNS results. Lane l owns the results p0 + LANES i + l and holds, for each block j of four of
// them, the values of channel m0 + row in the named private accumulator c<row>_<j>. The sum runs
// over the taps and, four at a time, over the channels of the image (forward, of an image of fewer
// channels, those that it has): each lane loads its own pixels
// and a share of the weights, which `subgroupBroadcast` hands to all lanes (without subgroups every
// lane loads all weights). Loads outside an operand only reach results that are not stored. No
// workgroup memory, no barriers.
//
// Bindings (by name): x (dy) as texture with a layer per sample or array of vec4; w as texture or
// array; y (dx) array; dims; bias (forward) or gate (input gradient: array or texture as x).
// The text before this file declares them and holds the register block:
//   reset()                                        sets the accumulators to zero
//   place(n, row, column, skip, lane)              decodes the lane's pixels
//   multiply_add(right, down, row, q, m0, lane)    adds the terms of one quad to the sum
//   store_tile(m0, lane)                           writes the tile
// Rust twin: `Variant` in src/product/conv/mod.rs; reference: the two formulas above in f64.

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    sizes = dims;
    let tiles = (result_channels() + TILE_M - 1u) / TILE_M;
    let m0 = group.z % tiles * TILE_M;
    // Control flow from locals and the uniform: private variables are not uniform by definition.
    let path = walk_of(group.z / tiles);
    walk = path;
    let area = u32(path.rows * path.cols);
    let count = (dims.samples + dims.block - 1u) / dims.block * area * dims.block;
    let share = dims.tiles * PIXELS;
    let begin = (group.y * groups.x + group.x) * share;
    let end = min(begin + share, count);
    // A group takes several tiles: to start one costs a CPU as much as a few terms of the sum.
    for (var p0 = begin; p0 < end; p0 += PIXELS) {
        one_tile(path, p0, min(p0 + PIXELS, count) - 1u, area, m0, lane);
    }
}

// The tile of the results from p0 to p1.
fn one_tile(path: Walk, p0: u32, p1: u32, area: u32, m0: u32, lane: u32) {
    let cols = path.cols;
    // The positions of the first and the last result, in blocks of samples.
    let first = quotient(p0, dims.block);
    let last = quotient(p1, dims.block);
    let block0 = quotient(first, area);
    let position0 = first - block0 * area;
    let row0 = i32(quotient(position0, u32(cols)));
    let column0 = i32(position0) - row0 * cols;
    var a = vec2<i32>(0, path.rows - 1);
    var b = vec2<i32>(0, cols - 1);
    if (last < (block0 + 1u) * area) {
        let position1 = last - block0 * area;
        a = vec2<i32>(row0, i32(quotient(position1, u32(cols))));
        if (a.x == a.y) {
            b = vec2<i32>(column0, i32(position1) - a.y * cols);
        }
    }
    let taps_y = taps_of(a.x, a.y, path.step_y, path.y0, path.taps_y, image_height());
    let taps_x = taps_of(b.x, b.y, path.step_x, path.x0, path.taps_x, image_width());
    place(block0 * dims.block, u32(row0), u32(column0), p0 - first * dims.block, lane);
    reset();

    // Neighbouring taps are neighbours in the image and, forward, in w too: then they are one run.
    let quads = i32(image_quads());
    var run = vec2<i32>(0, quads);
    var runs = taps_x;
    if (JOIN_TAPS) {
        run = taps_x * quads;
        runs = vec2<i32>(0, 1);
    }
    if (taps_y.x < taps_y.y && runs.x < runs.y && run.x < run.y) {
        var ty = taps_y.x;
        loop {
            var tx = runs.x;
            loop {
                let row = path.w0 + ty * path.w_dy + tx * path.w_dx;
                var q = run.x;
                loop {
                    multiply_add(u32(tx * quads + q), u32(ty), u32(row), u32(q), m0, lane);
                    q += 1;
                    // At the end: a test at the start costs a pass with all lanes masked off.
                    if (q >= run.y) {
                        break;
                    }
                }
                tx += 1;
                if (tx >= runs.y) {
                    break;
                }
            }
            ty += 1;
            if (ty >= taps_y.y) {
                break;
            }
        }
    }
    store_tile(m0, lane);
}
