//! The confusion matrix as a shaded table.

use std::fmt::Write as _;

use super::contents::Run;
use crate::draw::chart::count;
use crate::draw::svg::escape;
use crate::error::shown;
use crate::train::event::Confusion;

/// Shades of a cell, from 1; cells of 0 have none.
const SHADES: f64 = 9.0;
/// Up to this many classes a zero is written; in larger matrices an empty cell is easier to read.
const SMALL: usize = 20;
/// Up to this many classes the table takes the whole width.
const ROOMY: usize = 12;

/// Up to this many classes there is a matrix; for more, lists of what is worst.
pub(super) const MATRIX: usize = 100;
/// Pairs and classes in these lists, at most.
const LISTED: usize = 50;

/// Counts by true class (row) and chosen class (column).
struct Matrix<'a> {
    run: &'a Run,
    confusion: &'a Confusion,
    /// Samples of each class.
    totals: Vec<u64>,
    /// The pairs of different classes that occur, the most frequent first.
    wrong: Vec<(u64, usize, usize)>,
}

impl Matrix<'_> {
    fn classes(&self) -> std::ops::Range<usize> {
        0..self.confusion.classes()
    }

    fn name(&self, class: usize) -> String {
        escape(&shown::line(&self.run.class(class)))
    }

    /// The share of a class that was found; `None` where it has no samples.
    fn recall(&self, class: usize) -> Option<f64> {
        let total = self.totals[class];
        (total > 0).then(|| self.confusion.get(class, class) as f64 / total as f64)
    }
}

/// The confusion matrix with the share that was found of each class (recall).
pub(super) fn confusion(run: &Run) -> String {
    let summary = run.summary.as_ref().map(|summary| &summary.confusion);
    let Some(confusion) = summary.filter(|confusion| !confusion.is_empty()) else {
        return "<p class=\"soft\">The run recorded no evaluation of the test set by class.</p>"
            .into();
    };
    let matrix = Matrix {
        run,
        confusion,
        totals: confusion.totals(),
        wrong: confusion.mistakes(),
    };
    let mut html = often_confused(&matrix);
    if confusion.classes() > MATRIX {
        lists(&mut html, &matrix);
        return html;
    }
    head(&mut html, &matrix);
    for class in matrix.classes() {
        row(&mut html, &matrix, class);
    }
    html.push_str("</tbody></table></div>");
    html
}

/// Where there are too many classes for a matrix: the pairs that are confused most, and the classes of
/// which the smallest share was found.
fn lists(html: &mut String, matrix: &Matrix<'_>) {
    let classes = count(matrix.confusion.classes() as u64);
    let _ = writeln!(
        html,
        "<p class=\"soft\">{classes} classes are too many for a matrix: these are the pairs that were \
         confused most often, and the classes of which the smallest share was found (recall).</p>"
    );
    let pairs = matrix.wrong.iter().take(LISTED).map(|(n, truth, chosen)| {
        let [truth, chosen] = [truth, chosen].map(|class| matrix.name(*class));
        [truth, chosen, count(*n)]
    });
    table(html, ["true", "chosen", "samples"], pairs);
    let mut worst: Vec<(f64, usize)> = (matrix.classes())
        .filter_map(|class| Some((matrix.recall(class)?, class)))
        .collect();
    worst.sort_by(|a, b| {
        a.0.total_cmp(&b.0)
            .then(matrix.totals[b.1].cmp(&matrix.totals[a.1]))
    });
    let worst = worst.iter().take(LISTED).map(|(recall, class)| {
        let recall = format!("{:.1} %", recall * 100.0);
        [matrix.name(*class), recall, count(matrix.totals[*class])]
    });
    table(html, ["class", "recall", "samples"], worst);
}

fn table(html: &mut String, head: [&str; 3], rows: impl Iterator<Item = [String; 3]>) {
    html.push_str("<div class=\"scroll\"><table><thead><tr>");
    for name in head {
        let _ = write!(html, "<th scope=\"col\">{name}</th>");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for [first, second, third] in rows {
        let _ = writeln!(
            html,
            "<tr><td>{first}</td><td>{second}</td><td>{third}</td></tr>"
        );
    }
    html.push_str("</tbody></table></div>\n");
}

/// The pairs that are confused most, in a sentence.
fn often_confused(matrix: &Matrix<'_>) -> String {
    if matrix.wrong.is_empty() {
        return "<p>Every test sample was classified correctly.</p>\n".into();
    }
    let pair = |(n, truth, chosen): &(u64, usize, usize)| {
        let [truth, chosen] = [truth, chosen].map(|class| matrix.name(*class));
        format!("<b>{truth}</b> taken for <b>{chosen}</b> ({})", count(*n))
    };
    let pairs: Vec<String> = matrix.wrong.iter().take(4).map(pair).collect();
    format!("<p>Most often confused: {}.</p>\n", pairs.join(", "))
}

fn head(html: &mut String, matrix: &Matrix<'_>) {
    let longest = matrix
        .classes()
        .map(|c| matrix.run.class(c).chars().count());
    let upright = longest.max().unwrap_or(0) <= 4;
    let turned = if upright { "" } else { " class=\"turned\"" };
    let roomy = if upright && matrix.confusion.classes() <= ROOMY {
        " roomy"
    } else {
        ""
    };
    let _ = write!(
        html,
        "<p class=\"soft\">Rows: the true class. Columns: the class that the model chose. Correct \
         answers lie on the diagonal; recall is their share of the row.</p>\n\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Confusion matrix\">\
         <table class=\"confusion{roomy}\"><thead><tr><th scope=\"col\" class=\"corner\">true</th>"
    );
    for class in matrix.classes() {
        let name = matrix.name(class);
        let _ = write!(html, "<th scope=\"col\"{turned}><span>{name}</span></th>");
    }
    html.push_str(
        "<th scope=\"col\" class=\"sum\">recall</th><th scope=\"col\">samples</th></tr></thead>\n<tbody>\n",
    );
}

fn row(html: &mut String, matrix: &Matrix<'_>, class: usize) {
    let total = matrix.totals[class];
    let _ = write!(html, "<tr><th scope=\"row\">{}</th>", matrix.name(class));
    let worst = matrix.wrong.first().map_or(1, |pair| pair.0);
    for column in matrix.classes() {
        let n = matrix.confusion.get(class, column);
        if n == 0 {
            let small = matrix.confusion.classes() <= SMALL;
            html.push_str(if small {
                "<td class=\"z\">0</td>"
            } else {
                "<td></td>"
            });
            continue;
        }
        // Correct answers are shaded by their share of the class, mistakes against the worst pair,
        // by the square root, so that single ones are seen.
        let (kind, share) = if column == class {
            ('r', n as f64 / total as f64)
        } else {
            ('w', (n as f64 / worst as f64).sqrt())
        };
        let shade = (share * SHADES).ceil().clamp(1.0, SHADES);
        let _ = write!(html, "<td class=\"{kind}{shade}\">{n}</td>");
    }
    let recall = matrix.recall(class);
    let recall = recall.map_or_else(|| "-".into(), |share| format!("{:.1} %", share * 100.0));
    let _ = writeln!(
        html,
        "<td class=\"sum\">{recall}</td><td>{}</td></tr>",
        count(total)
    );
}
