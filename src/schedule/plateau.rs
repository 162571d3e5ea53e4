//! The rate falls when the evaluations no longer get better: the policy with state.

use super::python::float;
use super::{Entry, Formula, InPython, Invalid, Policy, Python, Rate, Scheduler, Span, check_rate};
use serde::{Deserialize, Serialize};

/// `lr(t) = lr`, times `factor` (but not below `min_lr`) after each time that more than `patience`
/// evaluations in a row had no better loss.
///
/// ```text
/// lr |-------.
///    |       |  patience + 1 evaluations without a better loss
///    |       `-------.______
///    +--x--x--x--x--x--x--x-- t    x: an evaluation
/// ```
///
/// A loss is better below `best * (1 - threshold)` (`rel`) or `best - threshold` (`abs`). After a
/// fall, `cooldown` evaluations do not count. A fall of `eps` or less is left out. The trainer tells
/// the losses of the validation set; the falls are kept with their steps, so that the rate of a step
/// never changes afterwards.
///
/// Source: PyTorch's `ReduceLROnPlateau` with `mode='min'`, equal to its values. Keras's lowers the
/// rate one evaluation earlier and takes its threshold as absolute.
#[derive(Debug, Clone, PartialEq)]
pub struct Plateau {
    arguments: Arguments,
    /// The first step of each new rate, and the rate.
    falls: Vec<(u64, f64)>,
}

/// How a better loss is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ThresholdMode {
    Rel,
    Abs,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    lr: f64,
    #[serde(default = "tenth")]
    factor: f64,
    #[serde(default = "ten")]
    patience: u64,
    #[serde(default = "threshold")]
    threshold: f64,
    #[serde(default = "rel")]
    threshold_mode: ThresholdMode,
    #[serde(default)]
    cooldown: u64,
    #[serde(default)]
    min_lr: f64,
    #[serde(default = "eps")]
    eps: f64,
}

fn tenth() -> f64 {
    0.1
}
fn ten() -> u64 {
    10
}
fn threshold() -> f64 {
    1e-4
}
fn rel() -> ThresholdMode {
    ThresholdMode::Rel
}
fn eps() -> f64 {
    1e-8
}

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "plateau",
    summary: "lr times factor when the held-out loss no longer falls",
    arguments: &[
        "lr",
        "factor",
        "patience",
        "threshold",
        "threshold_mode",
        "cooldown",
        "min_lr",
        "eps",
    ],
    short: None,
    example: "lr = 0.1\npatience = 2",
    parse: |args| {
        Ok(Box::new(Plateau {
            arguments: args.with_bounds("", "lr").read()?,
            falls: Vec::new(),
        }))
    },
};

impl Arguments {
    fn is_better(&self, loss: f64, best: f64) -> bool {
        match self.threshold_mode {
            ThresholdMode::Rel => loss < best * (1.0 - self.threshold),
            ThresholdMode::Abs => loss < best - self.threshold,
        }
    }
}

impl Policy for Plateau {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        let given = &self.arguments;
        let refuse = |key, message: String| Err(Invalid { key, message });
        check_rate("lr", given.lr)?;
        if !(given.factor > 0.0 && given.factor < 1.0) {
            let message = format!("is {}; expected a factor between 0 and 1", given.factor);
            return refuse("factor", message);
        }
        for (key, value) in [("threshold", given.threshold), ("eps", given.eps)] {
            if !(value >= 0.0 && value.is_finite()) {
                return refuse(key, format!("is {value}; expected a number, 0 or above"));
            }
        }
        if given.threshold_mode == ThresholdMode::Rel && given.threshold >= 1.0 {
            let message = format!("is {}; expected a share of the best loss", given.threshold);
            return refuse(
                "threshold",
                format!("{message}, below 1 (or threshold_mode = \"abs\")"),
            );
        }
        check_rate("min_lr", given.min_lr)?;
        if given.min_lr > given.lr {
            let message = format!("is {}, above lr = {}", given.min_lr, given.lr);
            return refuse("min_lr", format!("{message}; expected at most lr"));
        }
        Ok(())
    }

    fn at(&self, step: u64) -> Rate {
        let mut falls = self.falls.iter().rev();
        let last = falls.find(|(from, _)| *from <= step);
        Rate::new(last.map_or(self.arguments.lr, |(_, lr)| *lr))
    }

    fn observe(&mut self, evaluations: &[(u64, f64)]) {
        let given = &self.arguments;
        let (mut best, mut bad, mut cooling) = (f64::INFINITY, 0_u64, 0_u64);
        let mut lr = given.lr;
        self.falls.clear();
        for &(done, loss) in evaluations {
            if given.is_better(loss, best) {
                best = loss;
                bad = 0;
            } else {
                bad += 1;
            }
            if cooling > 0 {
                cooling -= 1;
                bad = 0;
            }
            if bad > given.patience {
                let lower = (lr * given.factor).max(given.min_lr);
                bad = 0;
                cooling = given.cooldown;
                if lr - lower > given.eps {
                    lr = lower;
                    self.falls.push((done, lr));
                }
            }
        }
    }

    fn reads_evaluations(&self) -> bool {
        true
    }

    fn between(&self, span: &Span) -> Option<String> {
        // A run is looked at 40 times or a few more.
        Some(format!("{}\npatience = 3", span.lr()))
    }

    fn python(&self) -> Option<&dyn InPython> {
        Some(self)
    }

    fn describe(&self) -> String {
        let Arguments {
            lr,
            factor,
            patience,
            ..
        } = self.arguments;
        format!(
            "plateau from {lr}, times {factor} after more than {patience} evaluations without a \
             better held-out loss"
        )
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::try_from(&self.arguments).unwrap_or_default()
    }
}

impl InPython for Plateau {
    /// None: what the losses will be is not known.
    fn formula(&self, _: &mut Python) -> Option<Formula> {
        None
    }

    fn scheduler(&self, _: u64) -> Option<Scheduler> {
        let given = &self.arguments;
        let numbers = [given.factor, given.threshold, given.min_lr, given.eps];
        let [factor, threshold, least, eps] = numbers.map(float);
        let mode = match given.threshold_mode {
            ThresholdMode::Rel => "rel",
            ThresholdMode::Abs => "abs",
        };
        let (patience, cooldown) = (given.patience, given.cooldown);
        let call = format!(
            "ReduceLROnPlateau(mode=\"min\", factor={factor}, patience={patience}, \
             threshold={threshold}, threshold_mode=\"{mode}\", cooldown={cooldown}, \
             min_lr={least}, eps={eps})"
        );
        Some(Scheduler {
            evaluated: true,
            ..Scheduler::new(given.lr, call)
        })
    }
}
