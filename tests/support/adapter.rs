//! The adapter that the proofs run on: one device for each kernel class, opened once.

#[path = "skip.rs"]
pub(crate) mod skip;

use std::sync::{Arc, OnceLock};

use wavetrain::error::Error;
use wavetrain::gpu::{ClassName, Gpu, Selection};

use skip::skipped;

fn open(class: ClassName) -> Option<Arc<Gpu>> {
    let selection = Selection {
        class: Some(class),
        ..Selection::default()
    };
    match Gpu::open(&selection) {
        Ok(gpu) => Some(Arc::new(gpu)),
        // Not every adapter has subgroup operations; the other classes are proved.
        Err(error @ Error::Argument { .. }) if class == ClassName::Lanes => {
            let what = "the kernels of class `lanes`, their proofs and planted defects";
            let why = error.to_string();
            skipped(what, why.lines().next().unwrap_or_default());
            None
        }
        Err(error) => panic!("this test needs an adapter, a software one is enough: {error}"),
    }
}

/// The device of a class; `None` where the adapter cannot run the class.
pub(crate) fn gpu(class: ClassName) -> Option<Arc<Gpu>> {
    static GPUS: [OnceLock<Option<Arc<Gpu>>>; 3] = [const { OnceLock::new() }; 3];
    let place = ClassName::ALL.iter().position(|c| *c == class).unwrap();
    GPUS[place].get_or_init(|| open(class)).clone()
}
