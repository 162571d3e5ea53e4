//! What the layers that work element by element share: their dispatches.

use crate::error::Result;
use crate::kernel::builder::grid;
use crate::kernel::{Builder, Call, Value, shaders};

/// Invocations of a workgroup in the shaders of these layers.
const GROUP: usize = 64;

/// Which value the backward pass reads besides the gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Saved {
    /// The layer's input.
    Input,
    /// The layer's output.
    Output,
    /// Nothing.
    Nothing,
    /// Nothing, in a shader that has a place for it.
    Idle,
}

/// What the shaders on the skeleton `shaders/layer/unary.wgsl` are told besides: the function's one
/// argument.
pub(super) fn argument(x: Value, argument: f64) -> impl Fn(Call) -> Call {
    move |call| call.channels(x).f32("argument", argument)
}

/// Appends y = f(x); `more` sets the uniform's further fields.
pub(super) fn forward(
    b: &mut Builder,
    shader: &str,
    x: Value,
    more: impl Fn(Call) -> Call,
) -> Result<super::Forward> {
    let y = b.like("y", x);
    let call = Call::new(
        b.label("forward"),
        grid(x.matrix.rows * x.matrix.quads(), GROUP)?,
    )
    .matrix(x.matrix)
    .value("x", x)
    .value("y", y)
    .flops(x.matrix.rows * x.matrix.cols);
    b.dispatch(&shaders::named(shader), "forward", more(call));
    Ok(y.into())
}

/// Appends dx = dy f'(x).
pub(super) fn backward(
    b: &mut Builder,
    shader: &str,
    back: &super::Back<'_>,
    saved: Saved,
    more: impl Fn(Call) -> Call,
) -> Result<Option<Value>> {
    if !back.wants_dx {
        return Ok(None);
    }
    let matrix = back.dy.matrix;
    let dx = b.like("dx", back.dy);
    let mut call = Call::new(
        b.label("backward"),
        grid(matrix.rows * matrix.quads(), GROUP)?,
    )
    .matrix(matrix)
    .value("dy", back.dy)
    .value("dx", dx)
    .flops(2 * matrix.rows * matrix.cols);
    match saved {
        Saved::Input => call = call.value("saved", back.x),
        Saved::Output => call = call.value("saved", back.y),
        Saved::Idle => call = call.idle("saved", back.dy),
        Saved::Nothing => {}
    }
    b.dispatch(&shaders::named(shader), "backward", more(call));
    Ok(Some(dx))
}

/// dx from dy by the derivative `slope(x)` of a function of one number.
pub(super) fn reference_backward(
    x: &[f64],
    dy: &[f64],
    slope: impl Fn(f64) -> f64,
) -> super::ReferenceGradients {
    super::ReferenceGradients {
        dx: x.iter().zip(dy).map(|(x, dy)| dy * slope(*x)).collect(),
        parameters: Vec::new(),
    }
}
