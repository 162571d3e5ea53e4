// Gaussian error linear unit (Hendrycks and Gimpel, arXiv 1606.08415).
//
// forward:  y = x P(x), with P the normal distribution function (erf), or where
//           `approximate` is 1 its tanh form x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
// backward: dx = dy (P(x) + x P'(x)), of the same form. `saved` is x.
//
// Invocation i owns four neighbouring columns of one row: quad i % quads of row i / quads, with
// quads = ceil(cols / 4). Matrices are rows x cols with rows of `stride` vec4s; padding stays 0.
// Rust twin: src/layer/gelu.rs.

struct Dims {
    rows: u32,
    cols: u32,
    stride: u32,
    // 0: exact, 1: the tanh form.
    approximate: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> saved: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> dx: array<vec4<f32>>;

fn inner(v: vec4<f32>) -> vec4<f32> {
    return 0.7978845608 * (v + 0.044715 * v * v * v);
}

// The factor of x in y.
fn share(v: vec4<f32>) -> vec4<f32> {
    if dims.approximate == 1u {
        return 0.5 * (1.0 + numeric_tanh(inner(v)));
    }
    return 0.5 * (1.0 + numeric_erf(v * 0.7071067812));
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
    let v = x[at];
    y[at] = v * share(v);
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
    let v = saved[at];
    var slope: vec4<f32>;
    if dims.approximate == 1u {
        let t = numeric_tanh(inner(v));
        slope = 0.5 * (1.0 - t) * (1.0 + t) * 0.7978845608 * (1.0 + 0.134145 * v * v);
    } else {
        slope = 0.3989422804 * exp(-0.5 * v * v);
    }
    dx[at] = dy[at] * (share(v) + v * slope);
}
