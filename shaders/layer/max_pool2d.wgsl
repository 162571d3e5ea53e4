// Max pooling.
//
// forward:  y = the largest x of the window, the first of equal ones; NaN wins. `taps` keeps which
//           one it was.
// backward: dx = the sum of dy over the windows whose largest value this is. `chosen` is what `taps`
//           kept.
//
// Which invocation computes what stands in the skeleton, shaders/layer/pool.wgsl, which follows.
// Rust twin: src/layer/max_pool2d.rs.

struct Window {
    best: vec4<f32>,
    tap: vec4<f32>,
}

@group(0) @binding(5) var<storage, read_write> taps: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> chosen: array<vec4<f32>>;

fn begun() -> Window {
    return Window(vec4<f32>(-3.4028234e38), vec4<f32>(-1.0));
}

fn with_tap(window: Window, v: vec4<f32>, tap: u32) -> Window {
    let nan = (bitcast<vec4<u32>>(v) & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
    let better = (v > window.best) | nan | (window.tap < vec4<f32>(0.0));
    return Window(
        select(window.best, v, better),
        select(window.tap, vec4<f32>(f32(tap)), better),
    );
}

fn made(window: Window, _wy: u32, _wx: u32) -> vec4<f32> {
    return window.best;
}

fn keep(window: Window, at: u32) {
    taps[at] = window.tap;
}

fn share(at: u32, tap: u32, _wy: u32, _wx: u32) -> vec4<f32> {
    return select(vec4<f32>(0.0), dy[at], chosen[at] == vec4<f32>(f32(tap)));
}

fn shares(at: u32, ky: u32, kx: u32, _wy: u32, _wx: u32) -> Shares {
    let gradient = dy[at];
    let taken = chosen[at];
    let tap = f32(ky * dims.kernel_x + kx);
    let below = tap + f32(dims.kernel_x);
    // Behind the window's last column there is no tap; below its last row none is chosen.
    let right = kx + 1u < dims.kernel_x;
    let none = vec4<f32>(0.0);
    return Shares(
        select(none, gradient, taken == vec4<f32>(tap)),
        select(none, gradient, taken == vec4<f32>(select(-2.0, tap + 1.0, right))),
        select(none, gradient, taken == vec4<f32>(below)),
        select(none, gradient, taken == vec4<f32>(select(-2.0, below + 1.0, right))),
    );
}
