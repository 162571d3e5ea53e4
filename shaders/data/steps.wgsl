// The batch as sequences, a skeleton: gathers samples through the list of indices, casts and normalises
// them. In front of it stands how a value is read: `value(at)`.
//
// x[r][t][j] = (value[index[start + r]][d] - mean[d]) * scale[d] with d = t cols + j; samples from
// `step.count` on are 0.
//
// Invocation i owns four neighbouring elements of one step: quad i % quads of row i / quads, which is the
// step row % steps of the sample row / steps, with quads = ceil(cols / 4). x has rows of `stride` vec4s;
// padding stays 0.
// Rust twin: `Normalization` in src/data/normalize.rs.

struct Dims {
    rows: u32,
    cols: u32,
    stride: u32,
    steps: u32,
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
    let sample = row / dims.steps;
    var v = vec4<f32>(0.0);
    if sample < step.count {
        let first = indices[step.start + sample] * dims.steps * dims.cols;
        for (var lane = 0u; lane < 4u; lane++) {
            let j = 4u * quad + lane;
            if j < dims.cols {
                let d = row % dims.steps * dims.cols + j;
                v[lane] = (value(first + d) - mean[d]) * scale[d];
            }
        }
    }
    x[row * dims.stride + quad] = v;
}
