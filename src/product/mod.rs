//! Matrix products, convolutions and attention, the kernels in which training spends its time: each in
//! classes for GPUs and for software adapters.
//!
//! [`matmul`], [`conv`] and [`attention`] choose a variant for a shape and write its WGSL; their `plan` is what a
//! layer asks for. [`catalogue`] lists all kernels for those who want to read them.

pub mod attention;
pub mod catalogue;
mod class;
pub mod conv;
pub mod matmul;

pub use attention::Attention;
pub use class::Operand;
pub use conv::plan::Convolution;
pub use matmul::plan::Product;
