//! Networks of sequences train as PyTorch trains them: every loss, every norm, every right answer of 60
//! steps, and all gradients of the first (`scripts/golden/sequences.py`).

use std::path::Path;
use std::sync::Arc;

use wavetrain::config::Config;
use wavetrain::data::{Dataset, IGNORED, Samples, Targets, Task};
use wavetrain::train::{StepRecord, Trainer};

use super::golden::{self, Case};
use super::parts;
use super::rounded::{LOG_NEAR_ONE, U};
use super::stage::Stage;

/// How often the distance of PyTorch's own f32 run from its f64 run another f32 implementation may be
/// away from the f64 run: it rounds in another order, and over 60 steps differences neither grow nor
/// die out.
const SMALL_MULTIPLE: f64 = 4.0;

/// The words that the script makes, too.
fn word(i: usize, seed: u32) -> u32 {
    let i = (i as u32).wrapping_mul(2_654_435_761);
    let mut x = i.wrapping_add(seed.wrapping_mul(40_503));
    for (factor, shift) in [(0x2c1b_3c6d_u32, 16), (0x297a_2d39, 15)] {
        x = (x ^ (x >> shift)).wrapping_mul(factor);
    }
    x ^ (x >> 16)
}

fn tokens(count: usize, symbols: usize) -> Vec<u32> {
    let token = |i: usize| (i * i + (word(i, 1) >> 30) as usize) % symbols;
    (0..count).map(|i| token(i) as u32).collect()
}

/// Of the token and the one before it in its sequence (of the first the last); where a word says so, it
/// does not count.
fn positions(x: &[u32], steps: usize, classes: usize, ignored: bool) -> Targets {
    let target = |i: usize| {
        let before = if i.is_multiple_of(steps) {
            i + steps - 1
        } else {
            i - 1
        };
        let counts = !ignored || !word(i, 3).is_multiple_of(3);
        let target = (x[i] + x[before]) % classes as u32;
        if counts { target } else { IGNORED }
    };
    let values = (0..x.len()).map(target).collect();
    Targets::Positions { steps, values }
}

/// The data of a run, to train on and to evaluate with.
fn dataset(file: &Case) -> Dataset {
    let (data, targets) = (file.get("data").list(), file.get("targets").list());
    let [count, steps, width] = [1, 2, 3].map(|i: usize| data[i].number() as usize);
    let outputs = targets[1].number() as usize;
    let names = (0..outputs).map(|name| name.to_string()).collect();
    let classes = || Targets::Classes((0..count).map(|i| word(i, 2) % outputs as u32).collect());
    let inputs = tokens(count * steps, width);
    let (samples, task) = match (data[0].text().as_str(), targets[0].text().as_str()) {
        ("stream", "next") => (
            Samples::windows([steps, width], tokens(count, width)),
            Task::Tokens(names),
        ),
        ("numbers", "classes") => {
            let number = |i: usize| (f64::from(word(i, 1) >> 22) - 512.0) / 512.0;
            let values = (0..count * steps * width).map(|i| number(i) as f32);
            let samples = Samples::from_sequences([steps, width], values.collect(), classes());
            (samples, Task::Classes(names))
        }
        ("tokens", "classes") => (
            Samples::from_tokens([steps, width], inputs, classes()),
            Task::Classes(names),
        ),
        ("tokens", of @ ("positions" | "ignored")) => {
            let targets = positions(&inputs, steps, outputs, of == "ignored");
            (
                Samples::from_tokens([steps, width], inputs, targets),
                Task::Tokens(names),
            )
        }
        other => panic!("{other:?} is no data"),
    };
    let samples = samples.unwrap();
    Dataset::of("made up", samples.clone(), samples, task).unwrap()
}

/// Matrices uniform within 1 / sqrt(columns), lists within 0.1 of 0, or of 1 where they are weights.
fn set_weights(trainer: &mut Trainer) {
    let mut weights = trainer.weights().unwrap();
    // One name of those that are tied is enough.
    let network = trainer.network();
    let twins: Vec<String> = network.twins().map(|(name, _)| name.to_owned()).collect();
    weights.tensors.retain(|name, _| !twins.contains(name));
    for (name, tensor) in &mut weights.tensors {
        let bytes = name.bytes().zip(1..);
        let seed = bytes.map(|(byte, place)| u32::from(byte) * place).sum();
        let matrix = tensor.shape.len() > 1;
        let columns = *tensor.shape.last().unwrap();
        let width = if matrix {
            1.0 / (columns as f64).sqrt()
        } else {
            0.1
        };
        let middle = f64::from(u8::from(!matrix && name.ends_with("weight")));
        let value = |i: usize| (f64::from(word(i, seed) >> 22) - 511.5) / 512.0 * width + middle;
        tensor.values = (0..tensor.values.len()).map(|i| value(i) as f32).collect();
    }
    trainer
        .set_weights(&weights, Path::new("the formula"))
        .unwrap();
}

fn near(what: impl Fn() -> String, found: f64, wanted: f64, allowed: f64) {
    let off = (found - wanted).abs();
    assert!(
        off <= allowed,
        "{} is {found}, PyTorch {wanted}: off by {off:e}, allowed is {allowed:e}",
        what()
    );
}

/// How far losses may be off: the driver's log beside 1 comes on top, which PyTorch's does not have.
fn loss_allowed(file: &Case) -> f64 {
    SMALL_MULTIPLE * file.get("loss_f32_off").number() + LOG_NEAR_ONE
}

/// The gradients of the first step.
fn check_gradients(trainer: &Trainer, file: &Case, what: impl Fn(&str) -> String) {
    let (golden, off) = (file.get("gradients"), file.get("gradients_f32_off"));
    let found = trainer.gradients().unwrap().tensors;
    let names: Vec<&String> = found.keys().collect();
    let mut wanted = golden.keys();
    wanted.sort();
    assert_eq!(
        names,
        wanted.iter().collect::<Vec<_>>(),
        "{}",
        what("names")
    );
    for (name, tensor) in &found {
        let wanted = golden.get(name);
        assert_eq!(tensor.shape, wanted.shape(), "{}", what(name));
        let wanted = wanted.data();
        let largest = wanted.iter().fold(0.0, |most, v| v.abs().max(most));
        let allowed = SMALL_MULTIPLE * (off.get(name).number() + U * largest);
        let mut worst = 0.0_f64;
        for (found, wanted) in tensor.values.iter().zip(&wanted) {
            worst = worst.max((f64::from(*found) - wanted).abs());
        }
        near(
            || format!("the gradient of {}", what(name)),
            worst,
            0.0,
            allowed,
        );
    }
}

/// One step of a run.
fn check_step(file: &Case, record: &StepRecord, what: impl Fn(&str) -> String) {
    let step = record.step as usize;
    let of = |key: &str| file.get(key).numbers()[step];
    let what = |key: &str| format!("{} at step {step}", what(key));
    near(|| what("loss"), record.loss, of("loss"), loss_allowed(file));
    near(|| what("rate"), record.lr, of("lr"), 2.0 * U * of("lr"));
    let momentum = of("momentum");
    near(
        || what("momentum"),
        record.momentum,
        momentum,
        2.0 * U * momentum,
    );
    let right = record.accuracy * of("counted");
    near(|| what("right answers"), right, of("correct"), 1e-9);
    let off = SMALL_MULTIPLE * (file.get("norm_f32_off").number() + U);
    let norm = of("norm");
    near(|| what("norm"), record.grad_norm, norm, off * norm);
}

/// One run on one class.
fn follow(name: &str, stage: &Stage) {
    let file = golden::read(&format!("sequences/{name}.json"));
    let config = Config::parse(name, &file.get("config").text()).unwrap();
    let gpu = Arc::clone(&stage.gpu);
    let mut trainer = Trainer::new(gpu, config, dataset(&file)).unwrap();
    set_weights(&mut trainer);
    let what = |key: &str| format!("{name} on {}: {key}", stage.class.as_str());
    let losses = file.get("loss").numbers().len();
    assert_eq!(losses, 60);
    let mut records = trainer.advance(1, 1).unwrap();
    check_gradients(&trainer, &file, what);
    records.extend(trainer.advance(losses as u64 - 1, 7).unwrap());
    assert_eq!(records.len(), losses);
    for record in &records {
        check_step(&file, record, what);
    }
    let evaluation = trainer.evaluate_all().unwrap()[0];
    let wanted = file.get("final_loss").number();
    near(
        || what("final loss"),
        evaluation.loss,
        wanted,
        loss_allowed(&file),
    );
}

#[test]
fn networks_of_sequences_train_as_in_pytorch() {
    let folder = format!("{}/tests/golden/sequences", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder).unwrap();
    let stem = |path: std::path::PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut names: Vec<String> = files.map(|file| stem(file.unwrap().path())).collect();
    names.sort();
    assert!(names.len() >= 8, "{names:?}");
    let parts = Stage::classes().flat_map(|class| names.iter().map(move |name| (class, name)));
    parts::each(parts, |(class, name)| {
        follow(name, &Stage::new(class, None).unwrap());
        Ok(())
    });
}
