// Dropout (Srivastava et al. 2014), inverted: what is kept is scaled, so that evaluation is the
// identity.
//
// forward:  y = x / (1 - p) with probability 1 - p, else 0
// backward: dx = dy / (1 - p) for the same elements, else 0; the mask is drawn again.
//
// Invocation i owns four neighbouring columns of one row: quad i % quads of row i / quads, with
// quads = ceil(cols / 4). Matrices are rows x cols with rows of `stride` vec4s; padding stays 0.
// Rust twin: src/layer/dropout.rs.

struct Dims {
    rows: u32,
    cols: u32,
    stride: u32,
    // Rows of a sample that has no pixels: the steps of a sequence; 1 of a list and of a picture.
    steps: u32,
    // The shape of such a row, or of a picture: pixels of channels; height and width are 1 for a row.
    channels: u32,
    channel_quads: u32,
    height: u32,
    width: u32,
    // The probability of zero, and 1 / (1 - p).
    p: f32,
    scale: f32,
    // Which dropout layer of the model this is: the draw of the random words.
    draw: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> step: Step;
@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> dx: array<vec4<f32>>;

// Zero or scale for the four channels of a quad. The counter is the element's number in the logical
// order (sample of the update, channel, row, column; of a sequence sample, step, feature), so the mask does not depend on the stored layout
// nor on the batches that an update takes its samples in.
fn mask(row: u32, quad: u32) -> vec4<f32> {
    let sample = step.first_sample * dims.steps + row / dims.height;
    let pixel = row % dims.height * dims.width + quad / dims.channel_quads;
    let channel = sample * dims.channels + 4u * (quad % dims.channel_quads);
    let plane = dims.height * dims.width;
    var keep: vec4<f32>;
    for (var lane = 0u; lane < 4u; lane++) {
        let element = (channel + lane) * plane + pixel;
        let u = threefry_uniform(threefry(step.key_dropout, vec2<u32>(element, dims.draw)).x);
        keep[lane] = select(dims.scale, 0.0, u < dims.p);
    }
    return keep;
}

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let quads = (dims.cols + 3u) / 4u;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows * quads {
        return;
    }
    let at = i / quads * dims.stride + i % quads;
    y[at] = x[at] * mask(i / quads, i % quads);
}

@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let quads = (dims.cols + 3u) / 4u;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows * quads {
        return;
    }
    let at = i / quads * dims.stride + i % quads;
    dx[at] = dy[at] * mask(i / quads, i % quads);
}
