//! What a network that goes on with texts wrote, and which symbols it predicts worst.

use std::fmt::Write as _;

use super::contents::Run;
use crate::draw::chart::count;
use crate::draw::svg::escape;
use crate::draw::words::{loss, percent, things};

/// Texts that are shown: the first and the last ones.
const SHOWN: usize = 12;

/// A text that each evaluation shows, of a run of many the first and the last ones.
pub(super) fn texts(run: &Run) -> String {
    let texts = &run.metrics.texts;
    if texts.is_empty() {
        return "<p class=\"soft\">The run recorded none.</p>".into();
    }
    let mut html = String::from(
        "<p class=\"soft\">After each evaluation: the beginning as it was given, then in strong letters \
         how the network went on.</p>\n<dl class=\"texts\">\n",
    );
    let skipped = texts.len().saturating_sub(SHOWN);
    let shown = texts.iter().take(1).chain(texts.iter().skip(1 + skipped));
    for record in shown {
        let [prompt, text] = [&record.prompt, &record.text].map(|text| escape(text));
        let _ = writeln!(
            html,
            "<dt class=\"soft\">after {}</dt><dd class=\"sample\">{prompt}<b>{text}</b></dd>",
            things(record.step, "step")
        );
    }
    html.push_str("</dl>");
    html
}

/// The symbols that are predicted worst over the test set.
pub(super) fn symbols(run: &Run) -> String {
    let symbols = run.summary.as_ref().map_or(&[][..], |s| &s.symbols);
    if symbols.is_empty() {
        return "<p class=\"soft\">The run recorded none.</p>".into();
    }
    let mut html = String::from(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Symbols predicted worst\">\
         <table><thead><tr><th scope=\"col\">Symbol</th><th scope=\"col\">In the test set</th>\
         <th scope=\"col\">Predicted</th><th scope=\"col\">Mean loss</th></tr></thead>\n<tbody>\n",
    );
    for record in symbols {
        let name = escape(&run.class(record.symbol).escape_debug().to_string());
        let share = record.right as f64 / record.count.max(1) as f64;
        let _ = writeln!(
            html,
            "<tr><td><code>{name}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>",
            count(record.count),
            percent(share),
            loss(record.loss)
        );
    }
    html.push_str("</tbody></table></div>");
    html
}
