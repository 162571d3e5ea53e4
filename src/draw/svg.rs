//! Charts as static SVG: deterministic text that needs no script, light and dark.
//!
//! [`document`] is a file of its own, with its style inside; [`figure`] is the same drawing for a
//! page that brings the style (the classes start with `wt-`).

use std::fmt::Write as _;

use super::chart::{Axis, Chart, Look, Series, clean, number};

/// Width of a drawing in pixels.
pub const WIDTH: f64 = 880.0;
/// Width of the drawing that takes its place on a narrow screen.
pub const NARROW: f64 = 400.0;
/// Height of one chart in pixels.
pub const HEIGHT: f64 = 280.0;

/// Room above the plot (title and legend), below it (labels), right of it.
const TOP: f64 = 40.0;
const BOTTOM: f64 = 46.0;
const RIGHT: f64 = 18.0;
/// Width of a character of a label at 12 px: digits of common fonts have 0.6 em at most.
pub(super) const CHARACTER: f64 = 7.2;
/// Number of line styles in [`STYLE`].
pub(super) const STYLES: usize = 6;
/// Height of a row of the legend, and where its names begin at the earliest.
const ROW: f64 = 18.0;
const LEGEND_LEFT: f64 = 20.0;

/// Blue, vermilion, green and purple of Okabe and Ito's palette (<https://jfly.uni-koeln.de/color/>),
/// which stay apart for colour-blind eyes; in the dark its lighter neighbours.
const STYLE: &str = "\
.wt-bg{fill:#fff}.wt-text{fill:#1c2733}.wt-soft{fill:#586675}.wt-grid{stroke:#e3e8ed}\
.wt-axis{stroke:#8694a3}.wt-mark{stroke:#9aa7b4;stroke-dasharray:2 4}\
.wt-0{stroke:#0072b2}.wt-1{stroke:#c4500a}.wt-2{stroke:#007f5f}.wt-3{stroke:#a2508a}.wt-4{stroke:#8a6d00}.wt-5{stroke:#3d4a57}\
.wt-dot.wt-0{fill:#0072b2}.wt-dot.wt-1{fill:#c4500a}.wt-dot.wt-2{fill:#007f5f}.wt-dot.wt-3{fill:#a2508a}.wt-dot.wt-4{fill:#8a6d00}.wt-dot.wt-5{fill:#3d4a57}\
@media (prefers-color-scheme:dark){.wt-bg{fill:#12171d}.wt-text{fill:#e4eaf0}.wt-soft{fill:#9fadba}\
.wt-grid{stroke:#26303a}.wt-axis{stroke:#61707f}.wt-mark{stroke:#566472}\
.wt-0{stroke:#56b4e9}.wt-1{stroke:#f0955a}.wt-2{stroke:#35c49a}.wt-3{stroke:#dd93c4}.wt-4{stroke:#e0bd3a}.wt-5{stroke:#c8d2dc}\
.wt-dot.wt-0{fill:#56b4e9}.wt-dot.wt-1{fill:#f0955a}.wt-dot.wt-2{fill:#35c49a}.wt-dot.wt-3{fill:#dd93c4}.wt-dot.wt-4{fill:#e0bd3a}.wt-dot.wt-5{fill:#c8d2dc}}\
text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}\
.wt-title{font-size:14px;font-weight:600}.wt-end{text-anchor:end}.wt-mid{text-anchor:middle}\
.wt-line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}\
.wt-faint{stroke-width:.8;opacity:.35}.wt-dot{stroke:none}\
.wt-dash1{stroke-dasharray:7 4}.wt-dash2{stroke-dasharray:2 4}.wt-dash3{stroke-dasharray:9 4 2 4}\
.wt-dash4{stroke-dasharray:14 3}.wt-dash5{stroke-dasharray:5 2 1 2}\
.wt-band{stroke:none;opacity:.14}.wt-band.wt-0{fill:#0072b2}.wt-band.wt-1{fill:#c4500a}\
.wt-band.wt-2{fill:#007f5f}.wt-band.wt-3{fill:#a2508a}.wt-band.wt-4{fill:#8a6d00}.wt-band.wt-5{fill:#3d4a57}";

/// A whole SVG file with the charts below each other.
#[must_use]
pub fn document(charts: &[Chart]) -> String {
    let heights = charts.iter().map(|chart| height_of(chart, WIDTH));
    let height = heights.sum::<f64>().max(HEIGHT);
    let titles: Vec<String> = charts.iter().map(|chart| escape(&chart.title)).collect();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\">\n<title>{}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"wt-bg\" width=\"100%\" height=\"100%\"/>\n",
        titles.join(", ")
    );
    let mut from = 0.0;
    for chart in charts {
        let _ = writeln!(
            svg,
            "<g transform=\"translate(0 {from})\" role=\"img\" aria-label=\"{}\">",
            escape(&describe(chart))
        );
        draw(&mut svg, chart, WIDTH);
        svg.push_str("</g>\n");
        from += height_of(chart, WIDTH);
    }
    svg.push_str("</svg>\n");
    svg
}

/// One chart as an `<svg>` element without style, for a page.
#[must_use]
pub fn figure(chart: &Chart) -> String {
    sized(chart, WIDTH, "")
}

/// The chart twice, for a page that shows the one that suits its screen: classes `wide` and `narrow`.
#[must_use]
pub fn figures(chart: &Chart) -> String {
    let wide = sized(chart, WIDTH, "class=\"wide\" ");
    wide + &sized(chart, NARROW, "class=\"narrow\" ")
}

fn sized(chart: &Chart, width: f64, class: &str) -> String {
    let mut svg = format!(
        "<svg {class}viewBox=\"0 0 {width} {}\" role=\"img\" aria-label=\"{}\">\n",
        height_of(chart, width),
        escape(&describe(chart))
    );
    draw(&mut svg, chart, width);
    svg.push_str("</svg>\n");
    svg
}

/// The drawing in words: what it shows, and for each series where it starts, its range and where
/// it ends.
#[must_use]
pub fn describe(chart: &Chart) -> String {
    let mut text = format!("{} over {}", clean(&chart.title), clean(&chart.x_label));
    for series in chart.series.iter().filter(|series| !series.name.is_empty()) {
        let finite = series.points.iter().map(|point| point.1);
        let values: Vec<f64> = finite.filter(|value| value.is_finite()).collect();
        let name = clean(&series.name);
        let (Some(first), Some(last)) = (values.first(), values.last()) else {
            let _ = write!(text, "; {name}: no values");
            continue;
        };
        let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let [first, lowest, highest, last] = [*first, lowest, highest, *last].map(number);
        let _ = write!(
            text,
            "; {name}: starts at {first}, lowest {lowest}, highest {highest}, ends at {last}"
        );
    }
    text
}

/// Text for SVG and HTML, in elements and in quoted attributes; control characters become spaces.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push('\n'),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The place of the plot within the drawing, and its axes.
struct Frame {
    /// Width of the drawing.
    whole: f64,
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    x: Axis,
    y: Axis,
}

impl Frame {
    fn new(chart: &Chart, whole: f64) -> Self {
        let (x, y) = chart.axes(if whole < WIDTH { 4 } else { 8 }, 5);
        let longest = y.ticks.iter().map(|tick| tick.1.chars().count()).max();
        let left = 20.0 + CHARACTER * longest.unwrap_or(0).clamp(5, 24) as f64;
        Self {
            whole,
            left,
            top: TOP + legend_height(chart, whole),
            width: whole - left - RIGHT,
            height: HEIGHT - TOP - BOTTOM,
            x,
            y,
        }
    }

    fn x(&self, value: f64) -> Option<f64> {
        Some(self.left + self.x.position(value)? * self.width)
    }

    fn y(&self, value: f64) -> Option<f64> {
        Some(self.top + (1.0 - self.y.position(value)?) * self.height)
    }
}

fn draw(svg: &mut String, chart: &Chart, width: f64) {
    let frame = Frame::new(chart, width);
    grid(svg, chart, &frame);
    for mark in spaced_marks(chart, &frame) {
        let _ = writeln!(
            svg,
            "<path class=\"wt-mark\" d=\"M{} {}v{}\"/>",
            short(mark),
            short(frame.top),
            short(frame.height)
        );
    }
    for (i, series) in chart.series.iter().enumerate() {
        curve(svg, chart, series, i, &frame);
    }
    mark_names(svg, chart, &frame);
    legend(svg, chart, &frame);
    if chart.series.iter().all(|s| chart.runs(s).is_empty()) {
        let _ = writeln!(
            svg,
            "<text class=\"wt-soft wt-mid\" x=\"{}\" y=\"{}\">no data</text>",
            short(frame.left + frame.width / 2.0),
            short(frame.top + frame.height / 2.0)
        );
    }
}

/// The names of the marks, at their upper ends: to the right, or where that is full to the left; each
/// below the one before.
fn mark_names(svg: &mut String, chart: &Chart, frame: &Frame) {
    for (row, (mark, name)) in chart.marks.iter().zip(&chart.mark_names).enumerate() {
        let Some(x) = frame.x(*mark) else { continue };
        let room = frame.left + frame.width - x;
        let (side, x) = match CHARACTER * (name.chars().count() + 1) as f64 > room {
            true => (" wt-end", x - 5.0),
            false => ("", x + 5.0),
        };
        let _ = writeln!(
            svg,
            "<text class=\"wt-soft wt-name{side}\" x=\"{}\" y=\"{}\">{}</text>",
            short(x),
            short(frame.top + 12.0 + 15.0 * row as f64),
            escape(name)
        );
    }
}

/// Title, grid lines, axes, labels.
fn grid(svg: &mut String, chart: &Chart, frame: &Frame) {
    let mut title = escape(&chart.title);
    if !chart.y_label.is_empty() {
        let _ = write!(title, " ({})", escape(&chart.y_label));
    }
    let bottom = frame.top + frame.height;
    let (left, right) = (short(frame.left), short(frame.left + frame.width));
    let _ = writeln!(
        svg,
        "<text class=\"wt-text wt-title\" x=\"{left}\" y=\"22\">{title}</text>"
    );
    for (value, label) in &frame.y.ticks {
        let Some(y) = frame.y(*value) else { continue };
        let _ = writeln!(
            svg,
            "<path class=\"wt-grid\" d=\"M{left} {y}H{right}\"/>\
             <text class=\"wt-soft wt-end\" x=\"{}\" y=\"{}\">{label}</text>",
            short(frame.left - 8.0),
            short(y + 4.0),
            y = short(y),
        );
    }
    let mut free = f64::NEG_INFINITY;
    for (value, label) in &frame.x.ticks {
        let Some(x) = frame.x(*value) else { continue };
        let half = label.chars().count() as f64 * CHARACTER / 2.0;
        if x - half < free || x + half > frame.whole {
            continue;
        }
        free = x + half + 12.0;
        let _ = writeln!(
            svg,
            "<path class=\"wt-axis\" d=\"M{x} {}v5\"/>\
             <text class=\"wt-soft wt-mid\" x=\"{x}\" y=\"{}\">{label}</text>",
            short(bottom),
            short(bottom + 19.0),
            x = short(x),
        );
    }
    let _ = writeln!(
        svg,
        "<path class=\"wt-axis\" d=\"M{left} {}H{right}\"/>\
         <text class=\"wt-soft wt-mid\" x=\"{}\" y=\"{}\">{}</text>",
        short(bottom),
        short(frame.left + frame.width / 2.0),
        short(bottom + 38.0),
        escape(&chart.x_label)
    );
}

/// Places of the marks, none if they stand closer than 6 pixels.
fn spaced_marks(chart: &Chart, frame: &Frame) -> Vec<f64> {
    if chart.marks.len() as f64 * 6.0 > frame.width {
        return Vec::new();
    }
    let marks = chart.marks.iter();
    marks.filter_map(|mark| frame.x(*mark)).collect()
}

fn curve(svg: &mut String, chart: &Chart, series: &Series, index: usize, frame: &Frame) {
    let hue = series.hue.unwrap_or(index) % STYLES;
    let mut path = String::new();
    let mut dots = Vec::new();
    if series.look == Look::Dots {
        let points = series.points.iter();
        for (x, y) in points.filter_map(|point| Some((frame.x(point.0)?, frame.y(point.1)?))) {
            let _ = writeln!(
                svg,
                "<circle class=\"wt-dot wt-{hue}\" cx=\"{}\" cy=\"{}\" r=\"2.4\"/>",
                short(x),
                short(y)
            );
        }
        return;
    }
    for run in chart.runs(series) {
        let places = run.iter().filter_map(|point| {
            let (x, y) = (frame.x(point.0)?, frame.y(point.1)?);
            Some((x, y))
        });
        let places = thin(&places.collect::<Vec<_>>());
        if places.len() == 1 || series.look == Look::Marked {
            dots.extend_from_slice(&places);
        }
        for (i, (x, y)) in places.iter().enumerate() {
            let command = if i == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{} {}", short(*x), short(*y));
        }
    }
    if series.look == Look::Band {
        let _ = writeln!(svg, "<path class=\"wt-band wt-{hue}\" d=\"{path}Z\"/>");
        return;
    }
    let line = line_class(chart, index);
    if !path.is_empty() {
        let _ = writeln!(svg, "<path class=\"{line}\" d=\"{path}\"/>");
    }
    for (x, y) in dots {
        let _ = writeln!(
            svg,
            "<circle class=\"wt-dot wt-{hue}\" cx=\"{}\" cy=\"{}\" r=\"3.2\"/>",
            short(x),
            short(y)
        );
    }
}

/// Classes of a series' line: its colour, and dashes that tell it from the others without colour.
fn line_class(chart: &Chart, index: usize) -> String {
    let hue = |i: usize| chart.series[i].hue.unwrap_or(i) % STYLES;
    if chart.series[index].look == Look::Faint {
        return format!("wt-line wt-{} wt-faint", hue(index));
    }
    let before = chart.series[..index].iter();
    let lines = before.filter(|s| !matches!(s.look, Look::Faint | Look::Band));
    // What has a colour of its own has its dashes in every chart.
    let place = chart.series[index].hue.unwrap_or_else(|| lines.count());
    // After six the colours come round: they meet other dashes then.
    let dash = (place + place / STYLES) % STYLES;
    match dash {
        0 => format!("wt-line wt-{}", hue(index)),
        _ => format!("wt-line wt-{} wt-dash{dash}", hue(index)),
    }
}

/// At most four places for each column of a pixel (first, lowest, highest, last), in their order,
/// so that spikes stay.
fn thin(places: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut kept = Vec::new();
    for column in places.chunk_by(|a, b| a.0.floor() == b.0.floor()) {
        let by_height = |a: &usize, b: &usize| column[*a].1.total_cmp(&column[*b].1);
        let lowest = (0..column.len()).min_by(by_height).unwrap_or(0);
        let highest = (0..column.len()).max_by(by_height).unwrap_or(0);
        let mut keep = [0, lowest, highest, column.len() - 1];
        keep.sort_unstable();
        for (i, at) in keep.iter().enumerate() {
            if i == 0 || keep[i - 1] != *at {
                kept.push(column[*at]);
            }
        }
    }
    kept
}

/// The height of a drawing: more than [`HEIGHT`] where the legend needs rows of its own.
fn height_of(chart: &Chart, width: f64) -> f64 {
    HEIGHT + legend_height(chart, width)
}

fn legend_height(chart: &Chart, width: f64) -> f64 {
    ROW * legend_rows(chart, width).len().saturating_sub(1) as f64
}

/// Names in the legend, by their series, row by row from the title's; the last names stand first, so that
/// they are placed from the right.
fn legend_rows(chart: &Chart, whole: f64) -> Vec<Vec<(usize, String)>> {
    if chart.series.len() < 2 {
        return Vec::new();
    }
    let all = whole - RIGHT - LEGEND_LEFT;
    let title = 1 + chart.title.chars().count() + 3 + chart.y_label.chars().count();
    let named = chart.series.iter().enumerate();
    let named = named.filter(|(_, series)| !series.name.is_empty());
    let named: Vec<(usize, String)> = named
        .map(|(i, series)| (i, clean(&series.name).chars().take(40).collect()))
        .collect();
    let width = |name: &str| name.chars().count() as f64 * CHARACTER + 44.0;
    let one_row: f64 = named.iter().map(|(_, name)| width(name)).sum();
    if one_row <= all - title as f64 * (CHARACTER + 1.2) {
        return vec![named.into_iter().rev().collect()];
    }
    // The title has its row alone.
    let mut rows = vec![Vec::new(), Vec::new()];
    let mut free = all;
    for (i, name) in named {
        if width(&name) > free {
            rows.push(Vec::new());
            free = all;
        }
        free -= width(&name);
        if let Some(row) = rows.last_mut() {
            row.insert(0, (i, name));
        }
    }
    rows
}

/// Names of the series with a sample of their line, right-aligned beside the title, or below it where
/// they do not fit.
fn legend(svg: &mut String, chart: &Chart, frame: &Frame) {
    for (row, names) in legend_rows(chart, frame.whole).into_iter().enumerate() {
        let mut right = frame.left + frame.width;
        let y = 18.0 + ROW * row as f64;
        for (i, name) in names {
            let start = right - name.chars().count() as f64 * CHARACTER;
            let _ = writeln!(
                svg,
                "<line class=\"{}\" x1=\"{}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\"/>\
                 <text class=\"wt-soft\" x=\"{}\" y=\"{}\">{}</text>",
                line_class(chart, i),
                short(start - 28.0),
                short(start - 6.0),
                short(start),
                short(y + 4.0),
                escape(&name)
            );
            right = start - 44.0;
        }
    }
}

/// A coordinate to a tenth of a pixel.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    match text.strip_suffix(".0") {
        Some("-0") => "0".into(),
        Some(whole) => whole.into(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_everywhere() {
        let hostile = "</title><script>alert(1)</script>\"'&\u{0}";
        let chart = Chart {
            title: hostile.into(),
            x_label: hostile.into(),
            y_label: hostile.into(),
            series: vec![
                Series::new(hostile, vec![(0.0, 1.0)]),
                Series::new("b", Vec::new()),
            ],
            ..Chart::default()
        };
        for text in [document(std::slice::from_ref(&chart)), figure(&chart)] {
            assert!(!text.contains("<script"), "{text}");
            assert!(!text.contains('\u{0}'));
            assert_eq!(text.matches("<svg").count(), 1);
        }
        assert_eq!(escape("a<b>&\"c'"), "a&lt;b&gt;&amp;&quot;c&#39;");
    }

    #[test]
    fn spikes_survive_thinning() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i), 1.0)).collect();
        points[54_321].1 = 9.0;
        points[54_322].1 = -9.0;
        let chart = Chart::new("t", "x").with(Series::new("s", points));
        let drawn = figure(&chart);
        let frame = Frame::new(&chart, WIDTH);
        for value in [9.0, -9.0] {
            let y = short(frame.y(value).unwrap());
            assert!(drawn.contains(&format!(" {y}L")), "{value} is lost");
        }
        assert!(drawn.len() < 60_000, "{} bytes", drawn.len());
    }

    #[test]
    fn many_lines_are_told_apart_and_their_legend_is_whole() {
        let mut chart = Chart::new("a title of some length", "x");
        for i in 0..20 {
            let points = vec![(0.0, f64::from(i)), (1.0, f64::from(i))];
            chart = chart.with(Series::new(format!("a name of some length {i}"), points));
        }
        let classes: Vec<String> = (0..20).map(|i| line_class(&chart, i)).collect();
        let different: std::collections::HashSet<&String> = classes.iter().collect();
        assert_eq!(different.len(), 20, "{classes:?}");
        let rows = legend_rows(&chart, WIDTH);
        assert_eq!(rows.iter().map(Vec::len).sum::<usize>(), 20);
        assert!(rows.len() > 4 && rows[0].is_empty());
        for row in &rows {
            let width: f64 = row
                .iter()
                .map(|(_, name)| name.len() as f64 * CHARACTER + 44.0)
                .sum();
            assert!(width <= WIDTH - RIGHT, "{row:?}");
        }
        let drawn = figure(&chart);
        assert!(drawn.contains(&format!("0 0 {WIDTH} {}", height_of(&chart, WIDTH))));
        // On a narrow screen the same series, in more rows.
        let narrow = figures(&chart);
        assert!(narrow.contains("<svg class=\"narrow\" viewBox=\"0 0 400 "));
        assert!(legend_rows(&chart, NARROW).len() > rows.len());
        for row in legend_rows(&chart, NARROW)
            .iter()
            .filter(|row| row.len() > 1)
        {
            let width: f64 = row
                .iter()
                .map(|(_, name)| name.chars().count() as f64 * CHARACTER + 44.0)
                .sum();
            assert!(width <= NARROW - RIGHT, "{row:?}");
        }
        assert_eq!(legend_rows(&Chart::new("t", "x"), WIDTH).len(), 0);
    }

    #[test]
    fn words_tell_the_drawing() {
        let points = vec![(0.0, 0.01), (1.0, 0.1), (2.0, f64::NAN), (3.0, 0.02)];
        let chart = Chart::new("learning rate", "step").with(Series::new("lr", points));
        assert_eq!(
            describe(&chart),
            "learning rate over step; lr: starts at 0.01, lowest 0.01, highest 0.1, ends at 0.02"
        );
    }
}
