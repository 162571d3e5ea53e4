// Attention, forward: o and l of a tile of queries.
//
// Four keys at a time: their scores, the running maximum, then the weights exp(S - maximum), by which
// the values are added up; what was added before is scaled to the new maximum (Milakov and Gimelshein,
// arXiv 1805.02867). An invocation loops 9 / 4 times for each step, and once for each slice where a head
// has several.
// Rust twin: src/product/attention/text.rs.

@group(0) @binding(2) var<storage, read_write> o: array<Stored>;
@group(0) @binding(3) var<storage, read_write> l: array<f32>;

// What no score is as small as.
const LEAST: f32 = -1.0e30;

// The scores of a key.
fn score(q: Block, here: Which, at: Place, row: u32, lane: u32) -> Each {
    let keys = dims.width + at.column;
    let k = row_qkv(row, keys, at.slice, lane);
    return dims.scale * product_qkv_qkv(q, k, here, at.column, row, keys, lane);
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
    let base = at.sample * dims.steps;
    let i = rows_of(at.first, lane);
    let here = Which(base) + min(i, Which(dims.steps - 1u));
    let values = 2u * dims.width + at.column;
    let q = block_qkv(here, at.column, at.slice);
    var sum = block_zero();
    var total = Each(0.0);
    var most = Each(LEAST);
    let end = select(dims.steps, min(dims.steps, at.first + ROWS * LANES), dims.causal != 0u);
    for (var j = 0u; j < end; j += 4u) {
        var s: array<Each, 4>;
        let before = most;
        for (var k = 0u; k < 4u; k++) {
            let row = base + min(j + k, dims.steps - 1u);
            s[k] = select(Each(LEAST), score(q, here, at, row, lane), seen_by(i, j + k));
            most = max(most, s[k]);
        }
        let shrunk = exp(max(before - most, Each(-100.0)));
        total *= shrunk;
        sum = block_scaled(sum, shrunk);
        for (var k = 0u; k < 4u; k++) {
            let row = base + min(j + k, dims.steps - 1u);
            let p = select(Each(0.0), exp(s[k] - most), seen_by(i, j + k));
            total += p;
            sum = block_add(sum, p * kept(at, i, Which(j + k)), row_qkv(row, values, at.slice, lane));
        }
    }
    store_o(here, i < Which(dims.steps), at.column, at.slice, block_scaled(sum, 1.0 / total));
    if at.slice == 0u {
        let list = 4u * dims.list_stride * (at.sample * dims.heads + at.head);
        store_l(Which(list) + i, i < Which(dims.steps), most + log(total));
    }
}
