//! The second proof for the norm of the gradient: each part of its sum, slot by slot.

use wavetrain::kernel::Mode;
use wavetrain::kernel::builder::Phase;
use wavetrain::kernel::plan::{Key, Use};
use wavetrain::kernel::program::Phases;
use wavetrain::optim::{UpdateSite, gradient_norm};
use wavetrain::train::StepUniform;

use super::compare::{POISON, wide, within};
use super::rounded::U;
use super::stage::{Stage, fold, step, values};

/// Places before the parts, and after them: of others.
const FIRST: usize = 3;
const STRIDE: usize = FIRST + gradient_norm::PARTS + 2;
const SLOTS: usize = 2;

/// What a chunk of two steps leaves in the results, for the same gradients.
fn run(stage: &mut Stage, g: &[f32], folded: bool) -> Vec<[f32; 2]> {
    let mut b = stage.builder(Mode::Train, 1);
    b.set_phase(Phase::Update);
    let gradients = b.shared(Key::Gradients, 4 * g.len() as u64);
    let results = b.shared(Key::Results(Use::Training), (8 * SLOTS * STRIDE) as u64);
    let site = UpdateSite {
        parameters: gradients,
        gradients,
        multipliers: gradients,
        results,
        results_stride: STRIDE,
        floats: g.len(),
    };
    gradient_norm::gradient_norm(&mut b, &site, FIRST).unwrap();
    let mut plan = b.finish();
    if folded {
        fold(&mut plan);
    }
    let program = stage.realize(&mut plan);
    stage.write(&Key::Gradients, g);
    stage.write(&Key::Results(Use::Training), &[[POISON; 2]; SLOTS * STRIDE]);
    let slots: Vec<StepUniform> = (0..SLOTS as u32)
        .map(|slot| StepUniform { slot, ..step(1) })
        .collect();
    stage.run(&program, Phases::Step, &slots);
    stage.read(&Key::Results(Use::Training), SLOTS * STRIDE)
}

/// Checks the kernel at sizes with less than a round in all, a part that is cut, and many rounds.
pub(crate) fn prove(stage: &mut Stage) -> Result<(), String> {
    let class = stage.class.as_str();
    for (blocks, folded) in [
        (1, false),
        (3, true),
        (70, false),
        (301, true),
        (2051, false),
    ] {
        let what = format!("{class}, gradient norm of {blocks} blocks");
        let g = values(5, 64 * blocks, -1.0, 1.0);
        let found = run(stage, &g, folded);
        let wanted = gradient_norm::reference(&wide(&g));
        let count = gradient_norm::parts(g.len());
        // A square, two sums of four, a sum for each round; the lanes of a quad, the invocations.
        let rounds = (16 * blocks).div_ceil(256 * count);
        let share = (3 + rounds + 2 + 64) as f64 * U;
        for (slot, places) in found.chunks_exact(STRIDE).enumerate() {
            let parts = FIRST..FIRST + count;
            let sums: Vec<f32> = places[parts.clone()].iter().map(|place| place[0]).collect();
            within(&format!("{what}, slot {slot}"), 64, &sums, &wanted, |i| {
                share * wanted[i]
            })?;
            let mut others = (0..STRIDE).filter(|i| !parts.contains(i));
            if let Some(i) = others.find(|i| places[*i] != [POISON; 2]) {
                return Err(format!("{what}: place {i} is written: {:?}", places[i]));
            }
        }
        let all: f64 = wide(&g).iter().map(|g| g * g).sum();
        let norm = gradient_norm::norm(&found[FIRST..FIRST + count]);
        if (norm - all.sqrt()).abs() > share * all.sqrt() {
            return Err(format!("{what}: {norm}, not {}", all.sqrt()));
        }
    }
    Ok(())
}

#[test]
fn the_norm_of_the_gradient_equals_its_reference() {
    for mut stage in Stage::all() {
        prove(&mut stage).unwrap();
    }
}
