// Attention, backward: d and dq of a tile of queries.
//
// An invocation loops once for each step, and twice for each of its slices where a head has several.
// Rust twin: src/product/attention/text.rs.

@group(0) @binding(4) var<storage, read> l: array<f32>;
@group(0) @binding(5) var<storage, read_write> d: array<f32>;
@group(0) @binding(6) var<storage, read_write> dqkv: array<Stored>;

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
    let base = at.sample * dims.steps;
    let i = rows_of(at.first, lane);
    let inside = i < Which(dims.steps);
    let local = min(i, Which(dims.steps - 1u));
    let here = Which(base) + local;
    let keys = dims.width + at.column;
    let values = 2u * dims.width + at.column;
    let q = block_qkv(here, at.column, at.slice);
    let own = block_g(here, at.column, at.slice);
    let sums = product_g_o(own, here, at.column);
    let list = Which(4u * dims.list_stride * (at.sample * dims.heads + at.head));
    let logs = each_l(list + local);
    if at.slice == 0u {
        store_d(list + i, inside, sums);
    }
    var dq = block_zero();
    let end = select(dims.steps, min(dims.steps, at.first + ROWS * LANES), dims.causal != 0u);
    for (var j = 0u; j < end; j++) {
        let row = base + j;
        let k = row_qkv(row, keys, at.slice, lane);
        let v = row_qkv(row, values, at.slice, lane);
        let s = dims.scale * product_qkv_qkv(q, k, here, at.column, row, keys, lane);
        let p = select(Each(0.0), exp(min(s - logs, Each(0.0))), seen_by(i, j));
        let dp = product_g_qkv(own, v, here, at.column, row, values, lane);
        dq = block_add(dq, p * (dp * kept(at, i, Which(j)) - sums), k);
    }
    store_dqkv(here, inside, at.column, at.slice, block_scaled(dq, Each(dims.scale)));
}
