// A row for each step of a sequence, added to the step: trained, or sines (Vaswani et al., arXiv
// 1706.03762).
//
// learned:    y[n][t] = x[n][t] + w[t]; gradient: dw[t] = the sum of dy[n][t] over the samples n
// sinusoidal: y[n][t][2 i] = x[n][t][2 i] + sin(t f^i), y[n][t][2 i + 1] = x[..] + cos(t f^i) with
//             f = 10000^(-2 / cols)
//
// learned: invocation i owns four neighbouring columns of one row: quad i % quads of row i / quads, with
// quads = ceil(cols / 4). gradient: those of one step, of all samples, in order; sinusoidal: those of one
// step of `span` samples. Matrices are rows x cols with rows of `stride` vec4s, a row of w for each
// step; padding stays 0. Sines want no function of the driver: t f^i is computed in turns as a fraction
// of 64 bits (low word, high word), of which whole turns fall away by themselves.
// Loops of an invocation: at most samples / 4 + 3, or 2 * 20 + span iterations; the Rust twin keeps them
// below 60,000.
// Rust twin: src/layer/positional_embedding.rs.

struct Dims {
    rows: u32,
    cols: u32,
    stride: u32,
    steps: u32,
    // Samples that one invocation goes through.
    span: u32,
    // f as a fraction of 2^64.
    ratio_low: u32,
    ratio_high: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> dw: array<vec4<f32>>;

@compute @workgroup_size(64)
fn learned(
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
    let q = i % quads;
    let at = row * dims.stride + q;
    y[at] = x[at] + w[row % dims.steps * dims.stride + q];
}

@compute @workgroup_size(64)
fn gradient(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let quads = (dims.cols + 3u) / 4u;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.steps * quads {
        return;
    }
    let samples = dims.rows / dims.steps;
    let apart = dims.steps * dims.stride;
    let to = i / quads * dims.stride + i % quads;
    var at = to;
    var sum = vec4<f32>(0.0);
    var n = 0u;
    for (; n + 4u <= samples; n += 4u) {
        sum += (dy[at] + dy[at + apart]) + (dy[at + 2u * apart] + dy[at + 3u * apart]);
        at += 4u * apart;
    }
    for (; n < samples; n++) {
        sum += dy[at];
        at += apart;
    }
    dw[to] = sum;
}

// The high word of a b.
fn high(a: u32, b: u32) -> u32 {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let first = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let second = (a & 0xffffu) * (b >> 16u) + (first & 0xffffu);
    return (a >> 16u) * (b >> 16u) + (first >> 16u) + (second >> 16u);
}

// The product of two fractions, off by at most three units of its last place.
fn times(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let first = a.y * b.y + high(a.y, b.x);
    let second = first + high(a.x, b.y);
    let carried = select(0u, 1u, first < a.y * b.y) + select(0u, 1u, second < first);
    return vec2<u32>(second, high(a.y, b.y) + carried);
}

// sin and cos of t f^i.
fn sines(t: u32, i: u32) -> vec2<f32> {
    // 1 / (2 pi): turns of a step.
    var turns = vec2<u32>(0x9391054Au, 0x28BE60DBu);
    var power = vec2<u32>(dims.ratio_low, dims.ratio_high);
    for (var rest = i; rest > 0u; rest >>= 1u) {
        if (rest & 1u) != 0u {
            turns = times(turns, power);
        }
        power = times(power, power);
    }
    let phase = t * turns.y + high(t, turns.x);
    // The nearest quarter of a turn, and what is left, within pi / 4.
    let quarter = (phase + 0x20000000u) >> 30u;
    let a = f32(bitcast<i32>(phase - (quarter << 30u))) * 1.4629180792671596e-9;
    let z = a * a;
    let s = a * (1.0 + z * (-0.16666666666666666 + z * (0.008333333333333333
        + z * (-0.0001984126984126984 + z * 0.000002755731922398589))));
    let c = 1.0 + z * (-0.5 + z * (0.041666666666666664 + z * (-0.001388888888888889
        + z * (0.0000248015873015873 + z * -2.755731922398589e-7))));
    let turned = select(vec2<f32>(s, c), vec2<f32>(c, -s), (quarter & 1u) != 0u);
    return select(turned, -turned, (quarter & 2u) != 0u);
}

@compute @workgroup_size(64)
fn sinusoidal(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let quads = (dims.cols + 3u) / 4u;
    let i = index_linear(group, groups, local, 64u);
    let q = i % quads;
    let t = i / quads % dims.steps;
    let first = i / quads / dims.steps * dims.span;
    let samples = dims.rows / dims.steps;
    if first >= samples {
        return;
    }
    let both = vec4<f32>(sines(t, 2u * q), sines(t, 2u * q + 1u));
    let e = numeric_mask(both, q, dims.cols);
    for (var n = first; n < min(first + dims.span, samples); n++) {
        let at = (n * dims.steps + t) * dims.stride + q;
        y[at] = x[at] + e;
    }
}
