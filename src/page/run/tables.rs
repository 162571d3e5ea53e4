//! The tables of the page, and the pictures that the model gets wrong.

use std::fmt::Write as _;

use super::contents::Run;
use crate::draw::chart::{count, number};
use crate::draw::svg::escape;
use crate::draw::words::{batches_of, loss, percent, shape, shortened, things};
use crate::report::summary::StoredMistake;
use crate::train::event::Split;

/// Rows of the tables of values.
const LAST: usize = 12;

/// The test samples that the model gets most wrong: pictures where there are, otherwise a table.
pub(super) fn mistakes(run: &Run) -> String {
    let Some(summary) = &run.summary else {
        return "<p class=\"soft\">The run recorded none: it has no summary.</p>".into();
    };
    let mistakes = &summary.mistakes;
    if mistakes.is_empty() {
        return "<p class=\"soft\">The run recorded none.</p>".into();
    }
    let what = "<p class=\"soft\">The test samples with the largest loss: where the model was surest \
                of a wrong answer.</p>\n";
    if mistakes.iter().any(|mistake| mistake.png.is_some()) {
        format!("{what}{}", gallery(run, mistakes))
    } else {
        format!("{what}{}", list(run, mistakes))
    }
}

fn gallery(run: &Run, mistakes: &[StoredMistake]) -> String {
    let mut html = String::from("<ul class=\"gallery\">\n");
    for mistake in mistakes {
        let [truth, chosen] = [mistake.label, mistake.predicted].map(|c| escape(&run.class(c)));
        let name = name_of(mistake);
        html.push_str("<li>");
        if let Some(png) = &mistake.png {
            let _ = write!(
                html,
                "<img src=\"data:image/png;base64,{}\" width=\"84\" height=\"84\" \
                 alt=\"test {name}: {truth}, taken for {chosen}\">",
                escape(png)
            );
        }
        let _ = writeln!(
            html,
            "<span class=\"pair\"><b>{truth}</b> taken for <b class=\"wrong\">{chosen}</b></span> \
             <span class=\"soft\">{}loss {} <br>{name}</span></li>",
            sure(mistake).map_or(String::new(), |sure| format!("{sure} sure, ")),
            loss_of(mistake)
        );
    }
    html.push_str("</ul>");
    html
}

fn list(run: &Run, mistakes: &[StoredMistake]) -> String {
    let mut html = String::from(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Worst mistakes\"><table>\
         <thead><tr><th scope=\"col\">Test sample</th><th scope=\"col\">True</th>\
         <th scope=\"col\">Predicted</th><th scope=\"col\">Probability</th>\
         <th scope=\"col\">Loss</th></tr></thead>\n<tbody>\n",
    );
    for mistake in mistakes {
        let [truth, chosen] = [mistake.label, mistake.predicted].map(|c| escape(&run.class(c)));
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{truth}</td><td>{chosen}</td><td>{}</td><td>{}</td></tr>",
            name_of(mistake),
            sure(mistake).unwrap_or_default(),
            loss_of(mistake)
        );
    }
    html.push_str("</tbody></table></div>");
    html
}

/// What a person finds the sample by: its name, or its position in the test set.
fn name_of(mistake: &StoredMistake) -> String {
    match &mistake.name {
        Some(name) => escape(name),
        None => format!("sample {}", count(mistake.index as u64)),
    }
}

/// The probability that the model gave to the class that it chose.
fn sure(mistake: &StoredMistake) -> Option<String> {
    mistake.probability.map(percent)
}

fn loss_of(mistake: &StoredMistake) -> String {
    loss(mistake.loss.unwrap_or(f64::NAN))
}

/// The table of layers.
pub(super) fn layers(run: &Run) -> String {
    let mut html = String::new();
    let input = shape(&run.info.sample_shape, " × ");
    let _ = writeln!(
        html,
        "<tr><td></td><td class=\"soft\">input</td><td>{input}</td><td></td></tr>"
    );
    for row in &run.info.layers {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            row.position,
            escape(&row.layer),
            shape(&row.output, " × "),
            count(row.parameters as u64)
        );
    }
    let _ = writeln!(
        html,
        "<tr class=\"total\"><td></td><th scope=\"row\">all</th><td></td><td>{}</td></tr>",
        count(run.parameters() as u64)
    );
    html
}

/// Adapter, data and training as terms and descriptions.
pub(super) fn facts(run: &Run) -> String {
    let info = &run.info;
    let adapter = &info.adapter;
    let [train, validation, test] = info.samples.map(|n| count(n as u64));
    let mut samples = format!("{train} training, {test} test");
    if info.samples[1] > 0 {
        samples = format!("{train} training, {validation} validation, {test} test");
    }
    let facts = [
        ("Adapter", adapter.name.clone()),
        ("Type", adapter.kind.clone()),
        ("Backend", adapter.backend.clone()),
        ("Driver", adapter.driver.clone()),
        ("Kernels", adapter.class.clone()),
        ("Data", info.data.clone()),
        ("Samples", samples),
        ("Samples are", info.residence.clone()),
        (
            "Sample",
            format!(
                "{}, {}",
                shape(&info.sample_shape, " × "),
                match info.numbers {
                    true => format!("{} to predict", things(info.classes.len() as u64, "number")),
                    false => things(info.classes.len() as u64, "class"),
                }
            ),
        ),
        ("Augment", info.augment.clone()),
        ("Batch", batches_of(info.accumulate, info.batch)),
        ("Schedule", shortened(&info.schedule)),
        ("Program", format!("wavetrain {}", info.version)),
    ];
    let mut html = String::new();
    let shown = |(term, text): &(&str, String)| {
        !matches!(*term, "Augment" | "Samples are") || !text.is_empty()
    };
    for (term, description) in facts.into_iter().filter(shown) {
        let description = match description.trim() {
            "" => "-".into(),
            text => escape(text),
        };
        let _ = writeln!(html, "<div><dt>{term}</dt><dd>{description}</dd></div>");
    }
    html
}

/// The last evaluations and the last steps as tables.
pub(super) fn values(run: &Run) -> String {
    let mut html = String::new();
    let table = |html: &mut String, caption: &str, columns: &[&str]| {
        let _ = write!(
            html,
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table>\
             <caption>{caption}</caption><thead><tr>"
        );
        for column in columns {
            let _ = write!(html, "<th scope=\"col\">{column}</th>");
        }
        html.push_str("</tr></thead>\n<tbody>\n");
    };
    let evaluations = &run.metrics.evaluations;
    if !evaluations.is_empty() {
        let share = if run.is_numbers() { "R²" } else { "Accuracy" };
        let columns = ["After step", "Epoch", "Split", "Loss", share];
        table(&mut html, "Last evaluations", &columns);
        for e in &evaluations[evaluations.len().saturating_sub(LAST)..] {
            let split = match e.split {
                Split::Validation => "validation",
                Split::Test => "test",
            };
            let cells = [
                count(e.step),
                count(e.epoch),
                split.into(),
                loss(e.loss),
                percent(e.share()),
            ];
            row(&mut html, &cells);
        }
        html.push_str("</tbody></table></div>\n");
    }
    let columns = [
        "Step",
        "Epoch",
        "Learning rate",
        "Momentum",
        "Loss",
        "Batch accuracy",
    ];
    let columns = &columns[..columns.len() - usize::from(run.is_numbers())];
    table(&mut html, "Last steps", columns);
    let steps = &run.metrics.steps;
    for s in &steps[steps.len().saturating_sub(LAST)..] {
        let [lr, momentum] = [s.lr, s.momentum].map(|value| number(f64::from(value as f32)));
        let cells = [
            count(s.step),
            count(s.epoch),
            lr,
            momentum,
            loss(s.loss),
            percent(s.accuracy),
        ];
        row(&mut html, &cells[..columns.len()]);
    }
    html.push_str("</tbody></table></div>");
    html
}

fn row(html: &mut String, cells: &[String]) {
    let _ = writeln!(html, "<tr><td>{}</td></tr>", cells.join("</td><td>"));
}
