// Stochastic gradient descent with momentum over the flat buffers: one dispatch updates the whole
// model, with the rate and the momentum that this step's uniform holds.
//
// g' = g + weight_decay * decay_mult * w
// torch form:  v <- momentum v + g'              d = v, or g' + momentum v (Nesterov)
//              w <- w - lr lr_mult d
// caffe form:  v <- momentum v + lr lr_mult g'   d = v, or (1 + momentum) v - momentum v_old
//              w <- w - d
// The two differ when the rate changes: Caffe's velocity keeps the rates it was made with.
//
// Invocation i owns the four parameters 4i .. 4i + 3. `multipliers` has (lr_mult, decay_mult) for
// each block of 64. Invocation 0 writes the rate and the momentum that it used to the step's
// results: the record shows what the GPU did.
// Rust twin: src/optim/sgd.rs.

struct Dims {
    quads: u32,
    // 0: torch form, 1: Caffe's.
    caffe: u32,
    nesterov: u32,
    results_stride: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read_write> w: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> v: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> multipliers: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read_write> results: array<vec2<f32>>;
@group(1) @binding(0) var<uniform> step: Step;

@compute @workgroup_size(64)
fn update(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.quads {
        return;
    }
    if i == 0u {
        results[step.slot * dims.results_stride] = vec2<f32>(step.lr, step.momentum);
    }
    let mult = multipliers[i / 16u];
    let rate = step.lr * mult.x;
    let old = w[i];
    let decayed = g[i] + (step.optimizer.x * mult.y) * old;
    let v_old = v[i];
    if dims.caffe == 0u {
        let v_new = step.momentum * v_old + decayed;
        v[i] = v_new;
        w[i] = old - rate * select(v_new, decayed + step.momentum * v_new, dims.nesterov == 1u);
    } else {
        let v_new = step.momentum * v_old + rate * decayed;
        v[i] = v_new;
        let ahead = (1.0 + step.momentum) * v_new - step.momentum * v_old;
        w[i] = old - select(v_new, ahead, dims.nesterov == 1u);
    }
}
