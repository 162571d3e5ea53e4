//! How many steps of the baseline a run of a variant is worth.

use serde::{Deserialize, Serialize};

use super::contrast::{Contrast, Differences};
use crate::lab::student::{mean, variance};

/// Lengths that are looked at between two that were trained.
const BETWEEN: u32 = 64;

/// A length of the baseline's runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    /// Less than the shortest that was trained.
    Below(f64),
    /// So many steps.
    At(f64),
    /// More than the longest that was trained.
    Above(f64),
}

/// What the baseline needs to come as far as a variant comes in `steps`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Steps of the variant.
    pub steps: u64,
    /// Where the baseline's mean, log-linear between lengths that were trained, first is as good.
    pub reached: Reached,
    /// The interval: all lengths at which the difference is not rejected.
    pub interval: [Reached; 2],
}

/// A length that the baseline was trained for, and its differences from it.
struct Stage {
    steps: f64,
    differences: Differences,
}

impl Saved {
    /// `variant` and each of `baseline` (rising lengths) hold, for the same seeds, the scores of the same
    /// test samples. `sign` is 1 where more is better, -1 where less is; `error` and `least` as in
    /// [`Contrast`].
    ///
    /// A length is in the interval (of the level `1 - error`) where the test of the contrast between the
    /// variant and the baseline, log-linear between the trained lengths next to it, does not reject that
    /// both are equal: the set of a test inverted (Fieller, Journal of the Royal Statistical Society B 16,
    /// 1954). Nothing is said beyond the lengths that were trained. `None` of no lengths.
    #[must_use]
    pub fn of(
        (steps, variant): (u64, &[&[f32]]),
        baseline: &[(u64, Vec<&[f32]>)],
        (sign, error, least): (f64, f64, f64),
    ) -> Option<Self> {
        let stages: Vec<Stage> = baseline
            .iter()
            .map(|(steps, scores)| {
                let pairs = variant.iter().copied().zip(scores.iter().copied());
                Stage {
                    steps: *steps as f64,
                    differences: Differences::of(&pairs.collect::<Vec<_>>()),
                }
            })
            .collect();
        let path = Path::new(&stages, sign, least);
        let (from, to) = (stages.first()?.steps, stages.last()?.steps);
        let open = |steps: f64| {
            let [low, high] = path.at(steps).interval(error);
            low <= 0.0 && high >= 0.0
        };
        let reached = path.crossing();
        let mut inside: Vec<f64> = path.places().filter(|steps| open(*steps)).collect();
        if let Reached::At(steps) = reached {
            inside.push(steps);
        }
        let ends = inside
            .iter()
            .copied()
            .fold(None, |ends: Option<[f64; 2]>, steps| {
                let [low, high] = ends.unwrap_or([steps; 2]);
                Some([low.min(steps), high.max(steps)])
            });
        let interval = match ends {
            None => [reached; 2],
            Some([low, high]) => [
                match open(from) {
                    true => Reached::Below(from),
                    false => Reached::At(border(low, path.before(low), &open)),
                },
                match open(to) {
                    true => Reached::Above(to),
                    false => Reached::At(border(high, path.after(high), &open)),
                },
            ],
        };
        Some(Self {
            steps,
            reached,
            interval,
        })
    }
}

/// The border of the interval between a length in it and one that is not.
fn border(mut inside: f64, mut outside: f64, open: &dyn Fn(f64) -> bool) -> f64 {
    for _ in 0..24 {
        let middle = (inside * outside).sqrt();
        match open(middle) {
            true => inside = middle,
            false => outside = middle,
        }
    }
    inside
}

/// The baseline along its lengths, log-linear between those that were trained.
struct Path<'a> {
    stages: &'a [Stage],
    /// Between each two stages.
    spreads: Vec<Spread>,
    sign: f64,
    least: f64,
}

impl<'a> Path<'a> {
    fn new(stages: &'a [Stage], sign: f64, least: f64) -> Self {
        let spread = |pair: &[Stage]| {
            let [a, b] = [&pair[0], &pair[1]].map(|stage| &stage.differences.samples[..]);
            Spread::new(a, b)
        };
        Self {
            stages,
            spreads: stages.windows(2).map(spread).collect(),
            sign,
            least,
        }
    }

    /// The lengths that are looked at: those that were trained and some between.
    fn places(&self) -> impl Iterator<Item = f64> + '_ {
        let between = |pair: &[Stage]| {
            let (a, b) = (pair[0].steps, pair[1].steps);
            (0..BETWEEN).map(move |i| a * (b / a).powf(f64::from(i) / f64::from(BETWEEN)))
        };
        let all = self.stages.windows(2).flat_map(between);
        all.chain(self.stages.last().map(|last| last.steps))
    }

    /// The nearest of them below a length, or above it.
    fn before(&self, steps: f64) -> f64 {
        let below = self.places().filter(|place| *place < steps);
        below.fold(self.stages[0].steps, f64::max)
    }

    fn after(&self, steps: f64) -> f64 {
        let above = self.places().filter(|place| *place > steps);
        let last = self.stages[self.stages.len() - 1].steps;
        above.fold(last, f64::min)
    }

    /// The contrast between the variant and the baseline at a length.
    fn at(&self, steps: f64) -> Contrast {
        let next = self.stages.iter().position(|stage| stage.steps >= steps);
        let next = next.unwrap_or(self.stages.len() - 1);
        let b = &self.stages[next];
        let (sign, least) = (self.sign, self.least);
        if next == 0 || b.steps <= steps {
            return Contrast::of(&b.differences, sign, least);
        }
        let a = &self.stages[next - 1];
        let share = (steps / a.steps).ln() / (b.steps / a.steps).ln();
        let mixed = |(a, b): (&f64, &f64)| (1.0 - share) * a + share * b;
        let seeds = a.differences.seeds.iter().zip(&b.differences.seeds);
        let seeds: Vec<f64> = seeds.map(mixed).collect();
        let spread = self.spreads[next - 1].at(share);
        let samples = (a.differences.samples.len(), spread, a.differences.rest);
        Contrast::with(&seeds, samples, (sign, least))
    }

    /// Where the gain first is no longer above 0.
    fn crossing(&self) -> Reached {
        let gain = |stage: &Stage| self.sign * mean(&stage.differences.seeds);
        let first = &self.stages[0];
        match gain(first) {
            less if less < 0.0 => return Reached::Below(first.steps),
            0.0 => return Reached::At(first.steps),
            _ => {}
        }
        let mut pairs = self.stages.windows(2);
        match pairs.find(|pair| gain(&pair[1]) <= 0.0) {
            None => Reached::Above(self.stages[self.stages.len() - 1].steps),
            Some(pair) => {
                let (a, b) = (gain(&pair[0]), gain(&pair[1]));
                let (from, to) = (pair[0].steps, pair[1].steps);
                Reached::At(from * (to / from).powf(a / (a - b)))
            }
        }
    }
}

/// Variances and the covariance of two lists.
struct Spread([f64; 3]);

impl Spread {
    fn new(a: &[f64], b: &[f64]) -> Self {
        let sums: Vec<f64> = a.iter().zip(b).map(|(a, b)| a + b).collect();
        let [of_a, of_b, of_sum] = [variance(a), variance(b), variance(&sums)];
        Self([of_a, of_b, (of_sum - of_a - of_b) / 2.0])
    }

    /// The variance of `(1 - share) a + share b`.
    fn at(&self, share: f64) -> f64 {
        let (a, b) = (1.0 - share, share);
        let [of_a, of_b, both] = self.0;
        (a * a * of_a + b * b * of_b + 2.0 * a * b * both).max(0.0)
    }
}
