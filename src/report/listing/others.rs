//! What is told of comparisons and of range tests.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{began, json, written};
use crate::error::shown;
use crate::lab::compare::{ComparisonEnded, ComparisonPlan, PLAN};
use crate::lab::find::Verdict;
use crate::report::folder::{ABOUT, COMPARISON, RANGE};

/// What is told of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListedComparison {
    /// Its folder.
    #[serde(serialize_with = "shown::path")]
    pub run: PathBuf,
    /// The data set's name; `None` where nothing was judged so far.
    pub data: Option<String>,
    /// The names of what is compared, the baseline first.
    pub variants: Vec<String>,
    /// Steps of the runs, for each length.
    pub steps: Vec<u64>,
    /// `done`, `settled`, `late` or `interrupted`; `unfinished` where nothing was judged so far.
    pub ended: String,
    /// Seeds of which all runs are there; `None` where nothing was judged so far.
    pub seeds: Option<u64>,
    /// What was found, in a sentence; `None` where nothing was judged so far.
    pub finding: Option<String>,
    /// When it began, in seconds since 1970 (the time of its `plan.json`).
    pub began: Option<u64>,
    /// The same time as people write it, in UTC.
    pub when: Option<String>,
}

/// Of `comparison.json` what is listed.
#[derive(Deserialize)]
struct Judged {
    data: String,
    ended: ComparisonEnded,
    finding: String,
    outcomes: Seeds,
}

#[derive(Deserialize)]
struct Seeds {
    seeds: u64,
}

/// The comparison in a folder, and what of it cannot be shown; or why nothing can.
pub(super) fn comparison(folder: &Path) -> Result<(ListedComparison, Option<String>), String> {
    let plan: ComparisonPlan = json(folder, PLAN)?;
    let judged = folder.join(COMPARISON).exists();
    let judged = judged.then(|| json::<Judged>(folder, COMPARISON));
    let (judged, problem) = match judged.transpose() {
        Ok(judged) => (judged, None),
        Err(problem) => (None, Some(problem)),
    };
    let began = began(folder, PLAN);
    let listed = ListedComparison {
        run: folder.to_owned(),
        variants: plan.names().into_iter().map(String::from).collect(),
        steps: plan.settings.budgets.clone(),
        ended: judged
            .as_ref()
            .map_or("unfinished", |judged| judged.ended.name())
            .into(),
        seeds: judged.as_ref().map(|judged| judged.outcomes.seeds),
        data: judged.as_ref().map(|judged| judged.data.clone()),
        finding: judged.map(|judged| judged.finding),
        began,
        when: began.and_then(written),
    };
    Ok((listed, problem))
}

/// What is told of a range test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListedRangeTest {
    /// Its folder.
    #[serde(serialize_with = "shown::path")]
    pub run: PathBuf,
    /// The data set's name; `None` where the folder does not say.
    pub data: Option<String>,
    /// The test in words.
    pub test: Option<String>,
    /// Whether the bounds can be trusted, or why not (`ok`, `no_divergence`, ...).
    pub verdict: String,
    /// The low rate for cycles; `None` unless the verdict is `ok`.
    pub base_lr: Option<f64>,
    /// The high rate for cycles; `None` unless the verdict is `ok`.
    pub max_lr: Option<f64>,
    /// When it ended, in seconds since 1970 (the time of its `range.json`).
    pub began: Option<u64>,
    /// The same time as people write it, in UTC.
    pub when: Option<String>,
}

/// Of `about.json` what is listed.
#[derive(Deserialize)]
struct About {
    data: String,
    test: String,
}

/// Of `range.json` what is listed.
#[derive(Deserialize)]
struct Bounds {
    base_lr: Option<f64>,
    max_lr: Option<f64>,
    verdict: Verdict,
}

/// The range test in a folder, and what of it cannot be shown; or why nothing can.
pub(super) fn range_test(folder: &Path) -> Result<(ListedRangeTest, Option<String>), String> {
    let found: Bounds = json(folder, RANGE)?;
    let (about, problem) = match json::<About>(folder, ABOUT) {
        Ok(about) => (Some(about), None),
        Err(problem) => (None, Some(problem)),
    };
    let began = began(folder, RANGE);
    let listed = ListedRangeTest {
        run: folder.to_owned(),
        data: about.as_ref().map(|about| about.data.clone()),
        test: about.map(|about| about.test),
        verdict: found.verdict.name().into(),
        base_lr: found.base_lr,
        max_lr: found.max_lr,
        began,
        when: began.and_then(written),
    };
    Ok((listed, problem))
}
