//! Two branches and their sum.

use serde::de::Error;
use serde::{Deserialize, Serialize};

use super::chain::{self, Trace};
use super::{
    Back, Branch, Entry, Fit, Forward, Fusion, Invalid, Layer, Layers, Misfit, Node, Pass,
    Reference, ReferenceGradients, Site,
};
use crate::error::Result;
use crate::kernel::builder::grid;
use crate::kernel::{Builder, Call, Value, shaders};
use crate::onnx::Graph;
use crate::shape::Shape;

/// y = body(x) + shortcut(x); without a shortcut y = body(x) + x (He et al., arXiv 1512.03385).
///
/// Both branches must give the same shape. Parameters are named as in a PyTorch module with the
/// children `body` and `shortcut`, both torch.nn.Sequential: `3.body.0.weight`. A relu behind the
/// layer is fused into the sum. The shader is `shaders/layer/residual.wgsl`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Residual {
    /// The layers of the one branch.
    pub body: Layers,
    /// The layers of the other; none for the input itself.
    #[serde(skip_serializing_if = "is_empty")]
    pub shortcut: Layers,
}

fn is_empty(layers: &Layers) -> bool {
    layers.0.is_empty()
}

const RELU: usize = 1;
const GATE: usize = 2;

impl Residual {
    /// Names and layers of the branches.
    fn branches(&self) -> [(&'static str, &[Box<dyn Layer>]); 2] {
        [("body", &self.body.0), ("shortcut", &self.shortcut.0)]
    }
}

/// Appends y = a + b.
fn sum(
    b: &mut Builder,
    what: &str,
    [a, other]: [Value; 2],
    gate: Option<Value>,
    flags: usize,
) -> Result<Value> {
    let y = b.like("y", a);
    let call = Call::new(b.label(what), grid(a.matrix.rows * a.matrix.quads(), 64)?)
        .matrix(a.matrix)
        .u32("flags", flags)
        .value("a", a)
        .value("b", other)
        .value("gate", gate.unwrap_or(a))
        .value("y", y)
        .flops(a.matrix.rows * a.matrix.cols);
    b.dispatch(&shaders::named("layer/residual"), "sum", call);
    Ok(y)
}

pub(super) const ENTRY: Entry<dyn Layer> = Entry {
    name: "residual",
    summary: "body(x) + shortcut(x); without a shortcut body(x) + x",
    arguments: &["body", "shortcut"],
    short: Some("body"),
    example: "body = [\"tanh\"]",
    parse: |mut args| {
        let body = Layers::take(&mut args, "body")?;
        let shortcut = Layers::take(&mut args, "shortcut")?;
        args.read::<NoMore>()?;
        Ok(Box::new(Residual {
            body: body.ok_or_else(|| Error::missing_field("body"))?,
            shortcut: shortcut.unwrap_or_default(),
        }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoMore {}

impl Layer for Residual {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        if self.body.0.is_empty() {
            return Err(Invalid {
                key: "body",
                message: "has no layers, but the sum needs a branch".into(),
            });
        }
        self.body.validate("body")?;
        self.shortcut.validate("shortcut")
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, _: &Shape) -> String {
        match self.shortcut.0.len() {
            0 => format!("residual(body of {} layers)", self.body.0.len()),
            n => format!(
                "residual(body of {} layers, shortcut of {n})",
                self.body.0.len()
            ),
        }
    }

    fn fit(&self, input: &Shape) -> Result<Fit, Misfit> {
        let [body, shortcut] = self.branches();
        let body = Branch::fit(body.0, body.1, input)?;
        let shortcut = Branch::fit(shortcut.0, shortcut.1, input)?;
        if body.output != shortcut.output {
            return Err(Misfit {
                problem: format!(
                    "its body gives the shape {}, its shortcut {}; both are added up and must be equal",
                    body.output, shortcut.output
                ),
                help: "give a shortcut with the body's stride and channels, such as a conv2d of kernel size 1"
                    .into(),
            });
        }
        Ok(Fit {
            fusion: Fusion::BOTH,
            ..Fit::new(body.output)
        }
        .with([body, shortcut]))
    }

    fn carry(&mut self) {
        let branches = self.body.0.iter_mut().chain(&mut self.shortcut.0);
        branches.for_each(|layer| layer.carry());
    }

    fn looks_ahead(&self) -> Option<&'static str> {
        let mut branches = self.body.0.iter().chain(&self.shortcut.0);
        branches.find_map(|layer| layer.looks_ahead())
    }

    fn forward(&self, b: &mut Builder, at: &Site<'_>, x: Value) -> Result<Forward> {
        let label = b.label("");
        let branches: Vec<Trace> = at
            .branches()
            .map(|chain| chain.forward(b, x))
            .collect::<Result<_>>()?;
        let [body, shortcut] = &branches[..] else {
            return Err(at.defect("has not two branches"));
        };
        let outputs = [body.output(), shortcut.output()];
        b.set_label(label.trim_end_matches(": "));
        let y = sum(b, "sum", outputs, None, if at.relu() { RELU } else { 0 })?;
        Ok(Forward {
            branches,
            ..Forward::from(y)
        })
    }

    fn backward(&self, b: &mut Builder, at: &Site<'_>, back: &Back<'_>) -> Result<Option<Value>> {
        let label = b.label("");
        let mut gradients = Vec::new();
        for (chain, trace) in at.branches().zip(back.branches) {
            gradients.push(chain.backward(b, trace, back.dy, back.wants_dx)?);
        }
        b.set_label(label.trim_end_matches(": "));
        let &[Some(body), Some(shortcut)] = &gradients[..] else {
            return Ok(None);
        };
        let flags = if back.gate { GATE } else { 0 };
        let dx = sum(b, "sum of gradients", [body, shortcut], Some(back.x), flags)?;
        Ok(Some(dx))
    }

    fn onnx(&self, g: &mut Graph, at: &Node, x: &str) -> Result<String, String> {
        let mut outputs = Vec::new();
        for branch in &at.fit.branches {
            outputs.push(chain::onnx(&branch.nodes, g, x)?);
        }
        let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
        Ok(g.node(&at.path, "Add", &outputs, &[]))
    }

    fn reference(&self) -> &dyn Reference {
        self
    }
}

impl Reference for Residual {
    fn forward(&self, pass: &Pass<'_>) -> Vec<f64> {
        let mut y = vec![0.0; pass.samples * pass.node.output().elements()];
        for branch in &pass.node.fit.branches {
            let values = chain::reference_forward(&branch.nodes, pass);
            for (y, value) in y.iter_mut().zip(&values[values.len() - 1]) {
                *y += value;
            }
        }
        y
    }

    fn backward(&self, pass: &Pass<'_>, dy: &[f64]) -> ReferenceGradients {
        let mut all = ReferenceGradients {
            dx: vec![0.0; pass.x.len()],
            parameters: Vec::new(),
        };
        for branch in &pass.node.fit.branches {
            let gradients = chain::reference_backward(&branch.nodes, pass, dy);
            for (dx, value) in all.dx.iter_mut().zip(&gradients.dx) {
                *dx += value;
            }
            all.parameters.extend(gradients.parameters);
        }
        all
    }
}
