//! Single rates, as users of fastai know them: the four suggestion functions of its `lr_find`
//! (fastai 2.8, `fastai/callback/schedule.py`) on the same points of the same running average.

use serde::{Deserialize, Serialize};

use super::sweep::Sweep;

/// One rate by each rule; `None` where the curve has too few points.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Suggestions {
    /// Where the loss falls fastest over the logarithm of the rate.
    pub steep: Option<f64>,
    /// About the middle of the longest descent; fastai's default.
    pub valley: Option<f64>,
    /// A tenth of the rate of the least loss.
    pub minimum: Option<f64>,
    /// The left end of the flat part before the loss explodes, seen from the right.
    pub slide: Option<f64>,
}

impl Suggestions {
    /// Each rate with its name and what it is.
    #[must_use]
    pub fn named(&self) -> [(&'static str, Option<f64>, &'static str); 4] {
        [
            (
                "valley",
                self.valley,
                "about the middle of the longest fall (fastai's default)",
            ),
            ("steep", self.steep, "where the loss falls fastest"),
            (
                "minimum",
                self.minimum,
                "a tenth of the rate of the least loss",
            ),
            (
                "slide",
                self.slide,
                "the end of the flat part before the loss explodes",
            ),
        ]
    }
}

/// The factor of fastai's running average.
const BETA: f64 = 0.98;

/// Suggestions for the first sweep.
pub(super) fn all(sweeps: &[Sweep], steps: u64) -> Suggestions {
    let Some(sweep) = sweeps.first() else {
        return Suggestions::default();
    };
    let losses: Vec<f64> = sweep.points.iter().map(|point| point.loss).collect();
    let rates: Vec<f64> = sweep.points.iter().map(|point| point.lr).collect();
    let averaged = average(&losses);
    // fastai leaves out the first tenth of the planned steps and the last five points.
    let from = (steps / 10) as usize;
    let to = rates.len().saturating_sub(5);
    if from >= to {
        return Suggestions::default();
    }
    of(&rates[from..to], &averaged[from..to])
}

/// The four rules on a curve of `rates` and `losses` of one length.
#[must_use]
pub fn of(rates: &[f64], losses: &[f64]) -> Suggestions {
    Suggestions {
        steep: steep(rates, losses),
        valley: valley(rates, losses),
        minimum: minimum(rates, losses),
        slide: slide(rates, losses),
    }
}

/// fastai's `AvgSmoothLoss`: an exponential average, corrected for its start.
#[must_use]
pub fn average(losses: &[f64]) -> Vec<f64> {
    let (mut average, mut left) = (0.0, 1.0);
    let next = losses.iter().map(|loss| {
        average = BETA * average + (1.0 - BETA) * loss;
        left *= BETA;
        average / (1.0 - left)
    });
    next.collect()
}

fn minimum(rates: &[f64], losses: &[f64]) -> Option<f64> {
    Some(rates[least(losses)?] / 10.0)
}

/// The first position of the least value.
fn least(values: &[f64]) -> Option<usize> {
    (0..values.len()).min_by(|a, b| values[*a].total_cmp(&values[*b]))
}

fn steep(rates: &[f64], losses: &[f64]) -> Option<f64> {
    let slopes = rates.windows(2).zip(losses.windows(2));
    let slopes = slopes.map(|(r, l)| (l[1] - l[0]) / (r[1].ln() - r[0].ln()));
    Some(rates[least(&slopes.collect::<Vec<f64>>())?])
}

fn valley(rates: &[f64], losses: &[f64]) -> Option<f64> {
    let n = losses.len();
    // The longest falling subsequence that ends at each point.
    let mut lengths = vec![1_usize; n];
    let mut end = 0;
    for i in 1..n {
        for j in 0..i {
            if losses[i] < losses[j] && lengths[i] < lengths[j] + 1 {
                lengths[i] = lengths[j] + 1;
            }
            if lengths[end] < lengths[i] {
                end = i;
            }
        }
    }
    // fastai's start is one before the first where the subsequence has no gap; no descent is its 0.
    let length = *lengths.get(end)?;
    let start = if length == 1 {
        0
    } else {
        end as isize - length as isize
    };
    let sections = (end as isize - start) as f64 / 3.0;
    let at = start + sections as isize + (sections / 2.0) as isize;
    // A negative index counts from the end there.
    let at = if at < 0 { at + n as isize } else { at };
    rates.get(usize::try_from(at).ok()?).copied()
}

fn slide(rates: &[f64], losses: &[f64]) -> Option<f64> {
    const WINDOW: usize = 15;
    const THRESHOLD: f64 = 0.005;
    let n = losses.len();
    if n < WINDOW + 1 {
        return None;
    }
    let slope = |i: usize| match i {
        0 => losses[1] - losses[0],
        i if i == n - 1 => losses[i] - losses[i - 1],
        i => (losses[i + 1] - losses[i - 1]) / 2.0,
    };
    let (mut right, mut left) = (n - 1, n - 1 - WINDOW);
    let mut found = rates[left];
    while (slope(right) - slope(left)).abs() > THRESHOLD {
        found = rates[left];
        if left == 0 {
            break;
        }
        right -= 1;
        left -= 1;
    }
    Some(found)
}
