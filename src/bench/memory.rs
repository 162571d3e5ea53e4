//! The adapter's memory: a copy through buffers that are larger than caches.

use std::sync::Arc;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernel::builder::grid;
use crate::kernel::plan::Key;
use crate::kernel::program::{Phases, Program, Workshop};
use crate::kernel::{Builder, Call, Mode, shaders};

/// Bytes that are read, and written: together more than the caches of most processors, each less
/// than the smallest binding that WebGPU promises.
const BYTES: usize = 96 << 20;

/// The two forms of the copy, by entry point and quads of an invocation.
const FORMS: [(&str, usize); 2] = [("one", 1), ("four", 4)];

#[derive(Debug)]
pub(super) struct Memory {
    workshop: Workshop,
    forms: Vec<Program>,
}

impl Memory {
    pub(super) fn new(gpu: &Arc<Gpu>) -> Result<Self> {
        let mut workshop = Workshop::new(Arc::clone(gpu), 1);
        let mut forms = Vec::new();
        for (entry, quads) in FORMS {
            let mut b = Builder::new(gpu.target(), Mode::Train, 1);
            let x = b.shared(Key::Kept("copy x"), BYTES as u64);
            let y = b.shared(Key::Kept("copy y"), BYTES as u64);
            let call = Call::new(entry, grid(BYTES / 16 / quads, 64)?)
                .place("x", x)
                .place("y", y)
                .u32("quads", BYTES / 16);
            b.dispatch(&shaders::named("bench/copy"), entry, call);
            let program = workshop.realize(&b.finish())?;
            workshop.run(&program, Phases::Step, 1)?;
            forms.push(program);
        }
        Ok(Self { workshop, forms })
    }

    /// Bytes read and written per second by the faster form, in GB/s.
    pub(super) fn rate(&mut self) -> Result<f64> {
        let mut best: f64 = 0.0;
        for program in &self.forms {
            let times = self.workshop.time(program, Phases::Step, 0)?;
            let seconds: f64 = times.into_iter().flatten().sum();
            best = best.max(2.0 * BYTES as f64 / seconds / 1e9);
        }
        Ok(best)
    }
}
