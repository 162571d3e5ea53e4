//! What the losses over numbers share: each is a function of an output's distance to its target, and
//! the loss of a sample is the mean over its outputs.
//!
//! The shader is `shaders/loss/numbers.wgsl`, behind that of the loss.

use super::{LossReference, LossSite, RowTargets};
use crate::data::Task;
use crate::error::{Error, Result};
use crate::kernel::{Builder, Call, Value};
use crate::shape::Shape;

/// What a loss over numbers takes: an output for each.
pub(super) fn takes(loss: &str, output: &Shape, task: &Task) -> Result<()> {
    match (task, output) {
        (Task::Numbers(names), Shape::Features(n)) if names.len() == *n => return Ok(()),
        _ => {}
    }
    let outputs = task.outputs();
    Err(Error::Argument {
        what: "loss.kind".into(),
        found: format!(
            "{loss}, for an output of the shape {output} and a data set of {outputs} {}",
            task.name()
        ),
        expected: "numbers to predict, and an output for each of them".into(),
        help: "for classes set loss.kind = \"cross_entropy\"".into(),
    })
}

/// Appends the dispatch of a loss over numbers, or several where the outputs do not fit into one
/// binding; `more` sets the uniform's further fields.
pub(super) fn dispatch(
    b: &mut Builder,
    shader: &str,
    site: &LossSite,
    more: impl Fn(Call) -> Call,
) -> Result<Value> {
    let inv_cols = 1.0 / site.x.matrix.cols as f64;
    super::rows(b, shader, site, |call| {
        more(
            call.place("targets", site.targets)
                .f32("inv_cols", inv_cols),
        )
    })
}

/// Losses and gradient in f64; `of` gives the loss of an element and its derivative.
pub(super) fn reference(
    x: &[f64],
    width: usize,
    targets: RowTargets<'_>,
    of: impl Fn(f64) -> (f64, f64),
) -> LossReference {
    let RowTargets::Numbers(targets) = targets else {
        return LossReference::default();
    };
    let rows = x.chunks_exact(width).zip(targets.chunks_exact(width));
    let mut reference = LossReference::default();
    for (row, targets) in rows {
        let each = row.iter().zip(targets).map(|(x, t)| of(x - t));
        let (losses, slopes): (Vec<f64>, Vec<f64>) = each.unzip();
        reference
            .losses
            .push(losses.iter().sum::<f64>() / width as f64);
        reference.chosen.push(0);
        reference.dx.extend(slopes);
    }
    let elements = reference.dx.len().max(1) as f64;
    reference.dx.iter_mut().for_each(|dx| *dx /= elements);
    reference
}
