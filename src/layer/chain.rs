//! A list of layers as a network, or a part of one, runs it: forward and backward, with relus
//! applied in passing where the neighbours can.

use super::{Back, Layer, Misfit, ParameterSpec, Reference, ReferenceGradients, Site, StateSpec};
use crate::error::Result;
use crate::kernel::{Builder, Parameter, Value};
use crate::onnx::{Graph, Place};

/// A layer that does not fit, by its position in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// Position in the chain.
    pub position: usize,
    /// Why.
    pub misfit: Misfit,
}

/// The most floats of a value of one sample: 2 GiB.
const LARGEST_VALUE: usize = 1 << 29;
/// The most floats of a parameter: 8 GiB.
const LARGEST_PARAMETER: usize = 1 << 31;

/// The shape that `layer` makes of `input`. What no adapter could hold is refused here, before sizes
/// are multiplied elsewhere.
///
/// # Errors
/// A layer that does not fit, or whose output or parameters are too large for any adapter.
pub fn output(layer: &dyn Layer, input: &[usize]) -> Result<Vec<usize>, Misfit> {
    let output = layer.output_shape(input)?;
    check_size("its output", &output, LARGEST_VALUE)?;
    for spec in layer.parameters(input) {
        let name = format!("its parameter {}", spec.name);
        check_size(&name, &spec.shape, LARGEST_PARAMETER)?;
    }
    Ok(output)
}

fn check_size(what: &str, shape: &[usize], most: usize) -> Result<(), Misfit> {
    let floats = shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d));
    if floats.is_some_and(|floats| floats <= most) {
        return Ok(());
    }
    Err(Misfit {
        problem: format!(
            "{what} has the shape {shape:?}, more than {most} numbers: no adapter holds it"
        ),
        help: "use fewer channels or features, a smaller kernel or less padding".into(),
    })
}

/// Shapes of one sample through `layers`: the input, then each layer's output.
///
/// # Errors
/// The first layer that does not fit.
pub fn shapes(layers: &[Box<dyn Layer>], input: &[usize]) -> Result<Vec<Vec<usize>>, Unfit> {
    let mut shapes = vec![input.to_vec()];
    for (position, layer) in layers.iter().enumerate() {
        let output =
            output(&**layer, &shapes[position]).map_err(|misfit| Unfit { position, misfit })?;
        shapes.push(output);
    }
    Ok(shapes)
}

/// All parameters of `layers`, named by position (`1.weight`).
pub(super) fn parameters(layers: &[Box<dyn Layer>], shapes: &[Vec<usize>]) -> Vec<ParameterSpec> {
    named(layers, |position, layer| {
        let specs = layer.parameters(&shapes[position]);
        let renamed = specs.into_iter().map(|spec| ParameterSpec {
            name: format!("{position}.{}", spec.name),
            ..spec
        });
        renamed.collect()
    })
}

/// All state of `layers` that is not trained, named by position.
pub(super) fn states(layers: &[Box<dyn Layer>], shapes: &[Vec<usize>]) -> Vec<StateSpec> {
    named(layers, |position, layer| {
        let specs = layer.states(&shapes[position]);
        let renamed = specs.into_iter().map(|spec| StateSpec {
            name: format!("{position}.{}", spec.name),
            ..spec
        });
        renamed.collect()
    })
}

fn named<T>(layers: &[Box<dyn Layer>], of: impl Fn(usize, &dyn Layer) -> Vec<T>) -> Vec<T> {
    let each = layers.iter().enumerate();
    each.flat_map(|(position, layer)| of(position, &**layer))
        .collect()
}

/// A chain at its place in a network.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a> {
    /// The layers.
    pub layers: &'a [Box<dyn Layer>],
    /// Shapes of one sample: the input, then each layer's output.
    pub shapes: &'a [Vec<usize>],
    /// The parameters of all layers, in order.
    pub parameters: &'a [Parameter],
    /// What stands in front of the positions in names and labels (`3.body.`, or nothing).
    pub path: &'a str,
    /// Number of the first leaf (see [`Layer::leaves`]).
    pub first_leaf: usize,
}

impl Chain<'_> {
    /// Whether the relu at `position` is applied by the layer in front of it.
    fn is_fused(&self, position: usize) -> bool {
        position > 0
            && position < self.layers.len()
            && self.layers[position].is_relu()
            && self.layers[position - 1].fuses_relu()
    }

    /// The parameters of the layer at `position`.
    fn parameters(&self, position: usize) -> &[Parameter] {
        let count = |position: usize| {
            let layer = &self.layers[position];
            layer.parameters(&self.shapes[position]).len()
        };
        let first = (0..position).map(count).sum();
        &self.parameters[first..first + count(position)]
    }

    fn site(&self, position: usize) -> Site<'_> {
        let leaves = self.layers[..position].iter().map(|layer| layer.leaves());
        Site {
            position: self.first_leaf + leaves.sum::<usize>(),
            path: format!("{}{position}", self.path),
            input: &self.shapes[position],
            output: &self.shapes[position + 1],
            parameters: self.parameters(position),
        }
    }

    fn label(&self, b: &mut Builder, position: usize) {
        let name = self.layers[position].name();
        b.set_label(format!("{}{position} {name}", self.path));
    }

    /// Appends the forward pass: the input, then each layer's output. A relu that is applied in
    /// passing has the output of the layer in front of it.
    ///
    /// # Errors
    /// If the adapter cannot run a layer at its size.
    pub fn forward(&self, b: &mut Builder, input: Value) -> Result<Vec<Value>> {
        let mut values = vec![input];
        for (position, layer) in self.layers.iter().enumerate() {
            let x = values[position];
            if self.is_fused(position) {
                values.push(x);
                continue;
            }
            self.label(b, position);
            let relu = self.is_fused(position + 1);
            values.push(layer.forward(b, &self.site(position), x, relu)?);
        }
        Ok(values)
    }

    /// Appends the backward pass for the output's gradient `dy`; gives the gradient by the input
    /// where it is wanted. With `gate` the input is a relu's output, and the relu's gradient is to
    /// be applied: only for chains whose first layer says [`Layer::gates_input`].
    ///
    /// # Errors
    /// If the adapter cannot run a layer at its size.
    pub fn backward(
        &self,
        b: &mut Builder,
        values: &[Value],
        dy: Value,
        wants_dx: bool,
    ) -> Result<Option<Value>> {
        let with_parameters = (0..self.layers.len()).find(|p| !self.parameters(*p).is_empty());
        // Gradients are wanted down to the first layer that has parameters, or to the input.
        let first = if wants_dx { Some(0) } else { with_parameters };
        let Some(first) = first else {
            return Ok(None);
        };
        let mut dy = dy;
        let mut gated = false;
        for position in (first..self.layers.len()).rev() {
            if gated {
                // The layer behind has applied this relu's gradient already.
                gated = false;
                continue;
            }
            let layer = &self.layers[position];
            let x = values[position];
            let wants_dx = wants_dx || position > first;
            let gate =
                position > first && layer.gates_input(&x) && self.layers[position - 1].is_relu();
            self.label(b, position);
            let back = Back {
                x,
                y: values[position + 1],
                dy,
                wants_dx,
                gate,
            };
            match layer.backward(b, &self.site(position), &back)? {
                Some(dx) => dy = dx,
                None => return Ok(None),
            }
            gated = gate;
        }
        Ok(wants_dx.then_some(dy))
    }
}

/// Appends `layers` to an ONNX graph: from the value `x`, samples of shape `input`. `path` stands in
/// front of the positions in names (`3.body.`, or nothing). Gives the name of the output.
///
/// # Errors
/// A sentence about a layer that has no description, or does not fit.
pub fn onnx(
    layers: &[Box<dyn Layer>],
    g: &mut Graph,
    path: &str,
    input: &[usize],
    x: &str,
) -> Result<String, String> {
    let shapes = shapes(layers, input).map_err(|unfit| unfit.misfit.problem)?;
    let mut x = x.to_owned();
    for (position, layer) in layers.iter().enumerate() {
        let place = Place {
            path: &format!("{path}{position}"),
            input: &shapes[position],
            output: &shapes[position + 1],
        };
        x = layer.onnx(g, &place, &x)?;
    }
    Ok(x)
}

/// The f64 reference of a chain: the input, then each layer's output.
#[must_use]
pub fn reference_forward(
    layers: &[Box<dyn Layer>],
    shapes: &[Vec<usize>],
    pass: &Reference<'_>,
) -> Vec<Vec<f64>> {
    let mut values = vec![pass.x.to_vec()];
    for (position, layer) in layers.iter().enumerate() {
        let y = layer.reference_forward(&reference_of(
            layers,
            shapes,
            pass,
            position,
            &values[position],
        ));
        values.push(y);
    }
    values
}

/// The backward pass of the reference of a chain, for the output's gradient `dy`.
#[must_use]
pub fn reference_backward(
    layers: &[Box<dyn Layer>],
    shapes: &[Vec<usize>],
    pass: &Reference<'_>,
    dy: &[f64],
) -> ReferenceGradients {
    let values = reference_forward(layers, shapes, pass);
    let mut dy = dy.to_vec();
    let mut parameters = Vec::new();
    for (position, layer) in layers.iter().enumerate().rev() {
        let x = &values[position];
        let gradients =
            layer.reference_backward(&reference_of(layers, shapes, pass, position, x), &dy);
        parameters.splice(0..0, gradients.parameters);
        dy = gradients.dx;
    }
    ReferenceGradients { dx: dy, parameters }
}

/// What the layer at `position` of a chain is given.
fn reference_of<'a>(
    layers: &[Box<dyn Layer>],
    shapes: &'a [Vec<usize>],
    pass: &Reference<'a>,
    position: usize,
    x: &'a [f64],
) -> Reference<'a> {
    let of = |count: &dyn Fn(usize) -> usize| -> std::ops::Range<usize> {
        let first = (0..position).map(count).sum();
        first..first + count(position)
    };
    let parameters = of(&|p| layers[p].parameters(&shapes[p]).len());
    let states = of(&|p| layers[p].states(&shapes[p]).len());
    let leaves: usize = layers[..position].iter().map(|layer| layer.leaves()).sum();
    Reference {
        input: &shapes[position],
        x,
        parameters: &pass.parameters[parameters],
        states: &pass.states[states],
        position: pass.position + leaves,
        ..*pass
    }
}
