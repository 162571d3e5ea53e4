//! Tied weights: one stretch under two names, whose gradients are added.

use std::path::Path;
use std::sync::Arc;

use wavetrain::data::{Normalization, Split as DataSplit};
use wavetrain::error::Error;
use wavetrain::gpu::Gpu;
use wavetrain::kernel::{Builder, Value};
use wavetrain::layer::chain;
use wavetrain::layer::{Back, Fit, Forward, Layer, Linear, Misfit, Node, Pass, Reference, Site};
use wavetrain::loss::{CrossEntropy, Loss, RowTargets};
use wavetrain::model::Network;
use wavetrain::rng::{Key, Stream};
use wavetrain::shape::Shape;
use wavetrain::train::Trainer;
use wavetrain::{Config, Dataset, Result, Samples};

use super::super::adapter;

/// A linear layer whose weight is another layer's.
#[derive(Debug, Clone)]
struct Tied {
    layer: Linear,
    to: &'static str,
}

impl Layer for Tied {
    fn name(&self) -> &'static str {
        "tied"
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        let mut fit = self.layer.fit(input)?;
        fit.parameters[0].tied = Some(self.to.to_owned());
        Ok(fit)
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        Layer::forward(&self.layer, b, at, x)
    }

    fn backward(&self, b: &mut Builder, at: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        Layer::backward(&self.layer, b, at, back)
    }

    fn reference(&self) -> &dyn Reference {
        self.layer.reference()
    }
}

const FEATURES: usize = 5;
const CLASSES: usize = 3;
const BATCH: usize = 8;

fn dataset() -> Dataset {
    let bytes =
        |seed: usize| (0..BATCH * FEATURES).map(move |i| ((i * 37 + seed) * 101 % 256) as u8);
    let samples = |seed| {
        let labels = (0..BATCH as u32).map(|i| i % CLASSES as u32).collect();
        Samples::from_bytes(&[FEATURES], bytes(seed).collect(), labels).unwrap()
    };
    Dataset::new("made up", samples(1), samples(2), CLASSES).unwrap()
}

/// linear, tanh, the first weight again, tanh, and once more, linear.
fn trainer(gpu: Arc<Gpu>) -> Trainer {
    let mut config = Config::parse(
        "tied",
        "data.batch = 8\ndata.shuffle = false\nmodel.layers = [{ linear = { out_features = 5, bias = false } }, \"tanh\", { linear = 3 }]\n\
         schedule = { policy = \"constant\", lr = 0.1 }\ntrain.steps = 3\n",
    )
    .unwrap();
    let bias = false;
    for _ in 0..2 {
        let layer = Linear {
            bias,
            ..Linear::new(FEATURES)
        };
        let tied = Tied {
            layer,
            to: "0.weight",
        };
        let tanh = config.layers[1].clone();
        config.layers.insert(2, tanh);
        config.layers.insert(2, Box::new(tied));
    }
    Trainer::new(gpu, config, dataset()).unwrap()
}

/// The gradients of all parameters, tied ones on their own, by the references.
fn expected(network: &Network, weights: &wavetrain::model::Weights) -> Vec<(String, Vec<f64>)> {
    let all = &network.chain().inventory.parameters;
    let wide = |values: &[f32]| -> Vec<f64> { values.iter().map(|v| f64::from(*v)).collect() };
    let stored = |p: &wavetrain::layer::NamedParameter| {
        let name = p.spec.tied.as_ref().unwrap_or(&p.name);
        wide(&weights.tensors[name].values)
    };
    let parameters: Vec<Vec<f64>> = all.iter().map(stored).collect();
    let data = dataset();
    let split = DataSplit::new(BATCH, 0.0, 0).unwrap();
    let normalization =
        Normalization::new(wavetrain::data::Normalize::Unit, &data.train, &split.train).unwrap();
    let rows = (0..BATCH as u32).flat_map(|i| normalization.input(&data.train, i).unwrap());
    let x: Vec<f64> = rows.map(f64::from).collect();
    let pass = Pass {
        node: &network.nodes()[0],
        samples: BATCH,
        x: &x,
        parameters: &parameters,
        states: &[],
        training: true,
        key: Key::new(1, Stream::Dropout, 0),
    };
    let values = chain::reference_forward(network.nodes(), &pass);
    let loss = CrossEntropy::default().reference(
        &values[values.len() - 1],
        CLASSES,
        RowTargets::Classes(data.train.labels()),
    );
    let gradients = chain::reference_backward(network.nodes(), &pass, &loss.dx).parameters;
    let names = all
        .iter()
        .map(|p| p.spec.tied.as_ref().unwrap_or(&p.name).clone());
    names.zip(gradients).collect()
}

#[test]
fn gradients_of_tied_weights_are_added() {
    for class in wavetrain::gpu::ClassName::ALL {
        let Some(gpu) = adapter::gpu(class) else {
            continue;
        };
        let mut trainer = trainer(gpu);
        let before = trainer.weights().unwrap();
        let names: Vec<&str> = before.tensors.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["0.weight", "2.weight", "4.weight", "6.bias", "6.weight"]
        );
        trainer.advance(1, 1).unwrap();
        let found = trainer.gradients().unwrap();
        let mut sums: std::collections::BTreeMap<String, Vec<f64>> = Default::default();
        for (name, gradient) in expected(trainer.network(), &before) {
            let sum = sums
                .entry(name)
                .or_insert_with(|| vec![0.0; gradient.len()]);
            sum.iter_mut().zip(&gradient).for_each(|(sum, g)| *sum += g);
        }
        for (name, wanted) in &sums {
            for (found, wanted) in found.tensors[name].values.iter().zip(wanted) {
                let off = (f64::from(*found) - wanted).abs();
                // Three sums of at most 8 products of numbers below 1, one behind the other.
                assert!(off <= 1e-6, "{name}: {found}, the references say {wanted}");
            }
        }
        // One step moves the one stretch: by what both found.
        let after = trainer.weights().unwrap();
        assert_ne!(before.tensors["0.weight"], after.tensors["0.weight"]);
        trainer.set_weights(&before, Path::new("before")).unwrap();
        assert_eq!(trainer.weights().unwrap().tensors, before.tensors);
    }
}

#[test]
fn weights_are_tied_to_a_parameter_in_front_of_the_same_shape() {
    let tied = |to, outputs| Tied {
        layer: Linear::new(outputs),
        to,
    };
    for (to, outputs) in [("1.weight", 5), ("0.weights", 5), ("0.weight", 4)] {
        let first: Box<dyn Layer> = Box::new(Linear::new(5));
        let layers = [first, Box::new(tied(to, outputs))];
        let mut nodes = Node::fit_all(&layers, &Shape::Features(5)).unwrap();
        let refused = wavetrain::layer::Inventory::new(&mut nodes, 0).unwrap_err();
        assert!(
            matches!(refused, Error::Shape { position: 1, .. }),
            "{refused}"
        );
        assert!(refused.to_string().contains(to), "{refused}");
    }
}
