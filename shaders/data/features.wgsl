// The batch as lists of features, a skeleton: gathers samples through the list of indices, casts and
// normalises them. In front of it stands how four values that follow each other are read: `values(at)`.
//
// x[r][d] = (value[index[start + r]][d] - mean[d]) * scale[d]; rows from `step.count` on are 0.
//
// Invocation i owns four neighbouring elements of one sample: quad i % quads of row i / quads,
// with quads = ceil(cols / 4). x is rows x cols with rows of `stride` vec4s; padding stays 0.
// Rust twin: `Normalization` in src/data/normalize.rs.

struct Dims {
    rows: u32,
    cols: u32,
    stride: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> samples: array<u32>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read> mean: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> scale: array<vec4<f32>>;
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
    if row >= step.count {
        x[at] = vec4<f32>(0.0);
        return;
    }
    let first = indices[step.start + row] * dims.cols + 4u * quad;
    x[at] = numeric_mask((values(first) - mean[quad]) * scale[quad], quad, dims.cols);
}
