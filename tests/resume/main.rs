//! Runs that are interrupted go on to the same bits: after kills, after writes that fail, after
//! signals; and what cannot be gone on from is refused by name.

#[path = "../support/adapter.rs"]
mod adapter;
mod faults;
mod files;
mod fixture;
mod going_on;
mod kills;
mod library;
mod refusals;
mod replay;
mod signals;
