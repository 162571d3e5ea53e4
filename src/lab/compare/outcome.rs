//! What a comparison has shown so far: for each variant and length, for the frontier.

use serde::{Deserialize, Serialize};

use super::statistics::verdict::Diverged;
use super::statistics::{
    Contrast, ContrastVerdict, Differences, Divergence, ERROR, Interval, Judgement, PlannedLook,
    Saved,
};
use super::{ComparisonPlan, Record, Target};
use crate::data::Judge;
use crate::lab::student::quantile;

/// What is known of one arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The variant's name.
    pub name: String,
    /// The steps of its runs.
    pub steps: u64,
    /// The variant that trains the same in this length, and whose runs these are.
    pub same_as: Option<String>,
    /// The score on the test set at the end, with Student's 95 % interval over seeds.
    pub test: Interval,
    /// Best score on the validation set along the way.
    pub best: Interval,
    /// Steps to the target, over the runs that reached it; `None` where none did.
    pub steps_to_target: Option<Interval>,
    /// Runs that reached the target.
    pub reached: usize,
    /// Runs that diverged: they count as chance.
    pub divergence: Divergence,
    /// Seconds of a run, on average, evaluations included.
    pub seconds: f64,
    /// Against the baseline of the same length; `None` for the baseline itself.
    pub against: Option<AgainstBaseline>,
}

/// A variant against the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgainstBaseline {
    /// The difference of each seed: by how much the variant is better.
    pub seeds: Vec<f64>,
    /// The margin, in the units of the score.
    pub margin: f64,
    /// What is shown; `None` before the first look, and of what trains the same as the baseline.
    pub judgement: Option<Judgement>,
    /// The seeds of the look that the judgement is of.
    pub at: u64,
}

/// What runs of a variant are worth in steps of the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worth {
    /// The variant's name.
    pub name: String,
    /// For each of its lengths.
    pub saved: Vec<Saved>,
}

/// What a comparison has shown so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcomes {
    /// What is to be reached on the validation set.
    pub target: f64,
    /// Seeds of which all runs are there.
    pub seeds: u64,
    /// The last look, and the error that it may spend; `None` before the first.
    pub look: Option<PlannedLook>,
    /// Whether there are more seeds than the plan has.
    pub beyond: bool,
    /// Contrasts among which the error is shared out.
    pub contrasts: usize,
    /// The share of the time that evaluations along the way took.
    pub evaluating: f64,
    /// Each arm, in the order of the plan.
    pub arms: Vec<Outcome>,
    /// The frontier, for each variant but the baseline; empty of a single length.
    pub frontier: Vec<Worth>,
}

/// The runs of the arms, by seed.
struct Runs<'a> {
    plan: &'a ComparisonPlan,
    /// For each arm its runs, in the order of the seeds; a seed is there for all arms.
    arms: Vec<Vec<&'a Record>>,
    /// For each arm and seed the scores of the test samples.
    scores: Vec<Vec<Vec<f32>>>,
}

impl<'a> Runs<'a> {
    fn new(plan: &'a ComparisonPlan, records: &'a [Record]) -> Self {
        let of = |arm: usize| -> Vec<&Record> {
            let arm = &plan.arms[plan.trained_for(arm)];
            let is = |record: &&Record| record.variant == arm.name && record.steps == arm.steps;
            let mut runs: Vec<&Record> = records.iter().filter(is).collect();
            runs.sort_by_key(|record| record.seed_number);
            let whole = runs
                .iter()
                .zip(0..)
                .take_while(|(r, seed)| r.seed_number == *seed);
            let whole = whole.count();
            runs.truncate(whole);
            runs
        };
        let mut arms: Vec<Vec<&Record>> = (0..plan.arms.len()).map(of).collect();
        let seeds = arms.iter().map(Vec::len).min().unwrap_or(0);
        arms.iter_mut().for_each(|runs| runs.truncate(seeds));
        let settings = &plan.settings;
        let scores = |record: &&Record| match record.diverged {
            None => record.samples.values().to_vec(),
            Some(_) => vec![settings.chance() as f32; settings.samples],
        };
        let scores = arms.iter().map(|runs| runs.iter().map(scores).collect());
        Self {
            plan,
            scores: scores.collect(),
            arms,
        }
    }

    fn seeds(&self) -> u64 {
        self.arms.first().map_or(0, Vec::len) as u64
    }

    /// Whether one of the first `seeds` runs of the arm diverged.
    fn diverged(&self, arm: usize, seeds: u64) -> bool {
        let mut runs = self.arms[arm].iter().take(seeds as usize);
        runs.any(|run| run.diverged.is_some())
    }

    /// The scores of the first `seeds` runs of an arm.
    fn scores(&self, arm: usize, seeds: u64) -> Vec<&[f32]> {
        let scores = self.scores[arm].iter().take(seeds as usize);
        scores.map(Vec::as_slice).collect()
    }

    /// The arm against the baseline of its length, at the first `seeds` seeds and an error of `error`
    /// over all contrasts.
    fn judged(&self, arm: usize, seeds: u64, error: f64) -> Judgement {
        let settings = &self.plan.settings;
        let baseline = self.plan.baseline_of(arm);
        let pairs = self.scores(arm, seeds).into_iter();
        let pairs: Vec<_> = pairs.zip(self.scores(baseline, seeds)).collect();
        let differences = Differences::of(&pairs);
        let contrast = Contrast::of(&differences, settings.sign(), settings.least());
        let diverged = Diverged {
            variant: self.diverged(arm, seeds),
            baseline: self.diverged(baseline, seeds),
        };
        let error = error / self.plan.contrasts() as f64;
        let margin = (self.margin(arm, seeds), settings.least());
        Judgement::of(contrast, margin, error, diverged)
    }

    /// The margin at the length of an arm, from the first `seeds` runs of the baseline that did not diverge.
    fn margin(&self, arm: usize, seeds: u64) -> f64 {
        let baseline = self.arms[self.plan.baseline_of(arm)].iter();
        let runs = baseline.take(seeds as usize);
        let runs = runs.filter(|run| run.diverged.is_none());
        let scores: Vec<f64> = runs.map(|run| run.test).collect();
        let settings = &self.plan.settings;
        let mean = match scores.len() {
            0 => settings.chance(),
            runs => scores.iter().sum::<f64>() / runs as f64,
        };
        settings.margin_at(mean)
    }

    fn finding(&self, arm: usize, look: Option<PlannedLook>) -> Option<AgainstBaseline> {
        if self.plan.is_baseline(arm) {
            return None;
        }
        let baseline = self.plan.baseline_of(arm);
        let sign = self.plan.settings.sign();
        let pairs = self.arms[arm].iter().zip(&self.arms[baseline]);
        let same = self.plan.trained_for(arm) == self.plan.trained_for(baseline);
        let look = look.filter(|_| !same);
        let mut judgement = look.map(|look| self.judged(arm, look.seeds, look.error));
        let mut at = look.map_or(0, |look| look.seeds);
        // What an earlier look has shown, stays shown.
        let earlier = self.plan.looks.iter().rev();
        for before in earlier.filter(|before| look.is_some_and(|look| before.seeds < look.seeds)) {
            if judgement.is_none_or(|j| j.verdict != ContrastVerdict::NotShown) {
                break;
            }
            let then = self.judged(arm, before.seeds, before.error);
            if then.verdict != ContrastVerdict::NotShown {
                (judgement, at) = (Some(then), before.seeds);
            }
        }
        Some(AgainstBaseline {
            seeds: pairs.map(|(a, b)| sign * (a.test - b.test)).collect(),
            margin: self.margin(arm, if at > 0 { at } else { self.seeds() }),
            judgement,
            at,
        })
    }

    fn outcome(&self, arm: usize, target: Target, look: Option<PlannedLook>) -> Outcome {
        let judge = self.plan.settings.judge;
        let runs = &self.arms[arm];
        let planned = &self.plan.arms[arm];
        let of = |f: &dyn Fn(&Record) -> f64| {
            let values: Vec<f64> = runs.iter().map(|run| f(run)).collect();
            Interval::of(&values, ERROR)
        };
        let steps = runs.iter().filter_map(|run| run.steps_to(target));
        let steps: Vec<f64> = steps.map(|steps| steps as f64).collect();
        let diverged = runs.iter().filter(|run| run.diverged.is_some()).count();
        Outcome {
            name: planned.name.clone(),
            steps: planned.steps,
            same_as: planned
                .same_as
                .map(|same| self.plan.arms[same].name.clone()),
            test: of(&|run| run.test),
            // Of a run that diverged before it was evaluated, chance.
            best: of(&|run| match run.curve.is_empty() {
                true => self.plan.settings.chance(),
                false => run.best(judge),
            }),
            steps_to_target: (!steps.is_empty()).then(|| Interval::of(&steps, ERROR)),
            reached: steps.len(),
            divergence: Divergence::of(diverged as u64, runs.len() as u64, ERROR),
            seconds: of(&|run| run.seconds).mean,
            against: self.finding(arm, look),
        }
    }

    /// What each length of a variant is worth in steps of the baseline, as far as neither has runs that
    /// diverged.
    fn worth(&self, variant: usize, look: PlannedLook) -> Worth {
        let settings = &self.plan.settings;
        let lengths = settings.budgets.len();
        let error = look.error / self.plan.contrasts() as f64;
        let baseline: Vec<(u64, Vec<&[f32]>)> = (0..lengths)
            .filter(|arm| !self.diverged(*arm, look.seeds))
            .map(|arm| (self.plan.arms[arm].steps, self.scores(arm, look.seeds)))
            .collect();
        let arms = (variant * lengths)..((variant + 1) * lengths);
        let trained = arms.clone().filter(|arm| !self.diverged(*arm, look.seeds));
        let saved = trained.filter_map(|arm| {
            let scores = self.scores(arm, look.seeds);
            let chance = (settings.sign(), error, settings.least());
            Saved::of((self.plan.arms[arm].steps, &scores), &baseline, chance)
        });
        Worth {
            name: self.plan.arms[arms.start].name.clone(),
            saved: saved.collect(),
        }
    }
}

impl Outcomes {
    /// How many of its standard errors a difference has to be to be shown at a look, where the seeds are what
    /// makes it scatter.
    #[must_use]
    pub fn reach(&self, look: PlannedLook) -> f64 {
        let error = look.error / self.contrasts.max(1) as f64;
        quantile(1.0 - error / 2.0, look.seeds.max(2) as f64 - 1.0)
    }

    /// From the runs that are there: of the seeds of which all runs are.
    #[must_use]
    pub fn of(plan: &ComparisonPlan, records: &[Record]) -> Self {
        let runs = Runs::new(plan, records);
        let seeds = runs.seeds();
        let beyond = seeds > plan.last_look();
        let look = match beyond {
            true => Some(PlannedLook {
                seeds,
                error: ERROR,
            }),
            false => plan.look(seeds),
        };
        let target = target(plan, &runs);
        let lengths = plan.settings.budgets.len();
        let variants = 1..plan.arms.len() / lengths.max(1);
        let trains_itself = |variant: &usize| {
            let mut arms = (variant * lengths)..((variant + 1) * lengths);
            arms.any(|arm| plan.arms[arm].same_as.is_none())
        };
        let frontier = match look {
            Some(look) if lengths > 1 => variants
                .filter(trains_itself)
                .map(|variant| runs.worth(variant, look))
                .filter(|worth| !worth.saved.is_empty())
                .collect(),
            _ => Vec::new(),
        };
        let (all, evaluating) = records.iter().fold((0.0, 0.0), |(all, part), record| {
            (all + record.seconds, part + record.evaluating)
        });
        Self {
            target: target.value,
            seeds,
            look,
            beyond,
            contrasts: plan.contrasts(),
            evaluating: evaluating / f64::max(all, 1e-9),
            arms: (0..plan.arms.len())
                .map(|arm| runs.outcome(arm, target, look))
                .collect(),
            frontier,
        }
    }

    /// Whether every question has an answer.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let mut findings = self.arms.iter().filter_map(|arm| arm.against.as_ref());
        self.look.is_some()
            && findings.all(|finding| {
                let judgement = finding.judgement.as_ref();
                judgement.is_none_or(|judgement| judgement.verdict != ContrastVerdict::NotShown)
            })
    }

    /// The seconds that a further seed takes for all arms that are trained.
    #[must_use]
    pub fn seed_seconds(&self) -> f64 {
        let trained = self.arms.iter().filter(|arm| arm.same_as.is_none());
        trained.map(|arm| arm.seconds).sum()
    }
}

/// The target: the one that was set, or what the baseline ends with on average in the longest runs on
/// what is held out (of those that diverge, chance; the others alone where only some do), rounded
/// to the worse by a tenth of a percent, or a thousandth of a loss (of a small one in its third digit).
fn target(plan: &ComparisonPlan, runs: &Runs<'_>) -> Target {
    let of = plan.settings.target_of;
    let value = plan.settings.target.unwrap_or_else(|| {
        let longest = plan.settings.budgets.len().saturating_sub(1);
        let last = runs.arms.get(longest).into_iter().flatten();
        let last = last.filter(|record| record.diverged.is_none());
        let last: Vec<f64> = last.map(|record| record.last(of)).collect();
        let mean = match last.len() {
            0 => of.of_chance(plan.settings.classes),
            runs => last.iter().sum::<f64>() / runs as f64,
        };
        match of {
            Judge::Accuracy => (mean * 1000.0).floor() / 1000.0,
            Judge::Loss => {
                // Of a small loss three digits.
                let unit = 10_f64.powf((mean.log10().floor() - 2.0).clamp(-300.0, -3.0));
                (mean / unit).ceil() * unit
            }
        }
    });
    Target { of, value }
}
