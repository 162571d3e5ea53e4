//! The range test: the rate rises from far too low to far too high within some hundred steps, and
//! the loss on the way tells between which rates a cycle should swing.
//!
//! After L. N. Smith, arXiv 1506.01186, section 3.3, with the exponential rise and the stop of
//! fastai's `lr_find`. What is read from the curve stands in [`bounds`], and short cycles settle how much
//! of its `max_lr` they bear ([`trials`]); the curve is smoothed about
//! each point (`smooth.rs`), so the answer does not lag behind the rate as it does after a running
//! average; the running average of fastai is kept for its four suggestions ([`suggest`]).
//!
//! Nothing is disturbed: weights, the optimizer's states, running statistics, random streams and the place in
//! the data are the same bits afterwards.

pub mod bounds;
pub mod confirm;
mod curve;
mod cycles;
mod interval;
mod smooth;
pub mod suggest;
mod sweep;
pub mod trials;
mod verdict;

use serde::{Deserialize, Serialize};

use super::compare;
use crate::args::counted;
use crate::config;
use crate::data::Extent;
use crate::error::{Error, Result};
use crate::train::{State, Trainer};

pub use bounds::{BaseRule, MaxRule, SweepBounds};
pub use confirm::Confirmation;
pub use curve::SweepPoint;
pub use cycles::{LEAST_STEPS, Multiple};
pub use suggest::Suggestions;
pub use sweep::Sweep;
pub use trials::Trials;
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
    /// Adds sweeps, up to 20 in all, until the upper end of both bounds' intervals is at most so
    /// many times the lower; above 1. (Intervals that are looked at until they are narrow hold the
    /// truth a little less often than 95 times in 100.)
    pub until: Option<f64>,
    /// Raises the rate by equal amounts, not by equal factors.
    pub linear: bool,
    /// Steps of the trial cycles that settle how much of `max_lr` cycles bear, at least [`LEAST_STEPS`];
    /// 0 for none, and half the rate of the least loss.
    pub trial_steps: u64,
    /// Starts each sweep from the trainer's weights as they are, not from initial weights.
    pub keep_weights: bool,
}

impl Default for RangeTestOptions {
    /// From 1e-5 to 10 in 200 steps, three sweeps from initial weights, trial cycles of 100 steps: right
    /// for image classifiers of any size.
    fn default() -> Self {
        Self {
            from: 1e-5,
            to: 10.0,
            steps: 200,
            seeds: 3,
            until: None,
            linear: false,
            trial_steps: 100,
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
        if (1..LEAST_STEPS).contains(&self.trial_steps) {
            let expected = format!("at least {LEAST_STEPS} steps, or 0 for no trial cycles");
            return refuse("trial_steps", self.trial_steps.to_string(), &expected);
        }
        if let Some(until) = self
            .until
            .filter(|until| !(*until > 1.0 && until.is_finite()))
        {
            let expected =
                "a factor above 1, such as 1.5: upper end of an interval over its lower one";
            return refuse("until", until.to_string(), expected);
        }
        Ok(())
    }

    /// The test in words: `a range test from 0.00001 to 10 in 200 steps, 3 seeds`.
    #[must_use]
    pub fn describe(&self) -> String {
        let seeds = counted(self.seeds, "seed");
        let (from, to, steps) = (self.from, self.to, self.steps);
        let until = match self.until {
            Some(until) => format!(", more until their intervals are within a factor of {until}"),
            None => String::new(),
        };
        let trials = match self.trial_steps {
            0 => String::new(),
            steps => format!(", trial cycles of {}", counted(steps, "step")),
        };
        format!("a range test from {from} to {to} in {steps} steps, {seeds}{until}{trials}")
    }

    /// The factor between the rates of two steps at about `rate`.
    fn factor(&self, rate: f64) -> f64 {
        let last = (self.steps.max(2) - 1) as f64;
        if self.linear {
            1.0 + (self.to - self.from) / last / rate
        } else {
            libm::pow(self.to / self.from, 1.0 / last)
        }
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
    /// The 95 % interval of `base_lr` over seeds and orders of the data; `None` without bounds or
    /// of one sweep.
    #[serde(default)]
    pub base_lr_interval: Option<[f64; 2]>,
    /// The same of `max_lr`.
    #[serde(default)]
    pub max_lr_interval: Option<[f64; 2]>,
    /// What [`RangeTestOptions::until`] reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// What trial cycles made of the curves' `max_lr`; `None` without bounds, or where none were wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials: Option<Trials>,
    /// What cycles between the bounds, and between multiples of them, came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
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

/// How far more sweeps have narrowed the bounds' intervals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Until {
    /// What was asked for.
    pub wanted: f64,
    /// The upper end of the wider interval over its lower one; `None` without intervals.
    pub reached: Option<f64>,
}

impl Until {
    /// Whether that is narrow enough.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        self.reached.is_some_and(|reached| reached <= self.wanted)
    }
}

/// How far a range test is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindProgress {
    /// The sweep, from 0, has done so many steps.
    Sweep {
        /// The sweep, from 0.
        number: u64,
        /// Steps that it has done.
        step: u64,
    },
    /// So many trial cycles are done.
    Cycle {
        /// Cycles.
        done: u64,
    },
}

/// Sweeps of a test, at most, where they are added for narrower intervals.
pub const MOST_SWEEPS: u64 = 20;

/// Runs the range test on `trainer`, whose state is the same afterwards; `watch` is told how far it is,
/// and its error ends the test.
///
/// # Errors
/// Options that make no range test; a device that fails. What the loss does is in the verdict.
pub fn find(
    trainer: &mut Trainer,
    options: &RangeTestOptions,
    watch: &mut dyn FnMut(FindProgress) -> Result<()>,
) -> Result<RangeTest> {
    options.check()?;
    let before = trainer.state()?;
    let schedule = trainer.set_schedule(sweep::policy(options));
    let test = settled(trainer, options, &before, watch);
    trainer.set_schedule(schedule);
    trainer.restore(&before)?;
    test
}

/// The sweeps, and cycles between the bounds that they give.
fn settled(
    trainer: &mut Trainer,
    options: &RangeTestOptions,
    before: &State,
    watch: &mut dyn FnMut(FindProgress) -> Result<()>,
) -> Result<RangeTest> {
    let mut test = swept(trainer, options, before, watch)?;
    trials::settle(trainer, &mut test, options, before, watch)?;
    Ok(test)
}

/// The sweeps that were asked for, and more until their bounds are known well enough.
fn swept(
    trainer: &mut Trainer,
    options: &RangeTestOptions,
    before: &State,
    watch: &mut dyn FnMut(FindProgress) -> Result<()>,
) -> Result<RangeTest> {
    let mut sweeps = Vec::new();
    loop {
        let number = sweeps.len() as u64;
        sweeps.push(sweep::nth(trainer, options, before, number, watch)?);
        if number + 1 < options.seeds {
            continue;
        }
        let test = judge(sweeps, options);
        if number + 1 >= MOST_SWEEPS || !test.wants_more() {
            return Ok(test);
        }
        sweeps = test.sweeps;
    }
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
    watch: &mut dyn FnMut(FindProgress) -> Result<()>,
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
    /// Whether more sweeps are wanted, and could make the intervals narrower.
    fn wants_more(&self) -> bool {
        let open = self.until.is_some_and(|until| !until.is_reached());
        open && matches!(self.verdict, Verdict::Ok | Verdict::Noisy)
    }

    /// Multiplies `max_lr` by the factor of trial cycles.
    fn take(&mut self, trials: Trials) {
        let factor = trials.factor;
        let by = |digits| move |rate: f64| interval::round(rate * factor, digits);
        self.max_lr = self.max_lr.map(by(3));
        self.max_lr_interval = self.max_lr_interval.map(|ends| ends.map(by(2)));
        self.rules[1] += &trials.says();
        self.trials = Some(trials);
    }

    /// What `"auto"` stands for after this test; `None` unless the verdict is `ok`.
    #[must_use]
    pub fn as_bounds(&self, options: &RangeTestOptions) -> Option<config::Bounds> {
        Some(config::Bounds {
            base_lr: self.base_lr?,
            max_lr: self.max_lr?,
            intervals: self
                .base_lr_interval
                .zip(self.max_lr_interval)
                .map(<[_; 2]>::from),
            from: options.describe(),
        })
    }
}

/// What `config` trains between bounds that were found: its own schedule where that has bounds or
/// rates that are `"auto"`, or else the triangular one, a cycle in about eight epochs.
///
/// # Errors
/// As [`config::Config::settle`].
pub fn between(
    config: &config::Config,
    samples: Extent,
    bounds: &config::Bounds,
) -> Result<config::Settled> {
    if config.schedule.wants_bounds() {
        return config.settle(samples, Some(bounds));
    }
    let own = config.settle(samples, None)?;
    let arguments = own.schedule.arguments();
    let mut set = vec!["base_lr=auto".to_owned(), "max_lr=auto".to_owned()];
    if !["base_lr", "max_lr"]
        .iter()
        .all(|key| arguments.contains_key(*key))
    {
        let half = compare::half_cycle(&own, own.total_steps);
        set.extend([
            "policy=triangular".to_owned(),
            format!("step_size_up={half}"),
        ]);
    }
    let overrides = config::Overrides {
        set: set.iter().map(|pair| format!("schedule.{pair}")).collect(),
        ..config::Overrides::default()
    };
    let other = config::Config::read("config.toml", &own.to_toml(), &overrides, &config.tables)?;
    other.settle(samples, Some(bounds))
}

/// Reads bounds, suggestions and verdict from curves that are there already.
#[must_use]
pub fn judge(sweeps: Vec<Sweep>, options: &RangeTestOptions) -> RangeTest {
    let verdict = verdict::of(&sweeps, options);
    let bounds: Vec<SweepBounds> = match verdict {
        Verdict::Ok => sweeps.iter().filter_map(|sweep| sweep.bounds).collect(),
        _ => Vec::new(),
    };
    let over = |of: fn(&SweepBounds) -> f64| {
        let rates: Vec<f64> = bounds.iter().map(of).collect();
        let middle = smooth::median(rates.iter().copied());
        interval::bound(&rates, options.factor(middle))
    };
    let base = over(|bounds| bounds.base_lr);
    let max = over(|bounds| bounds.max_lr);
    let spreads = base
        .zip(max)
        .and_then(|(base, max)| Some((base.spread()?, max.spread()?)));
    let until = options.until.map(|wanted| Until {
        wanted,
        reached: spreads.map(|(base, max)| base.max(max)),
    });
    let [base, max] = [base, max].map(|bound| bound.map(interval::Bound::rounded));
    RangeTest {
        base_lr: base.map(|bound| bound.rate),
        max_lr: max.map(|bound| bound.rate),
        base_lr_interval: base.and_then(|bound| bound.interval),
        max_lr_interval: max.and_then(|bound| bound.interval),
        until,
        trials: None,
        confirmation: None,
        says: verdict.sentence(options),
        verdict,
        rules: bounds::rules(&bounds),
        suggestions: suggest::all(&sweeps, options.steps),
        sweeps,
    }
}
