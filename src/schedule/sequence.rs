//! Policies one after the other.

use super::length::{table, written};
use super::{CycleAt, Entry, Formula, InPython, Invalid, Policy, Python, Rate, Scope, member};
use crate::args::{Args, Steps};
use serde::Deserialize;

/// `lr(t) = lr_i(t - start_i)`: policy `i` from its own step 0, for its number of `steps`, then the
/// next. The last one goes on for ever.
///
/// ```text
///    |  /\
///    | /  \    .
///    |/    \  / \
///    |      \/   `-------.______
///    +-------|---|-------|------ t
///       first  second   third
/// ```
///
/// Each element of `policies` is a table with `policy`, that policy's arguments and `steps`.
/// `steps` may be left out for a policy with an end of its own (`one_cycle`, `cosine`, `linear`, a
/// sequence that ends ...) and for the last one. Sequences nest. What is counted as the run's length
/// within a member (the `total_steps` of `one_cycle`) is the member's.
///
/// Source: L. N. Smith, arXiv 1506.01186, table 2 is one of these. Equal to PyTorch's `SequentialLR`
/// with milestones at the sums of `steps`, where that is right: it skips a step when it is wrapped
/// and refuses to be nested (pytorch/pytorch#196243, #67957), and sets momentums long before their
/// part begins.
#[derive(Debug, Clone)]
pub struct Sequence {
    /// The policies and how many steps each has; the last one's number is not used.
    pub policies: Vec<Member>,
}

/// A policy and its number of steps, where that is given.
pub type Member = (Box<dyn Policy>, Option<u64>);

pub(super) const ENTRY: Entry<dyn Policy> = Entry {
    name: "sequence",
    summary: "policies one after the other, each from its own step 0",
    arguments: &["policies"],
    short: None,
    example: "policies = [{ policy = \"constant\", lr = 0.1, steps = 400 }, { policy = \"cosine\", lr = 0.1, t_max = 600 }]",
    parse: |mut args| {
        let Some(policies) = args.take("policies") else {
            return Err(serde::de::Error::missing_field("policies"));
        };
        let Some(elements) = policies.elements() else {
            return Err(
                policies.refuse("is no array; expected [{ policy = \"...\", steps = N }, ...]")
            );
        };
        let run = args.scope();
        args.read::<NoMore>()?;
        Ok(Box::new(Sequence {
            policies: members(elements, run)?,
        }))
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoMore {}

fn members(elements: Vec<Args<'_>>, run: Option<Scope>) -> Result<Vec<Member>, toml::de::Error> {
    let mut left = run.map(|run| run.total_steps);
    let mut made = Vec::new();
    for mut element in elements {
        let steps = element.take("steps");
        let steps = steps.map(Args::read::<Steps>).transpose()?.map(Steps::get);
        if let (Some(run), Some(left)) = (run, left) {
            let part = steps.unwrap_or(left).max(1);
            element = element.within(run.part(part));
        }
        let policy = member::read(element)?;
        let length = steps.or_else(|| policy.length());
        left = left.map(|left| left.saturating_sub(length.unwrap_or(0)));
        made.push((policy, steps));
    }
    Ok(made)
}

impl Sequence {
    /// The member that `step` belongs to, and the sequence's step at which it starts.
    fn member(&self, step: u64) -> Option<(&dyn Policy, u64)> {
        let (position, start) = self.place(step)?;
        Some((&*self.policies[position].0, start))
    }

    /// The position of that member, and the step at which it starts.
    fn place(&self, step: u64) -> Option<(usize, u64)> {
        let mut start = 0_u64;
        let last = self.policies.len().checked_sub(1)?;
        for (position, (policy, steps)) in self.policies[..last].iter().enumerate() {
            let length = steps.or_else(|| policy.length()).unwrap_or(0);
            if step - start < length {
                return Some((position, start));
            }
            start += length;
        }
        Some((last, start))
    }

    /// The step at which the last member starts; `None` where one before it never ends.
    fn last_start(&self) -> Option<u64> {
        let (_, before) = self.policies.split_last()?;
        before.iter().try_fold(0_u64, |sum, (policy, steps)| {
            sum.checked_add(steps.or_else(|| policy.length())?)
        })
    }
}

impl Policy for Sequence {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn validate(&self) -> Result<(), Invalid> {
        let refuse = |message: String| {
            Err(Invalid {
                key: "policies",
                message,
            })
        };
        if self.policies.is_empty() {
            return refuse("is empty; expected at least one policy".to_owned());
        }
        let last = self.policies.len() - 1;
        for (i, (policy, steps)) in self.policies.iter().enumerate() {
            if *steps == Some(0) {
                return refuse(format!("[{i}].steps is 0; expected at least 1 step"));
            }
            if i < last && steps.or_else(|| policy.length()).is_none() {
                return refuse(format!(
                    "[{i}] ({}) never ends, so that what stands after it is never reached; expected \
                     `steps`, how many it has",
                    policy.name()
                ));
            }
            member::check(&**policy, "policies", &format!("[{i}]"))?;
        }
        match self.last_start() {
            Some(start) if start <= i64::MAX as u64 => Ok(()),
            _ => refuse("has more steps than a 64-bit integer; expected fewer".to_owned()),
        }
    }

    fn at(&self, step: u64) -> Rate {
        self.member(step)
            .map_or(Rate::new(0.0), |(policy, start)| policy.at(step - start))
    }

    fn cycle(&self, step: u64) -> Option<CycleAt> {
        let (policy, start) = self.member(step)?;
        Some(policy.cycle(step - start)?.later(start))
    }

    fn end(&self) -> Option<u64> {
        let (last, _) = self.policies.last()?;
        last.end()?.checked_add(self.last_start()?)
    }

    fn length(&self) -> Option<u64> {
        let (last, steps) = self.policies.last()?;
        let length = steps.or_else(|| last.length())?;
        self.last_start()?.checked_add(length)
    }

    fn members(&self) -> Vec<(Option<u64>, &dyn Policy)> {
        let mut start = Some(0_u64);
        let each = self.policies.iter().map(|(policy, steps)| {
            let length = steps.or_else(|| policy.length());
            let end = start
                .zip(length)
                .and_then(|(start, length)| start.checked_add(length));
            (std::mem::replace(&mut start, end), &**policy)
        });
        each.collect()
    }

    /// Each member is told of the evaluations whose last step was one of its own.
    fn observe(&mut self, evaluations: &[(u64, f64)]) {
        let mut told = vec![Vec::new(); self.policies.len()];
        for (done, loss) in evaluations {
            let place = done.checked_sub(1).and_then(|last| self.place(last));
            if let Some((position, start)) = place {
                told[position].push((done - start, *loss));
            }
        }
        for ((policy, _), told) in self.policies.iter_mut().zip(told) {
            policy.observe(&told);
        }
    }

    fn python(&self) -> Option<&dyn InPython> {
        Some(self)
    }

    fn describe(&self) -> String {
        let parts = self.policies.iter().map(|(policy, steps)| match steps {
            Some(steps) => format!("{} for {steps} steps", policy.describe()),
            None => policy.describe(),
        });
        let parts: Vec<String> = parts.collect();
        format!("sequence: {}", parts.join("; then "))
    }

    fn arguments(&self) -> toml::Table {
        let policies = self.policies.iter().map(|(policy, steps)| {
            let mut table = member::write(&**policy);
            if let Some(steps) = steps {
                table.insert("steps".to_owned(), written(*steps));
            }
            toml::Value::Table(table)
        });
        table([("policies", toml::Value::Array(policies.collect()))])
    }
}

impl InPython for Sequence {
    fn formula(&self, code: &mut Python) -> Option<Formula> {
        let (mut rate, mut momentum, mut start) = (String::new(), String::new(), 0_u64);
        for (at, (policy, steps)) in self.policies.iter().enumerate() {
            let names = code.member(&**policy)?;
            let t = if start == 0 {
                "t".to_owned()
            } else {
                format!("t - {start}")
            };
            let until = if at + 1 == self.policies.len() {
                String::new()
            } else {
                start = start.saturating_add(steps.or_else(|| policy.length())?);
                format!(" if t < {start} else ")
            };
            rate += &format!("{}({t}){until}", names.rate);
            let own = names.momentum.map(|name| format!("{name}({t})"));
            momentum += &format!("{}{until}", own.unwrap_or_else(|| code.own_momentum()));
        }
        Some(Formula {
            momentum: self.momentum_range().map(|_| momentum),
            ..Formula::new(rate)
        })
    }
}
