//! Two branches and their sum.

use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::chain::{self, Chain, Unfit};
use super::{
    Args, Back, Invalid, LAYERS, Layer, Misfit, ParameterSpec, Reference, ReferenceGradients, Site,
    StateSpec,
};
use crate::error::Result;
use crate::kernel::builder::grid;
use crate::kernel::{Builder, Call, Value, shaders};
use crate::onnx::{Graph, Place};

/// Layers inside a layer, written as in `model.layers`.
#[derive(Debug, Clone, Default)]
pub struct Layers(pub Vec<Box<dyn Layer>>);

/// y = body(x) + shortcut(x); without a shortcut y = body(x) + x (He et al., arXiv 1512.03385).
///
/// Both branches must give the same shape. Parameters are named as in a PyTorch module with the
/// children `body` and `shortcut`, both torch.nn.Sequential: `3.body.0.weight`. A relu behind the
/// layer is applied to the sum in passing. The shader is `shaders/layer/residual.wgsl`.
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

    /// Shapes through the branches; callers have checked that they fit.
    fn shapes(&self, input: &[usize]) -> [Vec<Vec<usize>>; 2] {
        let of = |layers| chain::shapes(layers, input).unwrap_or_else(|_| vec![input.to_vec()]);
        [of(&self.body.0), of(&self.shortcut.0)]
    }

    /// Runs `each` on both branches as chains.
    fn chains<T>(
        &self,
        site: &Site<'_>,
        mut each: impl FnMut(&Chain<'_>) -> Result<T>,
    ) -> Result<[T; 2]> {
        let shapes = self.shapes(site.input);
        let count = chain::parameters(&self.body.0, &shapes[0]).len();
        let leaves: usize = self.body.0.iter().map(|layer| layer.leaves()).sum();
        let (body, shortcut) = site.parameters.split_at(count);
        let paths = ["body", "shortcut"].map(|name| format!("{}.{name}.", site.path));
        Ok([
            each(&Chain {
                layers: &self.body.0,
                shapes: &shapes[0],
                parameters: body,
                path: &paths[0],
                first_leaf: site.position + 1,
            })?,
            each(&Chain {
                layers: &self.shortcut.0,
                shapes: &shapes[1],
                parameters: shortcut,
                path: &paths[1],
                first_leaf: site.position + 1 + leaves,
            })?,
        ])
    }

    /// What the references of both branches are given.
    fn passes<'a>(
        &self,
        pass: &Reference<'a>,
        shapes: &[Vec<Vec<usize>>; 2],
    ) -> [Reference<'a>; 2] {
        let parameters = chain::parameters(&self.body.0, &shapes[0]).len();
        let states = chain::states(&self.body.0, &shapes[0]).len();
        let leaves: usize = self.body.0.iter().map(|layer| layer.leaves()).sum();
        let (body, shortcut) = pass.parameters.split_at(parameters);
        let (body_states, shortcut_states) = pass.states.split_at(states);
        [
            Reference {
                parameters: body,
                states: body_states,
                position: pass.position + 1,
                ..*pass
            },
            Reference {
                parameters: shortcut,
                states: shortcut_states,
                position: pass.position + 1 + leaves,
                ..*pass
            },
        ]
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

impl Layer for Residual {
    fn name(&self) -> &'static str {
        "residual"
    }

    fn validate(&self) -> Result<(), Invalid> {
        if self.body.0.is_empty() {
            return Err(Invalid {
                key: "body",
                message: "has no layers, but the sum needs a branch".into(),
            });
        }
        for (name, layers) in self.branches() {
            for (position, layer) in layers.iter().enumerate() {
                layer.validate().map_err(|invalid| Invalid {
                    key: name,
                    message: format!(
                        "[{position}] ({}): {} {}",
                        layer.name(),
                        invalid.key,
                        invalid.message
                    ),
                })?;
            }
        }
        Ok(())
    }

    fn output_shape(&self, input: &[usize]) -> Result<Vec<usize>, Misfit> {
        let mut outputs = Vec::new();
        for (name, layers) in self.branches() {
            let shapes =
                chain::shapes(layers, input).map_err(|Unfit { position, misfit }| Misfit {
                    problem: format!(
                        "{name}[{position}] ({}): {}",
                        layers[position].name(),
                        misfit.problem
                    ),
                    help: misfit.help,
                })?;
            outputs.push(shapes[shapes.len() - 1].clone());
        }
        if outputs[0] == outputs[1] {
            return Ok(outputs.swap_remove(0));
        }
        Err(Misfit {
            problem: format!(
                "its body gives the shape {:?}, its shortcut {:?}; both are added up and must be equal",
                outputs[0], outputs[1]
            ),
            help: "give a shortcut with the body's stride and channels, such as a conv2d of kernel size 1"
                .into(),
        })
    }

    fn arguments(&self) -> toml::Table {
        super::init::table(self)
    }

    fn describe(&self, _: &[usize]) -> String {
        match self.shortcut.0.len() {
            0 => format!("residual(body of {} layers)", self.body.0.len()),
            n => format!(
                "residual(body of {} layers, shortcut of {n})",
                self.body.0.len()
            ),
        }
    }

    fn parameters(&self, input: &[usize]) -> Vec<ParameterSpec> {
        let shapes = self.shapes(input);
        let mut all = Vec::new();
        for ((name, layers), shapes) in self.branches().iter().zip(&shapes) {
            let specs = chain::parameters(layers, shapes).into_iter();
            all.extend(specs.map(|spec| ParameterSpec {
                name: format!("{name}.{}", spec.name),
                ..spec
            }));
        }
        all
    }

    fn states(&self, input: &[usize]) -> Vec<StateSpec> {
        let shapes = self.shapes(input);
        let mut all = Vec::new();
        for ((name, layers), shapes) in self.branches().iter().zip(&shapes) {
            let specs = chain::states(layers, shapes).into_iter();
            all.extend(specs.map(|spec| StateSpec {
                name: format!("{name}.{}", spec.name),
                ..spec
            }));
        }
        all
    }

    fn least_samples(&self, input: &[usize]) -> usize {
        let shapes = self.shapes(input);
        let branches = self.branches().into_iter().zip(&shapes);
        let layers = branches.flat_map(|((_, layers), shapes)| layers.iter().zip(shapes));
        let each = layers.map(|(layer, input)| layer.least_samples(input));
        each.max().unwrap_or(1)
    }

    fn leaves(&self) -> usize {
        let inside = self.branches().into_iter().flat_map(|(_, layers)| layers);
        1 + inside.map(|layer| layer.leaves()).sum::<usize>()
    }

    fn fuses_relu(&self) -> bool {
        true
    }

    fn gates_input(&self, _: &Value) -> bool {
        true
    }

    fn forward(&self, b: &mut Builder, site: &Site<'_>, x: Value, relu: bool) -> Result<Value> {
        let label = b.label("");
        let values = self.chains(site, |chain| chain.forward(b, x))?;
        b.set_label(label.trim_end_matches(": "));
        b.remember(&site.path, &values);
        let branches = values.map(|values| values[values.len() - 1]);
        sum(b, "sum", branches, None, if relu { RELU } else { 0 })
    }

    fn backward(&self, b: &mut Builder, site: &Site<'_>, back: &Back) -> Result<Option<Value>> {
        let label = b.label("");
        let mut values = b.recall(&site.path).into_iter();
        let gradients = self.chains(site, |chain| {
            let values = values.next().unwrap_or_default();
            chain.backward(b, &values, back.dy, back.wants_dx)
        })?;
        b.set_label(label.trim_end_matches(": "));
        let [Some(body), Some(shortcut)] = gradients else {
            return Ok(None);
        };
        let flags = if back.gate { GATE } else { 0 };
        let dx = sum(b, "sum of gradients", [body, shortcut], Some(back.x), flags)?;
        Ok(Some(dx))
    }

    fn onnx(&self, g: &mut Graph, at: &Place<'_>, x: &str) -> Result<String, String> {
        let mut outputs = Vec::new();
        for (name, layers) in self.branches() {
            let path = format!("{}.{name}.", at.path);
            outputs.push(chain::onnx(layers, g, &path, at.input, x)?);
        }
        Ok(g.node(at.path, "Add", &[&outputs[0], &outputs[1]], &[]))
    }

    fn reference_forward(&self, pass: &Reference<'_>) -> Vec<f64> {
        let shapes = self.shapes(pass.input);
        let [body, shortcut] = self.passes(pass, &shapes);
        let body = chain::reference_forward(&self.body.0, &shapes[0], &body);
        let shortcut = chain::reference_forward(&self.shortcut.0, &shapes[1], &shortcut);
        let [body, shortcut] = [&body[body.len() - 1], &shortcut[shortcut.len() - 1]];
        body.iter().zip(shortcut).map(|(a, b)| a + b).collect()
    }

    fn reference_backward(&self, pass: &Reference<'_>, dy: &[f64]) -> ReferenceGradients {
        let shapes = self.shapes(pass.input);
        let [body, shortcut] = self.passes(pass, &shapes);
        let body = chain::reference_backward(&self.body.0, &shapes[0], &body, dy);
        let shortcut = chain::reference_backward(&self.shortcut.0, &shapes[1], &shortcut, dy);
        let dx = body.dx.iter().zip(&shortcut.dx).map(|(a, b)| a + b);
        let mut parameters = body.parameters;
        let dx = dx.collect();
        parameters.extend(shortcut.parameters);
        ReferenceGradients { dx, parameters }
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
