//! Snapshots and averages at the low points of cycles: they leave no trace in what is trained, and
//! are what they say.

use std::path::Path;

use wavetrain::data::{Dataset, Normalization, Split as DataSplit};
use wavetrain::layer::{Inventory, Node, Pass};
use wavetrain::loss::CrossEntropy;
use wavetrain::model::{Model, Weights};
use wavetrain::rng::{Key, Stream};
use wavetrain::shape::Shape;
use wavetrain::train::{Ensemble, Evaluator, Event, Flow, LowPoint, Split, Trainer};

use super::fixture::{Keeper, Setup, bits, data, gpu, gpus};
use super::state::{pictures, setup};

/// What the low points of a run gave.
#[derive(Default)]
struct Lows {
    points: Vec<LowPoint>,
    snapshots: Vec<Weights>,
    averages: Vec<Weights>,
}

fn run(trainer: &mut Trainer) -> (Lows, Keeper) {
    let (mut lows, mut keeper) = (Lows::default(), Keeper::default());
    let mut watch = |event: &Event<'_>| {
        if let Event::LowPoint {
            point,
            snapshot,
            average,
        } = event
        {
            lows.points.push(**point);
            lows.snapshots.extend(snapshot.cloned());
            lows.averages.extend(average.cloned());
        }
        Ok(Flow::Continue)
    };
    trainer.run(&mut [&mut watch, &mut keeper]).unwrap();
    (lows, keeper)
}

/// Cycles of 10 steps in runs of `steps`, with batch norm and dropout.
fn with(steps: u64, cycle_end: &str) -> Setup {
    Setup {
        train: format!("steps = {steps}\neval_every = 7\n[cycle_end]\n{cycle_end}"),
        ..setup()
    }
}

#[test]
fn what_is_trained_is_the_same_bits_with_and_without() {
    for gpu in gpus() {
        let mut plain = with(25, "").trainer(gpu.clone(), pictures());
        let (nothing, expected) = run(&mut plain);
        assert!(nothing.points.is_empty());
        for keys in [
            "snapshot = true",
            "average = true",
            "snapshot = true\naverage = true",
        ] {
            let mut trainer = with(25, keys).trainer(gpu.clone(), pictures());
            let (lows, seen) = run(&mut trainer);
            let steps: Vec<u64> = lows.points.iter().map(|point| point.step).collect();
            assert_eq!(steps, [10, 20]);
            assert_eq!(
                trainer.state().unwrap(),
                plain.state().unwrap(),
                "{:?}",
                gpu.class()
            );
            assert_eq!(bits(&seen.records), bits(&expected.records));
            assert_eq!(seen.evaluations, expected.evaluations);
            assert_eq!(
                lows.snapshots.len(),
                if keys.contains("snapshot") { 2 } else { 0 }
            );
            assert_eq!(
                lows.averages.len(),
                if keys.contains("average") { 2 } else { 0 }
            );
        }
    }
}

#[test]
fn snapshots_are_the_weights_of_their_step_and_the_average_is_their_mean() {
    let gpu = gpus().remove(0);
    let keys = "snapshot = true\naverage = true";
    let mut trainer = with(30, keys).trainer(gpu.clone(), pictures());
    let (lows, _) = run(&mut trainer);
    assert_eq!((lows.snapshots.len(), lows.averages.len()), (3, 3));
    let mut other = with(30, "").trainer(gpu, pictures());
    for snapshot in &lows.snapshots {
        other.advance(10, 4).unwrap();
        assert_eq!(snapshot, &other.weights().unwrap());
    }
    for (k, average) in lows.averages.iter().enumerate() {
        let members = &lows.snapshots[..=k];
        for parameter in trainer.network().parameters() {
            for (i, found) in average.tensors[&parameter.name].values.iter().enumerate() {
                let of = |w: &Weights| f64::from(w.tensors[&parameter.name].values[i]);
                let mean = members.iter().map(of).sum::<f64>() / members.len() as f64;
                assert_eq!(found.to_bits(), (mean as f32).to_bits());
            }
        }
    }
    assert_ne!(lows.averages[2], lows.snapshots[2]);
}

/// The running statistics of the average against the references: of each batch of the first epoch
/// the mean and the unbiased variance behind the convolution, and of these the mean.
#[test]
fn the_average_has_running_statistics_of_its_own() {
    let setup = with(30, "average = true");
    for gpu in gpus() {
        let mut trainer = setup.trainer(gpu.clone(), pictures());
        let (lows, _) = run(&mut trainer);
        let average = &lows.averages[2];
        let (means, variances) = statistics(&setup, average, &pictures());
        for (name, wanted) in [("1.running_mean", means), ("1.running_var", variances)] {
            let found = &average.tensors[name].values;
            assert_eq!(found.len(), wanted.len());
            for (found, wanted) in found.iter().zip(&wanted) {
                let off = (f64::from(*found) - wanted).abs();
                assert!(
                    off <= 1e-5 * (1e-2 + wanted.abs()),
                    "{name}: {found} against {wanted} ({:?})",
                    gpu.class()
                );
            }
            assert_ne!(found, &trainer.weights().unwrap().tensors[name].values);
        }
        // Four batches of 50 samples; PyTorch counts them so, too.
        assert_eq!(average.counters["1.num_batches_tracked"], 4);
    }
}

fn statistics(setup: &Setup, weights: &Weights, dataset: &Dataset) -> (Vec<f64>, Vec<f64>) {
    let config = setup.config();
    let mut nodes = Node::fit_all(&config.layers, &Shape::of(&[1, 6, 6]).unwrap()).unwrap();
    Inventory::new(&mut nodes, 0).unwrap();
    let wide = |name: &str| -> Vec<f64> {
        let values = &weights.tensors[name].values;
        values.iter().map(|v| f64::from(*v)).collect()
    };
    let parameters = [wide("0.weight"), wide("0.bias")];
    let split = DataSplit::new(50, 0.0, config.data.seed).unwrap();
    let kind = config.data.normalize;
    let normalization = Normalization::new(kind, &dataset.train, &split.train).unwrap();
    let order = wavetrain::data::epoch_order(&split.train, true, config.data.seed, 0);
    let (mut means, mut variances) = (vec![0.0; 5], vec![0.0; 5]);
    for batch in order.chunks(16) {
        let inputs = batch
            .iter()
            .flat_map(|i| normalization.input(&dataset.train, *i).unwrap());
        let x: Vec<f64> = inputs.map(f64::from).collect();
        let pass = Pass {
            node: &nodes[0],
            samples: batch.len(),
            x: &x,
            parameters: &parameters,
            states: &[],
            training: true,
            key: Key::new(0, Stream::Dropout, 0),
        };
        let y = config.layers[0].reference().forward(&pass);
        let pixels = nodes[0].output().plane();
        for c in 0..5 {
            let channel = |r: usize| &y[(r * 5 + c) * pixels..][..pixels];
            let values: Vec<f64> = (0..batch.len()).flat_map(channel).copied().collect();
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
            means[c] += mean / 4.0;
            variances[c] += variance / 4.0;
        }
    }
    (means, variances)
}

/// Accuracies of the run against those of the weights that it gave, each put into an evaluator.
#[test]
fn accuracies_are_those_of_the_weights() {
    for held_out in ["", "\nvalidation = 0.3"] {
        let gpu = gpu();
        let keys = "snapshot = true\naverage = true";
        let setup = Setup {
            data: format!("batch = 16{held_out}"),
            ..with(30, keys)
        };
        let mut trainer = setup.trainer(gpu.clone(), pictures());
        let (lows, _) = run(&mut trainer);
        let config = setup.config();
        let dataset = pictures();
        let (split, samples, part) = if held_out.is_empty() {
            (Split::Test, &dataset.test, (0..30).collect())
        } else {
            let split = DataSplit::new(50, 0.3, config.data.seed).unwrap();
            (Split::Validation, &dataset.train, split.validation)
        };
        let labels: Vec<u32> = part.iter().map(|i| samples.labels()[*i as usize]).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lows.snapshots[0].to_safetensors().unwrap()).unwrap();
        let model = Model::open(file.path()).unwrap();
        let mut evaluator = Evaluator::new(gpu, &model, 256).unwrap();
        let mut outputs = |weights: &Weights| {
            evaluator
                .set_weights(weights, Path::new("weights"))
                .unwrap();
            evaluator.run(samples, &part).unwrap()
        };
        let mut ensemble = Ensemble::default();
        let mut sums = vec![0.0; 4 * labels.len()];
        for (k, point) in lows.points.iter().enumerate() {
            let single = outputs(&lows.snapshots[k]);
            let loss = CrossEntropy::default();
            ensemble.add(&single.rows, 4, &loss);
            let average = outputs(&lows.averages[k]).accuracy;
            let wanted = (split, single.accuracy, Some(average));
            assert_eq!((point.split, point.single, point.average), wanted);
            assert_eq!(point.ensemble, Some(ensemble.accuracy(&labels)));
            // By hand: softmax, added up, the largest.
            for (sums, row) in sums.chunks_mut(4).zip(single.rows.chunks(4)) {
                let total: f64 = row.iter().map(|v| f64::from(*v).exp()).sum();
                for (sum, v) in sums.iter_mut().zip(row) {
                    *sum += f64::from(*v).exp() / total;
                }
            }
            let right = sums.chunks(4).zip(&labels).filter(|(row, label)| {
                let largest = row.iter().copied().fold(0.0, f64::max);
                row[**label as usize] == largest
            });
            let by_hand = right.count() as f64 / labels.len() as f64;
            assert_eq!(point.ensemble, Some(by_hand));
        }
        assert!(lows.points.windows(2).all(|w| w[0].seconds < w[1].seconds));
    }
}

/// A policy without cycles, and a run that is shorter than a cycle, end as the only cycle; members
/// of a sequence count on.
#[test]
fn the_end_of_a_run_without_cycles_is_its_only_low_point() {
    for (schedule, steps) in [
        ("policy = \"constant\"\nlr = 0.01", vec![25]),
        ("policy = \"one_cycle\"\nmax_lr = 0.1", vec![25]),
        (
            "policy = \"triangular\"\nbase_lr = 0.01\nmax_lr = 0.1\nstep_size_up = 20",
            vec![25],
        ),
        (
            "policy = \"sequence\"\npolicies = [{ policy = \"triangular\", base_lr = 0.01, max_lr = \
             0.1, step_size_up = 5, steps = 13 }, { policy = \"triangular\", base_lr = 0.01, max_lr \
             = 0.1, step_size_up = 2 }]",
            vec![10, 17, 21, 25],
        ),
    ] {
        let setup = Setup {
            schedule: schedule.into(),
            train: "steps = 25\n[cycle_end]\nsnapshot = true".into(),
            ..Setup::default()
        };
        let mut trainer = setup.trainer(gpu(), data(90, 20));
        assert_eq!(trainer.ends_as_one_cycle(), steps.len() == 1, "{schedule}");
        let (lows, _) = run(&mut trainer);
        let found: Vec<(u64, u64)> = lows.points.iter().map(|p| (p.cycle, p.step)).collect();
        let wanted: Vec<(u64, u64)> = (1..).zip(steps).collect();
        assert_eq!(found, wanted, "{schedule}");
    }
}
