//! Two branches and their sum.

use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::chain::{self, Trace};
use super::{
    Args, Back, Branch, Entry, Fit, Forward, Fusion, Invalid, LAYERS, Layer, Misfit, Node, Pass,
    Reference, ReferenceGradients, Site,
};
use crate::error::Result;
use crate::kernel::builder::grid;
use crate::kernel::{Builder, Call, Value, shaders};
use crate::onnx::Graph;
use crate::shape::Shape;

/// Layers inside a layer, written as in `model.layers`.
#[derive(Debug, Clone, Default)]
pub struct Layers(pub Vec<Box<dyn Layer>>);

impl Layers {
    /// Refuses arguments of one of them that make no layer; `key` is the argument that holds them.
    ///
    /// # Errors
    /// The first that is wrong, with its position in the list.
    pub(super) fn validate(&self, key: &'static str) -> Result<(), Invalid> {
        for (position, layer) in self.0.iter().enumerate() {
            layer.validate().map_err(|invalid| Invalid {
                key,
                message: format!(
                    "[{position}] ({}): {} {}",
                    layer.name(),
                    invalid.key,
                    invalid.message
                ),
            })?;
        }
        Ok(())
    }
}

/// y = body(x) + shortcut(x); without a shortcut y = body(x) + x (He et al., arXiv 1512.03385).
///
/// Both branches must give the same shape. Parameters are named as in a PyTorch module with the
/// children `body` and `shortcut`, both torch.nn.Sequential: `3.body.0.weight`. A relu behind the
/// layer is fused into the sum. The shader is `shaders/layer/residual.wgsl`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Residual {
    /// The layers of the one branch.
    pub body: Layers,
    /// The layers of the other; none for the input itself.
    #[serde(default, skip_serializing_if = "is_empty")]
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
    parse: |args| Ok(Box::new(args.read::<Residual>()?)),
};

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

impl Serialize for Layers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = self.0.iter().map(|layer| {
            let arguments = layer.arguments();
            if arguments.is_empty() {
                return toml::Value::String(layer.name().to_owned());
            }
            let mut table = toml::Table::new();
            table.insert(layer.name().to_owned(), toml::Value::Table(arguments));
            toml::Value::Table(table)
        });
        serializer.collect_seq(written)
    }
}

impl<'de> Deserialize<'de> for Layers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Layers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of layers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Layers, A::Error> {
                let mut layers = Vec::new();
                while let Some(One(layer)) = list.next_element()? {
                    layers.push(layer);
                }
                Ok(Layers(layers))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// One layer, as a name or as a table with the name as its only key.
struct One(Box<dyn Layer>);

impl<'de> Deserialize<'de> for One {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = One;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a layer: \"relu\" or { linear = 10 }")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<One, E> {
                make(name, None).map(One).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<One, A::Error> {
                let Some((name, value)) = map.next_entry::<String, toml::Value>()? else {
                    return Err(A::Error::custom("a layer has a name"));
                };
                if map.next_key::<String>()?.is_some() {
                    return Err(A::Error::custom("one layer in each table, not several"));
                }
                make(&name, Some(value)).map(One).map_err(A::Error::custom)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

/// A layer of the table from its name and what is written behind it.
fn make(name: &str, value: Option<toml::Value>) -> Result<Box<dyn Layer>, String> {
    let Some(entry) = LAYERS.iter().find(|entry| entry.name == name) else {
        let names: Vec<&str> = LAYERS.iter().map(|entry| entry.name).collect();
        return Err(format!(
            "no layer is called `{name}`; there are {}",
            names.join(", ")
        ));
    };
    let table = match (value, entry.short) {
        (None, _) => toml::Table::new(),
        (Some(toml::Value::Table(table)), _) => table,
        (Some(value), Some(short)) => [(short.to_owned(), value)].into_iter().collect(),
        (Some(value), None) => return Err(format!("`{name}` takes a table, found {value}")),
    };
    let text = table.to_string();
    let args = Args::parse(&text).map_err(|error| error.message().to_owned())?;
    (entry.parse)(args).map_err(|error| format!("`{name}`: {}", error.message()))
}
