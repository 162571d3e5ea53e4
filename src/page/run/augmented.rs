//! The strip of training samples as they are and as training changes them.

use std::fmt::Write as _;

use super::contents::Run;
use crate::draw::chart::count;
use crate::draw::svg::escape;

/// The section; nothing where pictures are not changed while they train.
pub(super) fn section(run: &Run) -> String {
    let samples = run.summary.as_ref().map_or(&[][..], |s| &s.augmented);
    if run.info.augment.is_empty() || samples.iter().all(|sample| sample.pngs.is_empty()) {
        return String::new();
    }
    let mut html = format!(
        "<section id=\"augmented\" aria-labelledby=\"augmented-title\">\n\
         <h2 id=\"augmented-title\">Augmented samples</h2>\n\
         <p class=\"soft\">Training samples as they are (first row), and as the first steps see \
         them: {}.</p>\n<div class=\"strip\">\n",
        escape(&run.info.augment)
    );
    for sample in samples {
        let (index, class) = (count(sample.index as u64), escape(&run.class(sample.label)));
        html.push_str("<ul>");
        for (variant, png) in sample.pngs.iter().enumerate() {
            let what = match variant {
                0 => format!("training sample {index}: {class}"),
                n => format!("the same, variant {n}"),
            };
            let _ = write!(
                html,
                "<li><img src=\"data:image/png;base64,{}\" width=\"84\" height=\"84\" alt=\"{what}\"></li>",
                escape(png)
            );
        }
        let _ = writeln!(html, "<li class=\"soft\">{class}</li></ul>");
    }
    html.push_str("</div>\n</section>");
    html
}
