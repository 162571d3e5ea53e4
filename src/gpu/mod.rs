//! The adapter and its device: choice, limits, submission, read-back, loss of the device.
//!
//! wgpu's types live here and in `kernel` only; they are no part of the public API.

mod adapter;
mod device;
mod readback;
mod target;

pub use adapter::{
    AdapterDescription, AdapterSummary, Backend, Class, ClassName, LimitsChoice, Selection, list,
};
pub use device::Gpu;
pub(crate) use readback::Readback;
pub use target::Target;

/// Waits for one of wgpu's futures: the only place that blocks on a future.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    pollster::block_on(future)
}
