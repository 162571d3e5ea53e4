// Attention, backward: dk and dv of a tile of keys.
//
// Four queries at a time, for the sake of l and d. An invocation loops 5 / 4 times for each step, and
// twice for each slice where a head has several.
// Rust twin: src/product/attention/text.rs.

@group(0) @binding(4) var<storage, read> l: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> d: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<Stored>;

// A block of keys, one of values, and the gradients by both.
struct Keys {
    k: Block,
    v: Block,
    dk: Block,
    dv: Block,
}

// What the query `i` adds to the gradients of the keys `j`, with its l and d.
fn add(keys: Keys, at: Place, here: Which, j: Which, i: u32, logs: f32, sums: f32, lane: u32) -> Keys {
    let row = at.sample * dims.steps + min(i, dims.steps - 1u);
    let q = row_qkv(row, at.column, at.slice, lane);
    let own = row_g(row, at.column, at.slice, lane);
    let key = dims.width + at.column;
    let value = 2u * dims.width + at.column;
    let s = dims.scale * product_qkv_qkv(keys.k, q, here, key, row, at.column, lane);
    let p = select(Each(0.0), exp(min(s - logs, Each(0.0))), sees(i, j));
    let m = kept(at, Which(i), j);
    let dp = product_qkv_g(keys.v, own, here, value, row, at.column, lane);
    let dk = block_add(keys.dk, p * (dp * m - sums), q);
    return Keys(keys.k, keys.v, dk, block_add(keys.dv, p * m, own));
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = group.y * groups.x + group.x;
    if index >= dims.total {
        return;
    }
    let at = place(index);
    let j = rows_of(at.first, lane);
    let inside = j < Which(dims.steps);
    let here = Which(at.sample * dims.steps) + min(j, Which(dims.steps - 1u));
    let key = dims.width + at.column;
    let value = 2u * dims.width + at.column;
    let list = dims.list_stride * (at.sample * dims.heads + at.head);
    var keys = Keys(
        block_qkv(here, key, at.slice),
        block_qkv(here, value, at.slice),
        block_zero(),
        block_zero(),
    );
    // The first queries that see a key of the tile: a multiple of four.
    for (var i = select(0u, at.first, dims.causal != 0u); i < dims.steps; i += 4u) {
        let logs = l[list + i / 4u];
        let sums = d[list + i / 4u];
        for (var k = 0u; k < 4u; k++) {
            keys = add(keys, at, here, j, i + k, logs[k], sums[k], lane);
        }
    }
    store_dqkv(here, inside, key, at.slice, block_scaled(keys.dk, Each(dims.scale)));
    store_dqkv(here, inside, value, at.slice, keys.dv);
}
