// Average pooling.
//
// forward:  y = the sum of x over the window / divisor. With flag 1 negative results become 0 (relu).
// backward: dx = the sum of dy / divisor over the windows that cover it. With flag 2 zero where x is
//           not positive (the gradient of a relu in front).
// divisor:  with flag 4 the cells of the window inside the picture and its padding (PyTorch's
//           count_include_pad, and Caffe's rule); else those inside the picture.
//
// Forward, invocation i owns four neighbouring channels of one pixel of y; backward, of one pixel of
// x, and sums over the windows that cover it, so that nothing is added to from two sides. Values lie
// as pixels of channels: rows of `x_stride` and `y_stride` vec4s; padding channels stay 0.
// Rust twin: src/layer/avg_pool2d.rs.

struct Dims {
    // Picture rows of all samples: of y forward, of x backward.
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

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4<f32>>;

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
    var sum = vec4<f32>(0.0);
    for (var ky = 0u; ky < dims.kernel_y; ky++) {
        // Wraps below zero, and is then beyond the last row as well.
        let iy = oy * dims.stride_y + ky - dims.pad_y;
        for (var kx = 0u; kx < dims.kernel_x; kx++) {
            let ix = ox * dims.stride_x + kx - dims.pad_x;
            if iy < dims.x_height && ix < dims.x_width {
                sum += x[(n * dims.x_height + iy) * dims.x_stride + ix * dims.quads + quad];
            }
        }
    }
    var v = sum / divisor(oy, ox);
    if (dims.flags & 1u) != 0u {
        v = select(v, vec4<f32>(0.0), v < vec4<f32>(0.0));
    }
    y[row * dims.y_stride + ox * dims.quads + quad] = v;
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
    for (var wy = first_y; wy < end_y; wy++) {
        for (var wx = first_x; wx < end_x; wx++) {
            let from_y = (n * dims.y_height + wy) * dims.y_stride + wx * dims.quads + quad;
            sum += dy[from_y] / divisor(wy, wx);
        }
    }
    let at = row * dims.x_stride + ox * dims.quads + quad;
    if (dims.flags & 2u) != 0u {
        sum = select(vec4<f32>(0.0), sum, x[at] > vec4<f32>(0.0));
    }
    dx[at] = sum;
}
