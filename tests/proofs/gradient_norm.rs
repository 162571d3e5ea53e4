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
            if let Some(place) = places[parts.clone()].iter().find(|place| place[1] != 0.0) {
                return Err(format!("{what}, slot {slot}: {place:?} is scaled"));
            }
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
    prove_large(stage)
}

/// Checks parts whose squares overflow, alone and beside others, and those that are not finite.
fn prove_large(stage: &mut Stage) -> Result<(), String> {
    let class = stage.class.as_str();
    let small = values(5, 64 * 301, -1.0, 1.0);
    let times = |factor: f32| -> Vec<f32> { small.iter().map(|g| g * factor).collect() };
    // Large in one invocation of the second part, and a sum of many that it is less than.
    let mut beside = small.clone();
    beside[4097] = 1e30;
    let mut less = times(1.4e14);
    less[4097] = 2.9e14;
    let share = (3 + 6 + 2 + 64 + 24) as f64 * U;
    for (name, g) in [
        ("2^49", times(562_949_953_421_312.0)),
        ("1e37", times(1e37)),
        ("one of 1e30", beside),
        ("one above 2^48", less),
    ] {
        let found = run(stage, &g, false);
        let wanted = gradient_norm::reference(&wide(&g));
        for (slot, places) in found.chunks_exact(STRIDE).enumerate() {
            for (part, wanted) in wanted.iter().enumerate() {
                let place = places[FIRST + part];
                let squares = gradient_norm::squares(place);
                if (squares - wanted).abs() > share * wanted || !place[0].is_finite() {
                    return Err(format!(
                        "{class}, gradients of {name}, slot {slot}, part {part}: {place:?} is \
                         {squares:e}, not {wanted:e}"
                    ));
                }
            }
        }
    }
    for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        let mut g = times(1e37);
        g[4098] = bad;
        let found = run(stage, &g, false);
        let count = gradient_norm::parts(g.len());
        for places in found.chunks_exact(STRIDE) {
            let parts = &places[FIRST..FIRST + count];
            let marked: Vec<usize> = (0..count).filter(|p| parts[*p] == [0.0, -1.0]).collect();
            if marked != [1] || !gradient_norm::norm(parts).is_nan() {
                return Err(format!("{class}, {bad} among the gradients: {parts:?}"));
            }
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
