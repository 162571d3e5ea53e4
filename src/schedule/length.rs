//! Lengths that default to the run's, and what all policies refuse about lengths and factors.

use super::{Invalid, Scope, Steps};
use serde::de::Error;

/// The length that was given, or else the run's; without either, `key` is missing.
pub(super) fn or_run(
    given: Option<Steps>,
    run: Option<Scope>,
    key: &'static str,
) -> Result<u64, toml::de::Error> {
    match (given, run) {
        (Some(steps), _) => Ok(steps.get()),
        (None, Some(run)) => Ok(run.total_steps),
        (None, None) => Err(toml::de::Error::missing_field(key)),
    }
}

/// Refuses a length of no step.
pub(super) fn check_steps(key: &'static str, steps: u64) -> Result<(), Invalid> {
    if steps > 0 {
        return Ok(());
    }
    Err(Invalid {
        key,
        message: "is 0; expected at least 1 step (a step is one batch)".to_owned(),
    })
}

/// Refuses a factor outside `(0, 1]`.
pub(super) fn check_decay(key: &'static str, factor: f64) -> Result<(), Invalid> {
    if factor > 0.0 && factor <= 1.0 {
        return Ok(());
    }
    Err(Invalid {
        key,
        message: format!("is {factor}; expected a factor above 0 and at most 1 (1 is no decay)"),
    })
}

/// A number of steps as TOML writes it.
pub(super) fn written(steps: u64) -> toml::Value {
    i64::try_from(steps).unwrap_or(i64::MAX).into()
}

/// Arguments as they would be written.
pub(super) fn table<const N: usize>(pairs: [(&str, toml::Value); N]) -> toml::Table {
    let pairs = pairs.into_iter();
    pairs.map(|(key, value)| (key.to_owned(), value)).collect()
}
