// forward: the image is x, the result is y. Names of sizes, the walk, bias and relu, how y is stored.

const JOIN_TAPS: bool = true;
fn image_quads() -> u32 { return dims.ci_quads; }
fn image_width() -> i32 { return i32(dims.w); }
fn image_height() -> i32 { return i32(dims.h); }
fn image_left() -> u32 { return dims.x_left; }
fn image_top() -> u32 { return dims.x_top; }
fn result_quads() -> u32 { return dims.co_quads; }
fn result_channels() -> u32 { return dims.co; }
fn result_rows() -> u32 { return dims.ho; }
fn result_row() -> u32 { return dims.y_row; }

@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> bias: array<vec4<f32>>;
fn term_of(quad: u32) -> vec4<f32> {
    var term = vec4<f32>(0.0);
    if ((sizes.flags & BIAS) != 0u) {
        term = bias[quad];
    }
    return term;
}
fn finish(value: vec4<f32>, term: vec4<f32>) -> vec4<f32> {
    let v = value + term;
    let negative = v < vec4<f32>(0.0);
    return select(v, vec4<f32>(0.0), negative & vec4<bool>((sizes.flags & RELU) != 0u));
}

// One quad of one pixel, at `at` quads from the start of y.
fn store(at: u32, quad: u32, value: vec4<f32>, term: vec4<f32>) {
    if (at != NOWHERE) {
        y[at + quad] = inside(finish(value, term), quad, sizes.co);
    }
}

// One phase. Tap (ky, kx) of result (oy, ox) is row oy sy - py + ky, pixel ox sx - px + kx.
fn walk_of(phase: u32) -> Walk {
    let tap_rows = 4 * i32(dims.ci_quads);
    var walk: Walk;
    walk.rows = i32(dims.ho);
    walk.cols = i32(dims.wo);
    walk.step_y = i32(dims.stride_y);
    walk.step_x = i32(dims.stride_x);
    walk.y0 = -i32(dims.padding_y);
    walk.x0 = -i32(dims.padding_x);
    walk.taps_y = i32(dims.kernel_y);
    walk.taps_x = i32(dims.kernel_x);
    walk.w0 = 0;
    walk.w_dy = i32(dims.kernel_x) * tap_rows;
    walk.w_dx = tap_rows;
    walk.out_y = 0u;
    walk.out_x = 0u;
    walk.out_step_y = 1u;
    walk.out_step_x = 1u;
    return walk;
}
