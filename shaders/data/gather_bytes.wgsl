// The batch: gathers samples through the list of indices, casts and normalises them.
//
// x[r][d] = (value[index[start + r]][d] - mean[d]) * scale[d]; rows from `step.count` on are 0.
//
// Invocation i owns four neighbouring elements of one sample: quad i % quads of row i / quads,
// with quads = ceil(cols / 4). x is rows x cols with rows of `stride` vec4s; padding stays 0.
// `samples` are bytes, four to a word, the lowest first; a sample may start within a word.
// Rust twin: `Normalization` in src/data/mod.rs.

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

fn byte(at: u32) -> f32 {
    return f32((samples[at / 4u] >> (8u * (at % 4u))) & 255u);
}

// Four bytes from byte `at` on.
fn bytes(at: u32) -> vec4<f32> {
    if at % 4u == 0u {
        let word = samples[at / 4u];
        return vec4<f32>(
            f32(word & 255u),
            f32((word >> 8u) & 255u),
            f32((word >> 16u) & 255u),
            f32(word >> 24u),
        );
    }
    return vec4<f32>(byte(at), byte(at + 1u), byte(at + 2u), byte(at + 3u));
}

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
    let value = bytes(first);
    x[at] = numeric_mask((value - mean[quad]) * scale[quad], quad, dims.cols);
}
