// input gradient: the image is dy, the result is dx. Names of sizes, the walk, the gate of relu', how dx
// is stored.

const JOIN_TAPS: bool = false;
fn image_quads() -> u32 { return dims.co_quads; }
fn image_width() -> i32 { return i32(dims.wo); }
fn image_height() -> i32 { return i32(dims.ho); }
fn image_left() -> u32 { return dims.y_left; }
fn image_top() -> u32 { return dims.y_top; }
fn result_quads() -> u32 { return dims.ci_quads; }
fn result_channels() -> u32 { return dims.ci; }
fn result_rows() -> u32 { return dims.h; }
fn result_row() -> u32 { return dims.x_row; }

@group(0) @binding(3) var<storage, read_write> dx: array<vec4<f32>>;

// One quad of one pixel, at `at` quads from the start of dx; `load_gate` reads the gate there, or at
// quad gx + `quad` of row gy of sample n.
fn store(at: u32, quad: u32, value: vec4<f32>, gx: u32, gy: u32, n: u32) {
    if (at != NOWHERE) {
        var v = value;
        if ((sizes.flags & GATE) != 0u) {
            v = select(v, vec4<f32>(0.0), load_gate(at + quad, gx + quad, gy, n) <= vec4<f32>(0.0));
        }
        dx[at + quad] = inside(v, quad, sizes.ci);
    }
}

// Pixel iy of x was read by the taps ky with (iy + py - ky) a multiple of sy. So
// all pixels with the same iy % sy and ix % sx, a phase, share their taps, and nothing is tested
// per tap: ky = first + sy t for t < taps, read from row (iy + py - first) / sy - t of dy. The walk
// takes t descending, which is dy ascending. A phase may have no tap at all (a stride above the
// kernel's size): its gradient is zero.
fn walk_of(phase: u32) -> Walk {
    let s = vec2<u32>(dims.stride_x, dims.stride_y);
    let residue = vec2<u32>(phase % s.x, phase / s.x);
    let kernel = vec2<u32>(dims.kernel_x, dims.kernel_y);
    let shifted = residue + vec2<u32>(dims.padding_x, dims.padding_y);
    let first = shifted % s;
    let taps = vec2<i32>((kernel + s - 1u - first) / s);
    let start = vec2<i32>(shifted / s) + 1 - taps;
    let size = vec2<i32>((vec2<u32>(dims.w, dims.h) + s - 1u - residue) / s);
    let step = vec2<i32>(s);
    let last = vec2<i32>(first) + (taps - 1) * step;
    let tap_rows = 4 * i32(dims.ci_quads);
    let kernel_row = i32(dims.kernel_x) * tap_rows;
    var walk: Walk;
    walk.rows = size.y;
    walk.cols = size.x;
    walk.step_y = 1;
    walk.step_x = 1;
    walk.y0 = start.y;
    walk.x0 = start.x;
    walk.taps_y = taps.y;
    walk.taps_x = taps.x;
    walk.w0 = last.y * kernel_row + last.x * tap_rows;
    walk.w_dy = -step.y * kernel_row;
    walk.w_dx = -step.x * tap_rows;
    walk.out_y = residue.y;
    walk.out_x = residue.x;
    walk.out_step_y = s.y;
    walk.out_step_x = s.x;
    return walk;
}
