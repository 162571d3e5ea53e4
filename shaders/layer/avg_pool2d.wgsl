// Average pooling.
//
// forward:  y = the sum of x over the window / divisor.
// backward: dx = the sum of dy / divisor over the windows that cover it.
// divisor:  with flag 4 the cells of the window inside the picture and its padding (PyTorch's
//           count_include_pad, and Caffe's rule); else those inside the picture.
//
// Which invocation computes what stands in the skeleton, shaders/layer/pool.wgsl, which follows.
// Rust twin: src/layer/avg_pool2d.rs.

struct Window {
    sum: vec4<f32>,
}

// Cells that the window from `start` (counted from the padding's edge on) covers along one side.
fn covered(start: u32, kernel: u32, size: u32, pad: u32) -> u32 {
    if (dims.flags & 4u) != 0u {
        return min(start + kernel, size + 2u * pad) - start;
    }
    return min(start + kernel, size + pad) - max(start, pad);
}

fn divisor(wy: u32, wx: u32) -> f32 {
    let rows = covered(wy * dims.stride_y, dims.kernel_y, dims.x_height, dims.pad_y);
    let columns = covered(wx * dims.stride_x, dims.kernel_x, dims.x_width, dims.pad_x);
    return f32(rows * columns);
}

fn begun() -> Window {
    return Window(vec4<f32>(0.0));
}

fn with_tap(window: Window, v: vec4<f32>, _tap: u32) -> Window {
    return Window(window.sum + v);
}

fn made(window: Window, wy: u32, wx: u32) -> vec4<f32> {
    return window.sum / divisor(wy, wx);
}

fn keep(_window: Window, _at: u32) {
}

fn share(at: u32, _tap: u32, wy: u32, wx: u32) -> vec4<f32> {
    return dy[at] / divisor(wy, wx);
}

fn shares(at: u32, ky: u32, kx: u32, wy: u32, wx: u32) -> Shares {
    let share = dy[at] / divisor(wy, wx);
    let right = kx + 1u < dims.kernel_x;
    let below = ky + 1u < dims.kernel_y;
    let none = vec4<f32>(0.0);
    return Shares(
        share,
        select(none, share, right),
        select(none, share, below),
        select(none, share, below && right),
    );
}
