//! The proofs of clipping by norm: the reference against PyTorch's values, the kernels against the
//! reference, from gradients whose squares vanish to those whose squares overflow.

use wavetrain::kernel::Mode;
use wavetrain::kernel::builder::Phase;
use wavetrain::kernel::plan::{Key, Use};
use wavetrain::kernel::program::Phases;
use wavetrain::optim::{UpdateSite, clip_norm, gradient_norm};
use wavetrain::train::StepUniform;

use super::compare::{POISON, wide, within};
use super::golden;
use super::rounded::U;
use super::stage::{Stage, fold, step, values};

/// Places before the parts, and after norm and factor: of others.
const FIRST: usize = 2;
const PLACE: usize = FIRST + gradient_norm::PARTS;
const STRIDE: usize = PLACE + 3;
/// Odd: what turns the sign of a gradient shows.
const SLOTS: usize = 3;

/// What a chunk of three steps leaves: the gradients, which each step clips again, and the
/// results of each.
fn run(stage: &mut Stage, g: &[f32], norm: f64, folded: bool) -> (Vec<f32>, Vec<[f32; 2]>) {
    let mut b = stage.builder(Mode::Train, 1);
    b.set_phase(Phase::Update);
    let gradients = b.shared(Key::Gradients, 4 * g.len() as u64);
    let results = Key::Results(Use::Training);
    let site = UpdateSite {
        parameters: gradients,
        gradients,
        multipliers: gradients,
        results: b.shared(results.clone(), (8 * SLOTS * STRIDE) as u64),
        results_stride: STRIDE,
        floats: g.len(),
    };
    gradient_norm::gradient_norm(&mut b, &site, FIRST).unwrap();
    clip_norm::clip_norm(&mut b, &site, norm, FIRST, PLACE).unwrap();
    let mut plan = b.finish();
    if folded {
        fold(&mut plan);
    }
    let program = stage.realize(&mut plan);
    stage.write(&Key::Gradients, g);
    stage.write(&results, &[[POISON; 2]; SLOTS * STRIDE]);
    let slots: Vec<StepUniform> = (0..SLOTS as u32)
        .map(|slot| StepUniform { slot, ..step(1) })
        .collect();
    stage.run(&program, Phases::Step, &slots);
    (
        stage.read(&Key::Gradients, g.len()),
        stage.read(&results, SLOTS * STRIDE),
    )
}

/// Blocks of 64 gradients, what they are multiplied with, the norm to clip to, whether the grid is
/// folded.
const CASES: &[(usize, f32, f64, bool)] = &[
    (1, 1.0, 1.0, false),
    (1, 1.0, 100.0, false),
    (3, 1.0, 0.01, true),
    (70, 1.0, 1.0, true),
    (301, 1.0, 5.0, false),
    (301, 1.0, 1e6, false),
    (2051, 1.0, 1.0, true),
    // The 1e-6 beside the norm counts.
    (3, 1e-7, 1e-6, false),
    // Squares vanish, squares overflow.
    (3, 1e-25, 1.0, false),
    (301, 1e25, 1.0, true),
    (301, 1e36, 1e30, false),
    // A norm of 0.9 times the largest f32.
    (3, 3.8e37, 1.0, false),
    // Factors that no f32 of full precision holds.
    (70, 1e30, 1e-9, true),
    (3, 1e37, 1.2e-38, false),
    // On both sides of 2^-100.
    (3, 1.0, 1e-30, false),
    (3, 1.0, 1e-29, false),
];

/// Beyond the first part: a gradient that is large in all cases that have it.
const ONE: usize = 4099;

/// Roundings of a norm: squares, their sums, as tests/proofs/gradient_norm.rs counts them, those of
/// the parts; half as many through the root, which has 9 of its own. What is not scaled yet goes
/// through another root.
fn norm_roundings(blocks: usize) -> f64 {
    let count = gradient_norm::parts(64 * blocks);
    let rounds = (16 * blocks).div_ceil(256 * count);
    ((3 + rounds + 2 + 64 + count) as f64 + 24.0) / 2.0 + 10.0
}

/// Checks one case; the first failure.
fn check(stage: &mut Stage, case: (usize, f32, f64, bool)) -> Result<(), String> {
    let (blocks, size, norm, folded) = case;
    let what = format!("{}, clip norm {case:?}", stage.class.as_str());
    let g: Vec<f32> = values(6, 64 * blocks, -1.0, 1.0);
    let mut g: Vec<f32> = g.into_iter().map(|v| v * size).collect();
    if let Some(one) = g.get_mut(ONE) {
        // Parts that are scaled beside parts that are not.
        *one *= 1e16 / size.max(1.0);
    }
    let (found, results) = run(stage, &g, norm, folded);
    let mut wanted = wide(&g);
    let mut roundings = 0.0;
    for (slot, places) in results.chunks_exact(STRIDE).enumerate() {
        let length = wanted.iter().map(|g| g * g).sum::<f64>().sqrt();
        // Squares below 2^-126 may vanish.
        let vanished = (64.0 * blocks as f64 * 1.2e-38).sqrt();
        roundings += norm_roundings(blocks);
        let off = (f64::from(places[PLACE][0]) - length).abs();
        if off > roundings * U * length + vanished {
            return Err(format!(
                "{what}, slot {slot}: norm {:?}, not {length:e}",
                places[PLACE]
            ));
        }
        let factor = clip_norm::reference(length, norm);
        // 1e-6 and the norm to clip to as f32, the sum, a division's 2.5 ulp.
        roundings += 8.0;
        let off = (clip_norm::factor(places[PLACE], norm) - factor).abs();
        if off.is_nan() || off > roundings * U * factor + vanished / 1e-6 * factor {
            return Err(format!(
                "{what}, slot {slot}: factor {:?}, not {factor:e}",
                places[PLACE]
            ));
        }
        // Exactly 1, so that gradients that are short enough stay the same bits.
        if length + 1e-6 < norm * (1.0 - roundings * U) && places[PLACE][1] != 1.0 {
            return Err(format!(
                "{what}, slot {slot}: factor {:?}, not 1",
                places[PLACE]
            ));
        }
        wanted.iter_mut().for_each(|g| *g *= factor);
        roundings += 1.0;
        let parts = gradient_norm::parts(g.len());
        let mut others = (0..STRIDE).filter(|i| !(FIRST..FIRST + parts).contains(i) && *i != PLACE);
        if let Some(i) = others.find(|i| places[*i] != [POISON; 2]) {
            return Err(format!("{what}: place {i} is written: {:?}", places[i]));
        }
    }
    within(&what, 64, &found, &wanted, |i| {
        roundings * U * wanted[i].abs() + 1.2e-38
    })
}

/// Gradients that no norm is found of stay as they are, and the place says so.
fn check_not_finite(stage: &mut Stage) -> Result<(), String> {
    let plain = values(6, 64 * 301, -1.0, 1.0);
    for (what, value, places) in [
        ("infinite", f32::INFINITY, &[7][..]),
        ("no number", f32::NAN, &[64 * 300][..]),
        ("too long", 3.0e38, &[0, 5, 9000][..]),
    ] {
        let mut g = plain.clone();
        for place in places {
            g[*place] = value;
        }
        let (found, results) = run(stage, &g, 1.0, false);
        for slot in 0..SLOTS {
            let place = results[slot * STRIDE + PLACE];
            if place != [0.0, -1.0] || !clip_norm::factor(place, 1.0).is_nan() {
                return Err(format!("gradients that are {what}: {place:?}"));
            }
        }
        let bits = |g: &[f32]| g.iter().map(|g| g.to_bits()).collect::<Vec<_>>();
        if !value.is_nan() && bits(&found) != bits(&g) {
            return Err(format!("gradients that are {what} were changed"));
        }
    }
    Ok(())
}

/// Checks the kernels; the first failure.
pub(crate) fn prove(stage: &mut Stage) -> Result<(), String> {
    for case in CASES {
        check(stage, *case)?;
    }
    check_not_finite(stage)
}

#[test]
fn clipping_by_norm_equals_its_reference() {
    for mut stage in Stage::all() {
        prove(&mut stage).unwrap();
    }
}

#[test]
fn the_reference_of_clipping_is_pytorchs() {
    let file = golden::read("clip_norm.json");
    let cases = file.get("cases").list();
    assert!(cases.len() >= 8);
    for case in cases {
        let (scale, clip) = (case.get("scale").number(), case.get("clip_norm").number());
        let names = file.get("gradients").keys();
        let all = |name: &String| file.get("gradients").get(name).data();
        let g: Vec<f64> = names.iter().flat_map(all).map(|g| g * scale).collect();
        let norm = g.iter().map(|g| g * g).sum::<f64>().sqrt();
        let wanted = case.get("norm").number();
        let what = case.get("name").text();
        assert!(
            (norm - wanted).abs() <= 1e-14 * wanted,
            "{what}: {norm}, PyTorch {wanted}"
        );
        let factor = clip_norm::reference(norm, clip);
        let wanted = names
            .iter()
            .flat_map(|name| case.get("clipped").get(name).data());
        for (g, wanted) in g.iter().zip(wanted) {
            let off = (factor * g - wanted).abs();
            assert!(
                off <= 1e-14 * wanted.abs(),
                "{what}: {}, PyTorch {wanted}",
                factor * g
            );
        }
    }
}
