// The steps of a recurrent layer in one direction: the skeleton of the files that say what a cell
// does with its gates (`advance`, and backwards `retreat`).
//
// forward:  for each step a = x W_ih^T + b_ih (which `gates` holds) and r = h W_hh^T + b_hh, h of the
//           step in front; the cell makes of them what it keeps in the place of `gates`, and the new
//           h: y.
// backward: for each step, from the last, dh = dy + dr W_hh, dr of the step behind; the cell makes of
//           it the gradients by a, which take the place of `gates`, and by r.
//
// A workgroup owns four samples and, where a dispatch takes a single step, a part of the units;
// invocation i owns of them the quads of four neighbouring units i, i + 64, ... Steps are counted in
// the direction's order; a dispatch takes those from `begin` to `end`, and a barrier ends each.
// `previous` has in the row of each step the h of the step in front: it hands h from unit to unit, and
// the gradient of W_hh is a product with it.
//
// Row n T + t belongs to step t of sample n. A gate has a block of `quads` quads of columns; units
// beyond the last are zero, as are their weights, and what a cell makes of them is zero where it counts.
// Rust twin: src/layer/recurrent/work.rs.

struct Dims {
    samples: u32,
    // Steps of a sample, and quads of units.
    steps: u32,
    quads: u32,
    // Length of a row in vec4s: of a matrix of units, of gates, of the weights.
    stride: u32,
    gates_stride: u32,
    w_stride: u32,
    // The steps of this dispatch.
    begin: u32,
    end: u32,
    // Workgroups with something to do, and how many of them share four samples.
    blocks: u32,
    parts: u32,
    flags: u32,
}

const REVERSE: u32 = 1u; // from the last step of the samples to the first
const CARRIED: u32 = 2u; // the first step goes on from what `previous` (and a cell) holds
const BIAS: u32 = 4u;
const RELU: u32 = 8u; // what the cell of layer/rnn does

// A value for each gate; a cell with fewer gates leaves the last ones alone.
struct Gates {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
}

// What a cell makes of a step: what is kept of the gates, and h.
struct Next {
    gates: Gates,
    h: vec4<f32>,
}

// Where a quad of units of one sample lies at one step.
struct Place {
    // In a matrix of units: at this step, and at the next.
    own: u32,
    next: u32,
    // In a matrix of units with a row for each sample.
    sample: u32,
    // In `gates`: the block of the first gate.
    gates: u32,
    // Whether no step is in front, and nothing is gone on with; whether no step is behind.
    first: bool,
    last: bool,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read_write> gates: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> previous: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> dy: array<vec4<f32>>;

// The row of the n-th step of a sample; the nearest one where there is none.
fn row(sample: u32, n: u32) -> u32 {
    let step = min(n, dims.steps - 1u);
    let t = select(step, dims.steps - 1u - step, (dims.flags & REVERSE) != 0u);
    return min(sample, dims.samples - 1u) * dims.steps + t;
}

fn rows(sample: u32, n: u32) -> vec4<u32> {
    return vec4<u32>(row(sample, n), row(sample + 1u, n), row(sample + 2u, n), row(sample + 3u, n));
}

fn begins(n: u32) -> bool {
    return n == 0u && (dims.flags & CARRIED) == 0u;
}

fn place(sample: u32, n: u32, q: u32) -> Place {
    let at = row(sample, n);
    return Place(at * dims.stride + q, row(sample, n + 1u) * dims.stride + q, sample * dims.stride + q,
        at * dims.gates_stride + q, begins(n), n + 1u == dims.steps);
}

fn load_gates(at: u32) -> Gates {
    var g = Gates(gates[at], vec4<f32>(0.0), vec4<f32>(0.0), vec4<f32>(0.0));
    if GATES > 1u {
        g.b = gates[at + dims.quads];
    }
    if GATES > 2u {
        g.c = gates[at + 2u * dims.quads];
    }
    if GATES > 3u {
        g.d = gates[at + 3u * dims.quads];
    }
    return g;
}

fn store_gates(at: u32, g: Gates) {
    gates[at] = g.a;
    if GATES > 1u {
        gates[at + dims.quads] = g.b;
    }
    if GATES > 2u {
        gates[at + 2u * dims.quads] = g.c;
    }
    if GATES > 3u {
        gates[at + 3u * dims.quads] = g.d;
    }
}

fn biased(gate: u32, q: u32, v: vec4<f32>) -> vec4<f32> {
    if (dims.flags & BIAS) == 0u {
        return v;
    }
    return v + bias[gate * dims.quads + q];
}

// One sample's part of a step forward; `r` is h W_hh^T.
fn forward_sample(sample: u32, n: u32, q: u32, r: Gates) {
    if sample >= dims.samples {
        return;
    }
    let p = place(sample, n, q);
    var h = vec4<f32>(0.0);
    if p.first {
        previous[p.own] = h;
    } else {
        h = previous[p.own];
    }
    var g = Gates(biased(0u, q, r.a), r.b, r.c, r.d);
    if GATES > 1u {
        g.b = biased(1u, q, r.b);
    }
    if GATES > 2u {
        g.c = biased(2u, q, r.c);
    }
    if GATES > 3u {
        g.d = biased(3u, q, r.d);
    }
    let next = advance(p, load_gates(p.gates), g, h);
    store_gates(p.gates, next.gates);
    y[p.own] = next.h;
    if !p.last {
        previous[p.next] = next.h;
    }
}

// Weights of a gate's quad q of units for quad k of the units in front: a row for each k.
fn weights(gate: u32, q: u32, k: u32) -> mat4x4<f32> {
    let at = 4u * (gate * dims.quads + q) * dims.w_stride + k;
    return transpose(mat4x4<f32>(w[at], w[at + dims.w_stride], w[at + 2u * dims.w_stride],
        w[at + 3u * dims.w_stride]));
}

// A quad of units of four samples, a step forward.
fn forward_quad(sample: u32, n: u32, q: u32) {
    var a: mat4x4<f32>;
    var b: mat4x4<f32>;
    var c: mat4x4<f32>;
    var d: mat4x4<f32>;
    if !begins(n) {
        let at = rows(sample, n) * dims.stride;
        for (var k = 0u; k < dims.quads; k++) {
            let h = mat4x4<f32>(previous[at.x + k], previous[at.y + k], previous[at.z + k],
                previous[at.w + k]);
            a += weights(0u, q, k) * h;
            if GATES > 1u {
                b += weights(1u, q, k) * h;
            }
            if GATES > 2u {
                c += weights(2u, q, k) * h;
            }
            if GATES > 3u {
                d += weights(3u, q, k) * h;
            }
        }
    }
    // A loop, not four calls: one software driver takes ten times as long to compile these.
    for (var i = 0u; i < 4u; i++) {
        forward_sample(sample + i, n, q, Gates(a[i], b[i], c[i], d[i]));
    }
}

@compute @workgroup_size(64)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let block = group.y * groups.x + group.x;
    if block >= dims.blocks {
        return;
    }
    for (var n = dims.begin; n < dims.end; n++) {
        for (var q = block % dims.parts * 64u + local; q < dims.quads; q += 64u * dims.parts) {
            forward_quad(block / dims.parts * 4u, n, q);
        }
        storageBarrier();
        workgroupBarrier();
    }
}

// One sample's part of a step backwards; `dh` is what comes back from the step behind.
fn backward_sample(sample: u32, n: u32, q: u32, dh: vec4<f32>) {
    if sample >= dims.samples {
        return;
    }
    let p = place(sample, n, q);
    store_gates(p.gates, retreat(p, load_gates(p.gates), dy[p.own] + dh));
}

// A quad of units of four samples, a step backwards.
fn backward_quad(sample: u32, n: u32, q: u32) {
    var d: mat4x4<f32>;
    if n + 1u < dims.steps {
        let at = rows(sample, n + 1u) * dims.gates_stride;
        for (var k = 0u; k < GATES * dims.quads; k++) {
            let g = mat4x4<f32>(behind(at.x + k), behind(at.y + k), behind(at.z + k), behind(at.w + k));
            let r = 4u * k * dims.w_stride + q;
            d += mat4x4<f32>(w[r], w[r + dims.w_stride], w[r + 2u * dims.w_stride],
                w[r + 3u * dims.w_stride]) * g;
        }
    }
    for (var i = 0u; i < 4u; i++) {
        backward_sample(sample + i, n, q, d[i]);
    }
}

@compute @workgroup_size(64)
fn backward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let block = group.y * groups.x + group.x;
    if block >= dims.blocks {
        return;
    }
    for (var left = dims.end; left > dims.begin; left--) {
        for (var q = block % dims.parts * 64u + local; q < dims.quads; q += 64u * dims.parts) {
            backward_quad(block / dims.parts * 4u, left - 1u, q);
        }
        storageBarrier();
        workgroupBarrier();
    }
}
