//! Questions about rates: range tests on curves that are known and on networks.

#[path = "../layers/adapter.rs"]
mod adapter;
mod comparison;
#[path = "../train/fixture.rs"]
#[allow(dead_code, reason = "the tests of the engine use the rest")]
mod fixture;
mod lint;
mod range_test;
mod scaling;
mod suggestions;
