// How a convolution that gathers (forward, input gradient) walks through its image and weights.
//
// The results of a dispatch fall into phases. Within one phase result (a, b) of a sample reads the
// image at rows y0 + a step_y + ty and pixels x0 + b step_x + tx, with 0 <= ty < taps_y and
// 0 <= tx < taps_x; the weights of tap (ty, tx) start at row w0 + ty w_dy + tx w_dx. It is written
// to row out_y + a out_step_y, pixel out_x + b out_step_x.
struct Walk {
    rows: i32,
    cols: i32,
    step_y: i32,
    step_x: i32,
    y0: i32,
    x0: i32,
    taps_y: i32,
    taps_x: i32,
    w0: i32,
    w_dy: i32,
    w_dx: i32,
    out_y: u32,
    out_x: u32,
    out_step_y: u32,
    out_step_x: u32,
}

// That of this workgroup.
var<private> walk: Walk;

// The taps of a tile, from .x to below .y: those that find a pixel of the image (of `size`) for
// any result from `first` to `last` along one axis. The others would only add zeros.
fn taps_of(first: i32, last: i32, step: i32, start: i32, taps: i32, size: i32) -> vec2<i32> {
    return vec2<i32>(max(0, -(start + last * step)), min(taps, size - (start + first * step)));
}

// a / b for a < 2^31 and a quotient below 2^22: a CPU has no instruction that divides a vector of
// integers, and one by one is slow. The quotient of floats is wrong by 1 at most.
fn quotient(a: u32, b: u32) -> u32 {
    let q = i32(f32(i32(a)) / f32(i32(b)));
    let rest = i32(a) - q * i32(b);
    return u32(q + select(0, 1, rest >= i32(b)) - select(0, 1, rest < 0));
}
