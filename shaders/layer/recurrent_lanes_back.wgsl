// The steps of a recurrent layer backwards, for software adapters: what stands in
// shaders/layer/recurrent.wgsl, with registers as wide as the products'.
//
// A workgroup is one subgroup of LANES invocations and owns ROWS samples. In each step it goes through
// tiles of COLUMNS times LANES quads of units; lane l owns quads l, l + LANES, ... of a tile, for all ROWS
// samples, in named private accumulators c<sample>_<column>. The text before this file declares them, and
//   backward_add(k, q, at)  adds what quad k of the gates of the step behind gives: each lane loads that
//                           of its own samples, and `subgroupBroadcast` hands it to all
//   clear(), shift()        set all to 0; move them on by a sample
//   column(j)               column j of the first sample
// Weights are read from a texture. A barrier ends each step, since lanes read what others wrote.
// Rust twin: src/layer/recurrent/lanes.rs.

@compute @workgroup_size(LANES)
fn backward_lanes(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let block = group.y * groups.x + group.x;
    if block >= dims.blocks {
        return;
    }
    let sample = block * ROWS;
    for (var left = dims.end; left > dims.begin; left--) {
        let n = left - 1u;
        let at = rows_of_lane(sample, left, lane) * dims.gates_stride;
        for (var tile = 0u; tile < dims.quads; tile += COLUMNS * LANES) {
            clear();
            if left < dims.steps {
                for (var k = 0u; k < GATES * dims.quads; k++) {
                    backward_add(k, tile + lane, at);
                }
            }
            for (var i = 0u; i < ROWS; i++) {
                for (var j = 0u; j < COLUMNS; j++) {
                    let q = tile + j * LANES + lane;
                    if q < dims.quads {
                        backward_sample(sample + i, n, q, column(j));
                    }
                }
                shift();
            }
        }
        storageBarrier();
        workgroupBarrier();
    }
}
