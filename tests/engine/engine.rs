//! The whole engine against the same training done by the references, step by step, in f64.

use std::sync::Arc;

use wavetrain::Config;
use wavetrain::data::{Dataset, Normalization, Samples, Split, batch_at, epoch_order};
use wavetrain::gpu::Gpu;
use wavetrain::layer::{Node, Pass};
use wavetrain::loss::RowTargets;
use wavetrain::optim::{ReferenceParameter, Update};
use wavetrain::rng::{Key, Stream};
use wavetrain::train::Trainer;

use super::fixture::{Keeper, Setup, data, gpu, gpus};
use super::rounded::{LOG_NEAR_ONE, U};

/// How often the distance between the exact run and the run with rounded values an f32 run may be
/// away from the exact one: 4 sqrt(n), since each value is not rounded once but is a sum of up to n
/// rounded terms (here n is the largest sum, over the samples of a batch or the inputs of a layer).
fn multiple(terms: usize) -> f64 {
    4.0 * (terms as f64).sqrt()
}

/// A training run by the references, step by step: in f64, or with every value, gradient and
/// parameter rounded to f32. What rounding does to the one shows how far a run of f32 kernels may be
/// from the other, through all steps.
struct Twin {
    config: Config,
    rounded: bool,
    nodes: Vec<Node>,
    parameters: Vec<ReferenceParameter>,
    normalization: Normalization,
    split: Split,
    samples: Samples,
}

/// What a twin says of one step.
struct Expected {
    loss: f64,
    right: usize,
    samples: usize,
}

impl Twin {
    fn new(setup: &Setup, dataset: &Dataset, trainer: &Trainer, rounded: bool) -> Self {
        let config = setup.config();
        let start = trainer.weights().unwrap();
        let network = trainer.network();
        let parameters = network.parameters().map(|p| {
            let w = start.tensors[&p.name].values.iter().map(|v| f64::from(*v));
            let w: Vec<f64> = w.collect();
            ReferenceParameter {
                state: vec![vec![0.0; w.len()]; config.optimizer.states().len()],
                w,
                lr_mult: p.spec.lr_mult,
                decay_mult: p.spec.decay_mult,
            }
        });
        let parameters = parameters.collect();
        let count = dataset.train.len();
        let split = Split::new(count, config.data.validation, config.data.seed).unwrap();
        let kind = config.data.normalize;
        Self {
            normalization: Normalization::new(kind, &dataset.train, &split.train).unwrap(),
            rounded,
            nodes: network.nodes().to_vec(),
            parameters,
            split,
            samples: dataset.train.clone(),
            config,
        }
    }

    /// Indices of the samples of a step.
    fn batch(&self, step: u64) -> Vec<u32> {
        let data = &self.config.data;
        // The batches of an update are one to the references.
        let whole = data.batch * self.config.train.accumulate;
        let batch = batch_at(step, self.split.train.len(), whole, data.drop_last).unwrap();
        let order = epoch_order(&self.split.train, data.shuffle, data.seed, batch.epoch);
        order[batch.start..batch.start + batch.len].to_vec()
    }

    /// The values, rounded where this twin rounds.
    fn kept(&self, values: Vec<f64>) -> Vec<f64> {
        if !self.rounded {
            return values;
        }
        values.into_iter().map(|v| f64::from(v as f32)).collect()
    }

    /// What the layer at `position` is given.
    fn pass<'a>(
        &'a self,
        position: usize,
        rows: usize,
        x: &'a [f64],
        parameters: &'a [Vec<f64>],
        step: u64,
    ) -> Pass<'a> {
        Pass {
            node: &self.nodes[position],
            samples: rows,
            x,
            parameters,
            states: &[],
            training: true,
            key: Key::new(self.config.seed, Stream::Dropout, step),
        }
    }

    /// Trains one step.
    fn step(&mut self, step: u64) -> Expected {
        let batch = self.batch(step);
        let rows = batch.len();
        let input = |i: &u32| self.normalization.input(&self.samples, *i).unwrap();
        let x: Vec<f64> = batch.iter().flat_map(input).map(f64::from).collect();
        let labels: Vec<u32> = batch
            .iter()
            .map(|i| self.samples.labels()[*i as usize])
            .collect();
        let weights: Vec<Vec<f64>> = self.parameters.iter().map(|p| p.w.clone()).collect();
        let layers = &self.config.layers;
        let mut values = vec![x];
        for (i, layer) in layers.iter().enumerate() {
            let pass = self.pass(i, rows, &values[i], &weights, step);
            let y = layer.reference().forward(&pass);
            values.push(self.kept(y));
        }
        let logits = &values[layers.len()];
        let loss =
            self.config
                .loss
                .reference(logits, logits.len() / rows, RowTargets::Classes(&labels));
        let mut dy = self.kept(loss.dx);
        let mut gradients = Vec::new();
        for (i, layer) in layers.iter().enumerate().rev() {
            let pass = self.pass(i, rows, &values[i], &weights, step);
            let back = layer.reference().backward(&pass, &dy);
            gradients.splice(0..0, back.parameters.into_iter().map(|g| self.kept(g)));
            dy = self.kept(back.dx);
        }
        let chosen = loss.chosen.iter().zip(&labels);
        let expected = Expected {
            loss: loss.losses.iter().sum::<f64>() / rows as f64,
            right: chosen.filter(|(c, l)| **c == **l as usize).count(),
            samples: rows,
        };
        self.update(step, &gradients);
        expected
    }

    fn update(&mut self, step: u64, gradients: &[Vec<f64>]) {
        let optimizer = &self.config.optimizer;
        let rate = self.config.schedule.policy().unwrap().at(step);
        let own = optimizer.momentum().map_or(0.0, |m| m.value);
        // What travels is an f32.
        let [lr, momentum] = [rate.lr, rate.momentum.unwrap_or(own)].map(|v| f64::from(v as f32));
        let update = Update { step, lr, momentum };
        for (parameter, g) in self.parameters.iter_mut().zip(gradients) {
            optimizer.reference(parameter, g, &update);
            if self.rounded {
                let state = parameter.state.iter_mut().flatten();
                for value in parameter.w.iter_mut().chain(state) {
                    *value = f64::from(*value as f32);
                }
            }
        }
    }
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |most: f64, v| most.max(v.abs()))
}

/// Trains `setup` on the device, in f64 and rounded; compares every loss and the last weights.
fn compare(what: &str, gpu: Arc<Gpu>, setup: &Setup, dataset: Dataset) {
    let mut trainer = setup.trainer(gpu, dataset.clone());
    let [mut exact, mut rounded] =
        [false, true].map(|rounded| Twin::new(setup, &dataset, &trainer, rounded));
    let mut keeper = Keeper::default();
    trainer.run(&mut [&mut keeper]).unwrap();
    let pairs = keeper.records.iter().map(|record| {
        let [exact, rounded] = [exact.step(record.step), rounded.step(record.step)];
        (record, exact, rounded.loss)
    });
    let pairs: Vec<_> = pairs.collect();
    let dims = exact.nodes.iter().map(|node| node.input.dims());
    let last = exact.nodes.last().map(|node| node.output().dims());
    let widths = dims.chain(last).flatten();
    let multiple = multiple(widths.chain([pairs[0].1.samples]).max().unwrap());
    let off = largest(pairs.iter().map(|(_, exact, rounded)| rounded - exact.loss));
    let allowed = multiple * off + LOG_NEAR_ONE;
    assert!(
        allowed < 1e-4,
        "{what}: a bound of {allowed:e} would prove nothing"
    );
    for (record, exact, _) in &pairs {
        assert!(
            (record.loss - exact.loss).abs() <= allowed,
            "{what}, step {}: loss {}, the reference says {}, allowed is {allowed:e}",
            record.step,
            record.loss,
            exact.loss
        );
        let right = (record.accuracy * exact.samples as f64).round() as usize;
        assert_eq!(right, exact.right, "{what}, step {}", record.step);
    }
    let [start, end] = [&pairs[..10], &pairs[pairs.len() - 10..]]
        .map(|part| part.iter().map(|(_, exact, _)| exact.loss).sum::<f64>());
    assert!(end < 0.9 * start, "{what}: nothing is learned");
    let found = trainer.weights().unwrap();
    for (p, named) in trainer.network().parameters().enumerate() {
        let [exact, rounded] = [&exact, &rounded].map(|twin| &twin.parameters[p].w);
        let off = largest(exact.iter().zip(rounded).map(|(a, b)| a - b));
        let size = largest(exact.iter().copied());
        let allowed = multiple * off + 4.0 * U * size;
        assert!(
            allowed < 1e-4 * size,
            "{what}: a bound of {allowed:e} would prove nothing"
        );
        for (i, (found, exact)) in found.tensors[&named.name]
            .values
            .iter()
            .zip(exact)
            .enumerate()
        {
            assert!(
                (f64::from(*found) - exact).abs() <= allowed,
                "{what}: {}[{i}] is {found}, the reference says {exact}, allowed is {allowed:e}",
                named.name
            );
        }
    }
}

#[test]
fn training_equals_the_references_in_every_class() {
    for gpu in gpus() {
        let what = format!("{:?}", gpu.class());
        compare(&what, gpu, &Setup::default(), data(100, 10));
    }
}

#[test]
fn training_equals_the_references_with_every_option() {
    let with = |change: fn(&mut Setup)| {
        let mut setup = Setup::default();
        change(&mut setup);
        setup
    };
    let setups = [
        (
            "drop_last",
            with(|s| s.data = "batch = 16\ndrop_last = true".into()),
        ),
        (
            "the file's order, standardised",
            with(|s| s.data = "batch = 7\nshuffle = false\nnormalize = \"standard\"".into()),
        ),
        (
            "held-out samples, another order",
            with(|s| s.data = "batch = 16\nvalidation = 0.2\nseed = 3".into()),
        ),
        (
            "mean squared error",
            with(|s| s.loss = "kind = \"mse\"".into()),
        ),
        (
            "label smoothing, Nesterov, decay",
            with(|s| {
                s.loss = "kind = \"cross_entropy\"\nlabel_smoothing = 0.1".into();
                s.optimizer = "kind = \"sgd\"\nnesterov = true\nweight_decay = 0.01".into();
            }),
        ),
        (
            "Caffe's momentum, cycled; multipliers",
            with(|s| {
                s.layers = r#"[{ linear = { out_features = 9, lr_mult = { bias = 2.0 }, decay_mult = { bias = 0.0 } } },
                    "relu", { linear = 12 }, "relu", { dropout = 0.2 }, { linear = 4 }]"#.replace('\n', " ");
                s.optimizer =
                    "kind = \"sgd\"\nmomentum_form = \"caffe\"\nweight_decay = 0.01".into();
                s.schedule += "\ncycle_momentum = true";
            }),
        ),
        (
            "four batches for each update, the last of an epoch smaller",
            with(|s| {
                s.data = "batch = 8".into();
                s.train += "\naccumulate = 4";
            }),
        ),
        (
            "three batches for each update, what is left dropped",
            with(|s| {
                s.data = "batch = 9\ndrop_last = true".into();
                s.train += "\naccumulate = 3";
            }),
        ),
        (
            "AdamW, its first beta cycled; multipliers",
            with(|s| {
                s.layers = r#"[{ linear = { out_features = 24, lr_mult = { bias = 2.0 }, decay_mult = { bias = 0.0 } } },
                    "tanh", { dropout = 0.2 }, { linear = 4 }]"#.replace('\n', " ");
                s.optimizer = "kind = \"adamw\"\nweight_decay = 0.1\neps = 1e-4".into();
                s.schedule = s.schedule.replace("max_lr = 0.2", "max_lr = 0.05");
                s.schedule += "\ncycle_momentum = true";
            }),
        ),
        (
            "Adam with decay in the gradient",
            with(|s| {
                s.layers = r#"[{ linear = 12 }, "tanh", { linear = 4 }]"#.into();
                s.optimizer =
                    "kind = \"adam\"\nbetas = [0.8, 0.95]\nweight_decay = 0.01\neps = 1e-4".into();
                s.schedule = s.schedule.replace("max_lr = 0.2", "max_lr = 0.05");
            }),
        ),
        (
            "a batch larger than the data, no momentum",
            with(|s| {
                s.data = "batch = 130".into();
                s.optimizer = "kind = \"sgd\"\nmomentum = 0.0".into();
            }),
        ),
    ];
    for (what, setup) in setups {
        compare(what, gpu(), &setup, data(100, 10));
    }
}

#[test]
fn training_on_floats_equals_the_references() {
    let bytes = data(100, 10);
    let floats = |samples: Samples| {
        let values = samples.read_all().unwrap();
        let values = values.into_iter().map(|v| f32::from(v) * 0.0123 - 1.0);
        Samples::from_floats(samples.shape(), values.collect(), samples.labels().to_vec()).unwrap()
    };
    let dataset = Dataset {
        train: floats(bytes.train),
        test: floats(bytes.test),
        ..bytes
    };
    let setup = Setup {
        data: "batch = 16\nnormalize = \"none\"".into(),
        ..Setup::default()
    };
    compare("floats", gpu(), &setup, dataset);
}
