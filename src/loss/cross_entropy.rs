//! Cross entropy of softmax.

use serde::{Deserialize, Serialize};

use super::{
    Entry, Invalid, Loss, LossReference, LossSite, RowTargets, counting, dispatch, first_largest,
    takes_classes,
};
use crate::data::{IGNORED, Task};
use crate::error::Result;
use crate::kernel::{Builder, Value};
use crate::onnx::Graph;
use crate::shape::Shape;

pub(super) const ENTRY: Entry<dyn Loss> = Entry {
    name: "cross_entropy",
    summary: "cross entropy of softmax (torch.nn.CrossEntropyLoss)",
    arguments: &["label_smoothing"],
    short: None,
    example: "label_smoothing = 0.1",
    parse: |args| Ok(Box::new(args.read::<CrossEntropy>()?)),
};

/// -sum_j t_j log p_j with p = softmax(x) and t_j = (1 - s) [j = label] + s / classes, the mean
/// over the samples, as torch.nn.CrossEntropyLoss (label smoothing: Szegedy et al. 2016).
///
/// The shader is `shaders/loss/cross_entropy.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrossEntropy {
    /// s, in [0, 1].
    pub label_smoothing: f64,
}

impl Loss for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn validate(&self) -> Result<(), Invalid> {
        if (0.0..=1.0).contains(&self.label_smoothing) {
            return Ok(());
        }
        Err(Invalid {
            key: "label_smoothing",
            message: format!(
                "is {}, but the share that is spread over all classes lies in [0, 1]",
                self.label_smoothing
            ),
        })
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::try_from(self).unwrap_or_default()
    }

    fn takes(&self, output: &Shape, task: &Task) -> Result<()> {
        takes_classes(self.name(), output, task)
    }

    fn forward(&self, b: &mut Builder, site: &LossSite) -> Result<Value> {
        let share = self.label_smoothing / site.x.matrix.cols as f64;
        dispatch(b, "loss/cross_entropy", site, |call| {
            call.f32("smoothing", self.label_smoothing)
                .f32("uniform_share", share)
        })
    }

    /// Their softmax.
    fn probabilities(&self, row: &[f32]) -> Vec<f64> {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let power = |output: &f32| (f64::from(*output) - f64::from(largest)).exp();
        let total: f64 = row.iter().map(power).sum();
        row.iter().map(|output| power(output) / total).collect()
    }

    fn onnx_head(&self, graph: &mut Graph, logits: &str, name: &str, shape: &[usize]) {
        graph.output(name, shape, "Softmax", &[logits], &[]);
    }

    fn reference(&self, x: &[f64], classes: usize, targets: RowTargets<'_>) -> LossReference {
        let RowTargets::Classes(labels) = targets else {
            return LossReference::default();
        };
        let mut reference = LossReference::default();
        let s = self.label_smoothing;
        let count = counting(labels);
        for (row, label) in x.chunks_exact(classes).zip(labels) {
            if *label == IGNORED {
                reference.ignore(row);
                continue;
            }
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = row.iter().map(|x| (x - largest).exp()).sum();
            let mut loss = 0.0;
            for (j, x) in row.iter().enumerate() {
                let log_p = x - largest - total.ln();
                let one_hot = if j == *label as usize { 1.0 } else { 0.0 };
                let t = (1.0 - s) * one_hot + s / classes as f64;
                loss -= t * log_p;
                reference.dx.push((log_p.exp() - t) / count);
            }
            reference.losses.push(loss);
            reference.chosen.push(first_largest(row));
        }
        reference
    }
}
