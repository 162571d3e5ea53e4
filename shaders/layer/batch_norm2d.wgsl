// Batch normalisation of each channel over samples and pixels (Ioffe and Szegedy, arXiv 1502.03167).
//
// training:   y = (x - mean) invstd w + b with the mean and 1 / sqrt(variance + eps) of the batch, and
//             running <- (1 - momentum) running + momentum (mean, variance n / (n - 1))
// evaluation: the same with the running statistics
// backward:   db = sum dy, dw = sum dy xhat with xhat = (x - mean) invstd,
//             dx = invstd w (dy - db / n - xhat dw / n)
//
// n is the number of pixels of the active samples; idle pixels count nothing and get 0. The sums run
// in a fixed order that the shape decides: `block_*` makes partial sums of `blocks` stretches of
// `span` pixels, `combine_*` adds them up, the pixel by pixel work follows. `block_*`: invocation i
// owns channels 4 q .. 4 q + 3, q = i % quads, of stretch i / quads. `combine_*`: workgroup q owns
// these channels. The rest: invocation i owns them in RUN pixels from RUN (i / quads) on.
//
// x, y, dy, dx: a row of `stride` vec4s for each row of a picture, `width` pixels of `quads` vec4s
// (NHWC). w, b, dw, db, running_*: `quads` vec4s. stats: mean, then invstd. sums: db / n, then dw / n.
// partials: for each stretch, `partials_stride` vec4s apart, two times `quads` vec4s. The padding of
// the channels is 0 in x and dy, and so in everything.
// Loops of an invocation: at most (span / 8) + 7 or `blocks` / 64 + 6 or RUN iterations; the Rust twin
// keeps them below 60,000.
// Rust twin: src/layer/batch_norm2d.rs.

struct Dims {
    quads: u32,
    width: u32,
    stride: u32,
    // Pixels of a sample, and of all samples.
    plane: u32,
    pixels: u32,
    span: u32,
    blocks: u32,
    partials_stride: u32,
    flags: u32,
    eps: f32,
    momentum: f32,
}

const WEIGHT: u32 = 1u; // w is there
const BIAS: u32 = 2u; // b is there
const RELU: u32 = 4u; // y: negative values become 0 (NaN stays)
const GATE: u32 = 8u; // dx: zero where x <= 0
const RUN: u32 = 8u;

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> dx: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> dw: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> db: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> partials: array<vec4<f32>>;
@group(0) @binding(10) var<storage, read> stats: array<vec4<f32>>;
@group(0) @binding(11) var<storage, read_write> new_stats: array<vec4<f32>>;
@group(0) @binding(12) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(13) var<storage, read_write> new_sums: array<vec4<f32>>;
@group(0) @binding(14) var<storage, read> running_mean: array<vec4<f32>>;
@group(0) @binding(15) var<storage, read> running_var: array<vec4<f32>>;
@group(0) @binding(16) var<storage, read_write> new_running_mean: array<vec4<f32>>;
@group(0) @binding(17) var<storage, read_write> new_running_var: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> step: Step;

// Where a pixel's channels lie, and its column.
struct Place {
    at: u32,
    column: u32,
}

fn place(pixel: u32, q: u32) -> Place {
    let column = pixel % dims.width;
    return Place(pixel / dims.width * dims.stride + column * dims.quads + q, column);
}

// The pixel that follows.
fn after(p: Place) -> Place {
    let last = p.column + 1u == dims.width;
    let jump = dims.stride - (dims.width - 1u) * dims.quads;
    return Place(p.at + select(dims.quads, jump, last), select(p.column + 1u, 0u, last));
}

fn filled_pixels() -> u32 {
    return step.count * dims.plane;
}

// Number, mean and sum of squared deviations from the mean.
struct Moments {
    n: f32,
    mean: vec4<f32>,
    m2: vec4<f32>,
}

// The moments of two sets together (Chan, Golub and LeVeque 1983); either may be empty.
fn together(s: Moments, t: Moments) -> Moments {
    let n = s.n + t.n;
    let share = t.n / max(n, 1.0);
    let delta = t.mean - s.mean;
    return Moments(n, s.mean + delta * share, s.m2 + t.m2 + delta * delta * (s.n * share));
}

@compute @workgroup_size(64)
fn block_moments(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.blocks * dims.quads {
        return;
    }
    let q = i % dims.quads;
    let block = i / dims.quads;
    var pixel = block * dims.span;
    let end = min(pixel + dims.span, filled_pixels());
    var p0 = place(pixel, q);
    var m = Moments(0.0, vec4<f32>(0.0), vec4<f32>(0.0));
    // Eight pixels at a time, read once: their mean, then their deviations from it.
    for (; pixel + 8u <= end; pixel += 8u) {
        let p1 = after(p0);
        let p2 = after(p1);
        let p3 = after(p2);
        let p4 = after(p3);
        let p5 = after(p4);
        let p6 = after(p5);
        let p7 = after(p6);
        let v0 = x[p0.at];
        let v1 = x[p1.at];
        let v2 = x[p2.at];
        let v3 = x[p3.at];
        let v4 = x[p4.at];
        let v5 = x[p5.at];
        let v6 = x[p6.at];
        let v7 = x[p7.at];
        p0 = after(p7);
        let mean = 0.125 * (((v0 + v1) + (v2 + v3)) + ((v4 + v5) + (v6 + v7)));
        let d0 = v0 - mean;
        let d1 = v1 - mean;
        let d2 = v2 - mean;
        let d3 = v3 - mean;
        let d4 = v4 - mean;
        let d5 = v5 - mean;
        let d6 = v6 - mean;
        let d7 = v7 - mean;
        let m2 = ((d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3))
            + ((d4 * d4 + d5 * d5) + (d6 * d6 + d7 * d7));
        m = together(m, Moments(8.0, mean, m2));
    }
    for (; pixel < end; pixel += 1u) {
        m = together(m, Moments(1.0, x[p0.at], vec4<f32>(0.0)));
        p0 = after(p0);
    }
    let to = block * dims.partials_stride + q;
    partials[to] = m.mean;
    partials[to + dims.quads] = m.m2;
}

var<workgroup> shared_n: array<f32, 64>;
var<workgroup> shared_a: array<vec4<f32>, 64>;
var<workgroup> shared_b: array<vec4<f32>, 64>;

@compute @workgroup_size(64)
fn combine_moments(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let q = group.y * groups.x + group.x;
    if q >= dims.quads {
        return;
    }
    let filled = filled_pixels();
    var m = Moments(0.0, vec4<f32>(0.0), vec4<f32>(0.0));
    for (var block = local; block < dims.blocks; block += 64u) {
        let at = block * dims.partials_stride + q;
        let first = block * dims.span;
        let n = min(max(filled, first) - first, dims.span);
        m = together(m, Moments(f32(n), partials[at], partials[at + dims.quads]));
    }
    shared_n[local] = m.n;
    shared_a[local] = m.mean;
    shared_b[local] = m.m2;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            let other = local + half;
            m = together(m, Moments(shared_n[other], shared_a[other], shared_b[other]));
            shared_n[local] = m.n;
            shared_a[local] = m.mean;
            shared_b[local] = m.m2;
        }
    }
    if local == 0u {
        let n = f32(filled);
        new_stats[q] = m.mean;
        new_stats[dims.quads + q] = 1.0 / sqrt(m.m2 / max(n, 1.0) + dims.eps);
        let keep = 1.0 - dims.momentum;
        new_running_mean[q] = keep * new_running_mean[q] + dims.momentum * m.mean;
        let unbiased = m.m2 / max(n - 1.0, 1.0);
        new_running_var[q] = keep * new_running_var[q] + dims.momentum * unbiased;
    }
}

// The bias of the channels.
fn bias(q: u32) -> vec4<f32> {
    if (dims.flags & BIAS) != 0u {
        return b[q];
    }
    return vec4<f32>(0.0);
}

// The weight of the channels.
fn weight(q: u32) -> vec4<f32> {
    if (dims.flags & WEIGHT) != 0u {
        return w[q];
    }
    return vec4<f32>(1.0);
}

// y of pixels RUN i / quads .. ; those from `filled` on are 0.
fn write_y(i: u32, filled: u32, mean: vec4<f32>, invstd: vec4<f32>) {
    let q = i % dims.quads;
    let first = RUN * (i / dims.quads);
    let end = min(first + RUN, dims.pixels);
    let scale = invstd * weight(q);
    let shift = bias(q);
    let relu = (dims.flags & RELU) != 0u;
    var p = place(first, q);
    for (var pixel = first; pixel < end; pixel++) {
        var v = (x[p.at] - mean) * scale + shift;
        v = select(v, vec4<f32>(0.0), vec4<bool>(relu) & (v < vec4<f32>(0.0)));
        y[p.at] = select(vec4<f32>(0.0), v, pixel < filled);
        p = after(p);
    }
}

@compute @workgroup_size(64)
fn normalize(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    let q = i % dims.quads;
    write_y(i, filled_pixels(), stats[q], stats[dims.quads + q]);
}

@compute @workgroup_size(64)
fn evaluate(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    let q = i % dims.quads;
    write_y(i, dims.pixels, running_mean[q], 1.0 / sqrt(running_var[q] + dims.eps));
}

@compute @workgroup_size(64)
fn block_sums(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.blocks * dims.quads {
        return;
    }
    let q = i % dims.quads;
    let block = i / dims.quads;
    var pixel = block * dims.span;
    let end = min(pixel + dims.span, filled_pixels());
    let mean = stats[q];
    var p0 = place(pixel, q);
    var sum = vec4<f32>(0.0);
    var product = vec4<f32>(0.0);
    for (; pixel + 4u <= end; pixel += 4u) {
        let p1 = after(p0);
        let p2 = after(p1);
        let p3 = after(p2);
        let g0 = dy[p0.at];
        let g1 = dy[p1.at];
        let g2 = dy[p2.at];
        let g3 = dy[p3.at];
        let v0 = x[p0.at] - mean;
        let v1 = x[p1.at] - mean;
        let v2 = x[p2.at] - mean;
        let v3 = x[p3.at] - mean;
        p0 = after(p3);
        sum += (g0 + g1) + (g2 + g3);
        product += (g0 * v0 + g1 * v1) + (g2 * v2 + g3 * v3);
    }
    for (; pixel < end; pixel += 1u) {
        let g = dy[p0.at];
        sum += g;
        product += g * (x[p0.at] - mean);
        p0 = after(p0);
    }
    let to = block * dims.partials_stride + q;
    partials[to] = sum;
    partials[to + dims.quads] = product * stats[dims.quads + q];
}

@compute @workgroup_size(64)
fn combine_sums(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let q = group.y * groups.x + group.x;
    if q >= dims.quads {
        return;
    }
    var sum = vec4<f32>(0.0);
    var product = vec4<f32>(0.0);
    for (var block = local; block < dims.blocks; block += 64u) {
        let at = block * dims.partials_stride + q;
        sum += partials[at];
        product += partials[at + dims.quads];
    }
    shared_a[local] = sum;
    shared_b[local] = product;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            sum += shared_a[local + half];
            product += shared_b[local + half];
            shared_a[local] = sum;
            shared_b[local] = product;
        }
    }
    if local == 0u {
        let n = max(f32(filled_pixels()), 1.0);
        db[q] = sum;
        dw[q] = product;
        new_sums[q] = sum / n;
        new_sums[dims.quads + q] = product / n;
    }
}

@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    let q = i % dims.quads;
    let first = RUN * (i / dims.quads);
    let end = min(first + RUN, dims.pixels);
    let filled = filled_pixels();
    let mean = stats[q];
    let invstd = stats[dims.quads + q];
    let scale = invstd * weight(q);
    let mean_dy = sums[q];
    let mean_product = sums[dims.quads + q];
    let gated = (dims.flags & GATE) != 0u;
    var p = place(first, q);
    for (var pixel = first; pixel < end; pixel++) {
        let v = x[p.at];
        let xhat = (v - mean) * invstd;
        let g = scale * ((dy[p.at] - mean_dy) - xhat * mean_product);
        let open = vec4<bool>(!gated) | (v > vec4<f32>(0.0));
        dx[p.at] = select(vec4<f32>(0.0), g, vec4<bool>(pixel < filled) & open);
        p = after(p);
    }
}
