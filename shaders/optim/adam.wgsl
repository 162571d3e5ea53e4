// Adam and AdamW over the flat buffers: one dispatch updates the whole model, with the rate and the
// first beta that this step's uniform holds.
//
// Adam:   g' = g + weight_decay decay_mult w
// AdamW:  g' = g, and first w <- w - lr lr_mult weight_decay decay_mult w
// m <- beta1 m + (1 - beta1) g'
// v <- beta2 v + (1 - beta2) g'^2
// w <- w - lr lr_mult (m / (1 - beta1^t)) / (sqrt(v) / sqrt(1 - beta2^t) + eps)
// t counts the updates since m and v were 0, from 1. Where beta1 is cycled, its power is that of the
// present beta1, as in PyTorch.
//
// Words of the optimizer: 1 - beta1, 1 / (1 - beta1^t), 1 / sqrt(1 - beta2^t), from f64: 1 less an
// f32 near 1 has lost most of its digits.
// Invocation i owns the four parameters 4i .. 4i + 3. `multipliers` has (lr_mult, decay_mult) for
// each block of 64. Invocation 0 writes the rate and the first beta that it used to the step's
// results: the record shows what the GPU did.
// Rust twin: src/optim/adam.rs.

struct Dims {
    quads: u32,
    // 0: Adam, 1: AdamW.
    decoupled: u32,
    results_stride: u32,
    beta2: f32,
    // 1 - beta2.
    beta2_rest: f32,
    eps: f32,
    weight_decay: f32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read_write> w: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> g: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> m: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> v: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> multipliers: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read_write> results: array<vec2<f32>>;
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
    let decay = dims.weight_decay * mult.y;
    let decoupled = dims.decoupled == 1u;
    let old = w[i];
    let kept = old - select(0.0, rate * decay, decoupled) * old;
    let gradient = g[i] + select(decay, 0.0, decoupled) * old;
    let m_new = step.momentum * m[i] + step.optimizer.x * gradient;
    let v_new = dims.beta2 * v[i] + dims.beta2_rest * (gradient * gradient);
    m[i] = m_new;
    v[i] = v_new;
    let size = sqrt(v_new) * step.optimizer.z + dims.eps;
    w[i] = kept - rate * (m_new * step.optimizer.y / size);
}
