//! What a comparison shows, in sentences.

use crate::data::Judge;
use crate::draw::chart::count;
use crate::draw::words::{duration, things};
use crate::lab::compare::statistics::looks::fixed;
use crate::lab::compare::statistics::{ContrastVerdict, Needed, Reached, Saved};
use crate::lab::compare::{AgainstBaseline, ComparisonPlan, Outcome, Outcomes, Worth};

/// Differences and scores for people.
pub(super) struct Figures {
    judge: Judge,
    /// Decimals of losses.
    decimals: usize,
}

impl Figures {
    pub(super) fn of(plan: &ComparisonPlan, outcomes: &Outcomes) -> Self {
        // Two digits of the least margin.
        let margins = outcomes.arms.iter().filter_map(|arm| arm.against.as_ref());
        let least = margins.map(|against| against.margin).fold(1.0, f64::min);
        let digits = 2.0 - least.max(1e-12).log10().ceil();
        Self {
            judge: plan.settings.judge,
            decimals: (digits as usize).max(4),
        }
    }

    /// A difference without its unit; no "-0.00".
    pub(super) fn bare(&self, difference: f64) -> String {
        match self.judge {
            Judge::Accuracy => format!("{:.2}", (1e4 * difference).round() / 100.0 + 0.0),
            Judge::Loss => {
                let unit = 10_f64.powi(self.decimals as i32);
                let rounded = (unit * difference).round() / unit + 0.0;
                format!("{rounded:.*}", self.decimals)
            }
        }
    }

    /// A difference with its unit.
    pub(super) fn with_unit(&self, difference: f64) -> String {
        match self.judge {
            Judge::Accuracy => format!("{} points", self.bare(difference)),
            Judge::Loss => format!("{} of the loss", self.bare(difference)),
        }
    }

    /// An interval; of one that is unbounded nothing is known.
    fn range(&self, [low, high]: [f64; 2]) -> String {
        match low.is_finite() && high.is_finite() {
            true => format!("{} to {}", self.bare(low), self.bare(high)),
            false => "no interval".into(),
        }
    }
}

/// The arms of the longest runs, but for the baseline's.
fn longest<'a>(
    plan: &'a ComparisonPlan,
    outcomes: &'a Outcomes,
) -> impl Iterator<Item = &'a Outcome> {
    let lengths = plan.settings.budgets.len().max(1);
    outcomes
        .arms
        .iter()
        .skip(lengths - 1)
        .step_by(lengths)
        .skip(1)
}

fn baseline<'a>(plan: &ComparisonPlan, outcomes: &'a Outcomes) -> Option<&'a Outcome> {
    let last = plan.settings.budgets.len().checked_sub(1)?;
    outcomes.arms.get(last)
}

fn verdict(outcome: &Outcome) -> Option<ContrastVerdict> {
    Some(outcome.against.as_ref()?.judgement.as_ref()?.verdict)
}

/// By how much a variant is better than the baseline.
fn gain(arm: &Outcome) -> f64 {
    let judgement = arm.against.as_ref().and_then(|a| a.judgement.as_ref());
    judgement.map_or(0.0, |judgement| judgement.contrast.gain)
}

/// The variant of the longest runs that is better than the baseline by most; `None` where none is shown to
/// be.
pub(super) fn better<'a>(plan: &'a ComparisonPlan, outcomes: &'a Outcomes) -> Option<&'a Outcome> {
    let wanted = [ContrastVerdict::BetterByMore, ContrastVerdict::Better];
    longest(plan, outcomes)
        .filter(|arm| arm.same_as.is_none())
        .filter(|arm| verdict(arm).is_some_and(|v| wanted.contains(&v)))
        .max_by(|a, b| gain(a).total_cmp(&gain(b)))
}

/// What was found, in a sentence without a full stop.
pub(super) fn finding(plan: &ComparisonPlan, outcomes: &Outcomes) -> String {
    let Some(baseline) = baseline(plan, outcomes) else {
        return "nothing was compared".into();
    };
    let base = &baseline.name;
    let figures = Figures::of(plan, outcomes);
    let of = |wanted: &[ContrastVerdict]| -> Vec<&Outcome> {
        let arms = longest(plan, outcomes);
        // What was trained once is said once.
        arms.filter(|arm| arm.same_as.is_none())
            .filter(|arm| verdict(arm).is_some_and(|v| wanted.contains(&v)))
            .collect()
    };
    let names = |arms: &[&Outcome]| list(&arms.iter().map(|arm| &arm.name[..]).collect::<Vec<_>>());
    let all = longest(plan, outcomes)
        .filter(|arm| arm.same_as.is_none())
        .count();
    if let Some(best) = better(plan, outcomes) {
        let better = of(&[ContrastVerdict::BetterByMore, ContrastVerdict::Better]);
        let others: Vec<&Outcome> = better
            .iter()
            .copied()
            .filter(|arm| arm.name != best.name)
            .collect();
        let others = match others.is_empty() {
            true => String::new(),
            false => format!("; {} too", names(&others)),
        };
        let by = figures.with_unit(gain(best));
        return format!("{} is better than {base}, by {by}{others}", best.name);
    }
    let worse = of(&[ContrastVerdict::Worse]);
    if !worse.is_empty() && worse.len() == all {
        return format!("{base} is better than {}", names(&worse));
    }
    let good = of(&[ContrastVerdict::AsGood]);
    if !good.is_empty() && good.len() == all {
        let are = if all == 1 { "is" } else { "are" };
        return format!("{} {are} as good as {base}", names(&good));
    }
    match outcomes.look {
        None => "too few seeds for a finding so far".into(),
        Some(_) => format!("nothing is shown to be better than {base}"),
    }
}

/// `a, b and c`.
fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// What the data show and do not show: a sentence for each variant in the longest runs, the frontier, and
/// what is to be said of the runs.
pub(super) fn sentences(plan: &ComparisonPlan, outcomes: &Outcomes) -> Vec<String> {
    let mut sentences = Vec::new();
    let Some(baseline) = baseline(plan, outcomes) else {
        return sentences;
    };
    match outcomes.look {
        None => {
            let first = plan.looks.first().map_or(2, |look| look.seeds);
            sentences.push(format!(
                "{} so far: the data are first looked at when there are {}.",
                things(outcomes.seeds, "seed"),
                things(first, "seed")
            ));
        }
        Some(_) => {
            let arms = longest(plan, outcomes).filter(|arm| arm.same_as.is_none());
            let said = arms.filter_map(|arm| Some((arm, arm.against.as_ref()?)));
            sentences.extend(said.filter_map(|(arm, against)| {
                sentence(plan, outcomes, (arm, against), &baseline.name)
            }));
        }
    }
    sentences.extend(few_seeds(plan, outcomes));
    sentences.extend(
        outcomes
            .frontier
            .iter()
            .map(|worth| saved(worth, &baseline.name)),
    );
    sentences.extend(twins(plan));
    sentences.extend(diverged(plan, outcomes));
    if outcomes.beyond {
        sentences.push(format!(
            "This goes on beyond the plan of {}: looking once more makes a false finding likelier than \
             5 %.",
            things(plan.last_look(), "seed")
        ));
    }
    sentences
}

fn sentence(
    plan: &ComparisonPlan,
    outcomes: &Outcomes,
    (arm, against): (&Outcome, &AgainstBaseline),
    base: &str,
) -> Option<String> {
    let judgement = against.judgement.as_ref()?;
    let figures = Figures::of(plan, outcomes);
    let name = &arm.name;
    let (contrast, range) = (&judgement.contrast, figures.range(judgement.interval));
    let margin = figures.with_unit(against.margin);
    let by = figures.with_unit(contrast.gain.abs());
    let at = match plan.settings.budgets.len() {
        1 => String::new(),
        _ => format!(" at {} steps", count(arm.steps)),
    };
    let seeds = match outcomes.look {
        Some(look) if look.seeds != against.at => {
            format!(", as {} have shown", things(against.at, "seed"))
        }
        _ => String::new(),
    };
    Some(match judgement.verdict {
        ContrastVerdict::BetterByMore => format!(
            "{name} is better than {base}{at} by more than the margin of {margin}: by {by} ({range}){seeds}."
        ),
        ContrastVerdict::Better => format!(
            "{name} is better than {base}{at}, by {by} ({range}){seeds}; that it is by more than the \
             margin of {margin} is not shown."
        ),
        ContrastVerdict::AsGood => format!(
            "{name} is as good as {base}{at} within the margin of {margin}: the difference is {} \
             ({range}){seeds}.",
            figures.with_unit(contrast.gain)
        ),
        ContrastVerdict::Worse => {
            format!("{name} is worse than {base}{at}, by {by} ({range}){seeds}.")
        }
        ContrastVerdict::NotShown => format!(
            "Whether {name} is better or worse than {base}{at} is not shown: the difference is {} \
             ({range}).{}",
            figures.with_unit(contrast.gain),
            needed(plan, outcomes, judgement.needed, &margin)
        ),
    })
}

/// Why intervals are wide where there are few seeds for many contrasts, and what makes them narrower.
fn few_seeds(plan: &ComparisonPlan, outcomes: &Outcomes) -> Option<String> {
    /// Seeds with which a scatter is known well enough.
    const ENOUGH: u64 = 8;
    let now = outcomes.look.filter(|look| look.seeds < ENOUGH)?;
    let is_open = |arm: &Outcome| verdict(arm) == Some(ContrastVerdict::NotShown);
    let planned = plan.looks.iter().copied();
    let more = planned
        .filter(|look| look.seeds >= ENOUGH)
        .chain(fixed(ENOUGH))
        .next()?;
    let [here, there] = [now, more].map(|look| outcomes.reach(look));
    (outcomes.arms.iter().any(is_open) && here > 2.0 * there).then(|| {
        format!(
            "Few seeds make wide intervals: among {} a difference is shown from {here:.0} of its standard errors \
             on with {}, and from {there:.0} with {}. Fewer variants and lengths leave time for more seeds.",
            things(outcomes.contrasts as u64, "contrast"),
            things(now.seeds, "seed"),
            things(more.seeds, "seed")
        )
    })
}

/// What would show a difference of the margin.
fn needed(
    plan: &ComparisonPlan,
    outcomes: &Outcomes,
    needed: Option<Needed>,
    margin: &str,
) -> String {
    match needed {
        None => String::new(),
        Some(Needed::Samples(samples)) => format!(
            " No number of seeds would show the margin, {margin}, on {} test samples: that takes about \
             {}.",
            count(plan.settings.samples as u64),
            count(rounded(samples))
        ),
        Some(Needed::MoreSeeds(seeds)) => format!(
            " To show the margin, {margin}, takes more than {}.",
            things(seeds, "seed")
        ),
        Some(Needed::Seeds(seeds)) => {
            let more = seeds.saturating_sub(outcomes.seeds);
            match more {
                0 => format!(
                    " So many seeds would show the margin, {margin}, in four of five comparisons."
                ),
                _ => format!(
                    " About {} would show the margin, {margin}: {} more here.",
                    things(seeds, "seed"),
                    duration(more as f64 * outcomes.seed_seconds())
                ),
            }
        }
    }
}

/// Two digits: no more is known.
fn rounded(samples: u64) -> u64 {
    let unit = 10_u64.pow(samples.max(1).ilog10().saturating_sub(1));
    samples.div_ceil(unit).saturating_mul(unit)
}

/// What runs of a variant are worth in steps of the baseline.
fn saved(worth: &Worth, base: &str) -> String {
    let parts: Vec<String> = worth.saved.iter().map(|saved| part(saved, base)).collect();
    format!("{} reaches {}.", worth.name, parts.join("; "))
}

fn part(saved: &Saved, base: &str) -> String {
    let steps = count(saved.steps);
    let one = |reached: Reached| match reached {
        Reached::Below(steps) => format!("less than {}", about(steps)),
        Reached::At(steps) => about(steps),
        Reached::Above(steps) => format!("more than {}", about(steps)),
    };
    let [low, high] = saved.interval;
    let interval = match low == high {
        true => one(low),
        false => format!("{} to {}", one(low), one(high)),
    };
    let what = match saved.reached {
        Reached::At(_) => format!("what {base} reaches at {}", one(saved.reached)),
        Reached::Above(_) => format!("what takes {base} {}", one(saved.reached)),
        Reached::Below(_) => format!("what {base} reaches in {}", one(saved.reached)),
    };
    format!("at {steps} steps {what} (95 %: {interval})")
}

/// Steps with three digits.
fn about(steps: f64) -> String {
    let unit = 10_f64.powf((steps.max(1.0).log10().floor() - 2.0).max(0.0));
    count(((steps / unit).round() * unit) as u64)
}

/// Which variants train the same, and in which lengths where it is not in all.
fn twins(plan: &ComparisonPlan) -> Vec<String> {
    let lengths = plan.settings.budgets.len().max(1);
    let mut said = Vec::new();
    for arms in plan.arms.chunks(lengths) {
        let twin = |arm: &crate::lab::compare::Planned| Some(&plan.arms[arm.same_as?].name);
        let mut others: Vec<&String> = arms.iter().filter_map(twin).collect();
        let mut seen = std::collections::BTreeSet::new();
        others.retain(|other| seen.insert(*other));
        for other in others {
            let same = arms.iter().filter(|arm| twin(arm) == Some(other));
            let steps: Vec<String> = same.map(|arm| count(arm.steps)).collect();
            let within = match steps.len() == lengths {
                true => "Within the runs".to_owned(),
                false => format!("Within runs of {} steps", steps.join(", ")),
            };
            said.push(format!(
                "{within} {} trains the same as {other}: it was trained once.",
                arms[0].name
            ));
        }
    }
    said
}

/// How often variants diverge.
fn diverged(plan: &ComparisonPlan, outcomes: &Outcomes) -> Vec<String> {
    let arms = outcomes.arms.iter();
    let arms = arms.filter(|arm| arm.divergence.diverged > 0 && arm.same_as.is_none());
    let said = arms.map(|arm| {
        let found = &arm.divergence;
        let [low, high] = found.share.map(|share| format!("{:.0}", 100.0 * share));
        let steps = match plan.settings.budgets.len() {
            1 => String::new(),
            _ => format!(" of {} steps", count(arm.steps)),
        };
        format!(
            "{} of {}{steps} of {} diverged (95 %: {low} to {high} % of all); they count with the {} of \
             chance, and what diverges is called neither better nor as good.",
            found.diverged,
            things(found.runs, "run"),
            arm.name,
            plan.settings.judge.name()
        )
    });
    said.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_the_digits_that_are_known() {
        assert_eq!(
            [249.6, 1193.0, 12_345.0].map(about),
            ["250", "1,190", "12,300"]
        );
        assert_eq!([7, 20_123, 1999].map(rounded), [7, 21_000, 2000]);
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }
}
