//! Questions about rates: range tests on curves that are known and on networks.

#[path = "../support/adapter.rs"]
mod adapter;
mod comparison;
#[path = "../engine/fixture.rs"]
#[allow(dead_code, reason = "the tests of the engine use the rest")]
mod fixture;
mod lint;
mod own;
mod range_test;
mod scaling;
mod statistics;
mod suggestions;
