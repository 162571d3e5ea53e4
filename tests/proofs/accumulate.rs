//! The second proof for the sum of several batches' gradients: batch after batch, level by level.

use wavetrain::kernel::Mode;
use wavetrain::kernel::builder::Phase;
use wavetrain::kernel::plan::Key;
use wavetrain::kernel::program::Phases;
use wavetrain::optim::accumulate;

use super::compare::{POISON, wide, within};
use super::rounded::U;
use super::stage::{Stage, fold, step, values};

/// The sum of the gradients of `batches` batches, added up on the device.
fn run(stage: &mut Stage, batches: &[Vec<f32>], folded: bool) -> Vec<f32> {
    let floats = batches[0].len();
    let mut b = stage.builder(Mode::Train, 1);
    b.set_phase(Phase::Accumulate);
    let gradients = b.shared(Key::Gradients, 4 * floats as u64);
    accumulate::accumulate(&mut b, gradients, floats, batches.len()).unwrap();
    let mut plan = b.finish();
    if folded {
        fold(&mut plan);
    }
    let program = stage.realize(&mut plan);
    for level in 0..accumulate::levels(batches.len()) {
        stage.write(&Key::GradientSum(1 << level), &vec![POISON; floats]);
    }
    for (place, g) in batches.iter().enumerate() {
        stage.write(&Key::Gradients, g);
        let after = accumulate::after(place, batches.len());
        let added = after.added.into_iter().map(Phases::Add);
        for phases in added.chain(after.kept.map(Phases::Keep)) {
            stage.run(&program, phases, &[step(1)]);
        }
    }
    stage.read(&Key::Gradients, floats)
}

/// Checks sums of one batch, of whole trees and of trees with places that no batch fills.
pub(crate) fn prove(stage: &mut Stage) -> Result<(), String> {
    let class = stage.class.as_str();
    for (blocks, batches, folded) in [(1, 2, false), (3, 1, false), (5, 8, true), (301, 7, true)] {
        let what = format!("{class}, {batches} batches of {blocks} blocks");
        let g = |batch| values(20 + batch as u64, 64 * blocks, -1.0, 1.0);
        let gradients: Vec<Vec<f32>> = (0..batches).map(g).collect();
        let found = run(stage, &gradients, folded);
        let exact: Vec<Vec<f64>> = gradients.iter().map(|g| wide(g)).collect();
        let wanted = accumulate::reference(&exact);
        // Each level of the tree rounds once.
        let levels = accumulate::levels(batches) as f64;
        within(&what, 64, &found, &wanted, |i| {
            let size: f64 = exact.iter().map(|g| g[i].abs()).sum();
            levels * U * size * (1.0 + levels * U)
        })?;
    }
    Ok(())
}

#[test]
fn the_sum_of_gradients_equals_its_reference() {
    for mut stage in Stage::all() {
        prove(&mut stage).unwrap();
    }
}
