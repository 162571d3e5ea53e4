// weight gradient: how dw and db are stored, and which part of the sum a tile takes.

@group(0) @binding(3) var<storage, read_write> dw: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> db: array<vec4<f32>>;

fn weight_rows() -> u32 {
    return sizes.kernel_y * sizes.kernel_x * sizes.ci_quads * 4u;
}

// One quad of one row of a part of dw.
fn store(row: u32, quad: u32, part: u32, value: vec4<f32>) {
    if (row < weight_rows() && quad < sizes.co_quads) {
        dw[part * sizes.part + row * sizes.w_row + quad] = inside(value, quad, sizes.co);
    }
}

// One quad of db; of a part it lies behind the part's dw.
fn store_db(quad: u32, part: u32, sum: vec4<f32>) {
    if (quad < sizes.co_quads) {
        let v = inside(sum, quad, sizes.co);
        if (sizes.parts_n * sizes.parts_y > 1u) {
            dw[part * sizes.part + weight_rows() * sizes.w_row + quad] = v;
        } else {
            db[quad] = v;
        }
    }
}

// A tile is the quads of rows of dw from `first` to `last` (quad (ky kernel_x + kx) ci_quads + c
// holds input channels 4 c to 4 c + 3 at tap (ky, kx)); part z of the sum has a share of the
// samples, in fours, and of the rows of dy. Of these only the pixels count for which a tap of the
// tile lies within x: the others would only add zeros. Tiles with the first tap that does not look
// into the padding before the image take all pixels, so that they add up db in passing.
struct Bounds {
    n_begin: u32,
    n_end: u32,
    y_begin: u32,
    y_end: u32,
    x_begin: u32,
    x_end: u32,
    with_db: bool,
}

// The outputs, from .x to below .y, for which a tap from `first` to `last` lies within the input.
fn outputs_of(first: u32, last: u32, padding: u32, stride: u32, size: u32, outputs: u32) -> vec2<u32> {
    let begin = (max(padding, last) - last + stride - 1u) / stride;
    let end = (max(size + padding, first) - first + stride - 1u) / stride;
    return vec2<u32>(begin, min(end, outputs));
}

fn bounds_of(first: u32, last: u32, part: u32) -> Bounds {
    var bounds: Bounds;
    let kernel_row = dims.kernel_x * dims.ci_quads;
    let ky = vec2<u32>(first, last) / kernel_row;
    var kx = vec2<u32>(0u, dims.kernel_x - 1u);
    if (ky.x == ky.y) {
        kx = vec2<u32>(first, last) % kernel_row / dims.ci_quads;
    }
    let y = outputs_of(ky.x, ky.y, dims.padding_y, dims.stride_y, dims.h, dims.ho);
    let x = outputs_of(kx.x, kx.y, dims.padding_x, dims.stride_x, dims.w, dims.wo);

    let tap = vec2<u32>(
        min(dims.padding_x, dims.kernel_x - 1u),
        min(dims.padding_y, dims.kernel_y - 1u),
    );
    let quad = tap.y * kernel_row + tap.x * dims.ci_quads;
    bounds.with_db = (dims.flags & DB) != 0u && first <= quad && quad <= last;

    let fours = (dims.samples + 3u) / 4u;
    let part_n = part / dims.parts_y;
    let part_y = part % dims.parts_y;
    bounds.n_begin = 4u * (fours * part_n / dims.parts_n);
    bounds.n_end = 4u * (fours * (part_n + 1u) / dims.parts_n);
    let rows = vec2<u32>(dims.ho * part_y, dims.ho * (part_y + 1u)) / dims.parts_y;
    bounds.y_begin = select(max(y.x, rows.x), rows.x, bounds.with_db);
    bounds.y_end = select(min(y.y, rows.y), rows.y, bounds.with_db);
    bounds.x_begin = select(x.x, 0u, bounds.with_db);
    bounds.x_end = select(x.y, dims.wo, bounds.with_db);
    return bounds;
}
