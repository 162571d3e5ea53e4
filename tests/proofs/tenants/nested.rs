//! Layers around any list of layers, own ones inside them, and how often each is fitted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wavetrain::Result;
use wavetrain::kernel::{Builder, Element, Value};
use wavetrain::layer::{
    Back, Fit, Forward, Layer, Layers, Linear, Misfit, Pass, Reference, ReferenceGradients, Relu,
    Repeat, Residual, Site,
};
use wavetrain::shape::Shape;

use super::Net;

/// An own layer that counts how often it is fitted.
#[derive(Debug, Clone)]
struct Counting(Arc<AtomicUsize>);

impl Layer for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Fit::new(*input))
    }

    fn forward(&self, _: &mut Builder, _: &Site<'_>, x: Value) -> Result<Forward> {
        Ok(x.into())
    }

    fn backward(&self, _: &mut Builder, _: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        Ok(Some(back.dy))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Counting {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        pass.x.to_vec()
    }

    fn backward(&self, _: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        ReferenceGradients {
            dx: dy.to_vec(),
            parameters: Vec::new(),
        }
    }
}

fn residual(body: Vec<Box<dyn Layer>>) -> Box<dyn Layer> {
    Box::new(Residual {
        body: Layers(body),
        shortcut: Layers(Vec::new()),
    })
}

#[test]
fn a_list_of_layers_repeats_with_parameters_of_its_own() {
    let count = Arc::new(AtomicUsize::new(0));
    let block = residual(vec![
        Box::new(Linear::new(12)),
        Box::new(Relu {}),
        Box::new(Counting(Arc::clone(&count))),
        Box::new(Linear::new(12)),
    ]);
    let repeat = Repeat {
        times: 2,
        layers: Layers(vec![block]),
    };
    let layers: Vec<Box<dyn Layer>> = vec![Box::new(repeat), Box::new(Linear::new(3))];
    let net = Net::new(&layers, Shape::Features(12));
    assert_eq!(count.load(Ordering::Relaxed), 2);
    assert_eq!(
        net.parameters(),
        [
            "0.0.0.body.0.weight",
            "0.0.0.body.0.bias",
            "0.0.0.body.3.weight",
            "0.0.0.body.3.bias",
            "0.1.0.body.0.weight",
            "0.1.0.body.0.bias",
            "0.1.0.body.3.weight",
            "0.1.0.body.3.bias",
            "1.weight",
            "1.bias",
        ]
    );
    let plan = net.realize(Element::F32);
    let apart = plan
        .dispatches()
        .any(|d| d.label.ends_with("relu: forward"));
    assert!(!apart, "the layer in front applies the relu");
}

/// Numbers of layers count through the branches, so that each draws its own random words.
#[test]
fn every_layer_has_a_number_of_its_own() {
    let repeat = Repeat {
        times: 3,
        layers: Layers(vec![residual(vec![Box::new(Relu {})])]),
    };
    let layers: Vec<Box<dyn Layer>> = vec![Box::new(Relu {}), Box::new(repeat), Box::new(Relu {})];
    let net = Net::new(&layers, Shape::Features(5));
    let ids: Vec<usize> = net
        .nodes
        .iter()
        .flat_map(|n| n.all().map(|n| n.id))
        .collect();
    assert_eq!(ids, (0..9).collect::<Vec<_>>());
}

/// Each layer is fitted once, however deep it lies.
#[test]
fn depth_costs_nothing_but_its_layers() {
    let count = Arc::new(AtomicUsize::new(0));
    let mut layer: Box<dyn Layer> = Box::new(Counting(Arc::clone(&count)));
    for _ in 0..64 {
        layer = residual(vec![layer, Box::new(Counting(Arc::clone(&count)))]);
    }
    let net = Net::new(&[layer, Box::new(Linear::new(2))], Shape::Features(4));
    assert_eq!(count.load(Ordering::Relaxed), 65);
    assert_eq!(net.nodes[0].all().count(), 1 + 2 * 64);
    net.realize(Element::F32);
}

#[test]
fn a_layer_that_does_not_fit_is_named_from_the_outside_in() {
    let inner = residual(vec![Box::new(Relu {}), Box::new(Linear::new(9))]);
    let outer = residual(vec![inner]);
    let misfit = outer.fit(&Shape::Features(4)).unwrap_err();
    let wanted = "body[0] (residual): its body gives the shape [9], its shortcut [4]";
    assert!(misfit.problem.starts_with(wanted), "{}", misfit.problem);
}
