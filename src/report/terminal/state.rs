//! How a run goes: what is kept from event to event, and the words for it.

use std::time::Duration;

use indicatif::ProgressBar;

use crate::draw::chart::{Chart, Series};
use crate::draw::smooth::{Smooth, spans_decades};
use crate::draw::words::{digits, duration, loss, percent, rate};
use crate::train::Errors;
use crate::train::event::{Evaluation, RunInfo, StepRecord};

/// What is kept between events.
#[derive(Debug)]
pub(super) struct State {
    total_steps: u64,
    steps_per_epoch: u64,
    period: Option<u64>,
    numbers: bool,
    /// What was known at the start.
    pub(super) info: RunInfo,
    pub(super) bar: Option<ProgressBar>,
    /// Average of the loss over about 50 steps.
    smooth: Smooth,
    /// Points of the plot at the end: every `stride` steps.
    pub(super) curve: Vec<(f64, f64)>,
    stride: u64,
    last: Option<StepRecord>,
    direction: Direction,
    /// When the last chunk (or an evaluation after it) ended.
    pub(super) since: Duration,
    /// Steps per second, averaged over chunks.
    speed: Option<f64>,
}

/// Where the rate goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
    Level,
}

/// How far predictions are off: `RMSE 3.1  MAE 2.2  R² 87.00 %`.
pub(super) fn off(errors: &Errors, between: &str) -> String {
    let [rmse, mae] = [errors.rmse, errors.mae].map(digits);
    let r2 = percent(errors.r2);
    format!("RMSE {rmse}{between}MAE {mae}{between}R² {r2}")
}

impl State {
    /// The start of a run, at the time `now`.
    pub(super) fn new(info: &RunInfo, bar: Option<ProgressBar>, now: Duration) -> Self {
        Self {
            total_steps: info.total_steps,
            steps_per_epoch: info.steps_per_epoch.max(1),
            numbers: info.numbers,
            info: info.clone(),
            period: info.period.filter(|period| *period > 0),
            bar,
            smooth: Smooth::over(50),
            curve: Vec::new(),
            stride: info.total_steps.div_ceil(1000).max(1),
            last: None,
            direction: Direction::Level,
            since: now,
            speed: None,
        }
    }

    /// Takes in the time that a chunk of steps took.
    pub(super) fn time(&mut self, steps: usize, now: Duration) {
        let seconds = now.saturating_sub(self.since).as_secs_f64();
        self.since = now;
        if seconds > 0.0 {
            let speed = steps as f64 / seconds;
            self.speed = Some(match self.speed {
                Some(before) => 0.8 * before + 0.2 * speed,
                None => speed,
            });
        }
    }

    /// Takes in a step and gives the smoothed loss.
    pub(super) fn record(&mut self, step: &StepRecord) -> f64 {
        let smooth = self.smooth.next(step.loss);
        if step.step.is_multiple_of(self.stride) {
            self.curve.push((step.step as f64, smooth));
        }
        if let Some(last) = &self.last {
            self.direction = match step.lr.partial_cmp(&last.lr) {
                Some(std::cmp::Ordering::Greater) => Direction::Up,
                Some(std::cmp::Ordering::Less) => Direction::Down,
                _ => Direction::Level,
            };
        }
        self.last = Some(*step);
        smooth
    }

    /// Speed and time left, once they are known.
    fn pace(&self, done: u64) -> String {
        let Some(speed) = self.speed else {
            return String::new();
        };
        let left = self.total_steps.saturating_sub(done);
        if left == 0 {
            return format!("  {} steps/s", rate(speed));
        }
        // Whole seconds: it is a guess.
        let left = duration((left as f64 / speed).ceil());
        let left = left.replace(".00 s", " s").replace(".0 s", " s");
        format!("  {} steps/s  {left} left", rate(speed))
    }

    fn epochs(&self) -> u64 {
        self.total_steps.div_ceil(self.steps_per_epoch)
    }

    /// A line of the log.
    pub(super) fn line(&self, step: &StepRecord, smooth: f64) -> String {
        let direction = match self.direction {
            Direction::Up => "up  ",
            Direction::Down => "down",
            Direction::Level => "    ",
        };
        let total = self.total_steps.to_string();
        let wide = total.len();
        let epochs = self.epochs().to_string();
        let epoch_wide = epochs.len();
        format!(
            "step {:>wide$}/{total}  epoch {:>epoch_wide$}/{epochs}  lr {} {direction}  loss {}{}\n",
            step.step + 1,
            step.epoch + 1,
            lr(step.lr),
            loss(smooth),
            self.pace(step.step + 1)
        )
    }

    /// Brings the bar up to date, where there is one.
    pub(super) fn draw(&self, step: &StepRecord, smooth: f64) {
        if let Some(bar) = &self.bar {
            bar.set_position(step.step + 1);
            bar.set_message(self.message(step, smooth));
        }
    }

    /// The text beside the bar.
    fn message(&self, step: &StepRecord, smooth: f64) -> String {
        let arrow = match self.direction {
            Direction::Up => "↑",
            Direction::Down => "↓",
            Direction::Level => "→",
        };
        format!(
            "lr {} {arrow}  loss {}{}",
            lr(step.lr),
            loss(smooth),
            self.pace(step.step + 1)
        )
    }

    /// The line of an evaluation.
    pub(super) fn evaluation(&self, e: &Evaluation) -> String {
        let when = if e.step > 0 && e.step.is_multiple_of(self.steps_per_epoch) {
            let epochs = self.epochs().to_string();
            format!("epoch {:>w$}/{epochs}", e.epoch, w = epochs.len())
        } else {
            let total = self.total_steps.to_string();
            format!("step {:>w$}/{total}", e.step, w = total.len())
        };
        let name = e.split.name();
        let last = self.last.as_ref();
        let lr = last.map_or_else(String::new, |step| format!("  lr {}", lr(step.lr)));
        if let (Some(perplexity), Some(bits)) = (e.perplexity, e.bits) {
            let whole = e.sequences.map_or_else(String::new, |share| {
                format!("  whole sequences {}", percent(share))
            });
            let [loss, perplexity, bits] = [e.loss, perplexity, bits].map(loss);
            return format!(
                "{when}  {name} loss {loss}  perplexity {perplexity}  bits {bits}  accuracy {}{whole}{lr}\n",
                percent(e.accuracy)
            );
        }
        if let Some(errors) = e.errors {
            let (off, loss) = (off(&errors, "  "), loss(e.loss));
            return format!("{when}  {name} {off}  {name} loss {loss}{lr}\n");
        }
        format!(
            "{when}  {name} accuracy {}  {name} loss {}{lr}\n",
            percent(e.accuracy),
            loss(e.loss)
        )
    }

    /// What the share of an evaluation is of.
    pub(super) fn share_name(&self) -> &'static str {
        match self.numbers {
            true => "R²",
            false => "accuracy",
        }
    }

    /// The plot at the end.
    pub(super) fn chart(&self) -> Chart {
        let log = spans_decades(self.curve.iter().map(|point| point.1));
        let title = if log {
            "training loss (smoothed, log scale)"
        } else {
            "training loss (smoothed)"
        };
        let mut chart = Chart::new(title, "step").with(Series::new("loss", self.curve.clone()));
        chart.log_y = log;
        chart.whole_x = true;
        let steps = self.last.map_or(0, |step| step.step + 1);
        if let Some(period) = self.period.filter(|period| steps / period <= 200) {
            let ends = (1..=steps / period).map(|cycle| (cycle * period) as f64);
            chart.marks = ends.collect();
        }
        chart
    }
}

/// A rate with four significant digits, of the same width for the rates of most schedules.
fn lr(value: f64) -> String {
    if value == 0.0 || (1e-3..1e3).contains(&value.abs()) {
        format!("{value:.4}")
    } else {
        format!("{value:.2e}")
    }
}
