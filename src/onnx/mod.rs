//! ONNX models as plain data: messages, and a graph that grows node by node.
//!
//! Layers append themselves ([`crate::layer::Layer::onnx`]), [`crate::export`] adds what stands
//! around them. Only operators of the opset below are used, in forms about which all runtimes agree:
//! no `ceil_mode`, no `auto_pad`.

mod graph;
pub mod messages;

pub use graph::{Attribute, Graph};

/// The version of the operators.
pub const OPSET: i64 = 17;
/// The version of the file's form, as old as the operators allow.
pub const IR_VERSION: i64 = 8;
