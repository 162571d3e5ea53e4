// The batch as lists of features, from samples of floats, for own data.
//
// Stands in front of `shaders/data/features.wgsl`, which has the bindings and the entry point.
// Rust twin: `Normalization` in src/data/normalize.rs.

// Four floats from float `at` on.
fn values(at: u32) -> vec4<f32> {
    return bitcast<vec4<f32>>(
        vec4<u32>(samples[at], samples[at + 1u], samples[at + 2u], samples[at + 3u]),
    );
}
