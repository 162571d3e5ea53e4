//! What products and convolutions share: where a kernel reads from, and how long it may run.

/// Where a kernel reads an operand from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operand {
    /// `var<storage, read> _: array<vec4<f32>>`.
    Buffer,
    /// `texture_storage_2d<rgba32float, read>`, one texel per four values of a row.
    Texture,
}
