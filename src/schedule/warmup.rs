//! A warm-up before any policy.

use super::anneal::{Anneal, share};
use super::length::{table, written};
use super::python::float;
use super::{
    CycleAt, Entry, Formula, InPython, Invalid, Policy, Python, Rate, Steps, check_rate, member,
};
use serde::Deserialize;

/// `lr(t) = L * (start_factor + (1 - start_factor) * a((t + 1) / warmup_steps))` for `t < warmup_steps`, where `L`
/// is the first rate of the policy `then`; from step `warmup_steps` on `then`, from its own step 0.
///
/// ```text
///  L |    .--.
///    |   /    `-.           then
///    |  /        `-.
///    | /            `----...
///    +-----|---------------- t
///    0  warmup_steps
/// ```
///
/// No step is wasted at rate 0, and step `warmup_steps - 1` has `L` already: the form of schedulefree and of
/// the transformers library's `cosine_warmup_with_min_lr`. Momentum, where `then` cycles it, waits at
/// its first value. Source: Goyal et al., arXiv 1706.02677, section 2.2. PyTorch joins two schedulers
/// by `SequentialLR` for it, which sets the second one's momentum when it is made.
#[derive(Debug, Clone)]
pub struct Warmup {
    /// Steps of the warm-up; with 0 there is none.
    pub warmup_steps: u64,
    /// The factor that the warm-up starts from, from 0 to 1.
    pub start_factor: f64,
    /// The form of the rise.
    pub anneal_strategy: Anneal,
    /// What follows.
    pub then: Box<dyn Policy>,
}

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "warmup",
    summary: "up to the first rate of another policy, then that policy",
    arguments: &["warmup_steps", "start_factor", "anneal_strategy", "then"],
    short: None,
    example: "warmup_steps = 100\nthen = { policy = \"cosine\", lr = 0.1, t_max = 900 }",
    parse: |mut args| {
        let Some(then) = args.take("then") else {
            return Err(serde::de::Error::missing_field("then"));
        };
        let run = args.scope();
        let given: Written = args.read()?;
        let warmup_steps = given.warmup_steps.get();
        let then = match run {
            Some(run) => then.within(run.part(run.total_steps.saturating_sub(warmup_steps).max(1))),
            None => then,
        };
        Ok(Box::new(Warmup {
            warmup_steps,
            start_factor: given.start_factor,
            anneal_strategy: given.anneal_strategy.unwrap_or(Anneal::Linear),
            then: member::read(then)?,
        }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    warmup_steps: Steps,
    #[serde(default)]
    start_factor: f64,
    anneal_strategy: Option<Anneal>,
}

impl Policy for Warmup {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        check_rate("start_factor", self.start_factor)?;
        if self.start_factor > 1.0 {
            return Err(Invalid {
                key: "start_factor",
                message: format!("is {}; expected a factor from 0 to 1", self.start_factor),
            });
        }
        member::check(&*self.then, "then", "")
    }

    fn at(&self, step: u64) -> Rate {
        if step >= self.warmup_steps {
            return self.then.at(step - self.warmup_steps);
        }
        let first = self.then.at(0);
        let share = share(step + 1, self.warmup_steps);
        let factor = self.anneal_strategy.between(self.start_factor, 1.0, share);
        Rate {
            lr: first.lr * factor,
            ..first
        }
    }

    /// The warm-up is part of the cycle that `then` begins with.
    fn cycle(&self, step: u64) -> Option<CycleAt> {
        let cycle = self.then.cycle(step.saturating_sub(self.warmup_steps))?;
        let later = cycle.later(self.warmup_steps);
        Some(match cycle.start {
            0 => CycleAt { start: 0, ..later },
            _ => later,
        })
    }

    fn end(&self) -> Option<u64> {
        self.then.end()?.checked_add(self.warmup_steps)
    }

    fn length(&self) -> Option<u64> {
        self.then.length()?.checked_add(self.warmup_steps)
    }

    fn members(&self) -> Vec<(Option<u64>, &dyn Policy)> {
        vec![(Some(self.warmup_steps), &*self.then)]
    }

    fn observe(&mut self, evaluations: &[(u64, f64)]) {
        let own = evaluations.iter().filter_map(|(done, loss)| {
            let done = done.checked_sub(self.warmup_steps)?;
            (done > 0).then_some((done, *loss))
        });
        let own: Vec<_> = own.collect();
        self.then.observe(&own);
    }

    fn python(&self) -> Option<&dyn InPython> {
        Some(self)
    }

    fn describe(&self) -> String {
        format!(
            "warmup of {} steps, then {}",
            self.warmup_steps,
            self.then.describe()
        )
    }

    fn arguments(&self) -> toml::Table {
        table([
            ("warmup_steps", written(self.warmup_steps)),
            ("start_factor", self.start_factor.into()),
            ("anneal_strategy", self.anneal_strategy.name().into()),
            ("then", member::write(&*self.then).into()),
        ])
    }
}

impl InPython for Warmup {
    fn formula(&self, code: &mut Python) -> Option<Formula> {
        let then = code.member(&*self.then)?;
        let n = self.warmup_steps;
        let (rate, share) = (then.rate, format!("(t + 1) / {n}"));
        let share = format!("({share})");
        let start = float(self.start_factor);
        let factor = self.anneal_strategy.python(&start, "1.0", &share);
        let rises = format!("{rate}(0) * ({factor}) if t < {n}");
        Some(Formula {
            momentum: then.momentum.map(|name| format!("{name}(max(t - {n}, 0))")),
            ..Formula::new(format!("{rises} else {rate}(t - {n})"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Constant;

    #[test]
    fn without_steps_there_is_no_warm_up() {
        let warmup = Warmup {
            warmup_steps: 0,
            start_factor: 0.0,
            anneal_strategy: Anneal::Linear,
            then: Box::new(Constant { lr: 0.5 }),
        };
        assert_eq!(warmup.validate(), Ok(()));
        assert_eq!([0, 1, 9].map(|step| warmup.at(step).lr), [0.5; 3]);
    }
}
