//! A rate through given points.

use super::anneal::{Anneal, share};
use super::length::{table, written};
use super::{Entry, Formula, InPython, Invalid, Policy, Python, Rate, Steps, check_rate};
use serde::Deserialize;

/// `lr(t) = a(lr_i -> lr_(i+1))` between the points `[t_i, lr_i]` and `[t_(i+1), lr_(i+1)]`, the
/// first rate before the first point and the last one after the last; `a` is `anneal_strategy`.
///
/// ```text
///    |     *
///    |    / \
///    |   /   `--.
///    |--*        `--*--------
///    +--|--|--------|-------- t
///          points
/// ```
///
/// Two points at one step are a jump: the later one holds from that step on. Source: optax's
/// `piecewise_interpolate_schedule`, with rates in place of factors. PyTorch has `LambdaLR` for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Piecewise {
    /// Steps in ascending order and the rates there, 0 or above; at least one.
    pub points: Vec<(u64, f64)>,
    /// The form of the way from point to point.
    pub anneal_strategy: Anneal,
}

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "piecewise",
    summary: "from point to point: [[step, lr], ...]",
    arguments: &["points", "anneal_strategy"],
    short: None,
    example: "points = [[0, 0.01], [400, 0.1], [1000, 0.001]]",
    parse: |args| {
        let given: Written = args.read()?;
        let points = given.points.into_iter();
        Ok(Box::new(Piecewise {
            points: points.map(|(step, lr)| (step.get(), lr)).collect(),
            anneal_strategy: given.anneal_strategy.unwrap_or(Anneal::Linear),
        }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    points: Vec<(Steps, f64)>,
    anneal_strategy: Option<Anneal>,
}

impl Policy for Piecewise {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        let refuse = |message: String| {
            Err(Invalid {
                key: "points",
                message,
            })
        };
        if self.points.is_empty() {
            return refuse("is empty; expected at least one [step, lr]".to_owned());
        }
        let mut before = 0;
        for (i, &(step, lr)) in self.points.iter().enumerate() {
            if let Err(invalid) = check_rate("points", lr) {
                return refuse(format!("[{i}] has a rate that {}", invalid.message));
            }
            if step < before {
                return refuse(format!(
                    "[{i}] is at step {step}, before {before}; expected steps in ascending order"
                ));
            }
            before = step;
        }
        Ok(())
    }

    fn at(&self, step: u64) -> Rate {
        let passed = self.points.partition_point(|(at, _)| *at <= step);
        let before = passed.checked_sub(1).and_then(|i| self.points.get(i));
        let lr = match (before, self.points.get(passed)) {
            (Some(&(from, a)), Some(&(to, b))) => {
                let share = share(step - from, to - from);
                self.anneal_strategy.between(a, b, share)
            }
            (Some(&(_, lr)), None) | (None, Some(&(_, lr))) => lr,
            (None, None) => 0.0,
        };
        Rate::new(lr)
    }

    fn end(&self) -> Option<u64> {
        self.points.last().map(|(step, _)| *step)
    }

    fn length(&self) -> Option<u64> {
        self.end()
    }

    fn python(&self) -> Option<&dyn InPython> {
        Some(self)
    }

    fn describe(&self) -> String {
        let points = self.points.iter();
        let points: Vec<String> = points.map(|(step, lr)| format!("{lr} at {step}")).collect();
        format!("piecewise: {}", points.join(", "))
    }

    fn arguments(&self) -> toml::Table {
        let point = |(step, lr): &(u64, f64)| {
            toml::Value::Array(vec![written(*step), toml::Value::Float(*lr)])
        };
        table([
            (
                "points",
                toml::Value::Array(self.points.iter().map(point).collect()),
            ),
            ("anneal_strategy", self.anneal_strategy.name().into()),
        ])
    }
}

impl InPython for Piecewise {
    fn formula(&self, _: &mut Python) -> Option<Formula> {
        let points = self.points.iter();
        let points: Vec<String> = points.map(|(at, lr)| format!("({at}, {lr:?})")).collect();
        Some(Formula {
            before: vec![
                format!("points = [{}]", points.join(", ")),
                "after = bisect.bisect([at for at, _ in points], t)".to_owned(),
                "(a, low), (b, high) = points[max(after - 1, 0)], points[min(after, len(points) - 1)]"
                    .to_owned(),
                "share = (t - a) / (b - a) if a < b else 0".to_owned(),
            ],
            ..Formula::new(self.anneal_strategy.python("low", "high", "share"))
        })
    }
}
