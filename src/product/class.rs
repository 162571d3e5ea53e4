//! What products and convolutions share: where a kernel reads from, and how long it may run.

/// Where a kernel reads an operand from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operand {
    /// `var<storage, read> _: array<vec4<f32>>`.
    Buffer,
    /// `texture_storage_2d<rgba32float, read>`, one texel per four values of a row.
    Texture,
}

/// The largest divisor of `of` that is at most `at_most`.
pub(super) fn largest_divisor(of: u32, at_most: u32) -> u32 {
    (1..=at_most)
        .rev()
        .find(|d| of.is_multiple_of(*d))
        .unwrap_or(1)
}
