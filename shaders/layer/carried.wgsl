// A state that is carried from batch to batch: into the first step's row of each sample, and out of
// the last one's.
//
// begin: rows[first step of n] = state[n], and 0 where step.carry is 0 or n is no sample of the batch
// keep:  state[n] = rows[last step of n], for the samples of the batch
//
// Invocation i owns quad i % quads of sample i / quads. Row n `steps` + `row` of `rows` is the one that
// is meant. Rust twin: src/layer/recurrent/work.rs.

struct Dims {
    samples: u32,
    quads: u32,
    // Rows of a sample, and which one is meant.
    steps: u32,
    row: u32,
    // Length of a row in vec4s, in both.
    stride: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read_write> rows: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> state: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> step: Step;

@compute @workgroup_size(64)
fn begin(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.samples * dims.quads {
        return;
    }
    let sample = i / dims.quads;
    let quad = i % dims.quads;
    var v = vec4<f32>(0.0);
    if step.carry == 1u && sample < step.count {
        v = state[sample * dims.stride + quad];
    }
    rows[(sample * dims.steps + dims.row) * dims.stride + quad] = v;
}

@compute @workgroup_size(64)
fn keep(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    if i >= min(step.count, dims.samples) * dims.quads {
        return;
    }
    let sample = i / dims.quads;
    let quad = i % dims.quads;
    state[sample * dims.stride + quad] = rows[(sample * dims.steps + dims.row) * dims.stride + quad];
}
