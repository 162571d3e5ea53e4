//! A configuration in a known run: lengths in epochs are steps, `"auto"` is what a range test found.
//!
//! [`Config::load`] needs no data, so `schedule.step_size_up = "4 epochs"` stays as written;
//! [`Config::settle`] is told how many samples there are, and makes what trains. `Trainer::new` does
//! that where nothing is `"auto"`. Bounds come from whoever finds them:
//!
//! ```no_run
//! use wavetrain::config::{Bounds, Config};
//!
//! let config = Config::load(None, &Default::default())?;
//! let bounds = config.schedule.wants_bounds().then(|| {
//!     let (base_lr, max_lr) = (0.02, 0.4); // a range test, run here
//!     let from = "a range test of 100 steps".to_owned();
//!     Bounds { base_lr, max_lr, intervals: None, from }
//! });
//! let settled = config.settle(20_000, bounds.as_ref())?;
//! println!("{}, {} steps", settled.schedule.describe(), settled.total_steps);
//! # Ok::<(), wavetrain::Error>(())
//! ```

use super::problem::{self, Problem};
use super::text::Texts;
use super::{Config, Data, Length, Train};
use crate::args::{AUTO, Scope};
use crate::data::Extent;
use crate::error::{Error, Result};
use crate::schedule::Policy;

/// The two rates between which a schedule swings, found by a range test.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    /// The low rate, 0 or above.
    pub base_lr: f64,
    /// The high rate, above `base_lr`.
    pub max_lr: f64,
    /// How well they are known: the ends of an interval of each, where there are any.
    pub intervals: Option<[[f64; 2]; 2]>,
    /// Where they come from, for the run's `config.toml` (`wavetrain find, 3 seeds: ok`).
    pub from: String,
}

impl Bounds {
    /// From 0 to 1, for a trainer or a drawing that is made before the bounds are found.
    #[must_use]
    pub fn provisional() -> Self {
        Self {
            base_lr: 0.0,
            max_lr: 1.0,
            intervals: None,
            from: "nobody yet".to_owned(),
        }
    }

    /// One line: the rates, how well they are known and where they come from.
    #[must_use]
    pub fn describe(&self) -> String {
        let from: Vec<&str> = self.from.split(char::is_control).collect();
        let between = |i: usize| match self.intervals.and_then(|ends| ends.get(i).copied()) {
            Some([low, high]) => format!(" ({low} to {high})"),
            None => String::new(),
        };
        let base = format!("{}{}", self.base_lr, between(0));
        let max = format!("{}{}", self.max_lr, between(1));
        format!("auto: from {base} to {max}, by {}", from.join(" "))
    }

    /// Bounds from the line that [`Bounds::describe`] writes.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let (rates, from) = line.strip_prefix("auto: from ")?.split_once(", by ")?;
        // Every number of "0.01 (0.009 to 0.012) to 0.1 (0.08 to 0.14)", in order.
        let plain = rates.replace(['(', ')'], " ").replace(" to ", " ");
        let numbers: Result<Vec<f64>, _> = plain.split_whitespace().map(str::parse).collect();
        let (base_lr, max_lr, intervals) = match numbers.ok()?[..] {
            [base, max] => (base, max, None),
            [base, a, b, max, c, d] => (base, max, Some([[a, b], [c, d]])),
            _ => return None,
        };
        Some(Self {
            base_lr,
            max_lr,
            intervals,
            from: from.to_owned(),
        })
    }

    /// Whether these are such bounds: each within its interval, or the same where there is none.
    #[must_use]
    pub fn hold(&self, base_lr: f64, max_lr: f64) -> bool {
        let same = [[self.base_lr; 2], [self.max_lr; 2]];
        let [base, max] = self.intervals.unwrap_or(same);
        (base[0]..=base[1]).contains(&base_lr) && (max[0]..=max[1]).contains(&max_lr)
    }

    fn check(&self) -> Result<()> {
        let (base_lr, max_lr) = (self.base_lr, self.max_lr);
        if base_lr >= 0.0 && base_lr < max_lr && (max_lr as f32).is_finite() {
            return Ok(());
        }
        Err(Error::Argument {
            what: "bounds".to_owned(),
            found: format!("base_lr = {base_lr}, max_lr = {max_lr}"),
            expected: "finite rates with 0 <= base_lr < max_lr".to_owned(),
            help: "give schedule.base_lr and schedule.max_lr as numbers".to_owned(),
        })
    }
}

/// What trains: a configuration in a known run, with nothing left open.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The configuration as written; its `schedule` is not what trains.
    pub config: Config,
    /// The schedule.
    pub schedule: Box<dyn Policy>,
    /// What `"auto"` stood for; `None` where nothing was.
    pub bounds: Option<Bounds>,
    /// Steps in one pass over the samples that are trained on; at least 1.
    pub steps_per_epoch: u64,
    /// Steps of the whole run; at least 1.
    pub total_steps: u64,
    /// Steps between two evaluations; at least 1.
    pub eval_every: u64,
    /// Steps between evaluations of the test set where there is a validation set; 0: once, at the end.
    pub test_every: u64,
}

impl Settled {
    /// Says that rates of the schedule, which are numbers by now, came from `bounds`; where they are
    /// others, they do not.
    pub fn remember(&mut self, bounds: Bounds) {
        let mut rates = Vec::new();
        floats(&self.schedule.arguments(), &mut rates);
        let own = |rate: f64| rates.iter().any(|(_, other)| *other == rate);
        let mut low = rates.iter().filter(|(key, _)| key == "base_lr");
        if own(bounds.max_lr) && low.all(|(_, rate)| *rate == bounds.base_lr) {
            self.bounds = Some(bounds);
        }
    }
}

impl Config {
    /// What trains with `samples` training samples ([`crate::data::Samples::extent`], or their number
    /// where they are no windows of a text), those of the validation set included: lengths
    /// become steps, and `"auto"` becomes `bounds`, which are not looked at where nothing is.
    ///
    /// # Errors
    /// [`Error::Config`] if bounds are wanted and not given, and for lengths that make no schedule;
    /// [`Error::Argument`] for bounds that are no rates with `0 <= base_lr < max_lr`; and as
    /// [`Config::total_steps`].
    pub fn settle(&self, samples: impl Into<Extent>, bounds: Option<&Bounds>) -> Result<Settled> {
        let samples = samples.into();
        let steps_per_epoch = self.steps_per_epoch(samples)?;
        let total_steps = self.total_steps(samples)?;
        let steps = |length: Length| match length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => epochs.saturating_mul(steps_per_epoch),
        };
        let bounds = bounds.filter(|_| self.schedule.wants_bounds());
        let mut settled = Settled {
            schedule: self.schedule_in(Some(steps_per_epoch), total_steps, bounds)?,
            config: self.clone(),
            bounds: bounds.cloned(),
            steps_per_epoch,
            total_steps,
            eval_every: steps(self.train.eval_every).max(1),
            test_every: self.train.test_every.map_or(0, steps),
        };
        if let (None, Some(found)) = (&settled.bounds, &self.bounds) {
            settled.remember(found.clone());
        }
        Ok(settled)
    }

    /// The schedule alone, in a run of `total_steps` steps with `steps_per_epoch` in an epoch
    /// (`None`: not known, so that no length can be given in epochs).
    ///
    /// # Errors
    /// As [`Config::settle`].
    pub fn schedule_in(
        &self,
        steps_per_epoch: Option<u64>,
        total_steps: u64,
        bounds: Option<&Bounds>,
    ) -> Result<Box<dyn Policy>> {
        if self.schedule.wants_bounds() {
            bounds.ok_or_else(|| no_bounds(self))?.check()?;
        }
        let run = Scope {
            steps_per_epoch: steps_per_epoch.map(|steps| steps.max(1)),
            total_steps,
            bounds: bounds.map(|bounds| [bounds.base_lr, bounds.max_lr]),
        };
        self.schedule.in_run(run).map_err(|invalid| {
            let help = match steps_per_epoch {
                Some(n) => format!("this run has {total_steps} steps, {n} in an epoch"),
                None => "give all lengths of [schedule] in steps".to_owned(),
            };
            let key = format!("schedule.{}", invalid.key);
            let problem = Problem::new(key, invalid.within("schedule")).help(help);
            problem::error(&[problem], &Texts::default())
        })
    }
}

/// The numbers of a table and of those within it, with their keys.
fn floats(table: &toml::Table, found: &mut Vec<(String, f64)>) {
    for (key, value) in table {
        match value {
            toml::Value::Float(number) => found.push((key.clone(), *number)),
            toml::Value::Table(inner) => floats(inner, found),
            toml::Value::Array(array) => {
                let tables = array.iter().filter_map(toml::Value::as_table);
                tables.for_each(|inner| floats(inner, found));
            }
            _ => {}
        }
    }
}

fn no_bounds(config: &Config) -> Error {
    let arguments = config.schedule.arguments();
    let mut open = arguments.iter();
    let open = open.find(|(_, value)| value.as_str() == Some(AUTO));
    let key = open.map_or("bounds", |(key, _)| key.as_str());
    let key = format!("schedule.{key}");
    let message = format!(
        "{key} is \"auto\", and no range test has found the bounds; expected numbers before \
         anything is trained"
    );
    let problem = Problem::new(key, message).help(
        "`wavetrain find` finds them; write its base_lr and max_lr into [schedule] (in the \
         library: Config::settle)",
    );
    problem::error(&[problem], &Texts::default())
}

/// Runs in which an open schedule is tried when it is read: the run that `data` and `train` make,
/// where the source states its size, or else some of very different sizes.
pub(super) fn runs(data: Option<&Data>, train: Option<&Train>) -> Vec<Scope> {
    let stated = data.and_then(|data| {
        let samples = data.known_samples()?;
        let samples = data.samples_per_epoch(samples.into()).ok()?;
        let accumulate = train.map_or(1, |train| train.accumulate);
        data.steps_per_epoch(samples, accumulate).ok()
    });
    let sizes = stated.map_or_else(|| vec![10_000, 100, 1], |size| vec![size]);
    let run = |steps_per_epoch: u64| Scope {
        steps_per_epoch: Some(steps_per_epoch),
        total_steps: match train.map(Train::length) {
            Some(Length::Steps(steps)) => steps,
            Some(Length::Epochs(epochs)) => epochs.saturating_mul(steps_per_epoch),
            None => steps_per_epoch.saturating_mul(10),
        },
        // Apart from anything that the other bound may be.
        bounds: Some([0.0, 1e38]),
    };
    sizes.into_iter().map(run).collect()
}
