// The batch as pixels of channels, a skeleton: gathers samples through the list of indices, casts and
// normalises them. In front of it stands how a value is read: `value(at)`.
//
// x[r][h][w][c] = (value[index[start + r]][d] - mean[d]) * scale[d] with d = (c height + h) width + w:
// samples lie in PyTorch's order, pictures of a net as pixels of channels. Samples from `step.count`
// on are 0.
//
// Invocation i owns four neighbouring channels of one pixel: quad i % quads of picture row i / quads,
// with quads = cols / 4. x has rows of `stride` vec4s; padding stays 0.
// Rust twin: `Normalization` in src/data/normalize.rs.

struct Dims {
    rows: u32,
    cols: u32,
    stride: u32,
    channels: u32,
    channel_quads: u32,
    height: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> samples: array<u32>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> scale: array<f32>;
@group(0) @binding(5) var<storage, read_write> x: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> step: Step;

@compute @workgroup_size(64)
fn gather(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let quads = (dims.cols + 3u) / 4u;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows * quads {
        return;
    }
    let row = i / quads;
    let quad = i % quads;
    let at = row * dims.stride + quad;
    let sample = row / dims.height;
    if sample >= step.count {
        x[at] = vec4<f32>(0.0);
        return;
    }
    let plane = dims.height * dims.width;
    let first = indices[step.start + sample] * dims.channels * plane;
    let pixel = row % dims.height * dims.width + quad / dims.channel_quads;
    var v = vec4<f32>(0.0);
    let c = 4u * (quad % dims.channel_quads);
    // Turns only for channels that are there: grey pictures have one.
    let lanes = min(4u, dims.channels - c);
    var lane = 0u;
    loop {
        let d = (c + lane) * plane + pixel;
        let normalized = (value(first + d) - mean[d]) * scale[d];
        v = select(v, vec4<f32>(normalized), vec4<u32>(0u, 1u, 2u, 3u) == vec4<u32>(lane));
        lane++;
        if lane >= lanes {
            break;
        }
    }
    x[at] = v;
}
