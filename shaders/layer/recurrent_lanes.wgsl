// The steps of a recurrent layer forward, for software adapters: what stands in
// shaders/layer/recurrent.wgsl, with registers as wide as the products'.
//
// A workgroup is one subgroup of LANES invocations and owns ROWS samples. In each step it goes through
// tiles of LANES quads of units; lane l owns quad l of a tile: four units of all gates of all ROWS samples,
// in named private accumulators c<sample>_<gate>. The text before this file declares them, and
//   forward_add(k, q, at)  adds what quad k of the units in front gives: each lane loads h of its
//                          own samples, and `subgroupBroadcast` hands it to all
//   clear(), shift()       set all to 0; move them on by a sample
// Weights are read from a texture. A barrier ends each step, since lanes read what others wrote.
// Rust twin: src/layer/recurrent/lanes.rs.

@compute @workgroup_size(LANES)
fn forward_lanes(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let block = group.y * groups.x + group.x;
    if block >= dims.blocks {
        return;
    }
    let sample = block * ROWS;
    for (var n = dims.begin; n < dims.end; n++) {
        let at = rows_of_lane(sample, n, lane) * dims.stride;
        for (var tile = 0u; tile < dims.quads; tile += LANES) {
            let q = tile + lane;
            clear();
            if !begins(n) {
                for (var k = 0u; k < dims.quads; k++) {
                    forward_add(k, q, at);
                }
            }
            for (var i = 0u; i < ROWS; i++) {
                if q < dims.quads {
                    forward_sample(sample + i, n, q, first_gates());
                }
                shift();
            }
        }
        storageBarrier();
        workgroupBarrier();
    }
}
