// The colours of a picture changed at random, as torchvision's ColorJitter does without a hue; values are
// those of bytes, 0 to 255. Rust twin: src/data/colours.rs.

// What a random word makes of a range: its lowest factor and its span.
fn colours_factor(uniform: f32, low: f32, span: f32) -> f32 {
    return low + span * uniform;
}

// `factor` shares of v, the rest of `other`.
fn colours_blend(v: f32, other: f32, factor: f32) -> f32 {
    return clamp(factor * v + (1.0 - factor) * other, 0.0, 255.0);
}

fn colours_grey(red: f32, green: f32, blue: f32) -> f32 {
    return 0.2989 * red + 0.587 * green + 0.114 * blue;
}
