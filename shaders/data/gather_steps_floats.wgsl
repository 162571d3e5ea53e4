// The batch as sequences, from samples of floats, for own data.
//
// Stands in front of `shaders/data/steps.wgsl`, which has the bindings and the entry point.
// Rust twin: `Normalization` in src/data/normalize.rs.

fn value(at: u32) -> f32 {
    return bitcast<f32>(samples[at]);
}
