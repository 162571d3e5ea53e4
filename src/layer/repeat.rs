//! A list of layers, several times.

use serde::de::Error;
use serde::{Deserialize, Serialize};

use super::chain::{self, Trace};
use super::{
    Back, Branch, Entry, Fit, Forward, Invalid, Layer, Layers, Misfit, Node, Pass, Reference,
    ReferenceGradients, Site,
};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::Graph;
use crate::shape::Shape;

/// The same list of layers `times` times, one behind the other, each with parameters of its own.
///
/// Parameters are named as in a torch.nn.Sequential of `times` torch.nn.Sequential: `2.0.1.weight` is
/// that of the second layer of the first copy of the third layer. Each copy starts with other numbers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Repeat {
    /// Copies.
    pub times: usize,
    /// The layers of a copy.
    pub layers: Layers,
}

/// Most copies: far above any net's.
const MOST: usize = 1000;

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "repeat",
    summary: "a list of layers several times, each with parameters of its own",
    arguments: &["times", "layers"],
    short: None,
    example: "times = 2\nlayers = [\"tanh\"]",
    parse: |mut args| {
        let layers = Layers::take(&mut args, "layers")?;
        let Written { times } = args.read()?;
        let layers = layers.ok_or_else(|| Error::missing_field("layers"))?;
        Ok(Box::new(Repeat { times, layers }))
    },
};

/// The arguments beside the layers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    times: usize,
}

impl Layer for Repeat {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        if !(1..=MOST).contains(&self.times) {
            return Err(Invalid {
                key: "times",
                message: format!("is {}, but it lies between 1 and {MOST}", self.times),
            });
        }
        if self.layers.0.is_empty() {
            return Err(Invalid {
                key: "layers",
                message: "has no layers, but there is something to repeat".into(),
            });
        }
        self.layers.validate("layers")
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, _: &Shape) -> String {
        format!("repeat({} x {} layers)", self.times, self.layers.0.len())
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        let mut branches: Vec<Branch> = Vec::new();
        for time in 0..self.times {
            let input = branches.last().map_or(*input, |branch| branch.output);
            branches.push(Branch::fit(time.to_string(), &self.layers.0, &input)?);
        }
        let output = branches.last().map_or(*input, |branch| branch.output);
        Ok(Fit::new(output).with(branches))
    }

    fn carry(&mut self) {
        self.layers.0.iter_mut().for_each(|layer| layer.carry());
    }

    fn looks_ahead(&self) -> Option<&'static str> {
        self.layers.0.iter().find_map(|layer| layer.looks_ahead())
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        let mut branches: Vec<Trace> = Vec::new();
        for chain in at.branches() {
            let x = branches.last().map_or(x, Trace::output);
            branches.push(chain.forward(b, x)?);
        }
        let y = branches.last().map_or(x, Trace::output);
        Ok(Forward {
            branches,
            ..Forward::from(y)
        })
    }

    fn backward(&self, b: &mut Builder, at: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        let chains: Vec<_> = at.branches().zip(back.branches).collect();
        let mut dy = back.dy;
        for (position, (chain, trace)) in chains.iter().enumerate().rev() {
            // Gradients are wanted down to the first copy, which trains if any does.
            let wants_dx = back.wants_dx || position > 0;
            match chain.backward(b, trace, dy, wants_dx)? {
                Some(dx) => dy = dx,
                None => return Ok(None),
            }
        }
        Ok(Some(dy))
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        let mut x = x.to_owned();
        for branch in &at.fit.branches {
            x = chain::onnx(&branch.nodes, g, &x)?;
        }
        Ok(x)
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Repeat {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        let mut x = pass.x.to_vec();
        for branch in &pass.node.fit.branches {
            let values = chain::reference_forward(&branch.nodes, &pass.at(pass.node, &x));
            x = values.into_iter().next_back().unwrap_or_default();
        }
        x
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        let branches = &pass.node.fit.branches;
        let mut inputs = vec![pass.x.to_vec()];
        for (position, branch) in branches.iter().enumerate() {
            let pass = pass.at(pass.node, &inputs[position]);
            let values = chain::reference_forward(&branch.nodes, &pass);
            inputs.extend(values.into_iter().next_back());
        }
        let mut all = ReferenceGradients {
            dx: dy.to_vec(),
            parameters: Vec::new(),
        };
        for (branch, x) in branches.iter().zip(&inputs).rev() {
            let pass = pass.at(pass.node, x);
            let gradients = chain::reference_backward(&branch.nodes, &pass, &all.dx);
            all.dx = gradients.dx;
            all.parameters.splice(0..0, gradients.parameters);
        }
        all
    }
}
