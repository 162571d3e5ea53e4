//! The two bounds of a cycle, read from one curve.

use serde::{Deserialize, Serialize};

use super::curve::SweepPoint;
use super::smooth;

/// The rule that gave a `base_lr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BaseRule {
    /// The loss has fallen by a twentieth of its whole fall.
    #[default]
    Fall,
    /// The loss has fallen clearly more than it scatters, which is later.
    Scatter,
}

/// The rule that gave a `max_lr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxRule {
    /// Half the rate of the least loss.
    #[default]
    Least,
    /// A quarter of the rate at which the sweep ended, which is lower.
    End,
}

impl BaseRule {
    /// The rule in words, which go on from `base_lr:`.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Self::Fall => "where the smoothed loss has fallen by a twentieth of its whole fall",
            Self::Scatter => "where the smoothed loss has fallen by three times its scatter",
        }
    }
}

impl MaxRule {
    /// The rule in words, which go on from `max_lr:`.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Self::Least => "half the rate at which the smoothed loss is least",
            Self::End => "a quarter of the rate at which the sweep was stopped",
        }
    }
}

/// The rule that gave each bound in most of the sweeps, in words.
pub(super) fn rules(bounds: &[SweepBounds]) -> [String; 2] {
    let most = |count: usize| 2 * count > bounds.len();
    let scatter = bounds.iter().filter(|b| b.base_rule == BaseRule::Scatter);
    let base = match most(scatter.count()) {
        true => BaseRule::Scatter,
        false => BaseRule::Fall,
    };
    let end = bounds.iter().filter(|b| b.max_rule == MaxRule::End);
    let max = match most(end.count()) {
        true => MaxRule::End,
        false => MaxRule::Least,
    };
    [base.says().to_owned(), max.says().to_owned()]
}

/// What one curve says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SweepBounds {
    /// The rate from which the loss falls clearly.
    pub base_lr: f64,
    /// The highest rate that still trains steadily.
    pub max_lr: f64,
    /// What gave `base_lr`.
    #[serde(default)]
    pub base_rule: BaseRule,
    /// What gave `max_lr`.
    #[serde(default)]
    pub max_rule: MaxRule,
    /// Points between the two.
    pub points_between: usize,
    /// The loss at the lowest rates.
    pub initial_loss: f64,
    /// The least smoothed loss.
    pub least_loss: f64,
    /// The rate of the least smoothed loss.
    pub least_at: f64,
}

/// Share of the whole fall that counts as a clear beginning.
const BEGINS: f64 = 0.05;
/// Momentum lets a rate that is too high go on for some steps before the loss shows it: the rate of
/// the least loss is by so much too high for whole cycles.
const DELAY: f64 = 2.0;
/// The same, from the rate at which the sweep ended.
const BEFORE_THE_END: f64 = 4.0;
/// A fall of fewer scatters than this is none.
pub(super) const CLEAR: f64 = 3.0;

/// What is measured on a curve before bounds are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// The mean loss at the lowest rates.
    pub(super) initial: f64,
    /// The scatter of the loss about its curve in the first half of the fall.
    pub(super) scatter: f64,
    /// The position and the value of the least smoothed loss.
    pub(super) least_at: usize,
    pub(super) least: f64,
}

impl Shape {
    pub(super) fn of(points: &[SweepPoint]) -> Option<Self> {
        let first = head(points);
        let least_at = (first.min(points.len().saturating_sub(1))..points.len())
            .min_by(|a, b| points[*a].smoothed.total_cmp(&points[*b].smoothed))?;
        let head = points.get(..first)?.iter().map(|point| point.loss);
        let up_to = &points[..=least_at];
        let pairs = up_to.iter().map(|point| (point.loss, point.smoothed));
        Some(Self {
            initial: head.sum::<f64>() / first as f64,
            scatter: smooth::scatter(pairs),
            least_at,
            least: points[least_at].smoothed,
        })
    }

    /// The whole fall.
    pub(super) fn fall(&self) -> f64 {
        self.initial - self.least
    }

    /// The scatter of a smoothed value.
    pub(super) fn smoothed_scatter(&self, points: usize) -> f64 {
        self.scatter / (smooth::reach(points) as f64).sqrt()
    }
}

/// The points at the start that tell the initial loss: rates within a factor of 3 of the first.
pub(super) fn head(points: &[SweepPoint]) -> usize {
    let low = 3.0 * points.first().map_or(0.0, |point| point.lr);
    let count = points.iter().take_while(|point| point.lr <= low).count();
    count
        .clamp(1, points.len().div_ceil(10).max(3))
        .max(3)
        .min(points.len())
}

/// The bounds of a curve that falls and ends; `None` of one that does not.
pub(super) fn read(points: &[SweepPoint], diverged: bool) -> Option<SweepBounds> {
    let shape = Shape::of(points)?;
    let clear = CLEAR * shape.smoothed_scatter(points.len());
    if shape.fall() <= clear {
        return None;
    }
    let twentieth = BEGINS * shape.fall();
    let begun = shape.initial - twentieth.max(clear);
    let base = points.iter().position(|point| point.smoothed < begun)?;
    // A curve that was stopped ends at a rate that is far too high.
    let end = points.last()?.lr / if diverged { BEFORE_THE_END } else { 1.0 };
    let before_least = points[shape.least_at].lr / DELAY;
    let max_lr = before_least.min(end);
    let base_lr = points[base].lr;
    let between = points.iter().filter(|p| p.lr > base_lr && p.lr < max_lr);
    let points_between = between.count();
    (base_lr < max_lr).then_some(SweepBounds {
        base_lr,
        max_lr,
        base_rule: if clear > twentieth {
            BaseRule::Scatter
        } else {
            BaseRule::Fall
        },
        max_rule: if end < before_least {
            MaxRule::End
        } else {
            MaxRule::Least
        },
        points_between,
        initial_loss: shape.initial,
        least_loss: shape.least,
        least_at: points[shape.least_at].lr,
    })
}
