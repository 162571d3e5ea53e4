// Global average pooling: a picture becomes the list of its channels' means.
//
// forward:  y[n][c] = the mean of x[n][h][w][c] over h and w
// backward: dx[n][h][w][c] = dy[n][c] / (height width); with flag 2 zero where x is not positive
//
// Forward, invocation i owns four neighbouring channels of one sample; backward, of one pixel. x: rows
// of `x_stride` vec4s, one for each row of a picture; y: rows of `y_stride` vec4s.
// Rust twin: src/layer/global_avg_pool.rs.

struct Dims {
    samples: u32,
    height: u32,
    width: u32,
    // Groups of four channels.
    quads: u32,
    x_stride: u32,
    y_stride: u32,
    flags: u32,
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
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.samples * dims.quads {
        return;
    }
    let n = i / dims.quads;
    let quad = i % dims.quads;
    var sum = vec4<f32>(0.0);
    for (var h = 0u; h < dims.height; h++) {
        // A sum for each row first: short sums keep their digits.
        var row = vec4<f32>(0.0);
        for (var w = 0u; w < dims.width; w++) {
            row += x[(n * dims.height + h) * dims.x_stride + w * dims.quads + quad];
        }
        sum += row;
    }
    y[n * dims.y_stride + quad] = sum / f32(dims.height * dims.width);
}

@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row_quads = dims.width * dims.quads;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.samples * dims.height * row_quads {
        return;
    }
    let row = i / row_quads;
    let at = row * dims.x_stride + i % row_quads;
    var v = dy[row / dims.height * dims.y_stride + i % dims.quads] / f32(dims.height * dims.width);
    if (dims.flags & 2u) != 0u {
        v = select(vec4<f32>(0.0), v, x[at] > vec4<f32>(0.0));
    }
    dx[at] = v;
}
