//! A schedule as a curve, before anything is trained: every step as CSV or JSON, and charts.

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use crate::draw::chart::{Chart, Series, count, number};
use crate::draw::words::things;
use crate::lab::lint::Finding;
use crate::schedule::Policy;

/// Rate and momentum over the steps of a run.
#[derive(Debug, Clone, Copy)]
pub struct Curve<'a> {
    policy: &'a dyn Policy,
    /// The optimizer's momentum, used where the policy has none of its own.
    momentum: Option<f64>,
    steps: u64,
}

/// Points of a drawn line: more than a chart has columns of dots.
const DRAWN: u64 = 2000;
/// Steps that are looked at for one point of the line.
const LOOKS: u64 = 32;
/// Ends of cycles are marked up to so many.
const MARKS: u64 = 40;

impl<'a> Curve<'a> {
    /// The curve of `policy` over `steps` steps; `momentum` is the optimizer's own.
    #[must_use]
    pub fn new(policy: &'a dyn Policy, momentum: Option<f64>, steps: u64) -> Self {
        Self {
            policy,
            momentum,
            steps,
        }
    }

    /// Learning rate and momentum of `step`.
    #[must_use]
    pub fn at(&self, step: u64) -> (f64, Option<f64>) {
        let rate = self.policy.at(step);
        (rate.lr, rate.momentum.or(self.momentum))
    }

    /// Writes `step,lr,momentum`, a row for each step from 0. Numbers read back to the same f64;
    /// the last field is empty for an optimizer without momentum.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "step,lr,momentum")?;
        for step in 0..self.steps {
            match self.at(step) {
                (lr, Some(momentum)) => writeln!(out, "{step},{lr},{momentum}")?,
                (lr, None) => writeln!(out, "{step},{lr},")?,
            }
        }
        Ok(())
    }

    /// Writes one JSON object: `policy`, `arguments`, `period` (null without cycles), `steps`, the
    /// arrays `lr` and `momentum` with a number for each step from 0, and `warnings`, what a linter
    /// says of the schedule.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub fn write_json(&self, warnings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
        let document = Document {
            policy: self.policy.name(),
            arguments: self.policy.arguments(),
            period: self.policy.period(),
            steps: self.steps,
            lr: Column(self, |curve, step| Some(curve.at(step).0)),
            momentum: Column(self, |curve, step| curve.at(step).1),
            warnings,
        };
        serde_json::to_writer(&mut *out, &document)?;
        out.write_all(b"\n")
    }

    /// The charts: the rate, called `title`, and the momentum where the policy cycles it.
    #[must_use]
    pub fn charts(&self, title: &str) -> Vec<Chart> {
        let chart = |title: &str, name: &str, value: fn(&Self, u64) -> Option<f64>| {
            let mut chart = Chart::new(title, "step").with(Series::new(name, self.line(value)));
            if title != name {
                name.clone_into(&mut chart.y_label);
            }
            chart.marks = self.cycle_ends();
            chart.whole_x = true;
            chart
        };
        let mut charts = vec![chart(title, "learning rate", |c, step| Some(c.at(step).0))];
        if self.policy.momentum_range().is_some() {
            charts.push(chart("momentum", "momentum", |c, step| c.at(step).1));
        }
        charts
    }

    /// A few lines for people: length, cycles, range, and where training ends.
    #[must_use]
    pub fn describe(&self) -> String {
        let last = self.at(self.steps.saturating_sub(1)).0;
        let drawn = self.line(|curve, step| Some(curve.at(step).0));
        let lowest = drawn
            .iter()
            .map(|point| point.1)
            .fold(f64::INFINITY, f64::min);
        let highest = drawn.iter().map(|point| point.1).fold(0.0, f64::max);
        let mut text = format!(
            "{} steps, learning rate {} to {}, {} at the last step\n",
            count(self.steps),
            number(lowest),
            number(highest),
            number(last),
        );
        if let Some(period) = self.policy.period().filter(|period| *period > 0) {
            let (whole, rest) = (self.steps / period, self.steps % period);
            text += &format!(
                "{} of {}",
                things(whole, "whole cycle"),
                things(period, "step")
            );
            text += &match rest {
                0 => "\n".to_owned(),
                rest => format!(
                    ", then {} steps of another: it ends mid-cycle\n",
                    count(rest)
                ),
            };
        }
        text
    }

    /// Steps at which a cycle ends, the end of the run included; none where there are too many.
    fn cycle_ends(&self) -> Vec<f64> {
        match self.policy.period() {
            Some(period) if period > 0 && self.steps / period <= MARKS => {
                let ends = (1..=self.steps / period).map(|cycle| cycle * period);
                ends.map(|step| step as f64).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The points of a line: every step, or in a long run the lowest and the highest value of each
    /// stretch, in their order, so that no peak is lost.
    fn line(&self, value: fn(&Self, u64) -> Option<f64>) -> Vec<(f64, f64)> {
        let point = |step: u64| value(self, step).map(|value| (step as f64, value));
        if self.steps <= DRAWN {
            return (0..self.steps).filter_map(point).collect();
        }
        let mut points = Vec::new();
        let share =
            |i: u64, n: u64, of: u64| (u128::from(i) * u128::from(of) / u128::from(n)) as u64;
        for stretch in 0..DRAWN {
            let start = share(stretch, DRAWN, self.steps);
            let end = share(stretch + 1, DRAWN, self.steps);
            // Within one cycle, lest equal distances always meet the same phase.
            let length = (end - start).min(self.policy.period().unwrap_or(u64::MAX));
            let looks = (0..LOOKS.min(length)).map(|i| start + share(i, LOOKS.min(length), length));
            let seen: Vec<(f64, f64)> = looks.filter_map(point).collect();
            let order = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
            let lowest = seen.iter().min_by(order).copied();
            let highest = seen.iter().max_by(order).copied();
            let mut both: Vec<_> = lowest.into_iter().chain(highest).collect();
            both.sort_by(|a, b| a.0.total_cmp(&b.0));
            both.dedup();
            points.extend(both);
        }
        points.extend(point(self.steps - 1));
        points
    }
}

/// A curve as JSON, its fields in this order.
#[derive(Serialize)]
struct Document<'a> {
    policy: &'static str,
    arguments: toml::Table,
    period: Option<u64>,
    steps: u64,
    lr: Column<'a>,
    momentum: Column<'a>,
    warnings: &'a [Finding],
}

/// One number of every step, never held at once.
struct Column<'a>(&'a Curve<'a>, fn(&Curve<'a>, u64) -> Option<f64>);

impl Serialize for Column<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((0..self.0.steps).map(|step| (self.1)(self.0, step)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Constant, Cycle, Triangular};

    fn csv(curve: &Curve<'_>) -> String {
        let mut bytes = Vec::new();
        curve.write_csv(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_number_of_the_csv_reads_back_to_the_same_bits() {
        let mut cycle = Cycle::new(1e-7, 0.1 + 0.2, 7);
        cycle.cycle_momentum = true;
        let policy = Triangular(cycle);
        let curve = Curve::new(&policy, Some(0.9), 20);
        let text = csv(&curve);
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("step,lr,momentum"));
        for (step, line) in lines.enumerate() {
            let fields: Vec<&str> = line.split(',').collect();
            let (lr, momentum) = curve.at(step as u64);
            assert_eq!(fields[0].parse(), Ok(step));
            assert_eq!(fields[1].parse::<f64>().unwrap().to_bits(), lr.to_bits());
            let read: f64 = fields[2].parse().unwrap();
            assert_eq!(read.to_bits(), momentum.unwrap().to_bits());
        }
        assert_eq!(text.lines().count(), 21);
    }

    #[test]
    fn the_momentum_is_the_policys_or_else_the_optimizers() {
        let policy = Constant { lr: 0.5 };
        let with = Curve::new(&policy, Some(0.9), 2);
        assert_eq!(csv(&with), "step,lr,momentum\n0,0.5,0.9\n1,0.5,0.9\n");
        let without = Curve::new(&policy, None, 1);
        assert_eq!(csv(&without), "step,lr,momentum\n0,0.5,\n");
    }

    #[test]
    fn json_has_a_number_for_every_step() {
        let policy = Triangular(Cycle::new(0.01, 0.1, 3));
        let mut bytes = Vec::new();
        Curve::new(&policy, None, 10)
            .write_json(&[], &mut bytes)
            .unwrap();
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(json["policy"], "triangular");
        assert_eq!(json["period"], 6);
        assert_eq!(json["steps"], 10);
        assert_eq!(json["arguments"]["step_size_up"], 3);
        assert_eq!(json["lr"].as_array().unwrap().len(), 10);
        assert_eq!(json["lr"][3], 0.1);
        assert!(json["momentum"][9].is_null());
        assert_eq!(json["warnings"], serde_json::json!([]));
    }

    /// A run of a billion steps is drawn in no time, and the peaks of its thousands of cycles are
    /// all there: with plain sampling, distances that divide the cycle would show one phase only.
    #[test]
    fn a_drawn_line_is_short_and_loses_no_peak() {
        let policy = Triangular(Cycle::new(0.0, 1.0, 32_000));
        let points = Curve::new(&policy, None, 64_000 * 16_000).line(|c, step| Some(c.at(step).0));
        assert!(points.len() <= 2 * DRAWN as usize + 1);
        for pair in points[..points.len() - 1].chunks(2) {
            assert!(pair.iter().any(|p| p.1 == 0.0) && pair.iter().any(|p| p.1 == 1.0));
        }
        assert!(points.windows(2).all(|w| w[0].0 <= w[1].0));
    }

    #[test]
    fn the_text_says_where_training_ends() {
        let policy = Triangular(Cycle::new(0.01, 0.1, 5));
        let whole = Curve::new(&policy, None, 20).describe();
        assert!(whole.contains("2 whole cycles of 10 steps\n"), "{whole}");
        let cut = Curve::new(&policy, None, 17).describe();
        assert!(
            cut.contains("1 whole cycle of 10 steps, then 7 steps of another: it ends mid-cycle")
        );
    }
}
