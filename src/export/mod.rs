//! Trained networks in other programs' formats.

mod onnx;

pub use onnx::{INPUT, LOGITS, PREDICTIONS, PROBABILITIES, onnx};
