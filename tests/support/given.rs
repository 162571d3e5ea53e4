//! Classes of kernels that an adapter runs, and that its driver can compile.

use wavetrain::gpu::{ClassName, Gpu};

use crate::adapter::skip::skipped;

/// Whether the driver gives back the memory of compiled kernels with its process alone.
pub(crate) fn keeps_kernels(gpu: &Gpu) -> bool {
    gpu.description().name.contains("SwiftShader")
}

/// Whether the driver compiles all kernels of a device's class; what it does not is said to be skipped.
/// SwiftShader takes minutes and more than 15 GB for one convolution of `lanes-plain`: each lane loads all
/// weights, and every load is a branch around all accumulators. It has subgroups, so it is given `lanes`.
pub(crate) fn is_given(gpu: &Gpu) -> bool {
    let given = gpu.class().name() != ClassName::LanesPlain || !keeps_kernels(gpu);
    if !given {
        skipped(
            "convolutions of class `lanes-plain`, and training by that class",
            "SwiftShader's compiler takes more than 15 GB for one of them",
        );
    }
    given
}
