//! The adapter itself: multiply-adds in registers, and empty dispatches.

use std::sync::Arc;

use super::seconds;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernel::plan::Key;
use crate::kernel::program::{Phases, Program, Workshop};
use crate::kernel::{Builder, Call, Mode, shaders};

/// Workgroups of 64 invocations to begin with, and at most: a large GPU has room for thousands.
const GROUPS: usize = 64;
const MOST_GROUPS: usize = 16 * 1024;
/// More groups are tried while they raise the rate by this factor.
const RISES: f64 = 1.05;
/// Links of a chain per iteration, and chains of vec4: what the shader writes out.
const LINKS: usize = 4;
const CHAINS: usize = 8;
/// Empty dispatches of one measurement.
const DISPATCHES: usize = 200;

#[derive(Debug)]
pub(super) struct Arithmetic {
    workshop: Workshop,
    multiply_add: Program,
    nothing: Program,
    iterations: usize,
    groups: usize,
}

impl Arithmetic {
    pub(super) fn new(gpu: &Arc<Gpu>) -> Result<Self> {
        let mut workshop = Workshop::new(Arc::clone(gpu), 1);
        let builder = || Builder::new(gpu.target(), Mode::Train, 1);
        let mut iterations = 500;
        let mut multiply_add = compile(&mut workshop, builder(), iterations, GROUPS)?;
        // A GPU does so much more that the loop must be longer to be measured; 60,000 iterations
        // are the most that every driver does.
        workshop.run(&multiply_add, Phases::Step, 1)?;
        while iterations < 32_000
            && seconds(|| workshop.run(&multiply_add, Phases::Step, 1))? < 0.01
        {
            iterations *= 4;
            multiply_add = compile(&mut workshop, builder(), iterations, GROUPS)?;
        }
        let mut groups = GROUPS;
        let mut best = groups as f64 / fastest(&mut workshop, &multiply_add)?;
        while groups < MOST_GROUPS {
            let more = compile(&mut workshop, builder(), iterations, 4 * groups)?;
            let rate = (4 * groups) as f64 / fastest(&mut workshop, &more)?;
            if rate < RISES * best {
                break;
            }
            (groups, best, multiply_add) = (4 * groups, rate, more);
        }
        let mut b = builder();
        let y = b.shared(Key::Kept("bench y"), (MOST_GROUPS * 64 * 16) as u64);
        let shader = shaders::named("bench/nothing");
        for _ in 0..DISPATCHES {
            b.dispatch(
                &shader,
                "nothing",
                Call::new("nothing", [1, 1, 1]).place("y", y),
            );
        }
        let nothing = workshop.realize(&b.finish())?;
        workshop.run(&nothing, Phases::Step, 1)?;
        Ok(Self {
            workshop,
            multiply_add,
            nothing,
            iterations,
            groups,
        })
    }

    /// Multiply-adds in registers, in GFLOP/s.
    pub(super) fn rate(&mut self) -> Result<f64> {
        let time = seconds(|| self.workshop.run(&self.multiply_add, Phases::Step, 1))?;
        let invocations = self.groups * 64;
        let flops = 2 * 4 * CHAINS * LINKS * self.iterations * invocations;
        Ok(flops as f64 / time / 1e9)
    }

    /// Microseconds of one dispatch within a pass.
    pub(super) fn dispatch(&mut self) -> Result<f64> {
        let time = seconds(|| self.workshop.run(&self.nothing, Phases::Step, 1))?;
        Ok(time / DISPATCHES as f64 * 1e6)
    }
}

/// The shortest of three runs, in seconds, after one that compiles.
fn fastest(workshop: &mut Workshop, program: &Program) -> Result<f64> {
    workshop.run(program, Phases::Step, 1)?;
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        best = best.min(seconds(|| workshop.run(program, Phases::Step, 1))?);
    }
    Ok(best)
}

fn compile(
    workshop: &mut Workshop,
    mut b: Builder,
    iterations: usize,
    groups: usize,
) -> Result<Program> {
    let y = b.shared(Key::Kept("bench y"), (MOST_GROUPS * 64 * 16) as u64);
    let call = Call::new("multiply-add", [groups as u32, 1, 1])
        .place("y", y)
        .u32("iterations", iterations)
        .f32("a", 0.999)
        .f32("b", 0.001);
    b.dispatch(&shaders::named("bench/multiply_add"), "multiply_add", call);
    workshop.realize(&b.finish())
}
