//! The sections of a comparison's page.

use std::fmt::Write as _;

use super::{Comparison, pictures, table};
use crate::data::Judge;
use crate::draw::chart::{Chart, count, number};
use crate::draw::svg::{self, escape};
use crate::draw::{forest, words};
use crate::lab::compare::Tuned;
use crate::page::live::Whole;
use crate::schedule::Policy;

/// All sections.
pub(super) fn all(comparison: &Comparison, schedules: &[&dyn Policy]) -> String {
    let plan = &comparison.plan;
    let mut html = section("shown", "What the data show", &shown(comparison));
    if plan.settings.budgets.len() > 1 {
        let charts = [false, true].map(|seconds| pictures::frontier(comparison, seconds));
        let words = "Means over the seeds with Student's 95 % intervals; each point is runs of that \
                     length, under schedules made for it.";
        html += &section("frontier", "The frontier", &figures(&charts, words));
    }
    let longest = plan.settings.budgets.last().copied().unwrap_or(0);
    let words = format!(
        "In runs of {} steps. Lines: means over the seeds; areas: from the lowest to the highest seed. \
         Evaluated on {} samples that are held out of training, always the same ones.",
        count(longest),
        count(plan.along.samples as u64)
    );
    let curves = figure(&pictures::curves(comparison, true), &words, CURVES);
    html += &section("curves", "Curves", &curves);
    let rates = figures(&[pictures::rates(comparison, schedules)], "");
    html += &section("schedules", "Schedules", &(rates + &takes(comparison)));
    if !comparison.tuned.is_empty() {
        html += &section("tuned", "Rates that were tried", &tuned(comparison));
    }
    let range = comparison.range.as_ref();
    html += &range.map(crate::page::range::section).unwrap_or_default();
    html + &section("method", "Method", &method(comparison))
}

fn section(id: &str, title: &str, inside: &str) -> String {
    format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{title}</h2>\n\
         {inside}</section>\n"
    )
}

/// The panel that the script makes interactive.
const CURVES: &str = "validation";

/// The data of the curves, for the script.
pub(super) fn data(comparison: &Comparison) -> String {
    let longest = comparison.plan.settings.budgets.last().copied();
    let whole = Whole {
        range: [0.0, longest.unwrap_or(1) as f64],
        period: None,
        steps_per_epoch: 0,
    };
    let mut curves = pictures::curves(comparison, true);
    if comparison.plan.settings.judge == Judge::Accuracy {
        curves.y_label = "%".into();
    }
    whole.json([(CURVES, &curves)].into_iter())
}

fn figures(charts: &[Chart], words: &str) -> String {
    let words = |i: usize| if i == 0 { words } else { "" };
    let all = charts.iter().enumerate();
    all.map(|(i, chart)| figure(chart, words(i), "")).collect()
}

/// A chart with a caption, and the name that the script knows it by, where it has these.
fn figure(chart: &Chart, words: &str, panel: &str) -> String {
    // A chart that the script makes has no title of its own.
    let (title, panel) = match panel {
        "" => (String::new(), String::new()),
        name => (
            format!("<h3>{}</h3>", escape(&chart.title)),
            format!(" data-panel=\"{name}\""),
        ),
    };
    let caption = match words {
        "" => String::new(),
        words => format!("<figcaption>{title}<p>{}</p></figcaption>\n", escape(words)),
    };
    format!(
        "<figure>\n{caption}<div class=\"panel\"{panel}>{}</div>\n</figure>\n",
        svg::figures(chart)
    )
}

fn shown(comparison: &Comparison) -> String {
    let mut html = format!(
        "<figure>\n<figcaption><p>Dots: the seeds. Line: the interval of the mean; all intervals hold \
         together with 95 %. Grey: the margin.</p></figcaption>\n<div class=\"panel\">{}</div>\n</figure>\n\
         <ul>\n",
        forest::figures(&pictures::differences(comparison))
    );
    for sentence in &comparison.sentences {
        let _ = writeln!(html, "<li>{}</li>", escape(sentence));
    }
    html + "</ul>\n" + &table::html(comparison)
}

/// What each variant takes from bounds and length, in the longest runs.
fn takes(comparison: &Comparison) -> String {
    let plan = &comparison.plan;
    let lengths = plan.settings.budgets.len().max(1);
    let mut rows = String::new();
    for arm in plan.arms.iter().skip(lengths - 1).step_by(lengths) {
        let (name, takes) = (escape(&arm.name), escape(&words::shortened(&arm.takes)));
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\">{name}</th><td>{takes}</td></tr>"
        );
    }
    words_table("Variants", ["Variant", "Its schedule"], &rows)
}

fn words_table(label: &str, head: [&str; 2], rows: &str) -> String {
    let head = head
        .map(|head| format!("<th scope=\"col\">{head}</th>"))
        .concat();
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\"><table \
         class=\"words\">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}

fn tuned(comparison: &Comparison) -> String {
    let mut rows = String::new();
    let judge = comparison.plan.settings.judge;
    for tuned in &comparison.tuned {
        let tried: Vec<String> = tuned
            .tried
            .iter()
            .map(|tried| {
                let score = match (tried.score, judge) {
                    (None, _) => "diverged".into(),
                    (Some(score), Judge::Accuracy) => words::percent(score),
                    (Some(score), Judge::Loss) => words::loss(score),
                };
                format!("{}: {score}", number(tried.rate))
            })
            .collect();
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\">{}</th><td>{}; chosen: {}{}</td></tr>",
            escape(&format!("{}, {} steps", tuned.name, count(tuned.steps))),
            escape(&tried.join(", ")),
            number(tuned.choice().rate),
            at_an_end(tuned)
        );
    }
    let table = words_table(
        "Rates",
        ["Variant", "Highest rate and score on what is held out"],
        &rows,
    );
    format!(
        "<p>As many rates for each policy, one run each, with a seed that no run of the comparison \
         has.</p>\n{table}"
    )
}

fn at_an_end(tuned: &Tuned) -> &'static str {
    match tuned.is_at_an_end() {
        true => ", at the end of what was tried",
        false => "",
    }
}

fn method(comparison: &Comparison) -> String {
    let outcomes = &comparison.outcomes;
    let looks: Vec<String> = comparison
        .plan
        .looks
        .iter()
        .map(|look| format!("{} seeds ({:.2} %)", look.seeds, 100.0 * look.error))
        .collect();
    let contrasts = match outcomes.contrasts {
        1 => "1 contrast".to_owned(),
        n => format!("{n} contrasts"),
    };
    format!(
        "<p>Two sources of chance are added: the seeds, and the test samples. A difference is paired by \
         seed and by test sample; the squared error of its mean is the variance over seeds divided by \
         their number plus the variance over test samples divided by theirs, with degrees of freedom \
         after Satterthwaite (1946). Each contrast has its own variance. All verdicts together are wrong \
         in at most 5 % of comparisons: the 5 % are shared out over the looks at {}, and over {contrasts} \
         (Bonferroni); as good within the margin is two one-sided tests (Schuirmann 1987).</p>\n<p>{} The \
         target is looked for in evaluations along the way, so steps to it are counted in their \
         distances.</p>\n",
        looks.join(", "),
        escape(&comparison.effort())
    )
}
