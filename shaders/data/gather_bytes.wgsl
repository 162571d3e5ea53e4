// The batch as lists of features, from samples of bytes: four to a word, the lowest first; a sample may
// start within a word.
//
// Stands in front of `shaders/data/features.wgsl`, which has the bindings and the entry point.
// Rust twin: `Normalization` in src/data/normalize.rs.

fn byte(at: u32) -> f32 {
    return f32((samples[at / 4u] >> (8u * (at % 4u))) & 255u);
}

// Four bytes from byte `at` on.
fn values(at: u32) -> vec4<f32> {
    if at % 4u == 0u {
        let word = samples[at / 4u];
        return vec4<f32>(
            f32(word & 255u),
            f32((word >> 8u) & 255u),
            f32((word >> 16u) & 255u),
            f32(word >> 24u),
        );
    }
    return vec4<f32>(byte(at), byte(at + 1u), byte(at + 2u), byte(at + 3u));
}
