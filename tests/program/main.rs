//! The program as a person meets it, and the examples.
#![allow(missing_docs)]

mod commands;
mod compare;
mod examples;
