// Rows of a table for tokens, and the table's gradient.
//
// forward:  y[r t] = w[x[r][t]].
// equal_tokens: found[v] = the first position whose token is v, found[table_rows + p] = the next one behind p
//           with the same token; NONE where there is none. Position r steps + t, with r < step.count.
// backward: dw[v] = the sum of dy[p] over the positions p of the token v, in their order, and 0 for
//           v = padding.
//
// Invocation i owns four neighbouring elements of a row of y (`forward`) or of dw (`backward`): quad
// i % quads of row i / quads, with quads = ceil(cols / 4); in `equal_tokens` element i. Row r steps + t of y
// belongs to token t of sample r. Strides are in vec4s; padding of rows stays 0.
// Rust twin: src/layer/embedding/rows.rs.

struct Dims {
    // Rows of y or of dw; elements of `found`.
    rows: u32,
    table_rows: u32,
    cols: u32,
    // Tokens of a sample, and of all.
    steps: u32,
    positions: u32,
    // The token whose row has no gradient; none where it is too large.
    padding: u32,
    x_stride: u32,
    y_stride: u32,
    w_stride: u32,
}

const NONE: u32 = 0xffffffffu;

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> dw: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> found: array<u32>;
@group(0) @binding(7) var<storage, read> links: array<u32>;
@group(1) @binding(0) var<uniform> step: Step;

fn token(position: u32) -> u32 {
    let t = position % dims.steps;
    return x[position / dims.steps * dims.x_stride + t / 4u][t % 4u];
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
    let row = i / quads;
    let quad = i % quads;
    y[row * dims.y_stride + quad] = w[min(token(row), dims.table_rows - 1u) * dims.w_stride + quad];
}

// The first position from `begin` on whose token is `symbol`.
fn next(symbol: u32, begin: u32) -> u32 {
    var first = begin % dims.steps;
    for (var sample = begin / dims.steps; sample < step.count; sample++) {
        for (var four = first / 4u; four < (dims.steps + 3u) / 4u; four++) {
            let t = vec4<u32>(4u * four) + vec4<u32>(0u, 1u, 2u, 3u);
            let same = (x[sample * dims.x_stride + four] == vec4<u32>(symbol))
                & (t >= vec4<u32>(first)) & (t < vec4<u32>(dims.steps));
            if any(same) {
                let at = min(min(select(NONE, t.x, same.x), select(NONE, t.y, same.y)),
                    min(select(NONE, t.z, same.z), select(NONE, t.w, same.w)));
                return sample * dims.steps + at;
            }
        }
        first = 0u;
    }
    return NONE;
}

@compute @workgroup_size(64)
fn equal_tokens(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = index_linear(group, groups, local, 64u);
    if i >= dims.rows {
        return;
    }
    var symbol = i;
    var begin = 0u;
    if i >= dims.table_rows {
        symbol = token(i - dims.table_rows);
        begin = i - dims.table_rows + 1u;
    }
    found[i] = next(symbol, begin);
}

// What a position adds to its token's row.
fn own(position: u32, quad: u32) -> vec4<f32> {
    if position >= dims.positions {
        return vec4<f32>(0.0);
    }
    return dy[position * dims.y_stride + quad];
}

fn behind(position: u32) -> u32 {
    if position >= dims.positions {
        return NONE;
    }
    return links[dims.table_rows + position];
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
    let symbol = i / quads;
    let quad = i % quads;
    var sum = vec4<f32>(0.0);
    var first = links[symbol];
    if symbol == dims.padding {
        first = NONE;
    }
    // Four positions an iteration, since drivers count these.
    while first < dims.positions {
        let second = behind(first);
        let third = behind(second);
        let fourth = behind(third);
        sum += own(first, quad);
        sum += own(second, quad);
        sum += own(third, quad);
        sum += own(fourth, quad);
        first = behind(fourth);
    }
    dw[symbol * dims.w_stride + quad] = sum;
}
