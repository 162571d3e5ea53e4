//! The page of a comparison again, from its folder alone.

use std::path::PathBuf;

use serde::Deserialize;

use super::Comparison;
use crate::error::{Error, Result};
use crate::lab::compare::{ComparisonEnded, ComparisonPlan, Record, Tuned};
use crate::lab::find::RangeTest;
use crate::report::folder::{COMPARISON, CONFIG, RunFolder};
use crate::schedule::Policy;

/// Of `comparison.json` what nothing else follows from. What came out is judged again: where nothing is
/// known it has numbers that JSON does not.
#[derive(Deserialize)]
struct Stored {
    data: String,
    adapter: String,
    ended: ComparisonEnded,
    plan: ComparisonPlan,
    range: Option<RangeTest>,
    tuned: Vec<Tuned>,
    records: Vec<Record>,
}

impl Stored {
    /// What no comparison has.
    fn unsound(&self) -> Option<String> {
        let chosen = |tuned: &&Tuned| tuned.chosen >= tuned.tried.len();
        let settings = &self.plan.settings;
        let plan = self.plan.unsound();
        // Samples are counted in 32 bits.
        let samples = (u32::try_from(settings.samples).is_err())
            .then(|| format!("is of {} test samples", settings.samples));
        let tuned = self.tuned.iter().find(chosen);
        let tuned = tuned.map(|tuned| format!("has no chosen rate of {}", tuned.name));
        let mut runs = self.records.iter();
        let run = runs.find_map(|record| record.unsound(settings));
        let run = run.map(|problem| format!("holds a run that {problem}"));
        plan.or(samples).or(tuned).or(run)
    }
}

/// Writes the page again from the folder alone.
///
/// # Errors
/// [`Error::Output`] for a comparison of which nothing was judged yet; [`Error::Io`], [`Error::Data`]
/// and [`Error::Config`] for files that are missing or broken.
pub(in crate::page) fn write_again(folder: &RunFolder) -> Result<PathBuf> {
    let file = folder.file(COMPARISON);
    if !file.is_file() {
        return Err(Error::Output {
            path: folder.path().to_owned(),
            problem: format!(
                "holds a comparison of which nothing was judged yet: it has no {COMPARISON}"
            ),
            help: "let it go on: the same `wavetrain compare` into the folder does".into(),
        });
    }
    let stored: Stored = folder.read_json(COMPARISON)?;
    if let Some(problem) = stored.unsound() {
        let help = "the same `wavetrain compare` into the folder writes it again";
        return Err(Error::data(&file, problem, help));
    }
    let config = folder.file(CONFIG);
    let text = std::fs::read_to_string(&config).map_err(Error::io(&config, "reading"))?;
    let schedules = stored.plan.schedules()?;
    let names = (stored.data, stored.adapter);
    let found = (stored.range, stored.tuned);
    let comparison = Comparison::new(names, stored.plan, found, (stored.records, stored.ended));
    let schedules: Vec<&dyn Policy> = schedules.iter().map(|schedule| &**schedule).collect();
    comparison.page(folder, &schedules, &text)
}
