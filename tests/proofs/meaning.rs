//! The third proof: the meaning is PyTorch's. References equal its values, kernels follow
//! references; initialisers have its statistics; whole training runs follow its curves.

use std::path::Path;

use wavetrain::args::Args;
use wavetrain::config::Config;
use wavetrain::data::{Dataset, Samples};
use wavetrain::layer::{LAYERS, Layer};
use wavetrain::loss::{LOSSES, Loss, RowTargets};
use wavetrain::model::{Tensor, Weights};
use wavetrain::shape::Shape;
use wavetrain::train::{Event, Flow, Observer, StepRecord, Trainer};

use super::alone::Alone;
use super::case::{Case, Given};
use super::golden;
use super::losses;
use super::number_losses;
use super::parts;
use super::rounded::{LOG_NEAR_ONE, U};
use super::stage::Stage;
use super::table::{Bounds, PROOFS, PROVED_APART, Proof};
use super::verdict::{Wanted, check_given};

/// Both sides are f64 and add up at most some hundred terms in their own order.
fn equal(what: &str, found: &[f64], wanted: &[f64]) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        assert!(
            (found - wanted).abs() <= 1e-13 * (1.0 + wanted.abs()),
            "{what}, element {i}: {found}, PyTorch {wanted}"
        );
    }
}

fn layer_of(name: &str, arguments: &str) -> (Box<dyn Layer>, &'static Bounds) {
    let entry = LAYERS.iter().find(|entry| entry.name == name).unwrap();
    let layer = (entry.parse)(Args::parse(arguments).unwrap()).unwrap();
    // A line of the table with the same arguments; for sums of products, any such line.
    let same = Proof::of(name).find(|p| p.layer().arguments() == layer.arguments());
    let sums = || Proof::of(name).find(|p| !matches!(p.bounds, Bounds::Elements { .. }));
    let proof = same.or_else(sums);
    let proof = proof.unwrap_or_else(|| panic!("{name} {{ {arguments} }} is not in table.rs"));
    (layer, &proof.bounds)
}

#[test]
fn layers_mean_what_pytorchs_do() {
    let others = |name: &str| name == "dropout" || PROVED_APART.contains(&name);
    let entries = || LAYERS.iter().filter(|entry| !others(entry.name));
    let file = |name: &str| {
        golden::read(&format!("layers/{name}.json"))
            .get("cases")
            .list()
    };
    let seen: usize = entries().map(|entry| file(entry.name).len()).sum();
    assert!(seen >= PROOFS.len(), "{seen}");
    let parts = entries().flat_map(|entry| Stage::classes().map(move |class| (class, entry.name)));
    parts::each(parts, |(class, name)| {
        if name == "conv2d" && parts::leaves_out_convolutions(class) {
            return Ok(());
        }
        let mut stage = Stage::new(class, None).unwrap();
        let mut cases = file(name).into_iter();
        cases.try_for_each(|golden| meaning_of_layer(&mut stage, name, &golden))
    });
}

/// A case of a layer: the reference's values are PyTorch's, and the kernels' follow it.
fn meaning_of_layer(stage: &mut Stage, name: &str, golden: &golden::Case) -> Result<(), String> {
    let (layer, bounds) = layer_of(name, &golden.get("arguments").text());
    let shape = golden.get("x").shape();
    let case = Case::new(shape[0], &shape[1..]);
    let alone = Alone::new(&*layer, &shape[1..]);
    let names = alone.names();
    let parameters = names
        .iter()
        .map(|name| golden.get("parameters").get(name).floats());
    let given = Given {
        x: golden.get("x").floats(),
        dy: golden.get("dy").floats(),
        parameters: parameters.collect(),
        carried: Vec::new(),
    };
    let wanted = Wanted::new(&*layer, &case, &given);
    equal(name, &wanted.y, &golden.get("y").data());
    equal(name, &wanted.dx, &golden.get("dx").data());
    for (parameter, found) in names.iter().zip(&wanted.gradients) {
        let all = golden.get("gradients");
        equal(name, found, &all.get(parameter).data());
    }
    check_given(stage, &*layer, bounds, &case, &given)
}

#[test]
fn losses_mean_what_pytorchs_do() {
    for entry in LOSSES {
        let mut stages = Stage::all();
        let file = golden::read(&format!("losses/{}.json", entry.name));
        for golden in file.get("cases").list() {
            let arguments = golden.get("arguments").text();
            let loss = (entry.parse)(Args::parse(&arguments).unwrap()).unwrap();
            if golden.has("numbers") {
                meaning_of_numbers(&mut stages, &*loss, &golden);
                continue;
            }
            let classes = golden.get("x").shape()[1];
            let labels = golden.get("labels").numbers();
            let labels: Vec<u32> = labels.into_iter().map(|l| l as u32).collect();
            let targets = RowTargets::Classes(&labels);
            let loss = match arguments.contains("class_weights") {
                true => {
                    let names: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
                    losses::suited(&arguments, &names)
                }
                false => loss,
            };
            let reference = loss.reference(&golden.get("x").data(), classes, targets);
            equal(
                entry.name,
                &reference.losses,
                &golden.get("per_sample").numbers(),
            );
            equal(entry.name, &reference.dx, &golden.get("dx").data());
            let weight = |label: &u32| {
                let weights = loss.class_weights();
                weights
                    .get(*label as usize)
                    .map_or(1.0, |weight| f64::from(*weight))
            };
            let all: f64 = labels.iter().map(weight).sum();
            let mean = reference.losses.iter().sum::<f64>() / all;
            equal(entry.name, &[mean], &[golden.get("loss").number()]);
            let right = reference.chosen.iter().zip(&labels);
            let right = right.filter(|(chosen, label)| **chosen == **label as usize);
            assert_eq!(right.count() as f64, golden.get("correct").number());
            let case =
                losses::Case::given(classes, golden.get("x").floats(), labels).weighted(&*loss);
            for stage in &mut stages {
                losses::check(stage, entry.name, &*loss, &case).unwrap();
            }
        }
    }
}

/// A loss over numbers.
fn meaning_of_numbers(stages: &mut [Stage], loss: &dyn Loss, golden: &golden::Case) {
    let width = golden.get("x").shape()[1];
    let wanted = golden.get("numbers").data();
    let reference = loss.reference(&golden.get("x").data(), width, RowTargets::Numbers(&wanted));
    let losses = &reference.losses;
    equal(loss.name(), losses, &golden.get("per_sample").numbers());
    equal(loss.name(), &reference.dx, &golden.get("dx").data());
    let mean = losses.iter().sum::<f64>() / losses.len() as f64;
    equal(loss.name(), &[mean], &[golden.get("loss").number()]);
    let (x, wanted) = (golden.get("x").floats(), golden.get("numbers").floats());
    let case = number_losses::Case::given(width, x, wanted);
    for stage in stages {
        number_losses::check(stage, loss.name(), loss, &case).unwrap();
    }
}

/// Mean, deviation, largest magnitude and kurtosis.
fn statistics(values: &[f32]) -> [f64; 4] {
    let n = values.len() as f64;
    let moment = |about: f64, power: i32| {
        values
            .iter()
            .map(|v| (f64::from(*v) - about).powi(power))
            .sum::<f64>()
            / n
    };
    let mean = moment(0.0, 1);
    let variance = moment(mean, 2);
    let largest = values
        .iter()
        .fold(0.0, |most, v| f64::from(v.abs()).max(most));
    [
        mean,
        variance.sqrt(),
        largest,
        moment(mean, 4) / variance.powi(2),
    ]
}

/// `values` are drawn from the distribution that `golden` measured: within five standard errors.
fn check_statistics(what: &str, values: &[f32], golden: &golden::Case) {
    let [mean, deviation, largest, kurtosis] = statistics(values);
    let get = |key: &str| golden.get(key).number();
    let (n, wanted) = (values.len() as f64, get("deviation"));
    let flat = get("kurtosis") < 2.0;
    // Standard errors of a mean, of a deviation (from the fourth moment) and of a kurtosis (24/n
    // for a normal distribution, less for a uniform one).
    let mean_error = wanted / n.sqrt();
    let deviation_error = wanted * ((get("kurtosis") - 1.0) / (4.0 * n)).sqrt();
    let kurtosis_error = (24.0 / n).sqrt();
    let allowed = 5.0;
    assert!(mean.abs() <= allowed * mean_error, "{what}: mean {mean}");
    let off = (deviation - wanted).abs();
    assert!(
        off <= allowed * deviation_error,
        "{what}: deviation {deviation}, PyTorch {wanted}"
    );
    let off = (kurtosis - get("kurtosis")).abs();
    assert!(
        off <= allowed * kurtosis_error,
        "{what}: kurtosis {kurtosis}, PyTorch {}",
        get("kurtosis")
    );
    if flat {
        // The bound is nearly reached and not passed.
        let ratio = largest / get("largest");
        assert!(
            (0.999..=1.0001).contains(&ratio),
            "{what}: largest {largest}"
        );
    } else {
        assert!(
            largest > 3.5 * wanted && largest < 6.5 * wanted,
            "{what}: largest {largest}"
        );
    }
}

/// The first values of parameter `which` of a linear layer for some seeds.
fn initial(arguments: &str, inputs: usize, which: usize, seeds: u64) -> Vec<f32> {
    let (layer, _) = layer_of("linear", arguments);
    let fit = layer.fit(&Shape::Features(inputs)).unwrap();
    let spec = &fit.parameters[which];
    (0..seeds)
        .flat_map(|seed| spec.initial_values(seed, which))
        .collect()
}

#[test]
fn initialisers_draw_from_pytorchs_distributions() {
    let file = golden::read("initializers.json");
    let shape = file.get("shape").numbers();
    let (outputs, inputs) = (shape[0] as usize, shape[1] as usize);
    let names = file.get("weight").keys();
    assert_eq!(names.len(), 5, "{names:?}");
    for name in names {
        let arguments = format!("out_features = {outputs}\ninit = \"{name}\"");
        let weights = initial(&arguments, inputs, 0, 4);
        check_statistics(&name, &weights, &file.get("weight").get(&name));
        let biases = initial(&arguments, inputs, 1, 400);
        match name.as_str() {
            "torch" => check_statistics("bias", &biases, &file.get("bias").get("torch")),
            _ => assert!(biases.iter().all(|b| *b == 0.0), "{name}"),
        }
    }
    let normal = initial("out_features = 300\ninit = { normal = 0.02 }", 300, 0, 1);
    let [mean, deviation, _, kurtosis] = statistics(&normal);
    let n = normal.len() as f64;
    assert!(mean.abs() < 5.0 * 0.02 / n.sqrt() && (kurtosis - 3.0).abs() < 5.0 * (24.0 / n).sqrt());
    assert!(
        (deviation / 0.02 - 1.0).abs() < 5.0 * (0.5 / n).sqrt(),
        "{deviation}"
    );
    let constant = initial("out_features = 3\ninit = { constant = 0.25 }", 2, 0, 1);
    assert_eq!(constant, [0.25; 6]);
}

/// Keeps all records.
#[derive(Default)]
struct Keeper(Vec<StepRecord>);

impl Observer for Keeper {
    fn on(&mut self, event: &Event<'_>) -> wavetrain::error::Result<Flow> {
        if let Event::Steps(records) = event {
            self.0.extend_from_slice(records);
        }
        Ok(Flow::Continue)
    }
}

/// The data of all golden runs, to train on and to evaluate with.
fn curve_data(start: &golden::Case) -> Dataset {
    let bytes: Vec<u8> = start
        .get("samples")
        .data()
        .iter()
        .map(|v| *v as u8)
        .collect();
    let labels: Vec<u32> = start
        .get("labels")
        .numbers()
        .iter()
        .map(|l| *l as u32)
        .collect();
    let samples = Samples::from_bytes(&[20], bytes, labels).unwrap();
    Dataset::new("golden", samples.clone(), samples, 5).unwrap()
}

fn tensors(case: &golden::Case) -> Weights {
    let tensor = |name: String| {
        let tensor = Tensor {
            shape: case.get(&name).shape(),
            values: case.get(&name).data().iter().map(|v| *v as f32).collect(),
        };
        (name, tensor)
    };
    Weights {
        tensors: case.keys().into_iter().map(tensor).collect(),
        ..Weights::default()
    }
}

/// How often the distance of PyTorch's own f32 run from its f64 run another f32 implementation may
/// be away from the f64 run: it rounds in another order, and over 40 steps differences neither
/// grow nor die out.
const SMALL_MULTIPLE: f64 = 8.0;

/// The weights at the end of a run.
fn check_weights(found: &Weights, curve: &golden::Case, what: impl Fn(&str) -> String) {
    for (name, tensor) in &found.tensors {
        let wanted = curve.get("weights").get(name).data();
        let allowed = SMALL_MULTIPLE * curve.get("weights_f32_off").get(name).number() + 8.0 * U;
        for (i, (found, wanted)) in tensor.values.iter().zip(&wanted).enumerate() {
            let off = (f64::from(*found) - wanted).abs();
            assert!(
                off <= allowed,
                "{}[{i}] is {found}, PyTorch {wanted}: off by {off:e}, allowed is {allowed:e}",
                what(name)
            );
        }
    }
}

/// One run on one class.
fn follow_curve(name: &str, stage: &Stage, start: &golden::Case) {
    let curve = golden::read(&format!("curves/{name}.json"));
    let config = Config::parse(name, &curve.get("config").text()).unwrap();
    let mut trainer =
        Trainer::new(std::sync::Arc::clone(&stage.gpu), config, curve_data(start)).unwrap();
    trainer
        .set_weights(&tensors(&start.get("weights")), Path::new("start.json"))
        .unwrap();
    let mut keeper = Keeper::default();
    let summary = trainer.run(&mut [&mut keeper]).unwrap();
    let what = |key: &str| format!("{name} on {}: {key}", stage.class.as_str());
    let (losses, singles) = (curve.get("loss").numbers(), curve.get("loss_f32").numbers());
    let off = |(a, b): (&f64, &f64)| (a - b).abs();
    let f32_off = losses.iter().zip(&singles).map(off).fold(0.0, f64::max);
    // The driver's log beside 1 comes on top, which PyTorch's does not have.
    let allowed = SMALL_MULTIPLE * f32_off + LOG_NEAR_ONE;
    assert_eq!(keeper.0.len(), losses.len());
    let (rates, momentums) = (curve.get("lr").numbers(), curve.get("momentum").numbers());
    let right = curve.get("correct").numbers();
    for (step, record) in keeper.0.iter().enumerate() {
        let found = record.loss;
        assert!(
            (found - losses[step]).abs() <= allowed,
            "{} at step {step} is {found}, PyTorch {}, allowed is {allowed:e}",
            what("loss"),
            losses[step]
        );
        assert!(
            (record.lr - rates[step]).abs() <= 2.0 * U * rates[step],
            "{}",
            what("rate")
        );
        let off = (record.momentum - momentums[step]).abs();
        assert!(off <= 2.0 * U * momentums[step], "{}", what("momentum"));
        // The last step of an epoch has what is left of the 60.
        let whole = trainer.info().samples_per_step();
        let samples = whole.min(60 - step % 60_usize.div_ceil(whole) * whole) as f64;
        assert!(
            (record.accuracy * samples - right[step]).abs() < 1e-9,
            "{} {step}",
            what("right answers")
        );
    }
    check_weights(&trainer.weights().unwrap(), &curve, what);
    let evaluation = summary.evaluations[0];
    let wanted = curve.get("final_loss").number();
    assert!(
        (evaluation.loss - wanted).abs() <= allowed,
        "{} {evaluation:?}",
        what("final loss")
    );
    let right = curve.get("final_correct").number();
    assert!(
        (evaluation.accuracy * 60.0 - right).abs() < 1e-9,
        "{} {evaluation:?}",
        what("right answers")
    );
}

#[test]
fn training_follows_pytorchs_curves() {
    let start = golden::read("curves/start.json");
    let folder = format!("{}/tests/golden/curves", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = files
        .map(|file| {
            file.unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .filter(|name| name != "start")
        .collect();
    names.sort();
    assert!(names.len() >= 6, "{names:?}");
    let parts = Stage::classes().flat_map(|class| names.iter().map(move |name| (class, name)));
    parts::each(parts, |(class, name)| {
        follow_curve(name, &Stage::new(class, None).unwrap(), &start);
        Ok(())
    });
}
