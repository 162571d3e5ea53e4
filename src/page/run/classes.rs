//! How well each class is told from the others.

use std::fmt::Write as _;

use super::confusion::MATRIX;
use super::contents::Run;
use crate::draw::chart::count;
use crate::draw::svg::escape;
use crate::draw::words::percent;
use crate::train::class_scores;

/// Precision, recall and F1 of each class, and how often the right class is among the first five; nothing
/// where no test was made.
pub(super) fn scores(run: &Run) -> String {
    let Some(summary) = run
        .summary
        .as_ref()
        .filter(|s| !s.confusion.is_empty())
        // Of more, the worst classes stand with the confusions.
        .filter(|s| s.confusion.classes() <= MATRIX)
    else {
        return String::new();
    };
    let mut html = String::from(
        "<h3>By class</h3>\n<p class=\"soft\">Precision: of the samples taken for a class, the share that \
         are of it. Recall: of its samples, the share that was found. F1: the harmonic mean of both.",
    );
    if let Some(top5) = summary.top5 {
        let _ = write!(
            html,
            " The right class is among the five likeliest for {} of the test set.",
            percent(top5)
        );
    }
    html.push_str(
        "</p>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Scores by class\"><table>\
         <thead><tr><th scope=\"col\">Class</th><th scope=\"col\">Test samples</th>\
         <th scope=\"col\">Precision</th><th scope=\"col\">Recall</th><th scope=\"col\">F1</th></tr>\
         </thead>\n<tbody>\n",
    );
    for score in class_scores(&summary.confusion) {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&run.class(score.class)),
            count(score.samples),
            percent(score.precision),
            percent(score.recall),
            percent(score.f1)
        );
    }
    html.push_str("</tbody></table></div>");
    html
}
