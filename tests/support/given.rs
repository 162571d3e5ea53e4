//! Classes of kernels that an adapter runs, and that its driver can compile.

use wavetrain::gpu::{ClassName, Gpu};

use crate::adapter::skip::skipped;

/// Whether the driver compiles all kernels of a device's class. SwiftShader takes minutes and more than 15 GB for
/// one convolution of `lanes-plain`; it has subgroups, so it is given `lanes`.
pub(crate) fn is_given(gpu: &Gpu) -> bool {
    let name = &gpu.description().name;
    let given = gpu.class().name() != ClassName::LanesPlain || !name.contains("SwiftShader");
    if !given {
        skipped(
            "training by kernels of class `lanes-plain`",
            "SwiftShader's compiler takes more than 15 GB for one of their convolutions",
        );
    }
    given
}
