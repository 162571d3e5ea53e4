//! What the ends of cycles were good for: accuracy over time, of the weights as they were, of the
//! snapshots together and of the average.

use std::fmt::Write as _;

use super::contents::Run;
use crate::draw::chart::{Chart, Look, Series, count};
use crate::draw::svg;
use crate::draw::words::{duration, percent};
use crate::train::event::{LowPoint, Split};

/// An accuracy of a low point, where it was measured.
type Accuracy = fn(&LowPoint) -> Option<f64>;

/// What is drawn: name, colour, accuracy.
const CURVES: [(&str, usize, Accuracy); 3] = [
    ("single", 0, |point| Some(point.single)),
    ("ensemble", 1, |point| point.ensemble),
    ("average", 2, |point| point.average),
];

/// The section; nothing where a run looked at no low point.
pub(super) fn section(run: &Run) -> String {
    let points = &run.metrics.low_points;
    let Some(first) = points.first() else {
        return String::new();
    };
    let part = match first.split {
        Split::Validation => "the validation samples",
        Split::Test => "the test set",
    };
    let mut html = format!(
        "<section id=\"low-points\" aria-labelledby=\"low-points-title\">\n<h2 \
         id=\"low-points-title\">Ends of cycles</h2>\n<figure>\n<figcaption><h3>Accuracy over \
         time</h3><p>On {part}, at the end of each cycle, over the seconds in which steps ran. \
         Single: the weights as they were"
    );
    if first.ensemble.is_some() {
        html.push_str("; ensemble: all snapshots so far together");
    }
    if first.average.is_some() {
        html.push_str("; average: the mean of the weights of all ends so far");
    }
    let chart = svg::figures(&chart(points));
    let _ = write!(
        html,
        ".</p></figcaption>\n<div class=\"panel\">{chart}</div>\n</figure>\n"
    );
    html += &table(points);
    html.push_str("</section>");
    html
}

fn chart(points: &[LowPoint]) -> Chart {
    let mut chart = Chart::new("accuracy", "seconds of training");
    chart.y_label = "%".into();
    let longest = points.iter().map(|point| point.seconds).fold(0.0, f64::max);
    chart.x_range = Some((0.0, longest));
    for (name, hue, accuracy) in shown(points) {
        let place = |point: &LowPoint| Some((point.seconds, accuracy(point)? * 100.0));
        let series = Series::new(name, points.iter().filter_map(place).collect());
        chart = chart.with(series.look(Look::Marked).hue(hue));
    }
    chart
}

/// The curves that have any value.
fn shown(points: &[LowPoint]) -> impl Iterator<Item = (&'static str, usize, Accuracy)> {
    let curves = CURVES.into_iter();
    curves.filter(|(_, _, accuracy)| points.iter().any(|point| accuracy(point).is_some()))
}

fn table(points: &[LowPoint]) -> String {
    let mut html = String::from(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Ends of cycles\"><table>\n\
         <thead><tr><th scope=\"col\">cycle</th><th scope=\"col\">step</th><th \
         scope=\"col\">time</th>",
    );
    for (name, _, _) in shown(points) {
        let _ = write!(html, "<th scope=\"col\">{name}</th>");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for point in points {
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td>",
            count(point.cycle),
            count(point.step),
            duration(point.seconds)
        );
        for (_, _, accuracy) in shown(points) {
            let cell = accuracy(point).map_or_else(|| "-".to_owned(), percent);
            let _ = write!(html, "<td>{cell}</td>");
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
    html
}
