//! The numbers of the charts: smoothed, as static charts and as data of interactive ones.

use super::contents::Run;
use crate::draw::chart::{Chart, Look, Series};
use crate::draw::smooth::{Smooth, spans_decades};
use crate::draw::svg;
use crate::page::live::Whole;
use crate::train::event::{Evaluation, Split};

/// Colours: training, rate and test share one palette over all charts.
const BLUE: usize = 0;
const VERMILION: usize = 1;
const GREEN: usize = 2;
const PURPLE: usize = 3;

/// The charts of a run.
#[derive(Debug)]
pub(super) struct Charts {
    /// Learning rate, momentum, loss, accuracy; the static ones.
    pub(super) rate: Chart,
    pub(super) momentum: Chart,
    pub(super) loss: Chart,
    pub(super) accuracy: Chart,
    /// The share that is wrong, where the accuracy crowds at the top.
    error: Option<Chart>,
    /// The gradient's norm, where the run recorded it.
    grad_norm: Option<Chart>,
    /// The factor of clipping, where gradients were clipped.
    clip_factor: Option<Chart>,
    /// How many steps the smoothed loss averages.
    pub(super) window: u64,
}

impl Charts {
    pub(super) fn new(run: &Run) -> Self {
        let window = window(run);
        let steps = &run.metrics.steps;
        let curve = |value: &dyn Fn(usize) -> f64| -> Vec<(f64, f64)> {
            let point = |i: usize| (steps[i].step as f64, value(i));
            (0..steps.len()).map(point).collect()
        };
        let raw: Vec<f64> = steps.iter().map(|step| step.loss).collect();
        let mut average = Smooth::over(window);
        let smooth: Vec<f64> = raw.iter().map(|loss| average.next(*loss)).collect();
        let test = |value: fn(&Evaluation) -> f64| points(run, Split::Test, value);
        let percent = |evaluation: &Evaluation| evaluation.share() * 100.0;

        let rate = Series::new("learning rate", curve(&|i| steps[i].lr));
        let momentum = Series::new("momentum", curve(&|i| steps[i].momentum));
        let batches = Series::new("each batch", curve(&|i| raw[i]));
        let log = spans_decades(smooth.iter().copied());
        let smooth = Series::new("smoothed", curve(&|i| smooth[i]));
        let title = if log { "loss (log scale)" } else { "loss" };
        let mut loss = chart(run, title)
            .with(batches.look(Look::Faint).hue(BLUE))
            .with(smooth.hue(BLUE));
        let mut accuracy = chart(run, if run.is_numbers() { "R²" } else { "accuracy" });
        accuracy.y_label = "%".into();
        if run.last(Split::Test).is_some() {
            let test_loss = Series::new("test", test(|evaluation| evaluation.loss));
            loss = loss.with(test_loss.look(Look::Marked).hue(GREEN));
            let test = Series::new("test", test(percent));
            accuracy = accuracy.with(test.look(Look::Marked).hue(GREEN));
        }
        if run.last(Split::Validation).is_some() {
            let held_loss = points(run, Split::Validation, |evaluation| evaluation.loss);
            let held_loss = Series::new("validation", held_loss);
            loss = loss.with(held_loss.look(Look::Marked).hue(PURPLE));
            let held = Series::new("validation", points(run, Split::Validation, percent));
            accuracy = accuracy.with(held.look(Look::Marked).hue(PURPLE));
        }
        loss.log_y = log;
        let norms: Vec<f64> = steps.iter().map(|step| step.grad_norm).collect();
        let factors = steps.iter().map(|step| step.clip_factor);
        let factors: Vec<f64> = factors.map(|factor| factor.unwrap_or(f64::NAN)).collect();
        let smoothed = |title: &str, values: &[f64]| {
            values.iter().any(|value| value.is_finite()).then(|| {
                let mut average = Smooth::over(window);
                let smooth: Vec<f64> = values.iter().map(|v| average.next(*v)).collect();
                let log_y = spans_decades(smooth.iter().copied());
                let batches = Series::new("each batch", curve(&|i| values[i]));
                let smooth = Series::new("smoothed", curve(&|i| smooth[i]));
                let chart = chart(run, title)
                    .with(batches.look(Look::Faint).hue(BLUE))
                    .with(smooth.hue(BLUE));
                Chart { log_y, ..chart }
            })
        };
        let grad_norm = smoothed("gradient norm", &norms);
        let clip_factor = smoothed("clip factor", &factors);
        Self {
            rate: chart(run, "learning rate").with(rate.hue(BLUE)),
            momentum: chart(run, "momentum").with(momentum.hue(VERMILION)),
            loss,
            error: error(&accuracy).filter(|_| !run.is_numbers()),
            accuracy,
            grad_norm,
            clip_factor,
            window,
        }
    }

    /// The last finite value of the smoothed loss.
    pub(super) fn last_loss(&self) -> Option<f64> {
        let smooth = self.loss.series.iter().find(|s| s.look == Look::Line)?;
        let mut values = smooth.points.iter().rev().map(|point| point.1);
        values.find(|value| value.is_finite())
    }

    /// The figure of the share that is wrong; empty where the accuracy shows as much.
    pub(super) fn error_figure(&self) -> String {
        let text = "The rest of the accuracy, on a log scale, where it is so high that its curves run \
                    together.";
        figure("error", self.error.as_ref(), "Error", text)
    }

    /// The figures of the gradient's norm and of clipping; empty where they are not known.
    pub(super) fn norm_figures(&self) -> String {
        let norm = "Length of the gradient of each batch's loss by all parameters, without weight \
                    decay, before the update; strong: smoothed as the loss.";
        let factor = "What each batch's gradient was multiplied with so that its length stays at \
                      most optimizer.clip_norm; 1: not clipped.";
        [
            ("grad_norm", &self.grad_norm, "Gradient norm", norm),
            ("clip_factor", &self.clip_factor, "Clip factor", factor),
        ]
        .into_iter()
        .map(|(id, chart, title, text)| figure(id, chart.as_ref(), title, text))
        .collect()
    }

    /// The data of the interactive charts as JSON that can stand in a `<script>`.
    pub(super) fn json(&self, run: &Run) -> String {
        let panels = [
            ("rate", &self.rate),
            ("momentum", &self.momentum),
            ("loss", &self.loss),
            ("accuracy", &self.accuracy),
        ];
        let error = self.error.iter().map(|chart| ("error", chart));
        let norm = self.grad_norm.iter().map(|chart| ("grad_norm", chart));
        let factor = self.clip_factor.iter().map(|chart| ("clip_factor", chart));
        let panels = panels.into_iter().chain(error).chain(norm).chain(factor);
        let whole = Whole {
            range: range(run).into(),
            period: run.info.period,
            steps_per_epoch: run.info.steps_per_epoch,
        };
        whole.json(panels)
    }
}

/// A figure with a chart that the script can replace; nothing where there is no chart.
fn figure(id: &str, chart: Option<&Chart>, title: &str, text: &str) -> String {
    let Some(chart) = chart else {
        return String::new();
    };
    let svg = svg::figure(chart);
    format!(
        "<figure>\n<figcaption><h3>{title}</h3><p>{text}</p></figcaption>\n\
         <div class=\"panel\" data-panel=\"{id}\">{svg}</div>\n</figure>\n"
    )
}

/// From this accuracy on, in percent, curves run together at the top of their chart.
const CROWDED: f64 = 90.0;

/// What is left to 100 % of an accuracy that ends above [`CROWDED`], on a log scale.
fn error(accuracy: &Chart) -> Option<Chart> {
    let ends = accuracy.series.iter().filter_map(|s| s.points.last());
    if !ends
        .map(|point| point.1)
        .any(|end| end > CROWDED && end < 100.0)
    {
        return None;
    }
    // No logarithm shows that nothing is wrong.
    let left = |(x, y): &(f64, f64)| (*x, if *y < 100.0 { 100.0 - y } else { f64::NAN });
    let series = accuracy.series.iter().map(|series| Series {
        points: series.points.iter().map(left).collect(),
        ..series.clone()
    });
    Some(Chart {
        title: "error".into(),
        log_y: true,
        series: series.collect(),
        ..accuracy.clone()
    })
}

/// The range of steps that all charts share: the whole run, and where it ended early, what was done.
fn range(run: &Run) -> (f64, f64) {
    let evaluated = run.metrics.evaluations.iter().map(|e| e.step).max();
    let hi = run.steps().max(evaluated.unwrap_or(0)).max(1);
    (0.0, hi as f64)
}

fn chart(run: &Run, title: &str) -> Chart {
    Chart {
        marks: run.cycle_ends(),
        x_range: Some(range(run)),
        whole_x: true,
        ..Chart::new(title, "step")
    }
}

fn points(run: &Run, split: Split, value: fn(&Evaluation) -> f64) -> Vec<(f64, f64)> {
    let evaluations = run.evaluations(split);
    evaluations.map(|e| (e.step as f64, value(e))).collect()
}

/// Length of the average that smooths the loss: a hundredth of the run, at most a twentieth of a
/// cycle, so that a cycle is not smoothed away.
fn window(run: &Run) -> u64 {
    let steps = run.metrics.steps.len() as u64;
    let cycle = run.info.period.map_or(u64::MAX, |period| period / 20);
    (steps / 100).min(cycle).max(2)
}
