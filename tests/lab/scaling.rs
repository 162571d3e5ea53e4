//! With inputs that are smaller or weights that are larger the bounds move as the rates do that
//! train: a sweep of constant rates says which.

use wavetrain::data::{Dataset, Samples};
use wavetrain::lab::find::{self, RangeTestOptions};
use wavetrain::schedule::Constant;
use wavetrain::train::Trainer;

use super::fixture::{CLASSES, Setup, gpu, samples};

const FEATURES: usize = 30;

/// The made-up samples as floats, divided by `divisor`.
fn scaled(divisor: f32) -> Dataset {
    let floats = |seed, count| {
        let bytes = samples(seed, count, FEATURES).read_all().unwrap();
        let floats = bytes
            .iter()
            .map(|b| (f32::from(*b) - 128.0) / 64.0 / divisor);
        // A fifth of the labels is wrong, so that a rate that is too high cannot end in no loss.
        let mut labels = samples(seed, count, FEATURES).labels().to_vec();
        for label in labels.iter_mut().step_by(5) {
            *label = (*label + 1) % CLASSES as u32;
        }
        Samples::from_floats(&[FEATURES], floats.collect(), labels).unwrap()
    };
    Dataset::new("scaled", floats(2, 800), floats(3, 50), CLASSES).unwrap()
}

fn trainer(divisor: f32, init: &str) -> Trainer {
    let setup = Setup {
        data: "batch = 32\nnormalize = \"none\"".into(),
        layers: format!(
            "[{{ linear = {{ out_features = 24, init = {init} }} }}, \"relu\", \
             {{ linear = {{ out_features = 4, init = {init} }} }}]"
        ),
        ..Setup::default()
    };
    setup.trainer(gpu(), scaled(divisor))
}

/// The mean loss of the last steps of some under a constant rate.
fn loss_after(trainer: &mut Trainer, lr: f64) -> f64 {
    trainer.begin(5, Box::new(Constant { lr })).unwrap();
    let records = trainer.advance(60, 20).unwrap();
    let last = &records[40..];
    last.iter().map(|record| record.loss).sum::<f64>() / last.len() as f64
}

/// Over a grid of constant rates (factor 2): the lowest that learns a good part of what the best one
/// does, the highest that still learns at all, and the best one.
fn by_constant_rates(trainer: &mut Trainer) -> [f64; 3] {
    let rates: Vec<f64> = (-18..16).map(|power| 2_f64.powi(power)).collect();
    let losses: Vec<f64> = rates.iter().map(|lr| loss_after(trainer, *lr)).collect();
    let start = losses[0];
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let learns = |share: f64| {
        let losses = losses.iter();
        let mut learns = losses.map(move |loss| *loss < start - share * (start - best));
        let first = learns.position(|learns| learns).unwrap();
        let count = learns.take_while(|learns| *learns).count();
        (first, first + count)
    };
    let at_best = losses.iter().position(|loss| *loss == best).unwrap();
    [rates[learns(0.1).0], rates[learns(0.5).1], rates[at_best]]
}

/// What the bounds of a range test are to the constant rates that learn: the base to the lowest one,
/// the peak to the highest and to the best one.
fn against_constant_rates(trial_steps: u64) -> Vec<[f64; 3]> {
    let options = RangeTestOptions {
        from: 1e-6,
        to: 1e6,
        steps: 400,
        seeds: 1,
        trial_steps,
        ..RangeTestOptions::default()
    };
    let cases = [
        (1.0, "{ normal = 0.1 }"),
        (100.0, "{ normal = 0.1 }"),
        (1.0, "{ normal = 1.0 }"),
    ];
    let against = cases.map(|(divisor, init)| {
        let mut trainer = trainer(divisor, init);
        let test = find::find(&mut trainer, &options, &mut |_| Ok(())).unwrap();
        let says = format!("inputs / {divisor}, {init}: {}", test.says);
        let (base, max) = (test.base_lr.expect(&says), test.max_lr.expect(&says));
        let [lowest, highest, best] = by_constant_rates(&mut trainer);
        [base / lowest, max / highest, max / best]
    });
    against.to_vec()
}

/// Stays the same within a factor of 8 while the rates themselves move by far more.
fn stays(against: &[[f64; 3]], which: usize) {
    let first = against[0][which];
    let mut all = against.iter().map(|ratios| ratios[which]);
    assert!(
        all.all(|ratio| (first / 8.0..first * 8.0).contains(&ratio)),
        "{against:?}"
    );
}

#[test]
fn bounds_move_with_inputs_and_weights_as_constant_rates_say() {
    let curves = against_constant_rates(0);
    stays(&curves, 0);
    stays(&curves, 1);
    let mut peaks = curves.iter().map(|ratios| ratios[1]);
    assert!(
        peaks.all(|peak| peak <= 1.0),
        "a peak above every rate that trains: {curves:?}"
    );
}

/// Cycles pass through their peak, which lies above the best constant rate, or next to it (the grid has
/// factors of 2), wherever that is.
#[test]
fn peaks_of_trial_cycles_move_with_the_best_constant_rate() {
    let cycles = against_constant_rates(100);
    let mut peaks = cycles.iter().map(|ratios| ratios[2]);
    assert!(peaks.all(|peak| (0.5..16.0).contains(&peak)), "{cycles:?}");
}
