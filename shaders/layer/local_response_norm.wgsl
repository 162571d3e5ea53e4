// Local response normalisation (Krizhevsky et al. 2012; within a channel as Caffe's LRN layer).
//
// forward:  y = x s^-beta with s = k + share * (sum of x^2 over the window)
// backward: dx = dy s^-beta - 2 share beta x * (sum of r over the windows that hold the element),
//           with r = dy y / s, and with `gated` 1 zero where x is not positive
//
// across: the window is `before` channels below to `after` channels above, of the same pixel.
// within: the window is all pixels of the same channel that are at most `before` rows and columns away;
// outside of the picture x is 0.
//
// across, and r: invocation i owns channels 4 q .. 4 q + 3 of one pixel: vec4 i % row_quads of row
// i / row_quads. within: invocation i owns them in four neighbouring pixels of one row. Every value: a
// row of `stride` vec4s for each row of a picture, `width` pixels of `quads` vec4s (NHWC). The padding
// of the channels stays 0, except in s, which is positive there.
// Loops of an invocation: at most min(quads, (before + after) / 4 + 3) iterations across, and
// min(height, 2 before + 1) * min(width, 2 before + 4) within; the Rust twin keeps both below 60,000.
// Rust twin: src/layer/local_response_norm.rs.

struct Dims {
    rows: u32,
    stride: u32,
    quads: u32,
    width: u32,
    height: u32,
    before: u32,
    after: u32,
    gated: u32,
    share: f32,
    beta: f32,
    k: f32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> s: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> saved_s: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> saved_y: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> new_r: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read> r: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read_write> dx: array<vec4<f32>>;

const ZERO: vec4<f32> = vec4<f32>(0.0);

// s^-beta. With the usual beta of 3/4 by roots, which are exact to a few units in the last place; else
// by exp and log, whose error near 1 is that of the driver's log: about beta * 1.2e-6.
fn power(bracket: vec4<f32>) -> vec4<f32> {
    if dims.beta == 0.75 {
        let root = 1.0 / sqrt(bracket);
        return root * sqrt(root);
    }
    return exp(-dims.beta * log(bracket));
}

fn write_y(at: u32, sum: vec4<f32>) {
    let bracket = dims.k + dims.share * sum;
    s[at] = bracket;
    y[at] = x[at] * power(bracket);
}

fn write_dx(at: u32, sum: vec4<f32>) {
    let v = x[at];
    let g = dy[at] * power(saved_s[at]) - (2.0 * dims.share * dims.beta) * v * sum;
    dx[at] = select(ZERO, g, vec4<bool>(dims.gated == 0u) | (v > ZERO));
}

// The part of a vec4 of channels from `first` on that lies `below` below to `above` above a channel,
// added up.
fn part(v: vec4<f32>, first: u32, channel: u32, below: u32, above: u32) -> f32 {
    let c = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u);
    let inside = (c + below >= vec4<u32>(channel)) & (c <= vec4<u32>(channel + above));
    let kept = select(ZERO, v, inside);
    return (kept.x + kept.y) + (kept.z + kept.w);
}

// The parts for the four channels of a quad.
fn parts(v: vec4<f32>, other: u32, q: u32, below: u32, above: u32) -> vec4<f32> {
    let first = 4u * other;
    let c = 4u * q;
    return vec4<f32>(
        part(v, first, c, below, above),
        part(v, first, c + 1u, below, above),
        part(v, first, c + 2u, below, above),
        part(v, first, c + 3u, below, above),
    );
}

// First and last quad that windows around quad q reach.
fn reach(q: u32, below: u32, above: u32) -> vec2<u32> {
    let first = (max(4u * q, below) - below) / 4u;
    return vec2<u32>(first, min((4u * q + 3u + above) / 4u, dims.quads - 1u));
}

@compute @workgroup_size(64)
fn forward_across(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row_quads = dims.width * dims.quads;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows * row_quads {
        return;
    }
    let at = i / row_quads * dims.stride + i % row_quads;
    let q = i % row_quads % dims.quads;
    let range = reach(q, dims.before, dims.after);
    var sum = ZERO;
    for (var other = range.x; other <= range.y; other++) {
        let v = x[at - q + other];
        sum += parts(v * v, other, q, dims.before, dims.after);
    }
    write_y(at, sum);
}

@compute @workgroup_size(64)
fn ratio(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row_quads = dims.width * dims.quads;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows * row_quads {
        return;
    }
    let at = i / row_quads * dims.stride + i % row_quads;
    new_r[at] = dy[at] * saved_y[at] / saved_s[at];
}

@compute @workgroup_size(64)
fn backward_across(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row_quads = dims.width * dims.quads;
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows * row_quads {
        return;
    }
    let at = i / row_quads * dims.stride + i % row_quads;
    let q = i % row_quads % dims.quads;
    // The windows that hold a channel are those of `after` channels below to `before` above.
    let range = reach(q, dims.after, dims.before);
    var sum = ZERO;
    for (var other = range.x; other <= range.y; other++) {
        sum += parts(r[at - q + other], other, q, dims.after, dims.before);
    }
    write_dx(at, sum);
}

// What an invocation owns within a channel: the row, the first of four columns, the quad.
struct Four {
    row: u32,
    column: u32,
    q: u32,
}

fn four(i: u32) -> Four {
    let fours = (dims.width + 3u) / 4u;
    return Four(i / dims.quads / fours, 4u * (i / dims.quads % fours), i % dims.quads);
}

// Where windows around the four begin and end: rows, then columns.
fn window(f: Four) -> vec4<u32> {
    let h = f.row % dims.height;
    let top = f.row - min(h, dims.before);
    let bottom = f.row + min(dims.height - 1u - h, dims.before);
    let left = max(f.column, dims.before) - dims.before;
    let right = min(f.column + 3u + dims.before, dims.width - 1u);
    return vec4<u32>(top, bottom, left, right);
}

// Whether a column is in the window of column `own`.
fn near(column: u32, own: u32) -> bool {
    return column + dims.before >= own && column <= own + dims.before;
}

@compute @workgroup_size(64)
fn forward_within(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let f = four(index_linear(group, groups, local, 64u));
    if f.row >= dims.rows {
        return;
    }
    let area = window(f);
    var sum0 = ZERO;
    var sum1 = ZERO;
    var sum2 = ZERO;
    var sum3 = ZERO;
    for (var row = area.x; row <= area.y; row++) {
        for (var column = area.z; column <= area.w; column++) {
            let v = x[row * dims.stride + column * dims.quads + f.q];
            let square = v * v;
            sum0 += select(ZERO, square, near(column, f.column));
            sum1 += select(ZERO, square, near(column, f.column + 1u));
            sum2 += select(ZERO, square, near(column, f.column + 2u));
            sum3 += select(ZERO, square, near(column, f.column + 3u));
        }
    }
    let at = f.row * dims.stride + f.column * dims.quads + f.q;
    write_y(at, sum0);
    if f.column + 1u < dims.width {
        write_y(at + dims.quads, sum1);
    }
    if f.column + 2u < dims.width {
        write_y(at + 2u * dims.quads, sum2);
    }
    if f.column + 3u < dims.width {
        write_y(at + 3u * dims.quads, sum3);
    }
}

@compute @workgroup_size(64)
fn backward_within(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let f = four(index_linear(group, groups, local, 64u));
    if f.row >= dims.rows {
        return;
    }
    let area = window(f);
    var sum0 = ZERO;
    var sum1 = ZERO;
    var sum2 = ZERO;
    var sum3 = ZERO;
    for (var row = area.x; row <= area.y; row++) {
        for (var column = area.z; column <= area.w; column++) {
            let v = r[row * dims.stride + column * dims.quads + f.q];
            sum0 += select(ZERO, v, near(column, f.column));
            sum1 += select(ZERO, v, near(column, f.column + 1u));
            sum2 += select(ZERO, v, near(column, f.column + 2u));
            sum3 += select(ZERO, v, near(column, f.column + 3u));
        }
    }
    let at = f.row * dims.stride + f.column * dims.quads + f.q;
    write_dx(at, sum0);
    if f.column + 1u < dims.width {
        write_dx(at + dims.quads, sum1);
    }
    if f.column + 2u < dims.width {
        write_dx(at + 2u * dims.quads, sum2);
    }
    if f.column + 3u < dims.width {
        write_dx(at + 3u * dims.quads, sum3);
    }
}
