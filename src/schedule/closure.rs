//! A user's own policy as a closure; for the library only, so it has no entry in the table.

use std::sync::Arc;

use super::{CycleAt, Invalid, Policy, Rate};

/// `at(t) = f(t)` for a closure `f`.
///
/// ```text
/// lr |  whatever
///    |      f gives
///    +-------------- t
/// ```
///
/// The closure must be pure: the engine asks for steps ahead of time, may ask twice, and a resumed
/// run starts in the middle. It must give finite rates, 0 or above; [`validate`](Policy::validate)
/// looks at step 0 only.
///
/// ```
/// use wavetrain::schedule::{Closure, Policy, Rate};
///
/// let warm_up = Closure::new("warm-up over 100 steps", |t| {
///     Rate::new(0.1 * ((t + 1) as f64 / 100.0).min(1.0))
/// });
/// assert_eq!(warm_up.at(0).lr, 0.001);
/// assert_eq!(warm_up.at(1_000_000).lr, 0.1);
/// ```
#[derive(Clone)]
pub struct Closure {
    description: String,
    at: Arc<dyn Fn(u64) -> Rate + Send + Sync>,
    period: Option<u64>,
    momentum_range: Option<[f64; 2]>,
}

impl Closure {
    /// A policy that asks `at` for each step; `description` is the line that people see.
    #[must_use]
    pub fn new(
        description: impl Into<String>,
        at: impl Fn(u64) -> Rate + Send + Sync + 'static,
    ) -> Self {
        Self {
            description: description.into(),
            at: Arc::new(at),
            period: None,
            momentum_range: None,
        }
    }

    /// States that the policy has cycles of `period` steps; charts mark them.
    #[must_use]
    pub fn with_period(mut self, period: u64) -> Self {
        self.period = Some(period);
        self
    }

    /// States that the closure gives momentums within `[base_momentum, max_momentum]`.
    #[must_use]
    pub fn with_momentum_range(mut self, range: [f64; 2]) -> Self {
        self.momentum_range = Some(range);
        self
    }
}

impl std::fmt::Debug for Closure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Closure")
            .field("description", &self.description)
            .field("period", &self.period)
            .field("momentum_range", &self.momentum_range)
            .finish_non_exhaustive()
    }
}

impl Policy for Closure {
    fn name(&self) -> &'static str {
        "closure"
    }

    fn validate(&self) -> Result<(), Invalid> {
        if self.period == Some(0) {
            return Err(Invalid {
                key: "period",
                message: "is 0; expected at least 1 step".to_owned(),
            });
        }
        super::check_rate("lr", (self.at)(0).lr)
    }

    fn at(&self, step: u64) -> Rate {
        (self.at)(step)
    }

    fn cycle(&self, step: u64) -> Option<CycleAt> {
        self.period.map(|period| CycleAt::every(period, step))
    }

    fn momentum_range(&self) -> Option<[f64; 2]> {
        self.momentum_range
    }

    fn describe(&self) -> String {
        self.description.clone()
    }

    /// The description alone: a closure cannot be written down.
    fn arguments(&self) -> toml::Table {
        toml::Table::from_iter([("description".to_owned(), self.description.clone().into())])
    }
}
