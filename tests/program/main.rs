//! The program as a person meets it, and the examples.
#![allow(missing_docs)]

mod commands;
mod compare;
mod examples;
mod learned;
#[cfg(target_os = "linux")]
mod many_classes;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(unix)]
mod outside;
mod uneven;
#[cfg(unix)]
mod unread;
