//! The table of a comparison.

use std::fmt::Write as _;

use super::Comparison;
use super::says::Figures;
use crate::data::Judge;
use crate::draw::chart::count;
use crate::draw::svg::escape;
use crate::draw::words::duration;
use crate::lab::compare::Outcome;
use crate::lab::compare::statistics::{ContrastVerdict, Interval};

/// Columns of the table, with what an arm has in each.
struct Column {
    head: String,
    cells: Vec<String>,
    /// Whether it is of words.
    words: bool,
}

fn columns(comparison: &Comparison) -> Vec<Column> {
    let plan = &comparison.plan;
    let arms = &comparison.outcomes.arms;
    let column = |head: String, words: bool, cell: &dyn Fn(&Outcome) -> String| Column {
        head,
        cells: arms.iter().map(cell).collect(),
        words,
    };
    let judge = plan.settings.judge;
    let figures = Figures::of(plan, &comparison.outcomes);
    let mut columns = vec![column("variant".into(), true, &|arm| arm.name.clone())];
    if plan.settings.budgets.len() > 1 {
        columns.push(column("steps".into(), false, &|arm| count(arm.steps)));
    }
    columns.push(column(format!("test {}", judge.name()), false, &|arm| {
        score(&figures, judge, &arm.test)
    }));
    let better = match judge {
        Judge::Accuracy => "better by, points",
        Judge::Loss => "better by",
    };
    columns.push(column(better.into(), false, &|arm| {
        let against = arm.against.as_ref().filter(|_| arm.same_as.is_none());
        let judgement = against.and_then(|against| against.judgement.as_ref());
        judgement.map_or_else(String::new, |judgement| {
            let half = (judgement.interval[1] - judgement.interval[0]) / 2.0;
            match half.is_finite() {
                true => format!(
                    "{} ± {}",
                    figures.bare(judgement.contrast.gain),
                    figures.bare(half)
                ),
                false => figures.bare(judgement.contrast.gain),
            }
        })
    }));
    columns.push(column("verdict".into(), true, &verdict));
    columns.push(column(
        format!("steps to {}", comparison.goal().describe()),
        false,
        &steps,
    ));
    if arms.iter().any(|arm| arm.divergence.diverged > 0) {
        columns.push(column("diverged".into(), false, &|arm| {
            format!("{} of {}", arm.divergence.diverged, arm.divergence.runs)
        }));
    }
    columns.push(column("a run".into(), false, &|arm| match arm.same_as {
        None => duration(arm.seconds),
        Some(_) => String::new(),
    }));
    columns
}

fn score(figures: &Figures, judge: Judge, interval: &Interval) -> String {
    if interval.mean.is_nan() {
        return "-".into();
    }
    match (judge, interval.half) {
        (Judge::Accuracy, Some(half)) => {
            format!("{:.2} ± {:.2} %", 100.0 * interval.mean, 100.0 * half)
        }
        (Judge::Accuracy, None) => format!("{:.2} %", 100.0 * interval.mean),
        (Judge::Loss, Some(half)) => {
            format!("{} ± {}", figures.bare(interval.mean), figures.bare(half))
        }
        (Judge::Loss, None) => figures.bare(interval.mean),
    }
}

fn verdict(arm: &Outcome) -> String {
    if let Some(same) = &arm.same_as {
        return format!("same as {same}");
    }
    let Some(against) = &arm.against else {
        return "baseline".into();
    };
    match against
        .judgement
        .as_ref()
        .map(|judgement| judgement.verdict)
    {
        None => "too few seeds",
        Some(ContrastVerdict::BetterByMore) => "better",
        Some(ContrastVerdict::Better) => "better (margin not shown)",
        Some(ContrastVerdict::AsGood) => "as good",
        Some(ContrastVerdict::Worse) => "worse",
        Some(ContrastVerdict::NotShown) => "not shown",
    }
    .into()
}

fn steps(arm: &Outcome) -> String {
    let (reached, runs) = (arm.reached as u64, arm.divergence.runs);
    match &arm.steps_to_target {
        None => "never".into(),
        Some(steps) if reached == runs => count(steps.mean.round() as u64),
        Some(steps) => format!("{} ({reached} of {runs})", count(steps.mean.round() as u64)),
    }
}

/// The table for a terminal.
pub(super) fn text(comparison: &Comparison) -> String {
    let columns = columns(comparison);
    let widths: Vec<usize> = columns
        .iter()
        .map(|column| {
            let all = column.cells.iter().chain([&column.head]);
            all.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let line = |cells: Vec<&str>| {
        let cells = cells.iter().zip(&widths).zip(&columns);
        let cells = cells.map(|((cell, width), column)| match column.words {
            true => format!("{cell:<width$}"),
            false => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut text = line(columns.iter().map(|column| &column.head[..]).collect()) + "\n";
    for arm in 0..comparison.outcomes.arms.len() {
        let cells = columns.iter().map(|column| &column.cells[arm][..]);
        text += &(line(cells.collect()) + "\n");
    }
    text
}

/// The table for the page.
pub(super) fn html(comparison: &Comparison) -> String {
    let columns = columns(comparison);
    let class = |column: &Column| match column.words {
        true => " class=\"left\"",
        false => "",
    };
    let mut html = String::from(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Outcomes\"><table>\n\
         <thead><tr>",
    );
    for column in &columns {
        let mut head = column.head.clone();
        if let Some(first) = head.get_mut(0..1) {
            first.make_ascii_uppercase();
        }
        let _ = write!(
            html,
            "<th scope=\"col\"{}>{}</th>",
            class(column),
            escape(&head)
        );
    }
    html += "</tr></thead>\n<tbody>\n";
    for arm in 0..comparison.outcomes.arms.len() {
        html += "<tr>";
        for (i, column) in columns.iter().enumerate() {
            let (cell, class) = (escape(&column.cells[arm]), class(column));
            let _ = match i {
                0 => write!(html, "<th scope=\"row\"{class}>{cell}</th>"),
                _ => write!(html, "<td{class}>{cell}</td>"),
            };
        }
        html += "</tr>\n";
    }
    html + "</tbody></table></div>\n"
}
