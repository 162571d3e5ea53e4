//! Trained networks in other programs' formats (floor 6).

mod onnx;

pub use onnx::{INPUT, LOGITS, PROBABILITIES, onnx};
