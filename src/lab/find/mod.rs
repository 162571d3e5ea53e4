//! The range test: the rate rises from far too low to far too high within some hundred steps, and
//! the loss on the way tells between which rates a cycle should swing.
//!
//! After L. N. Smith, arXiv 1506.01186, section 3.3, with the exponential rise and the stop of
//! fastai's `lr_find`. What is read from the curve stands in [`bounds`]; the curve is smoothed about
//! each point (`smooth.rs`), so the answer does not lag behind the rate as it does after a running
//! average; the running average of fastai is kept for its four suggestions ([`suggest`]).
//!
//! Nothing is disturbed: weights, the optimizer's states, running statistics, random streams and the place in
//! the data are the same bits afterwards.

pub mod bounds;
mod curve;
mod smooth;
pub mod suggest;
mod sweep;
mod verdict;

use serde::{Deserialize, Serialize};

use crate::args::counted;
use crate::config;
use crate::error::{Error, Result};
use crate::train::Trainer;

pub use bounds::SweepBounds;
pub use curve::SweepPoint;
pub use suggest::Suggestions;
pub use sweep::Sweep;
pub use verdict::Verdict;

/// What a range test does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RangeTestOptions {
    /// The lowest rate, above 0 (with `linear` from 0).
    pub from: f64,
    /// The highest rate, above `from`.
    pub to: f64,
    /// Steps from the lowest to the highest rate, at least 2.
    pub steps: u64,
    /// Sweeps, each with its own initial weights and order of samples, at least 1.
    pub seeds: u64,
    /// Raises the rate by equal amounts, not by equal factors.
    pub linear: bool,
    /// Starts each sweep from the trainer's weights as they are, not from initial weights.
    pub keep_weights: bool,
}

impl Default for RangeTestOptions {
    /// From 1e-5 to 10 in 200 steps, three sweeps from initial weights: right for image classifiers
    /// of any size.
    fn default() -> Self {
        Self {
            from: 1e-5,
            to: 10.0,
            steps: 200,
            seeds: 3,
            linear: false,
            keep_weights: false,
        }
    }
}

impl RangeTestOptions {
    /// Refuses what makes no range test.
    ///
    /// # Errors
    /// [`Error::Argument`] that names the option.
    pub fn check(&self) -> Result<()> {
        let refuse = |what: &str, found: String, expected: &str| {
            Err(Error::Argument {
                what: what.to_owned(),
                found,
                expected: expected.to_owned(),
                help: "leave it out for the default: from 1e-5 to 10 in 200 steps, 3 seeds".into(),
            })
        };
        let low = if self.linear { 0.0 } else { f64::MIN_POSITIVE };
        if !(self.from >= low && (self.from as f32).is_finite()) {
            let expected = "a finite rate above 0 (of a linear test from 0)";
            return refuse("from", self.from.to_string(), expected);
        }
        if !(self.to as f32).is_finite() || self.to <= self.from {
            let found = format!("{}, with from = {}", self.to, self.from);
            return refuse("to", found, "a finite rate above from");
        }
        if self.steps < 2 {
            return refuse("steps", self.steps.to_string(), "at least 2 steps");
        }
        if self.seeds == 0 {
            return refuse("seeds", "0".into(), "at least 1 seed");
        }
        Ok(())
    }

    /// The test in words: `a range test from 0.00001 to 10 in 200 steps, 3 seeds`.
    #[must_use]
    pub fn describe(&self) -> String {
        let seeds = counted(self.seeds, "seed");
        let (from, to, steps) = (self.from, self.to, self.steps);
        format!("a range test from {from} to {to} in {steps} steps, {seeds}")
    }

    /// The rate of step `i`.
    #[must_use]
    pub fn rate(&self, i: u64) -> f64 {
        let last = (self.steps.max(2) - 1) as f64;
        let share = (i as f64 / last).min(1.0);
        match () {
            () if share >= 1.0 => self.to,
            () if self.linear => self.from + (self.to - self.from) * share,
            () => self.from * libm::pow(self.to / self.from, share),
        }
    }
}

/// What a range test found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RangeTest {
    /// The rate from which the loss falls clearly; `None` unless the verdict is `ok`.
    pub base_lr: Option<f64>,
    /// The highest rate for the peaks of cycles; `None` unless the verdict is `ok`.
    pub max_lr: Option<f64>,
    /// Whether the bounds can be trusted, or why not.
    pub verdict: Verdict,
    /// The verdict in a sentence, with what to do.
    pub says: String,
    /// How the bounds were read: the rule of each, in words.
    pub rules: [String; 2],
    /// Single rates, as fastai's functions give them for the first sweep.
    pub suggestions: Suggestions,
    /// The sweeps, one for each seed.
    pub sweeps: Vec<Sweep>,
}

/// Runs the range test on `trainer`, whose state is the same afterwards; `watch` is told the sweep
/// (from 0) and the steps that it has done.
///
/// # Errors
/// Options that make no range test; a device that fails. What the loss does is in the verdict.
pub fn find(
    trainer: &mut Trainer,
    options: &RangeTestOptions,
    watch: &mut dyn FnMut(u64, u64),
) -> Result<RangeTest> {
    options.check()?;
    let before = trainer.state()?;
    let schedule = trainer.set_schedule(sweep::policy(options));
    let swept = sweep::all(trainer, options, &before, watch);
    trainer.set_schedule(schedule);
    trainer.restore(&before)?;
    Ok(judge(swept?, options))
}

/// Trains under bounds that a range test finds: runs it on `trainer`, which was made with any bounds,
/// and hands the schedule between the new bounds over. Where the curve was cut off at one end, the
/// test is run again, wider at that end; where it was noisy or flat, with more steps.
/// The options that were used in the end come with the test.
///
/// # Errors
/// [`Error::RangeTest`] where no curve gives bounds; as [`find`] otherwise.
pub fn find_and_adopt(
    trainer: &mut Trainer,
    options: &RangeTestOptions,
    watch: &mut dyn FnMut(u64, u64),
) -> Result<(RangeTest, RangeTestOptions)> {
    let mut options = *options;
    let mut test = find(trainer, &options, watch)?;
    for _ in 0..WIDER {
        let Some(wider) = widened(&options, test.verdict) else {
            break;
        };
        options = wider;
        test = find(trainer, &options, watch)?;
    }
    let Some(bounds) = test.as_bounds(&options) else {
        return Err(Error::RangeTest {
            says: format!("{} ({})", test.says, test.verdict.name()),
            help: "give schedule.base_lr and schedule.max_lr as numbers, or other options to the \
                   range test"
                .into(),
        });
    };
    trainer.adopt(&bounds)?;
    Ok((test, options))
}

/// Times that a test is made wider before training gives up.
const WIDER: usize = 2;

/// The same test a thousand times lower where the loss fell or exploded from the first rates on, a
/// hundred times higher where it never turned, three times slower where it is noisy or flat; `None`
/// where nothing has to be wider.
fn widened(options: &RangeTestOptions, verdict: Verdict) -> Option<RangeTestOptions> {
    let wider = match verdict {
        Verdict::Short | Verdict::Diverged => RangeTestOptions {
            from: options.from / 1e3,
            ..*options
        },
        Verdict::NoDivergence => RangeTestOptions {
            to: options.to * 1e2,
            ..*options
        },
        Verdict::Flat | Verdict::Noisy => {
            return Some(RangeTestOptions {
                steps: options.steps.saturating_mul(3),
                ..*options
            });
        }
        Verdict::Ok => return None,
    };
    // As many steps for each factor of the rate as before.
    let decades = |options: &RangeTestOptions| (options.to / options.from).log10();
    let steps = options.steps as f64 * decades(&wider) / decades(options);
    Some(RangeTestOptions {
        steps: steps.round() as u64,
        ..wider
    })
}

impl RangeTest {
    /// What `"auto"` stands for after this test; `None` unless the verdict is `ok`.
    #[must_use]
    pub fn as_bounds(&self, options: &RangeTestOptions) -> Option<config::Bounds> {
        Some(config::Bounds {
            base_lr: self.base_lr?,
            max_lr: self.max_lr?,
            from: options.describe(),
        })
    }
}

/// Reads bounds, suggestions and verdict from curves that are there already.
#[must_use]
pub fn judge(sweeps: Vec<Sweep>, options: &RangeTestOptions) -> RangeTest {
    let verdict = verdict::of(&sweeps, options);
    let ok = verdict == Verdict::Ok;
    let median = |of: fn(&SweepBounds) -> f64| {
        let bounds = sweeps.iter().filter_map(|sweep| sweep.bounds.as_ref());
        ok.then(|| round(smooth::median(bounds.map(of))))
    };
    RangeTest {
        base_lr: median(|bounds| bounds.base_lr),
        max_lr: median(|bounds| bounds.max_lr),
        says: verdict.sentence(options),
        verdict,
        rules: bounds::RULES.map(str::to_owned),
        suggestions: suggest::all(&sweeps, options.steps),
        sweeps,
    }
}

/// Three digits: more would say more than a range test knows.
fn round(rate: f64) -> f64 {
    format!("{rate:.2e}").parse().unwrap_or(rate)
}
