// From pixels of channels to rows of pixels, channel by channel, and back.
//
// forward:  y[n H + h][c W + w] = x[n][h][w][c]
// backward: dx[n][h][w][c] = dy[n H + h][c W + w]
//
// Forward, invocation i owns four neighbouring numbers of a row of y; backward, four neighbouring
// channels of one pixel. x: rows of `x_stride` floats, one for each row of a picture, channels padded
// to `quads` groups of four. y: rows of `y_stride` floats. Padding stays 0.
// Rust twin: src/layer/image_rows.rs.

struct Dims {
    // Rows of all pictures.
    rows: u32,
    channels: u32,
    width: u32,
    // Groups of four channels.
    quads: u32,
    x_stride: u32,
    y_stride: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4<f32>>;

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let features = dims.channels * dims.width;
    let quads = (features + 3u) / 4u;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows * quads {
        return;
    }
    let row = i / quads;
    let first = 4u * (i % quads);
    var v = vec4<f32>(0.0);
    for (var lane = 0u; lane < 4u; lane++) {
        let feature = first + lane;
        if feature < features {
            let c = feature / dims.width;
            v[lane] = x[row * dims.x_stride + feature % dims.width * 4u * dims.quads + c];
        }
    }
    y[row * dims.y_stride / 4u + i % quads] = v;
}

@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row_quads = dims.width * dims.quads;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows * row_quads {
        return;
    }
    let row = i / row_quads;
    let w = i % row_quads / dims.quads;
    let first = 4u * (i % dims.quads);
    var v = vec4<f32>(0.0);
    for (var lane = 0u; lane < 4u; lane++) {
        let c = first + lane;
        if c < dims.channels {
            v[lane] = dy[row * dims.y_stride + c * dims.width + w];
        }
    }
    dx[(row * dims.x_stride + w * 4u * dims.quads + first) / 4u] = v;
}
