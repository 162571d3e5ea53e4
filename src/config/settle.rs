//! What a configuration leaves to the run: lengths in epochs, bounds that a range test finds.
//!
//! [`Config::load`] needs no data, so `schedule.step_size_up = "4 epochs"` stays as written until
//! [`Config::settle`] is told how many samples there are; `Trainer::new` does that. Bounds come from
//! whoever finds them:
//!
//! ```no_run
//! use wavetrain::config::{Bounds, Config};
//!
//! let mut config = Config::load(None, &Default::default())?;
//! if config.wants_bounds() {
//!     let (base_lr, max_lr) = (0.02, 0.4); // a range test, run here
//!     let from = "a range test of 100 steps".to_owned();
//!     config.set_bounds(Bounds { base_lr, max_lr, from })?;
//! }
//! # Ok::<(), wavetrain::Error>(())
//! ```

use super::problem::{self, Problem};
use super::text::Texts;
use super::{Config, Length};
use crate::args::{AUTO, Scope};
use crate::error::{Error, Result};

/// The two rates between which a schedule swings, found by a range test.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    /// The low rate, 0 or above.
    pub base_lr: f64,
    /// The high rate, above `base_lr`.
    pub max_lr: f64,
    /// Where they come from, for the run's `config.toml` (`wavetrain find, 3 seeds: ok`).
    pub from: String,
}

impl Bounds {
    /// One line: the rates and where they come from.
    #[must_use]
    pub fn describe(&self) -> String {
        let from: Vec<&str> = self.from.split(char::is_control).collect();
        let (base, max) = (self.base_lr, self.max_lr);
        format!("auto: from {base} to {max}, by {}", from.join(" "))
    }
}

impl Config {
    /// Whether the schedule has a rate `"auto"` and no bounds have been set: it cannot train yet.
    #[must_use]
    pub fn wants_bounds(&self) -> bool {
        self.bounds.is_none() && self.schedule.wants_bounds()
    }

    /// Sets what `"auto"` stands for in the schedule.
    ///
    /// # Errors
    /// [`Error::Argument`] unless both are finite and `0 <= base_lr < max_lr`.
    pub fn set_bounds(&mut self, bounds: Bounds) -> Result<()> {
        let Bounds {
            base_lr, max_lr, ..
        } = bounds;
        if !(base_lr >= 0.0 && base_lr < max_lr && (max_lr as f32).is_finite()) {
            return Err(Error::Argument {
                what: "bounds".to_owned(),
                found: format!("base_lr = {base_lr}, max_lr = {max_lr}"),
                expected: "finite rates with 0 <= base_lr < max_lr".to_owned(),
                help: "give schedule.base_lr and schedule.max_lr as numbers".to_owned(),
            });
        }
        self.bounds = Some(bounds);
        Ok(())
    }

    /// Makes the schedule that was meant for `train` training samples, those held out included:
    /// lengths become steps, `"auto"` the bounds that were set. Afterwards nothing is open, and
    /// [`Config::to_toml`] writes numbers.
    ///
    /// # Errors
    /// [`Error::Config`] if bounds are wanted and not set, and for lengths that make no schedule;
    /// and as [`Config::total_steps`].
    pub fn settle(&mut self, train: usize) -> Result<()> {
        if !self.schedule.is_open() {
            return Ok(());
        }
        let steps_per_epoch = self.steps_per_epoch(train)?;
        let total_steps = self.total_steps(train)?;
        self.settle_in(Some(steps_per_epoch), total_steps)
    }

    /// Like [`Config::settle`], for a run of `total_steps` steps with `steps_per_epoch` in an epoch
    /// (`None`: not known, so that no length can be given in epochs).
    ///
    /// # Errors
    /// As [`Config::settle`].
    pub fn settle_in(&mut self, steps_per_epoch: Option<u64>, total_steps: u64) -> Result<()> {
        if self.wants_bounds() {
            return Err(no_bounds(self));
        }
        let bounds = self.bounds.as_ref();
        let run = Scope {
            steps_per_epoch: steps_per_epoch.map(|steps| steps.max(1)),
            total_steps,
            bounds: bounds.map(|bounds| [bounds.base_lr, bounds.max_lr]),
        };
        if !self.schedule.wants_bounds() {
            self.bounds = None;
        }
        match self.schedule.settle(run) {
            None => Ok(()),
            Some(Ok(policy)) => {
                self.schedule = policy;
                Ok(())
            }
            Some(Err(invalid)) => {
                let key = format!("schedule.{}", invalid.key);
                let gap = if invalid.message.starts_with(['[', '.']) {
                    ""
                } else {
                    " "
                };
                let message = format!("{key}{gap}{}", invalid.message);
                let help = match steps_per_epoch {
                    Some(n) => format!("this run has {total_steps} steps, {n} in an epoch"),
                    None => "give all lengths of [schedule] in steps".to_owned(),
                };
                let problem = Problem::new(key, message).help(help);
                Err(problem::error(&[problem], &Texts::default()))
            }
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
        "`wavetrain find` finds them; write its base_lr and max_lr into [schedule], or set them \
         with --set (in the library: Config::set_bounds)",
    );
    problem::error(&[problem], &Texts::default())
}

/// Runs in which an open schedule is tried when it is read: the run that `data` and `train` make,
/// where the source states its size, or else some of very different sizes.
pub(super) fn runs(data: Option<&super::Data>, train: Option<&super::Train>) -> Vec<Scope> {
    let stated = data.and_then(|data| {
        let sizes = data.source.sizes?;
        let split = crate::data::Split::new(sizes.train, data.validation, data.seed).ok()?;
        let accumulate = train.map_or(1, |train| train.accumulate);
        data.steps_per_epoch(split.train.len(), accumulate).ok()
    });
    let sizes = stated.map_or_else(|| vec![10_000, 100, 1], |size| vec![size]);
    let run = |steps_per_epoch: u64| Scope {
        steps_per_epoch: Some(steps_per_epoch),
        total_steps: match train.map(super::Train::length) {
            Some(Length::Steps(steps)) => steps,
            Some(Length::Epochs(epochs)) => epochs.saturating_mul(steps_per_epoch),
            None => steps_per_epoch.saturating_mul(10),
        },
        // Apart from anything that the other bound may be.
        bounds: Some([0.0, 1e38]),
    };
    sizes.into_iter().map(run).collect()
}
