//! Trained networks outside of their run: files that describe themselves, evaluation, prediction.

#[path = "../support/adapter.rs"]
mod adapter;
mod description;
mod fixture;
mod onnx;
mod own;
mod program;
mod text;
