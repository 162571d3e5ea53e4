// Pooling, over windows of pixels: the skeleton of the files that define what is made of a window
// (`begun`, `with`, `made`, `keep`) and what of its gradient a pixel gets (`share`, `shares`).
//
// forward:  y = made of the x of the window, in the order of its taps. With flag 1 negative results
//           become 0 (relu).
// backward: dx = the sum of the shares of dy over the windows that cover it. With flag 2 zero where x
//           is not positive (the gradient of a relu in front).
//
// Forward, invocation i owns four neighbouring channels of one pixel of y; backward, of one pixel of
// x (for strides of 2 of 2x2 pixels: `backward_blocks`), and sums over the windows that cover it, so
// that nothing is added to from two sides. Values lie
// as pixels of channels: rows of `x_stride` and `y_stride` vec4s; padding channels stay 0.
// Rust twin: src/layer/pool.rs.

struct Dims {
    // Picture rows of all samples: of y forward, of x backward (rows of its blocks).
    rows: u32,
    x_height: u32,
    x_width: u32,
    y_height: u32,
    y_width: u32,
    // Groups of four channels of a pixel.
    quads: u32,
    x_stride: u32,
    y_stride: u32,
    kernel_y: u32,
    kernel_x: u32,
    stride_y: u32,
    stride_x: u32,
    pad_y: u32,
    pad_x: u32,
    flags: u32,
}

// What 2x2 neighbouring pixels get of the gradient of a window.
struct Shares {
    upper_left: vec4<f32>,
    upper_right: vec4<f32>,
    lower_left: vec4<f32>,
    lower_right: vec4<f32>,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4<f32>>;

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row_quads = dims.y_width * dims.quads;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows * row_quads {
        return;
    }
    let row = i / row_quads;
    let quad = i % row_quads % dims.quads;
    let n = row / dims.y_height;
    let oy = row % dims.y_height;
    let ox = i % row_quads / dims.quads;
    var window = begun();
    // Tests at the end of loops: one at the start costs a CPU a whole turn with all lanes masked off.
    var ky = 0u;
    loop {
        // Wraps below zero, and is then beyond the last row as well.
        let iy = oy * dims.stride_y + ky - dims.pad_y;
        var kx = 0u;
        loop {
            let ix = ox * dims.stride_x + kx - dims.pad_x;
            if iy < dims.x_height && ix < dims.x_width {
                let v = x[(n * dims.x_height + iy) * dims.x_stride + ix * dims.quads + quad];
                window = with_tap(window, v, ky * dims.kernel_x + kx);
            }
            kx++;
            if kx >= dims.kernel_x {
                break;
            }
        }
        ky++;
        if ky >= dims.kernel_y {
            break;
        }
    }
    var v = made(window, oy, ox);
    if (dims.flags & 1u) != 0u {
        v = select(v, vec4<f32>(0.0), v < vec4<f32>(0.0));
    }
    let at = row * dims.y_stride + ox * dims.quads + quad;
    y[at] = v;
    keep(window, at);
}

// Writes the gradient of a pixel, if there is one at (oy, ox) of sample n.
fn put(n: u32, oy: u32, ox: u32, quad: u32, sum: vec4<f32>) {
    if oy >= dims.x_height || ox >= dims.x_width {
        return;
    }
    let at = (n * dims.x_height + oy) * dims.x_stride + ox * dims.quads + quad;
    var v = sum;
    if (dims.flags & 2u) != 0u {
        v = select(vec4<f32>(0.0), v, x[at] > vec4<f32>(0.0));
    }
    dx[at] = v;
}

@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row_quads = dims.x_width * dims.quads;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows * row_quads {
        return;
    }
    let row = i / row_quads;
    let quad = i % row_quads % dims.quads;
    let n = row / dims.x_height;
    let oy = row % dims.x_height;
    let ox = i % row_quads / dims.quads;
    // The windows that cover this pixel.
    let py = oy + dims.pad_y;
    let px = ox + dims.pad_x;
    let first_y = select(0u, (py - dims.kernel_y) / dims.stride_y + 1u, py >= dims.kernel_y);
    let first_x = select(0u, (px - dims.kernel_x) / dims.stride_x + 1u, px >= dims.kernel_x);
    let end_y = min(py / dims.stride_y + 1u, dims.y_height);
    let end_x = min(px / dims.stride_x + 1u, dims.y_width);
    var sum = vec4<f32>(0.0);
    var wy = first_y;
    loop {
        var wx = first_x;
        loop {
            // No window may cover the pixel.
            if wy < end_y && wx < end_x {
                let from_y = (n * dims.y_height + wy) * dims.y_stride + wx * dims.quads + quad;
                let tap = (py - wy * dims.stride_y) * dims.kernel_x + px - wx * dims.stride_x;
                sum += share(from_y, tap, wy, wx);
            }
            wx++;
            if wx >= end_x {
                break;
            }
        }
        wy++;
        if wy >= end_y {
            break;
        }
    }
    put(n, oy, ox, quad, sum);
}

// `backward` for strides of 2. Invocation i owns four neighbouring channels of 2x2 pixels of x, which
// begin where a window may begin and so share their windows.
@compute @workgroup_size(64)
fn backward_blocks(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let blocks_y = (dims.x_height + dims.pad_y + 1u) / 2u;
    let blocks_x = (dims.x_width + dims.pad_x + 1u) / 2u;
    let row_quads = blocks_x * dims.quads;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows * row_quads {
        return;
    }
    let row = i / row_quads;
    let quad = i % row_quads % dims.quads;
    let n = row / blocks_y;
    let by = row % blocks_y;
    let bx = i % row_quads / dims.quads;
    var sum00 = vec4<f32>(0.0);
    var sum01 = vec4<f32>(0.0);
    var sum10 = vec4<f32>(0.0);
    var sum11 = vec4<f32>(0.0);
    // The windows that cover the block, from the one that begins with it back: its upper left pixel
    // is theirs at (ky, kx).
    var ky = 0u;
    loop {
        // Wraps below zero, and is then beyond the last window as well.
        let wy = by - ky / 2u;
        var kx = 0u;
        loop {
            let wx = bx - kx / 2u;
            if wy < dims.y_height && wx < dims.y_width {
                let from_y = (n * dims.y_height + wy) * dims.y_stride + wx * dims.quads + quad;
                let parts = shares(from_y, ky, kx, wy, wx);
                sum00 += parts.upper_left;
                sum01 += parts.upper_right;
                sum10 += parts.lower_left;
                sum11 += parts.lower_right;
            }
            kx += 2u;
            if kx >= dims.kernel_x {
                break;
            }
        }
        ky += 2u;
        if ky >= dims.kernel_y {
            break;
        }
    }
    let oy = 2u * by - dims.pad_y;
    let ox = 2u * bx - dims.pad_x;
    put(n, oy, ox, quad, sum00);
    put(n, oy, ox + 1u, quad, sum01);
    put(n, oy + 1u, ox, quad, sum10);
    put(n, oy + 1u, ox + 1u, quad, sum11);
}
