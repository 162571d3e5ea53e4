// The batch as lists of tokens: windows of streams of tokens, which lie one behind the other.
//
// x[r][t] = samples[index[start + r] * cols + phase + t]; rows from `step.count` on are 0.
//
// Invocation i owns four neighbouring tokens of one sample: quad i % quads of row i / quads, with
// quads = ceil(cols / 4). x is rows x cols with rows of `stride` vec4s; padding stays 0.
// Rust twin: `Samples::read_shifted` in src/data/stream.rs.

struct Dims {
    rows: u32,
    cols: u32,
    stride: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> samples: array<u32>;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read_write> x: array<vec4<u32>>;
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
    var v = vec4<u32>(0u);
    if row < step.count {
        let first = indices[step.start + row] * dims.cols + step.phase;
        for (var lane = 0u; lane < 4u; lane++) {
            let t = 4u * quad + lane;
            if t < dims.cols {
                v[lane] = samples[first + t];
            }
        }
    }
    x[row * dims.stride + quad] = v;
}
