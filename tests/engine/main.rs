//! The engine: the same bits whatever the chunk, the rate's way from the schedule to the weights,
//! and whole runs against the references in f64.

mod accumulate;
#[path = "../support/adapter.rs"]
mod adapter;
mod augment;
mod chunks;
mod class_weights;
mod ending;
mod engine;
mod evaluation;
mod fixture;
mod freeze;
mod low_points;
mod lr_mult;
mod numbers;
mod plateau;
mod rates;
mod residence;
#[path = "../support/rounded.rs"]
#[allow(dead_code, reason = "the proofs of the layers use the rest")]
mod rounded;
mod state;
mod test_set;
mod text;
