//! The confusion matrix as a shaded table.

use std::cmp::Reverse;
use std::fmt::Write as _;

use super::contents::Run;
use crate::draw::chart::count;
use crate::draw::svg::escape;

/// Shades of a cell, from 1; cells of 0 have none.
const SHADES: f64 = 9.0;
/// Up to this many classes a zero is written; in larger matrices an empty cell is easier to read.
const SMALL: usize = 20;
/// Up to this many classes the table takes the whole width.
const ROOMY: usize = 12;

/// Counts by true class (row) and chosen class (column); a row that is too short ends in zeros.
struct Matrix<'a> {
    run: &'a Run,
    rows: &'a [Vec<u64>],
    /// The pairs of different classes that occur, the most frequent first.
    wrong: Vec<(u64, usize, usize)>,
}

impl Matrix<'_> {
    fn cell(&self, row: usize, column: usize) -> u64 {
        self.rows[row].get(column).copied().unwrap_or(0)
    }

    fn classes(&self) -> std::ops::Range<usize> {
        0..self.rows.len()
    }

    fn name(&self, class: usize) -> String {
        escape(&self.run.class(class))
    }
}

/// The confusion matrix with the share that was found of each class (recall).
pub(super) fn confusion(run: &Run) -> String {
    let rows = run.summary.as_ref().map_or(&[][..], |s| &s.confusion);
    if rows.iter().flatten().all(|n| *n == 0) {
        return "<p class=\"soft\">The run recorded no evaluation of the test set by class.</p>"
            .into();
    }
    let mut matrix = Matrix {
        run,
        rows,
        wrong: Vec::new(),
    };
    let pairs =
        (matrix.classes()).flat_map(|row| matrix.classes().map(move |column| (row, column)));
    let mut wrong: Vec<(u64, usize, usize)> = pairs
        .filter(|(row, column)| row != column)
        .map(|(row, column)| (matrix.cell(row, column), row, column))
        .filter(|pair| pair.0 > 0)
        .collect();
    wrong.sort_by_key(|(n, row, column)| (Reverse(*n), *row, *column));
    matrix.wrong = wrong;

    let mut html = often_confused(&matrix);
    head(&mut html, &matrix);
    for class in matrix.classes() {
        row(&mut html, &matrix, class);
    }
    html.push_str("</tbody></table></div>");
    html
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
    let roomy = if upright && matrix.rows.len() <= ROOMY {
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
    let total: u64 = matrix.classes().map(|c| matrix.cell(class, c)).sum();
    let _ = write!(html, "<tr><th scope=\"row\">{}</th>", matrix.name(class));
    let worst = matrix.wrong.first().map_or(1, |pair| pair.0);
    for column in matrix.classes() {
        let n = matrix.cell(class, column);
        if n == 0 {
            let small = matrix.rows.len() <= SMALL;
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
    let recall = match total {
        0 => "-".into(),
        _ => format!(
            "{:.1} %",
            matrix.cell(class, class) as f64 / total as f64 * 100.0
        ),
    };
    let _ = writeln!(
        html,
        "<td class=\"sum\">{recall}</td><td>{}</td></tr>",
        count(total)
    );
}
