//! The configuration from outside: every key, what is refused and how, what is left to the run.
#![allow(missing_docs)]

mod augment;
mod keys;
mod mistakes;
mod runs;
mod sources;
