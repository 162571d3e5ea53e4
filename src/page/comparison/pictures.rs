//! The pictures of a comparison, as data.

use super::Comparison;
use crate::data::Judge;
use crate::draw::chart::{Chart, Look, Series, count};
use crate::draw::forest::{Forest, Row};
use crate::lab::compare::Record;
use crate::page::curve::Curve;
use crate::schedule::Policy;

/// The variant that an arm is of.
fn variant(comparison: &Comparison, arm: usize) -> usize {
    arm / comparison.plan.settings.budgets.len().max(1)
}

/// The differences from the baseline, with a dot for each seed.
pub(super) fn differences(comparison: &Comparison) -> Forest {
    let plan = &comparison.plan;
    let arms = comparison.outcomes.arms.iter().enumerate();
    let several = plan.settings.budgets.len() > 1;
    let scale = match plan.settings.judge {
        Judge::Accuracy => 100.0,
        Judge::Loss => 1.0,
    };
    let mut margin: f64 = 0.0;
    let mut rows = Vec::new();
    for (at, arm) in arms.filter(|(_, arm)| arm.same_as.is_none()) {
        let Some(against) = &arm.against else {
            continue;
        };
        margin = margin.max(scale * against.margin);
        let name = match several {
            true => format!("{}, {}", arm.name, count(arm.steps)),
            false => arm.name.clone(),
        };
        let interval = against
            .judgement
            .as_ref()
            .map(|judgement| judgement.interval);
        rows.push(Row {
            name,
            dots: against.seeds.iter().map(|dot| scale * dot).collect(),
            interval: interval.map(|ends| ends.map(|end| scale * end)),
            hue: variant(comparison, at),
        });
    }
    let base = plan.names().first().copied().unwrap_or_default();
    Forest {
        title: format!("Better or worse than {base}"),
        x_label: match plan.settings.judge {
            Judge::Accuracy => "points of accuracy on the test set; to the right: better".into(),
            Judge::Loss => {
                "loss on the test set, by how much it is lower; to the right: better".into()
            }
        },
        margin,
        rows,
    }
}

/// What is drawn of a score: the error on a logarithmic scale, or the loss.
fn drawn(judge: Judge, score: f64) -> f64 {
    match judge {
        Judge::Accuracy => 100.0 * (1.0 - score),
        Judge::Loss => score,
    }
}

fn what(judge: Judge, of: &str) -> String {
    match judge {
        Judge::Accuracy => format!("Error on the {of} set, %"),
        Judge::Loss => format!("Loss on the {of} set"),
    }
}

/// The frontier: what comes out over what goes in, steps or seconds, with Student's intervals over seeds.
pub(super) fn frontier(comparison: &Comparison, seconds: bool) -> Chart {
    let judge = comparison.plan.settings.judge;
    let lengths = comparison.plan.settings.budgets.len().max(1);
    let label = if seconds {
        "seconds of a run"
    } else {
        "steps of a run"
    };
    let mut chart = Chart {
        log_x: true,
        log_y: true,
        ..Chart::new(what(judge, "test"), label)
    };
    let variants = comparison.outcomes.arms.chunks(lengths).enumerate();
    let trains = |arms: &[crate::lab::compare::Outcome]| arms.iter().any(|a| a.same_as.is_none());
    for (at, arms) in variants.filter(|(_, arms)| trains(arms)) {
        let x = |arm: &crate::lab::compare::Outcome| match seconds {
            true => arm.seconds,
            false => arm.steps as f64,
        };
        let edge = |side: f64| {
            arms.iter().map(move |arm| {
                let half = arm.test.half.unwrap_or(0.0);
                (x(arm), drawn(judge, arm.test.mean + side * half))
            })
        };
        let there: Vec<(f64, f64)> = edge(1.0).collect();
        let back: Vec<(f64, f64)> = edge(-1.0).rev().collect();
        let band = Series::new("", [there, back].concat());
        chart = chart.with(band.look(Look::Band).hue(at));
        let points = arms.iter().map(|arm| (x(arm), drawn(judge, arm.test.mean)));
        let line = Series::new(arms[0].name.clone(), points.collect());
        chart = chart.with(line.look(Look::Marked).hue(at));
    }
    chart
}

/// The score on the validation set over the steps of the longest runs: means over the seeds, and with
/// `bands` the range from the lowest to the highest seed.
pub(super) fn curves(comparison: &Comparison, bands: bool) -> Chart {
    let (plan, judge) = (&comparison.plan, comparison.plan.settings.judge);
    let mut chart = Chart {
        whole_x: true,
        log_y: true,
        ..Chart::new(what(judge, "validation"), "step")
    };
    let lengths = plan.settings.budgets.len().max(1);
    for arm in (lengths - 1..plan.arms.len()).step_by(lengths) {
        let trained = &plan.arms[arm];
        if trained.same_as.is_some() {
            continue;
        }
        let is = |r: &&Record| r.variant == trained.name && r.steps == trained.steps;
        let runs: Vec<&Record> = comparison.records.iter().filter(is).collect();
        // Runs that diverged end early: the others show where the variant goes.
        let lasts = |r: &&&Record| r.diverged.is_none();
        let some_last = runs.iter().any(|r| r.diverged.is_none());
        let curves = runs.iter().filter(|r| !some_last || lasts(r));
        let curves: Vec<_> = curves.map(|r| &r.curve).collect();
        let length = curves.iter().map(|curve| curve.len()).min().unwrap_or(0);
        let at = |i: usize, of: fn(&[f64]) -> f64| {
            let scores = curves
                .iter()
                .map(|curve| drawn(judge, curve[i].score(judge)));
            (curves[0][i].step as f64, of(&scores.collect::<Vec<f64>>()))
        };
        let highest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let lowest = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let hue = variant(comparison, arm);
        if bands && curves.len() > 1 {
            let there = (0..length).map(|i| at(i, highest));
            let back = (0..length).rev().map(|i| at(i, lowest));
            let band = Series::new("", there.chain(back).collect());
            chart = chart.with(band.look(Look::Band).hue(hue));
        }
        let points = (0..length).map(|i| at(i, mean)).collect();
        chart = chart.with(Series::new(trained.name.clone(), points).hue(hue));
    }
    chart
}

/// The schedules of the longest runs.
pub(super) fn rates(comparison: &Comparison, schedules: &[&dyn Policy]) -> Chart {
    let plan = &comparison.plan;
    let lengths = plan.settings.budgets.len().max(1);
    let mut chart = Chart {
        whole_x: true,
        ..Chart::new("Learning rate", "step")
    };
    let arms = plan.arms.iter().zip(schedules).enumerate();
    for (at, (arm, schedule)) in arms.skip(lengths - 1).step_by(lengths) {
        if arm.same_as.is_some() {
            continue;
        }
        let curve = Curve::new(*schedule, None, arm.steps);
        let line = curve.charts("learning rate").swap_remove(0).series;
        let points = line
            .into_iter()
            .next()
            .map(|s| s.points)
            .unwrap_or_default();
        let hue = variant(comparison, at);
        chart = chart.with(Series::new(arm.name.clone(), points).hue(hue));
    }
    chart
}
