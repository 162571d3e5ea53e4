// Normalisation of each row (Ba, Kiros and Hinton, arXiv 1607.06450), and without its mean (RMSNorm,
// Zhang and Sennrich, arXiv 1910.07467).
//
// forward:  y = (x - mean) invstd w + b with the mean of the row and invstd = 1 / sqrt(variance + eps);
//           where CENTRED is not set the mean is 0, and the variance the mean of x^2
// backward: db = sum dy, dw = sum dy xhat over all rows, with xhat = (x - mean) invstd and g = dy w:
//           dx = invstd (g - mean of g - xhat * mean of g xhat), the middle term where CENTRED is set
//
// A workgroup owns `span` neighbouring rows. First `lanes` invocations share a row and find its sums,
// then invocation l owns the columns 4 q .. 4 q + 3 of all rows, q = l, l + 64, ..., and adds up their
// part of dw and db. `combine`: a workgroup owns eight quads, and adds up the parts of all workgroups,
// one in eight for each invocation, then these. All sums run in an order that the shape decides. Rows
// of idle samples have dy = 0 and add nothing.
//
// x, y, dy, dx: rows x cols with rows of `stride` vec4s; padding is 0 and stays 0. w, b, dw, db: a row.
// stats: a vec4 for each row, mean and invstd. partials: for each workgroup, `partials_stride` vec4s
// apart, the quads of db, then those of dw.
// Loops of an invocation: the Rust twin keeps them below 60,000.
// Rust twin: src/layer/layer_norm/work.rs.

struct Dims {
    rows: u32,
    cols: u32,
    stride: u32,
    // Invocations of a row, a power of two up to 64; rows of a workgroup, a multiple of 64 / lanes.
    lanes: u32,
    span: u32,
    // Workgroups that `combine` adds up.
    parts: u32,
    partials_stride: u32,
    flags: u32,
    eps: f32,
}

const WEIGHT: u32 = 1u; // w is there
const BIAS: u32 = 2u; // b is there
const CENTRED: u32 = 4u; // the mean is subtracted

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> dx: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> stats: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read_write> new_stats: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read> partials: array<vec4<f32>>;
@group(0) @binding(10) var<storage, read_write> new_partials: array<vec4<f32>>;
@group(0) @binding(11) var<storage, read_write> dw: array<vec4<f32>>;
@group(0) @binding(12) var<storage, read_write> db: array<vec4<f32>>;

var<workgroup> shared_sums: array<vec4<f32>, 64>;
var<workgroup> shared_rows: array<vec4<f32>, 64>;

fn weight(q: u32) -> vec4<f32> {
    if (dims.flags & WEIGHT) != 0u {
        return w[q];
    }
    return vec4<f32>(1.0);
}

fn bias(q: u32) -> vec4<f32> {
    if (dims.flags & BIAS) != 0u {
        return b[q];
    }
    return vec4<f32>(0.0);
}

// 1 where the mean is subtracted, 0 else.
fn centre() -> f32 {
    return select(0.0, 1.0, (dims.flags & CENTRED) != 0u);
}

// Number, mean and sum of squared deviations of two sets together (Chan, Golub and LeVeque 1983);
// either may be empty.
fn together(s: vec3<f32>, t: vec3<f32>) -> vec3<f32> {
    let n = s.x + t.x;
    let share = t.x / max(n, 1.0);
    let delta = t.y - s.y;
    return vec3<f32>(n, s.y + delta * share, s.z + t.z + delta * delta * (s.x * share));
}

// The moments of what one of the invocations of a row reads; nothing of a row that is not there.
fn moments(row: u32, lane: u32) -> vec3<f32> {
    let quads = select(0u, (dims.cols + 3u) / 4u, row < dims.rows);
    let whole = select(0u, dims.cols / 4u, row < dims.rows);
    let apart = dims.lanes;
    let centred = centre();
    let base = row * dims.stride;
    var m = vec3<f32>(0.0);
    var q = lane;
    // Eight quads at a time, read once: their mean, then their deviations from it.
    for (; q + 7u * apart < whole; q += 8u * apart) {
        let at = base + q;
        let v0 = x[at];
        let v1 = x[at + apart];
        let v2 = x[at + 2u * apart];
        let v3 = x[at + 3u * apart];
        let v4 = x[at + 4u * apart];
        let v5 = x[at + 5u * apart];
        let v6 = x[at + 6u * apart];
        let v7 = x[at + 7u * apart];
        let sum = ((v0 + v1) + (v2 + v3)) + ((v4 + v5) + (v6 + v7));
        let mean = centred * dot(sum, vec4<f32>(0.03125));
        let d0 = v0 - mean;
        let d1 = v1 - mean;
        let d2 = v2 - mean;
        let d3 = v3 - mean;
        let d4 = v4 - mean;
        let d5 = v5 - mean;
        let d6 = v6 - mean;
        let d7 = v7 - mean;
        let squares = ((d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3))
            + ((d4 * d4 + d5 * d5) + (d6 * d6 + d7 * d7));
        m = together(m, vec3<f32>(32.0, mean, dot(squares, vec4<f32>(1.0))));
    }
    for (; q < quads; q += apart) {
        let v = x[base + q];
        let n = f32(min(4u, dims.cols - 4u * q));
        let mean = centred * (dot(v, vec4<f32>(1.0)) / n);
        let d = numeric_mask(v - mean, q, dims.cols);
        m = together(m, vec3<f32>(n, mean, dot(d, d)));
    }
    return m;
}

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let base = (group.y * groups.x + group.x) * dims.span;
    let lane = local % dims.lanes;
    for (var first = 0u; first < dims.span; first += 64u / dims.lanes) {
        let slot = first + local / dims.lanes;
        let row = base + slot;
        var m = moments(row, lane);
        for (var half = dims.lanes / 2u; half > 0u; half /= 2u) {
            shared_sums[local] = vec4<f32>(m, 0.0);
            workgroupBarrier();
            if lane < half {
                m = together(m, shared_sums[local + half].xyz);
            }
            workgroupBarrier();
        }
        if lane == 0u {
            let invstd = 1.0 / sqrt(m.z / f32(dims.cols) + dims.eps);
            let found = vec4<f32>(m.y, invstd, 0.0, 0.0);
            shared_rows[slot] = found;
            if row < dims.rows {
                new_stats[row] = found;
            }
        }
    }
    workgroupBarrier();
    let rows = min(base + dims.span, max(base, dims.rows)) - base;
    let quads = (dims.cols + 3u) / 4u;
    for (var q = local; q < quads; q += 64u) {
        let scale = weight(q);
        let shift = bias(q);
        for (var slot = 0u; slot < rows; slot++) {
            let at = (base + slot) * dims.stride + q;
            let found = shared_rows[slot];
            let v = (x[at] - found.x) * found.y * scale + shift;
            y[at] = numeric_mask(v, q, dims.cols);
        }
    }
}

// The sums of g and of g xhat over what one of the invocations of a row reads.
fn sums(row: u32, lane: u32, found: vec4<f32>) -> vec2<f32> {
    let quads = select(0u, (dims.cols + 3u) / 4u, row < dims.rows);
    let base = row * dims.stride;
    var sum = vec4<f32>(0.0);
    var product = vec4<f32>(0.0);
    for (var q = lane; q < quads; q += dims.lanes) {
        let g = dy[base + q] * weight(q);
        sum += g;
        product += g * (x[base + q] - found.x);
    }
    return vec2<f32>(dot(sum, vec4<f32>(1.0)), dot(product, vec4<f32>(1.0)) * found.y);
}

@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let part = group.y * groups.x + group.x;
    let base = part * dims.span;
    let lane = local % dims.lanes;
    for (var first = 0u; first < dims.span; first += 64u / dims.lanes) {
        let slot = first + local / dims.lanes;
        let row = base + slot;
        let found = stats[min(row, dims.rows - 1u)];
        var s = sums(row, lane, found);
        for (var half = dims.lanes / 2u; half > 0u; half /= 2u) {
            shared_sums[local] = vec4<f32>(s, 0.0, 0.0);
            workgroupBarrier();
            if lane < half {
                s += shared_sums[local + half].xy;
            }
            workgroupBarrier();
        }
        if lane == 0u {
            let n = f32(dims.cols);
            shared_rows[slot] = vec4<f32>(found.xy, centre() * s.x / n, s.y / n);
        }
    }
    workgroupBarrier();
    let rows = min(base + dims.span, max(base, dims.rows)) - base;
    let quads = (dims.cols + 3u) / 4u;
    for (var q = local; q < quads; q += 64u) {
        let scale = weight(q);
        var sum = vec4<f32>(0.0);
        var product = vec4<f32>(0.0);
        for (var slot = 0u; slot < rows; slot++) {
            let at = (base + slot) * dims.stride + q;
            let found = shared_rows[slot];
            let g = dy[at];
            let xhat = (x[at] - found.x) * found.y;
            sum += g;
            product += g * xhat;
            let v = found.y * ((g * scale - found.z) - xhat * found.w);
            dx[at] = numeric_mask(v, q, dims.cols);
        }
        // A folded grid has workgroups without rows, and no place for their parts.
        if rows > 0u {
            new_partials[part * dims.partials_stride + q] = sum;
            new_partials[part * dims.partials_stride + quads + q] = product;
        }
    }
}

@compute @workgroup_size(64)
fn combine(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let quads = (dims.cols + 3u) / 4u;
    let q = 8u * (group.y * groups.x + group.x) + local % 8u;
    var sum = vec4<f32>(0.0);
    var product = vec4<f32>(0.0);
    if q < quads {
        for (var part = local / 8u; part < dims.parts; part += 8u) {
            sum += partials[part * dims.partials_stride + q];
            product += partials[part * dims.partials_stride + quads + q];
        }
    }
    shared_sums[local] = sum;
    shared_rows[local] = product;
    for (var half = 32u; half >= 8u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            sum += shared_sums[local + half];
            product += shared_rows[local + half];
            shared_sums[local] = sum;
            shared_rows[local] = product;
        }
    }
    if local < 8u && q < quads {
        db[q] = numeric_mask(sum, q, dims.cols);
        dw[q] = numeric_mask(product, q, dims.cols);
    }
}
