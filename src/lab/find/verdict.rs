//! Whether a range test can be trusted.

use serde::{Deserialize, Serialize};

use super::RangeTestOptions;
use super::bounds::{self, CLEAR, Shape};
use super::sweep::Sweep;
use crate::lab::student::variance;

/// Whether bounds can be read from the curves, or why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The loss falls clearly and turns: the bounds stand.
    Ok,
    /// The loss still falls, or rests at its least, at the highest rate.
    NoDivergence,
    /// The loss does not fall at any rate.
    Flat,
    /// The sweeps disagree, or the loss scatters as much as it falls.
    Noisy,
    /// Too few steps, or the loss falls from the first step on.
    Short,
    /// The loss is not finite, or rises, before it has fallen at all.
    Diverged,
}

/// Fewer steps than this show no shape.
const LEAST_STEPS: u64 = 40;
/// Points of the curve between the two bounds, at least (with equal factors between the rates).
const LEAST_BETWEEN: usize = 4;
/// Sweeps disagree where the logarithms of their peaks deviate by more than ln 6 / sqrt 3: three within a factor of
/// 6 never do. A range would grow with their number.
const APART: f64 = 1.0345;
/// The share of its fall by which the loss must have risen again at the end.
const TURNED: f64 = 0.1;

impl Verdict {
    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NoDivergence => "no_divergence",
            Self::Flat => "flat",
            Self::Noisy => "noisy",
            Self::Short => "short",
            Self::Diverged => "diverged",
        }
    }

    /// The verdict in a sentence, with what to do.
    #[must_use]
    pub fn sentence(self, options: &RangeTestOptions) -> String {
        match self {
            Self::Ok => "the loss falls clearly and turns: the bounds stand".into(),
            Self::NoDivergence => format!(
                "the loss has not turned at the highest rate: raise that above {}",
                options.to
            ),
            Self::Flat => format!(
                "the loss does not fall clearly at any rate from {} to {}: check data and model, or \
                 give more steps",
                options.from, options.to
            ),
            Self::Noisy => "the sweeps disagree, or the loss scatters as much as it falls: give \
                 more steps, more seeds or a larger data.batch"
                .into(),
            Self::Short => format!(
                "too few steps show the fall: give more than {}, or lower the lowest rate below {}",
                options.steps, options.from
            ),
            Self::Diverged => format!(
                "the loss diverges before it has fallen: lower the lowest rate below {}, and check that \
                 data.normalize suits the model",
                options.from
            ),
        }
    }
}

/// The verdict on all sweeps: that of most of them, the worse one of two.
pub(super) fn of(sweeps: &[Sweep], options: &RangeTestOptions) -> Verdict {
    let each: Vec<Verdict> = sweeps.iter().map(|sweep| one(sweep, options)).collect();
    let worst_first = [
        Verdict::Diverged,
        Verdict::Short,
        Verdict::Flat,
        Verdict::NoDivergence,
        Verdict::Noisy,
    ];
    for verdict in worst_first {
        let count = each.iter().filter(|v| **v == verdict).count();
        if 2 * count >= each.len().max(1) {
            return verdict;
        }
    }
    let peaks = sweeps.iter().filter_map(|sweep| Some(sweep.bounds?.max_lr));
    let peaks: Vec<f64> = peaks.map(libm::log).collect();
    let apart = variance(&peaks) > APART * APART;
    let bad = each.iter().filter(|v| **v != Verdict::Ok).count();
    if apart || 2 * bad >= each.len() {
        return Verdict::Noisy;
    }
    Verdict::Ok
}

fn one(sweep: &Sweep, options: &RangeTestOptions) -> Verdict {
    let points = &sweep.points;
    let shape = match Shape::of(points) {
        Some(shape) if points.len() > 1 => shape,
        _ => return Verdict::Diverged,
    };
    let clear = shape.fall() > CLEAR * shape.smoothed_scatter(points.len());
    if !clear {
        return if sweep.diverged_at.is_some() {
            Verdict::Diverged
        } else if options.steps < LEAST_STEPS {
            Verdict::Short
        } else {
            Verdict::Flat
        };
    }
    if options.steps < LEAST_STEPS {
        return Verdict::Short;
    }
    if shape.scatter > 0.5 * shape.fall() {
        return Verdict::Noisy;
    }
    let end = points.last().map_or(f64::NAN, |point| point.smoothed);
    if sweep.diverged_at.is_none() && end < shape.least + TURNED * shape.fall() {
        return Verdict::NoDivergence;
    }
    match &sweep.bounds {
        Some(bounds) if starts_high(sweep, bounds.base_lr) => Verdict::Short,
        Some(bounds) if bounds.points_between >= LEAST_BETWEEN => Verdict::Ok,
        _ => Verdict::Short,
    }
}

/// Whether the loss falls at the lowest rates already: where it begins to fall was not seen.
fn starts_high(sweep: &Sweep, base_lr: f64) -> bool {
    let seen = sweep.points.iter().take_while(|point| point.lr < base_lr);
    seen.count() < bounds::head(&sweep.points)
}
