//! Cross entropy of softmax.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Entry, Invalid, Loss, LossReference, LossSite, RowTargets, counting, dispatch, first_largest,
    takes_classes,
};
use crate::data::{IGNORED, Task};
use crate::error::{Error, Result};
use crate::kernel::{Builder, Value};
use crate::onnx::Graph;
use crate::shape::Shape;

pub(super) const ENTRY: Entry<dyn Loss> = Entry {
    name: "cross_entropy",
    summary: "cross entropy of softmax (torch.nn.CrossEntropyLoss)",
    arguments: &["label_smoothing", "class_weights"],
    short: None,
    example: "label_smoothing = 0.1",
    parse: |args| Ok(Box::new(args.read::<CrossEntropy>()?)),
};

/// -sum_j t_j log p_j with p = softmax(x) and t_j = (1 - s) [j = label] + s / classes, the mean
/// over the samples, as torch.nn.CrossEntropyLoss (label smoothing: Szegedy et al. 2016).
///
/// The shader is `shaders/loss/cross_entropy.wgsl`.
///
/// With a weight for each class, t_j = w_j ((1 - s) [j = label] + s / classes), and the mean is over the
/// weights of the samples' classes, as the argument `weight` has it there; the shader is then
/// `shaders/loss/cross_entropy_weighted.wgsl`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrossEntropy {
    /// s, in [0, 1].
    pub label_smoothing: f64,
    /// How much classes count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// The same in the order of the classes, once these are known.
    #[serde(skip)]
    weights: Vec<f32>,
}

/// `loss.class_weights`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"balanced\", or a table with a weight for each class, such as { cat = 2.0 }"
)]
pub enum ClassWeights {
    /// By a rule.
    Rule(WeightRule),
    /// A weight for each class by its name; 1 for those that are not named.
    Named(BTreeMap<String, f64>),
}

/// A rule that gives classes their weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightRule {
    /// samples / (classes x samples of the class), as scikit-learn's: all classes count alike.
    Balanced,
}

impl Loss for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn validate(&self) -> Result<(), Invalid> {
        if let Some(ClassWeights::Named(named)) = &self.class_weights {
            let wrong =
                |(_, weight): &(&String, &f64)| !(**weight >= 0.0 && (**weight as f32).is_finite());
            if let Some((name, weight)) = named.iter().find(wrong) {
                return Err(Invalid {
                    key: "class_weights",
                    message: format!(
                        "has {weight} for {name:?}, but a weight is 0 or more, and finite"
                    ),
                });
            }
        }
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

    fn suit(&mut self, task: &Task, counts: &[u64]) -> Result<()> {
        let Some(wanted) = &self.class_weights else {
            return Ok(());
        };
        let Task::Classes(names) = task else {
            return Err(Error::Argument {
                what: "loss.class_weights".into(),
                found: format!("given, for a data set of {}", task.name()),
                expected: "samples of classes".into(),
                help: "leave it out".into(),
            });
        };
        self.weights = match wanted {
            ClassWeights::Rule(WeightRule::Balanced) => balanced(counts, names.len()),
            ClassWeights::Named(named) => weights(named, names)?,
        };
        // What was found is written with the weights, whose data are not at hand later.
        let pairs = names
            .iter()
            .cloned()
            .zip(self.weights.iter().map(|w| f64::from(*w)));
        self.class_weights = Some(ClassWeights::Named(pairs.collect()));
        Ok(())
    }

    /// Of equal probabilities log classes, unless smoothing gives labels of all weights to each sample.
    fn of_guessing(&self, classes: usize) -> Option<f64> {
        let known = self.weights.is_empty() || self.label_smoothing == 0.0;
        known.then_some((classes as f64).ln())
    }

    fn could_weigh_classes(&self) -> bool {
        self.class_weights.is_none()
    }

    fn class_weights(&self) -> &[f32] {
        &self.weights
    }

    fn forward(&self, b: &mut Builder, site: &LossSite) -> Result<Value> {
        let share = self.label_smoothing / site.x.matrix.cols as f64;
        if let Some(weights) = site.class_weights {
            return dispatch(b, "loss/cross_entropy_weighted", site, |call| {
                call.place("class_weights", weights)
                    .f32("smoothing", self.label_smoothing)
                    .f32("uniform_share", share)
            });
        }
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
        let weight = |class: usize| self.weights.get(class).map_or(1.0, |w| f64::from(*w));
        let count = match self.weights.is_empty() {
            true => counting(labels),
            false => {
                let counting = labels.iter().filter(|label| **label != IGNORED);
                counting.map(|label| weight(*label as usize)).sum()
            }
        };
        for (row, label) in x.chunks_exact(classes).zip(labels) {
            if *label == IGNORED {
                reference.ignore(row);
                continue;
            }
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = row.iter().map(|x| (x - largest).exp()).sum();
            let mut loss = 0.0;
            let target = |j: usize| {
                let one_hot = if j == *label as usize { 1.0 } else { 0.0 };
                weight(j) * ((1.0 - s) * one_hot + s / classes as f64)
            };
            let all: f64 = (0..classes).map(target).sum();
            for (j, x) in row.iter().enumerate() {
                let log_p = x - largest - total.ln();
                loss -= target(j) * log_p;
                reference.dx.push((all * log_p.exp() - target(j)) / count);
            }
            reference.losses.push(loss);
            reference.chosen.push(first_largest(row));
        }
        reference
    }
}

/// Weights under which all classes count alike; those without samples have none.
fn balanced(counts: &[u64], classes: usize) -> Vec<f32> {
    let all = counts.iter().sum::<u64>() as f64;
    let there = counts.iter().filter(|count| **count > 0).count() as f64;
    let of = |class: usize| match counts.get(class).copied().unwrap_or(0) {
        0 => 0.0,
        count => (all / (there * count as f64)) as f32,
    };
    (0..classes).map(of).collect()
}

/// Weights in the order of the classes.
fn weights(named: &BTreeMap<String, f64>, names: &[String]) -> Result<Vec<f32>> {
    if let Some(unknown) = named.keys().find(|name| !names.contains(name)) {
        return Err(Error::Argument {
            what: "loss.class_weights".into(),
            found: format!("a weight for {unknown:?}, which is no class of the data"),
            expected: format!("classes of the data: {}", names.join(", ")),
            help: "name classes as the data do".into(),
        });
    }
    let of = |name: &String| named.get(name).copied().unwrap_or(1.0) as f32;
    let weights: Vec<f32> = names.iter().map(of).collect();
    if weights.iter().all(|weight| *weight == 0.0) {
        return Err(Error::Argument {
            what: "loss.class_weights".into(),
            found: "0 for every class".into(),
            expected: "a weight above 0 for some class".into(),
            help: "leave classes out that are to count as they are".into(),
        });
    }
    Ok(weights)
}
