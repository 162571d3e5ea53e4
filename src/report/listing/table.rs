//! The listing as a table of text.

use super::{Listed, ListedComparison, ListedRangeTest, ListedRun, time};
use crate::draw::chart::{count, number};
use crate::draw::words::{digits, percent, things};

const COLUMNS: usize = 10;
const HEAD: [&str; COLUMNS] = [
    "run",
    "kind",
    "when (UTC)",
    "data",
    "model",
    "steps",
    "ended",
    "test",
    "held out",
    "schedule, or what was found",
];

/// What was listed as a table of text.
#[must_use]
pub fn text(listed: &[Listed]) -> String {
    let rows = listed.iter().map(|listed| match listed {
        Listed::Run(run) => of_run(run),
        Listed::Comparison(comparison) => of_comparison(comparison),
        Listed::RangeTest(test) => of_range_test(test),
    });
    let rows: Vec<[String; COLUMNS]> = std::iter::once(HEAD.map(String::from))
        .chain(rows)
        .collect();
    let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..COLUMNS).map(|c| wide(c).unwrap_or(0)).collect();
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells.map(|(cell, wide)| format!("{cell:<wide$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// What is not there.
fn none() -> String {
    "-".into()
}

fn minute(began: Option<u64>) -> String {
    let time = began.and_then(time);
    time.map_or_else(none, |time| time.strftime("%Y-%m-%d %H:%M").to_string())
}

fn of_run(run: &ListedRun) -> [String; COLUMNS] {
    let figure = |share: Option<f64>, rmse: Option<f64>| match (share, rmse) {
        (Some(share), _) => percent(share),
        (None, Some(rmse)) => format!("RMSE {}", digits(rmse)),
        (None, None) => none(),
    };
    [
        run.run.display().to_string(),
        "run".into(),
        minute(run.began),
        run.data.clone(),
        format!(
            "{}, {}",
            things(run.layers as u64, "layer"),
            count(run.parameters as u64)
        ),
        run.steps.to_string(),
        run.ended.clone(),
        figure(run.test_accuracy, run.test_rmse),
        figure(run.validation_accuracy, run.validation_rmse),
        run.schedule.clone(),
    ]
}

fn of_comparison(comparison: &ListedComparison) -> [String; COLUMNS] {
    let steps: Vec<String> = comparison.steps.iter().map(u64::to_string).collect();
    let names = comparison.variants.join(", ");
    let found = match (comparison.seeds, &comparison.finding) {
        (Some(seeds), Some(finding)) => format!("{names}; {}: {finding}", things(seeds, "seed")),
        _ => names,
    };
    [
        comparison.run.display().to_string(),
        "comparison".into(),
        minute(comparison.began),
        comparison.data.clone().unwrap_or_else(none),
        none(),
        steps.join(", "),
        comparison.ended.clone(),
        none(),
        none(),
        found,
    ]
}

fn of_range_test(test: &ListedRangeTest) -> [String; COLUMNS] {
    [
        test.run.display().to_string(),
        "range test".into(),
        minute(test.began),
        test.data.clone().unwrap_or_else(none),
        none(),
        none(),
        test.verdict.clone(),
        none(),
        none(),
        match (test.base_lr, test.max_lr) {
            (Some(base), Some(max)) => format!("rates from {} to {}", number(base), number(max)),
            _ => "no bounds".into(),
        },
    ]
}
