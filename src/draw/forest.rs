//! Differences at a glance: for each row a dot a seed, the mean with its interval, and the band that is
//! the margin around no difference (a forest plot). For a page that brings the style.

use std::fmt::Write as _;

use super::chart::{Axis, Ends, clean, number};
use super::svg::{CHARACTER, NARROW, STYLES, WIDTH, escape, short};

/// Height of a row, room above the rows, and below them.
const ROW: f64 = 38.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
const RIGHT: f64 = 24.0;
/// Intervals reach at most this many times as far as dots and margin: what is longer ends in an arrow.
const REACH: f64 = 3.0;

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it is of.
    pub name: String,
    /// The difference of each seed.
    pub dots: Vec<f64>,
    /// The interval of the mean, where there is one.
    pub interval: Option<[f64; 2]>,
    /// Its colour, as a position in the palette.
    pub hue: usize,
}

/// Differences from the same thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Forest {
    /// The title.
    pub title: String,
    /// What the axis measures.
    pub x_label: String,
    /// What counts as no difference, to both sides.
    pub margin: f64,
    /// The differences, from above.
    pub rows: Vec<Row>,
}

/// The drawing as `<svg>` elements without style, for a page that shows the one that suits its screen:
/// classes `wide` and `narrow`.
#[must_use]
pub fn figures(forest: &Forest) -> String {
    sized(forest, WIDTH, ("wide", 40)) + &sized(forest, NARROW, ("narrow", 18))
}

/// The drawing in a width, with names of so many characters at most.
fn sized(forest: &Forest, whole: f64, (class, longest_name): (&str, usize)) -> String {
    let longest = forest.rows.iter().map(|row| row.name.chars().count()).max();
    let left = 24.0 + CHARACTER * longest.unwrap_or(0).clamp(4, longest_name) as f64;
    let (width, rows) = (whole - left - RIGHT, ROW * forest.rows.len() as f64);
    let axis = axis(forest);
    let at = |value: f64| left + axis.position(value).unwrap_or(0.0) * width;
    let bottom = TOP + rows;
    let mut svg = format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {whole} {}\" role=\"img\" aria-label=\"{}\">\n\
         <text class=\"wt-text wt-title\" x=\"20\" y=\"22\">{}</text>\n\
         <rect class=\"wt-margin\" x=\"{}\" y=\"{TOP}\" width=\"{}\" height=\"{rows}\"/>\n",
        TOP + rows + BOTTOM,
        escape(&describe(forest)),
        escape(&clean(&forest.title)),
        short(at(-forest.margin)),
        short(at(forest.margin) - at(-forest.margin)),
    );
    let _ = writeln!(
        svg,
        "<path class=\"wt-axis\" d=\"M{} {TOP}V{bottom}\"/>",
        short(at(0.0))
    );
    // Within the drawing, where the label is longer than the axis.
    let half = forest.x_label.chars().count() as f64 * CHARACTER / 2.0;
    let middle = (left + width / 2.0).min((whole - half).max(whole / 2.0));
    let mut free = f64::NEG_INFINITY;
    for (value, label) in &axis.ticks {
        let (x, half) = (at(*value), label.chars().count() as f64 * CHARACTER / 2.0);
        if x - half < free || x + half > whole {
            continue;
        }
        free = x + half + 12.0;
        let _ = writeln!(
            svg,
            "<path class=\"wt-axis\" d=\"M{x} {bottom}v5\"/>\
             <text class=\"wt-soft wt-mid\" x=\"{x}\" y=\"{}\">{label}</text>",
            short(bottom + 19.0),
            x = short(x),
        );
    }
    let _ = writeln!(
        svg,
        "<path class=\"wt-axis\" d=\"M{} {bottom}H{}\"/>\
         <text class=\"wt-soft wt-mid\" x=\"{}\" y=\"{}\">{}</text>",
        short(left),
        short(left + width),
        short(middle),
        short(bottom + 40.0),
        escape(&clean(&forest.x_label))
    );
    for (i, row) in forest.rows.iter().enumerate() {
        draw(
            &mut svg,
            row,
            TOP + ROW * (i as f64 + 0.5),
            (left, longest_name),
            &at,
            &axis,
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw(
    svg: &mut String,
    row: &Row,
    y: f64,
    (left, longest): (f64, usize),
    at: &dyn Fn(f64) -> f64,
    axis: &Axis,
) {
    let hue = row.hue % STYLES;
    let name: String = clean(&row.name).chars().take(longest).collect();
    let _ = writeln!(
        svg,
        "<text class=\"wt-text wt-end\" x=\"{}\" y=\"{}\">{}</text>",
        short(left - 10.0),
        short(y + 4.0),
        escape(&name)
    );
    let (line, below) = (short(y - 5.0), y + 9.0);
    if let Some(interval) = row.interval {
        let [low, high] = interval.map(|end| end.clamp(axis.range()[0], axis.range()[1]));
        let _ = writeln!(
            svg,
            "<path class=\"wt-line wt-{hue}\" d=\"M{} {line}H{}\"/>",
            short(at(low)),
            short(at(high))
        );
        for (end, shown, to) in [(interval[0], low, 7.0), (interval[1], high, -7.0)] {
            let (x, up, down) = (at(shown), short(y - 10.0), short(y));
            let path = match end == shown {
                true => format!("M{} {up}V{down}", short(x)),
                // An arrow: it goes on.
                false => format!("M{} {up}L{} {line}L{0} {down}", short(x + to), short(x)),
            };
            let _ = writeln!(svg, "<path class=\"wt-line wt-{hue}\" d=\"{path}\"/>");
        }
    }
    for dot in &row.dots {
        let _ = writeln!(
            svg,
            "<circle class=\"wt-dot wt-{hue}\" cx=\"{}\" cy=\"{}\" r=\"3.4\"/>",
            short(at(*dot)),
            short(below)
        );
    }
    if !row.dots.is_empty() {
        let mean = row.dots.iter().sum::<f64>() / row.dots.len() as f64;
        let _ = writeln!(
            svg,
            "<path class=\"wt-line wt-{hue}\" d=\"M{} {}v8\"/>",
            short(at(mean)),
            short(y - 9.0)
        );
    }
}

fn axis(forest: &Forest) -> Axis {
    let dots = forest.rows.iter().flat_map(|row| row.dots.iter().copied());
    let near = dots.chain([-forest.margin, forest.margin]);
    let near: Vec<f64> = near.filter(|value| value.is_finite()).collect();
    let far = near
        .iter()
        .fold(0.0, |far: f64, value| far.max(value.abs()));
    let ends = forest
        .rows
        .iter()
        .flat_map(|row| row.interval.into_iter().flatten());
    let ends = ends.map(|end| end.clamp(-REACH * far, REACH * far));
    let values: Vec<f64> = near.iter().copied().chain(ends).collect();
    Axis::new(values.into_iter(), false, 8, Ends::Round)
}

fn describe(forest: &Forest) -> String {
    let mut text = format!(
        "{}, {}; the margin is {} to both sides",
        clean(&forest.title),
        clean(&forest.x_label),
        number(forest.margin)
    );
    for row in &forest.rows {
        let mean = row.dots.iter().sum::<f64>() / row.dots.len().max(1) as f64;
        let interval = row
            .interval
            .filter(|ends| ends.iter().all(|end| end.is_finite()));
        let interval = interval.map_or_else(
            || "no interval".to_owned(),
            |[low, high]| format!("interval {} to {}", number(low), number(high)),
        );
        let _ = write!(
            text,
            "; {}: mean {}, {interval}",
            clean(&row.name),
            number(mean)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forest(interval: [f64; 2]) -> Forest {
        Forest {
            title: "<b>".into(),
            x_label: "points".into(),
            margin: 0.3,
            rows: vec![Row {
                name: "<i>&".into(),
                dots: vec![0.1, 0.4, -0.2],
                interval: Some(interval),
                hue: 7,
            }],
        }
    }

    #[test]
    fn every_seed_has_a_dot_and_text_is_escaped() {
        let svg = figures(&forest([-0.2, 0.4]));
        // In the wide drawing and in the narrow one.
        assert_eq!(svg.matches("<circle").count(), 2 * 3);
        assert_eq!(svg.matches("wt-margin").count(), 2);
        assert!(!svg.contains("<b>") && !svg.contains("<i>"), "{svg}");
        assert!(svg.contains("interval -0.2 to 0.4"), "{svg}");
    }

    #[test]
    fn an_interval_that_is_too_long_ends_in_an_arrow() {
        let whole = figures(&forest([-0.2, 0.4]));
        let cut = figures(&forest([-40.0, 40.0]));
        assert_eq!(whole.matches('L').count() + 2 * 4, cut.matches('L').count());
        let endless = figures(&forest([f64::NEG_INFINITY, f64::INFINITY]));
        assert!(
            !endless.contains("NaN") && !endless.contains("inf\""),
            "{endless}"
        );
    }
}
