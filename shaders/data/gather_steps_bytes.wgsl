// The batch as sequences, from samples of bytes: four to a word, the lowest first; a sample may
// start within a word.
//
// Stands in front of `shaders/data/steps.wgsl`, which has the bindings and the entry point.
// Rust twin: `Normalization` in src/data/normalize.rs.

fn value(at: u32) -> f32 {
    return f32((samples[at / 4u] >> (8u * (at % 4u))) & 255u);
}
