//! A comparison for people: a table, what the data show, and a page.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use super::curve::Curve;
use super::frame::{self, Parts};
use crate::data::Judge;
use crate::draw::chart::{Chart, Look, Series, count};
use crate::draw::svg::{self, escape};
use crate::error::Result;
use crate::lab::compare::{Interval, Outcome, Record, Settings, Target, statistics};
use crate::lab::find::RangeTest;
use crate::report::folder::{PAGE, RunFolder};
use crate::schedule::Policy;

/// All figures of a comparison, as JSON.
pub const COMPARISON: &str = "comparison.json";

/// A finished comparison.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The data set's name.
    pub data: String,
    /// The adapter's name.
    pub adapter: String,
    /// What all runs have in common.
    pub settings: Settings,
    /// The score on the validation set whose first step is reported.
    pub target: f64,
    /// The range test that gave the bounds, where there was one.
    pub range: Option<RangeTest>,
    /// What each variant takes, by its name.
    pub takes: Vec<(String, String)>,
    /// What came out of each variant.
    pub outcomes: Vec<Outcome>,
    /// What the data show and do not show.
    pub sentences: Vec<String>,
    /// Every run.
    pub records: Vec<Record>,
}

impl Comparison {
    /// Judges the runs.
    #[must_use]
    pub fn new(
        data: String,
        adapter: String,
        settings: Settings,
        range: Option<RangeTest>,
        takes: Vec<(String, String)>,
        records: Vec<Record>,
    ) -> Self {
        let names: Vec<String> = takes.iter().map(|(name, _)| name.clone()).collect();
        let judge = settings.judge;
        let target = statistics::target(&records, &settings);
        let outcomes = statistics::outcomes(&names, &records, target, judge);
        Self {
            sentences: statistics::sentences(&outcomes, target, judge),
            data,
            adapter,
            settings,
            target: target.value,
            range,
            takes,
            outcomes,
            records,
        }
    }

    /// What is to be reached.
    fn goal(&self) -> Target {
        Target {
            of: self.settings.target_of,
            value: self.target,
        }
    }

    /// What the curves show.
    fn shown(&self) -> &'static str {
        match self.settings.judge {
            Judge::Accuracy => "Accuracy on the validation set",
            Judge::Loss => "Loss on the validation set",
        }
    }

    /// The score on the validation set over the steps: means over the seeds, and with `bands` the
    /// range from the lowest to the highest seed.
    #[must_use]
    pub fn curves(&self, bands: bool) -> Chart {
        let mut chart = Chart {
            whole_x: true,
            ..Chart::new(self.shown(), "step")
        };
        let judge = self.settings.judge;
        for variant in 0..self.takes.len() {
            let records = self.records.iter().filter(|r| r.variant == variant);
            let curves: Vec<_> = records.map(|record| &record.curve).collect();
            let length = curves.iter().map(|curve| curve.len()).min().unwrap_or(0);
            let at = |i: usize, of: fn(&[f64]) -> f64| {
                let values: Vec<f64> = curves.iter().map(|curve| curve[i].score(judge)).collect();
                (curves[0][i].step as f64, of(&values))
            };
            let edge = |of: fn(&[f64]) -> f64| (0..length).map(move |i| (i, of));
            let highest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
            let lowest = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
            let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
            if bands && curves.len() > 1 {
                let there = edge(highest).map(|(i, of)| at(i, of));
                let back = edge(lowest).rev().map(|(i, of)| at(i, of));
                let band = Series::new("", there.chain(back).collect());
                chart = chart.with(band.look(Look::Band).hue(variant));
            }
            let points = edge(mean).map(|(i, of)| at(i, of)).collect();
            chart = chart.with(Series::new(self.takes[variant].0.clone(), points).hue(variant));
        }
        chart
    }

    /// The table, and what the data show.
    #[must_use]
    pub fn text(&self) -> String {
        let rows: Vec<[String; 5]> = self.outcomes.iter().map(|o| self.cells(o)).collect();
        let head = self.head();
        let wide = |column: usize| {
            let cells = rows
                .iter()
                .chain([&head])
                .map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(wide).collect();
        let mut text = String::new();
        for row in [&head].into_iter().chain(&rows) {
            let cells = row.iter().zip(&widths);
            let cells = cells.map(|(cell, width)| format!("{cell:<width$}"));
            let line = cells.collect::<Vec<_>>().join("  ");
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text.push('\n');
        for sentence in &self.sentences {
            let _ = writeln!(text, "{sentence}");
        }
        text
    }

    fn head(&self) -> [String; 5] {
        [
            "variant".into(),
            format!("test {}", self.settings.judge.name()),
            "best, validation".into(),
            format!("steps to {}", self.goal().describe()),
            "diverged".into(),
        ]
    }

    fn cells(&self, outcome: &Outcome) -> [String; 5] {
        let share = |interval: &Interval| match interval.half {
            Some(half) if self.settings.judge == Judge::Loss => {
                format!("{:.4} +- {half:.4}", interval.mean)
            }
            None if self.settings.judge == Judge::Loss => format!("{:.4}", interval.mean),
            Some(half) => format!("{:.2} +- {:.2} %", 100.0 * interval.mean, 100.0 * half),
            None => format!("{:.2} %", 100.0 * interval.mean),
        };
        let steps = outcome
            .steps_to_target
            .as_ref()
            .map_or_else(|| "never".into(), |steps| format!("{:.0}", steps.mean));
        let (reached, runs) = (outcome.reached, outcome.runs);
        [
            outcome.name.clone(),
            share(&outcome.test),
            share(&outcome.best),
            format!("{steps} ({reached} of {runs})"),
            outcome.diverged.to_string(),
        ]
    }

    /// Writes `comparison.json` and `report.html`; `schedules` are the variants' own, in their order.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`] for a file that cannot be written.
    pub fn write(
        &self,
        folder: &RunFolder,
        schedules: &[&dyn Policy],
        config: &str,
    ) -> Result<PathBuf> {
        folder.write_json(COMPARISON, self)?;
        let names: Vec<&str> = self.takes.iter().map(|(name, _)| name.as_str()).collect();
        let Settings { seeds, steps, .. } = self.settings;
        let runs = format!("{seeds} seeds, {} steps each", count(steps));
        let page = frame::simple(&Parts {
            heading: &format!("{}: {}", self.data, names.join(", ")),
            lead: &format!(
                "{runs}, on {}. Each seed has the same initial weights and order of samples for all; \
                 the curves are of samples held out of training, the test set is used once, at the \
                 end of a run.",
                self.adapter
            ),
            sections: &self.sections(schedules),
            config,
            files: COMPARISON,
        });
        folder.write(PAGE, page.as_bytes())?;
        Ok(folder.file(PAGE))
    }

    fn sections(&self, schedules: &[&dyn Policy]) -> String {
        let mut rates = Chart {
            whole_x: true,
            ..Chart::new("Learning rate", "step")
        };
        for (i, schedule) in schedules.iter().enumerate() {
            let curve = Curve::new(*schedule, None, self.settings.steps);
            let line = curve.charts("learning rate").swap_remove(0).series;
            let points = line
                .into_iter()
                .next()
                .map(|s| s.points)
                .unwrap_or_default();
            rates = rates.with(Series::new(self.takes[i].0.clone(), points).hue(i));
        }
        let sentences: String = self.sentences.iter().fold(String::new(), |mut html, s| {
            let _ = writeln!(html, "<li>{}</li>", escape(s));
            html
        });
        format!(
            "<section id=\"shown\" aria-labelledby=\"shown-title\">\n<h2 id=\"shown-title\">What the \
             data show</h2>\n<ul>\n{sentences}</ul>\n{}<p class=\"soft\">Means with 95 % intervals of \
             Student's t over the seeds; differences are paired by seed, their intervals, which all hold together with a chance of 97 %, are corrected for \
             {} comparisons (Bonferroni). Steps are counted in evaluations of {} steps.</p>\n</section>\n\
             <section id=\"curves\" aria-labelledby=\"curves-title\">\n<h2 id=\"curves-title\">Curves</h2>\n\
             <figure>\n<figcaption><h3>{}</h3><p>Lines: means over the \
             seeds; areas: from the lowest to the highest seed.</p></figcaption>\n<div \
             class=\"panel\">{}</div>\n</figure>\n<figure>\n<figcaption><h3>Learning \
             rates</h3></figcaption>\n<div class=\"panel\">{}</div>\n</figure>\n</section>\n{}{}",
            self.table(),
            self.outcomes.len().saturating_sub(1).max(1),
            self.settings.every,
            self.shown(),
            svg::figure(&self.curves(true)),
            svg::figure(&rates),
            self.takes_table(),
            self.range
                .as_ref()
                .map(super::range::section)
                .unwrap_or_default(),
        )
    }

    fn table(&self) -> String {
        let head = self
            .head()
            .map(|cell| format!("<th scope=\"col\">{}</th>", escape(&cell)));
        let rows = self.outcomes.iter().map(|outcome| {
            let [name, rest @ ..] = self.cells(outcome);
            let rest = rest
                .map(|cell| format!("<td>{}</td>", escape(&cell)))
                .concat();
            format!("<tr><th scope=\"row\">{}</th>{rest}</tr>\n", escape(&name))
        });
        format!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Outcomes\"><table>\n\
             <thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody></table></div>\n",
            head.concat(),
            rows.collect::<String>()
        )
    }

    fn takes_table(&self) -> String {
        let rows = self.takes.iter().map(|(name, takes)| {
            let (name, takes) = (escape(name), escape(takes));
            format!("<tr><th scope=\"row\">{name}</th><td>{takes}</td></tr>\n")
        });
        format!(
            "<section id=\"takes\" aria-labelledby=\"takes-title\">\n<h2 id=\"takes-title\">What each \
             takes</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" \
             aria-label=\"Variants\"><table class=\"words\">\n<thead><tr><th scope=\"col\">variant</th><th \
             scope=\"col\">its schedule</th></tr></thead>\n<tbody>\n{}</tbody></table></div>\n</section>\n",
            rows.collect::<String>()
        )
    }
}
