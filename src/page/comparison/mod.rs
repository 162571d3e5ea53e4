//! A comparison for people: the finding, a table, what the data show, and a page.

mod again;
mod pictures;
mod says;
mod sections;
mod table;

use std::path::PathBuf;

use serde::Serialize;

use super::frame::{self, Parts};
use crate::draw::chart::{Chart, count};
use crate::draw::words::{duration, things};
use crate::error::Result;
use crate::lab::compare::{
    ComparisonEnded, ComparisonPlan, Outcomes, Planned, Record, Target, Tuned,
};
use crate::lab::find::RangeTest;
use crate::report::folder::{BETTER, COMPARISON, CONFIG, PAGE, RunFolder};
use crate::schedule::Policy;

pub(super) use again::write_again;

/// A comparison as far as it has come.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The data set's name.
    pub data: String,
    /// The adapter's name.
    pub adapter: String,
    /// How it ended, for now.
    pub ended: ComparisonEnded,
    /// What was found, in a sentence: the title.
    pub finding: String,
    /// What the data show and do not show.
    pub sentences: Vec<String>,
    /// The plan.
    pub plan: ComparisonPlan,
    /// The range test that gave the bounds, where there was one.
    pub range: Option<RangeTest>,
    /// Rates that were tried, and chosen.
    pub tuned: Vec<Tuned>,
    /// What came out.
    pub outcomes: Outcomes,
    /// Every run.
    pub records: Vec<Record>,
}

impl Comparison {
    /// Judges the runs.
    #[must_use]
    pub fn new(
        (data, adapter): (String, String),
        plan: ComparisonPlan,
        (range, tuned): (Option<RangeTest>, Vec<Tuned>),
        (records, ended): (Vec<Record>, ComparisonEnded),
    ) -> Self {
        let outcomes = Outcomes::of(&plan, &records);
        Self {
            finding: says::finding(&plan, &outcomes),
            sentences: says::sentences(&plan, &outcomes),
            data,
            adapter,
            ended,
            plan,
            range,
            tuned,
            outcomes,
            records,
        }
    }

    /// What is to be reached.
    fn goal(&self) -> Target {
        Target {
            of: self.plan.settings.target_of,
            value: self.outcomes.target,
        }
    }

    /// The curves for a terminal, once there is a seed.
    #[must_use]
    pub fn curves(&self) -> Option<Chart> {
        (self.outcomes.seeds > 0).then(|| pictures::curves(self, false))
    }

    /// The finding, the table, and what the data show, in lines of at most `width` columns where they can
    /// be broken.
    #[must_use]
    pub fn text(&self, width: usize) -> String {
        let mut text = format!("{}\n\n", self.finding);
        if self.outcomes.seeds > 0 {
            text += &format!("{}\n", table::text(self));
        }
        for sentence in &self.sentences {
            text += &wrapped(sentence, width);
        }
        text += &wrapped(&self.effort(), width);
        text
    }

    /// The variant that was found to be better, in its longest runs; or else the baseline.
    #[must_use]
    pub fn better(&self) -> Option<&Planned> {
        let better = says::better(&self.plan, &self.outcomes);
        let name = better.map(|arm| &arm.name);
        let longest = self.plan.settings.budgets.last();
        let mut arms = self.plan.arms.iter();
        arms.find(|arm| Some(&arm.steps) == longest && name.is_none_or(|name| *name == arm.name))
    }

    /// What it took, in a sentence.
    fn effort(&self) -> String {
        let seconds = self.records.iter().map(|record| record.seconds);
        // Adding to 0: the sum of nothing is -0.
        let seconds = seconds.fold(0.0, |sum, seconds| sum + seconds);
        format!(
            "{} took {}, {:.0} % of it for evaluations along the way.",
            things(self.records.len() as u64, "run"),
            duration(seconds),
            100.0 * self.outcomes.evaluating
        )
    }

    /// Writes `comparison.json`, `config.toml` (`config`, the configuration that the comparison began
    /// with), `better.toml` ([`Comparison::better`]) and `report.html`; `schedules` are those of the plan's arms, in their order.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`] for a file that cannot be written.
    pub fn write(
        &self,
        folder: &RunFolder,
        schedules: &[&dyn Policy],
        config: &str,
    ) -> Result<PathBuf> {
        folder.write(CONFIG, config.as_bytes())?;
        if let Some(better) = self.better() {
            folder.write(BETTER, better.config.as_bytes())?;
        }
        folder.write_json(COMPARISON, self)?;
        self.page(folder, schedules, config)
    }

    fn page(&self, folder: &RunFolder, schedules: &[&dyn Policy], config: &str) -> Result<PathBuf> {
        let steps: Vec<String> = self
            .plan
            .settings
            .budgets
            .iter()
            .map(|s| count(*s))
            .collect();
        let seeds = things(self.outcomes.seeds, "seed");
        let page = frame::simple(&Parts {
            heading: &format!("{}: {}", self.data, self.finding),
            lead: &format!(
                "{} compared over {seeds} in runs of {} steps, on {}. Each seed has the same \
                 initial weights and order of samples for all; the test set is read once, at the end \
                 of a run.",
                self.plan.names().join(", "),
                steps.join(", "),
                self.adapter
            ),
            sections: &sections::all(self, schedules),
            config,
            files: COMPARISON,
            data: Some(sections::data(self)),
        });
        folder.write(PAGE, page.as_bytes())?;
        Ok(folder.file(PAGE))
    }
}

/// A paragraph in lines of at most `width` columns, broken between words.
fn wrapped(text: &str, width: usize) -> String {
    let (mut lines, mut line) = (String::new(), String::new());
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width.max(20) {
            lines += &format!("{line}\n");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    format!("{lines}{line}\n")
}
