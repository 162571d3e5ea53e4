//! The data of a drawing: named series of points, and the axes that hold them.
//!
//! [`super::plot`] and [`super::svg`] draw the same [`Chart`]. Points that are not finite (or not
//! positive on a logarithmic axis) are gaps: they never reach an axis and break the line.

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Look {
    /// A line.
    #[default]
    Line,
    /// A thin, pale line (in a terminal: points that are not joined): raw values behind a smoothed
    /// curve.
    Faint,
    /// A pale area; its points run along one edge and back along the other. Only in SVG.
    Band,
    /// A line with a mark at each point: few points, each of them a measurement.
    Marked,
    /// A small mark at each point, and no line.
    Dots,
}

/// One curve.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// The name in the legend.
    pub name: String,
    /// The points, in the order in which they are joined.
    pub points: Vec<(f64, f64)>,
    /// How it is drawn.
    pub look: Look,
    /// Its colour, as a position in the palette; by default its own position in the chart.
    pub hue: Option<usize>,
}

impl Series {
    /// A series drawn as a line.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.into(),
            points,
            ..Self::default()
        }
    }

    /// The same series with another look.
    #[must_use]
    pub fn look(mut self, look: Look) -> Self {
        self.look = look;
        self
    }

    /// The same series in a given colour.
    #[must_use]
    pub fn hue(mut self, hue: usize) -> Self {
        self.hue = Some(hue);
        self
    }
}

/// One drawing: series over common axes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chart {
    /// The title.
    pub title: String,
    /// What the horizontal axis counts (`step`).
    pub x_label: String,
    /// What the vertical axis measures; empty where the title says it.
    pub y_label: String,
    /// The curves. With several, each is told from the others by its line and the legend.
    pub series: Vec<Series>,
    /// Places on the horizontal axis with a thin vertical line (ends of cycles).
    pub marks: Vec<f64>,
    /// What the marks are, in their order; none where the page says it.
    pub mark_names: Vec<String>,
    /// A range that the horizontal axis covers at least, so that charts can share one.
    pub x_range: Option<(f64, f64)>,
    /// Whether the horizontal axis counts things, so that only whole numbers have a label.
    pub whole_x: bool,
    /// Whether the horizontal axis is logarithmic.
    pub log_x: bool,
    /// Whether the vertical axis is logarithmic.
    pub log_y: bool,
}

impl Chart {
    /// A chart without series.
    pub fn new(title: impl Into<String>, x_label: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            x_label: x_label.into(),
            ..Self::default()
        }
    }

    /// The same chart with one more series.
    #[must_use]
    pub fn with(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// The points of a series that can be drawn, as runs between gaps.
    pub(crate) fn runs(&self, series: &Series) -> Vec<Vec<(f64, f64)>> {
        let fits = |&(x, y): &(f64, f64)| fits(x, self.log_x) && fits(y, self.log_y);
        series
            .points
            .split(|point| !fits(point))
            .filter(|run| !run.is_empty())
            .map(<[_]>::to_vec)
            .collect()
    }

    /// Both axes, with about `x_ticks` and `y_ticks` labels.
    pub(crate) fn axes(&self, x_ticks: usize, y_ticks: usize) -> (Axis, Axis) {
        let drawn = || {
            let points = self.series.iter().flat_map(|series| &series.points);
            points.filter(|(x, y)| fits(*x, self.log_x) && fits(*y, self.log_y))
        };
        let wanted = self.x_range.into_iter().flat_map(|(lo, hi)| [lo, hi]);
        let xs = drawn().map(|point| point.0).chain(wanted);
        let ys = drawn().map(|point| point.1);
        let least = if self.whole_x { 1.0 } else { 0.0 };
        (
            Axis::new(xs, self.log_x, x_ticks, Ends::Exact(least)),
            Axis::new(ys, self.log_y, y_ticks, Ends::Round),
        )
    }
}

/// Whether a value can be drawn. Below `1 / FAR` a logarithm loses its digits.
fn fits(value: f64, log: bool) -> bool {
    value.is_finite() && (!log || value >= 1.0 / FAR)
}

/// An axis: its range and its labelled places.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    lo: f64,
    hi: f64,
    log: bool,
    /// Places with their labels, rising.
    pub(crate) ticks: Vec<(f64, String)>,
}

/// Where a linear axis ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Ends {
    /// At the outermost values; ticks are at least this far apart.
    Exact(f64),
    /// At the ticks outside them.
    Round,
}

/// No axis reaches further, so that no difference of two of its values overflows.
const FAR: f64 = 1e300;

impl Axis {
    /// An axis that holds `values`, with about `ticks` labels.
    pub(crate) fn new(
        values: impl Iterator<Item = f64>,
        log: bool,
        ticks: usize,
        ends: Ends,
    ) -> Self {
        let (lo, hi) = values
            .filter(|value| fits(*value, log))
            .map(|value| value.clamp(-FAR, FAR))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), value| {
                (lo.min(value), hi.max(value))
            });
        let (lo, hi) = open(lo, hi, log);
        if log {
            // Narrower than rounding can tell: as a single value.
            let (lo, hi) = if hi.log10() - lo.log10() > 1e-9 {
                (lo, hi)
            } else {
                open(lo, lo, log)
            };
            Self::logarithmic(lo, hi, ticks)
        } else {
            Self::linear(lo, hi, ticks, ends)
        }
    }

    fn linear(lo: f64, hi: f64, ticks: usize, ends: Ends) -> Self {
        let least = match ends {
            Ends::Exact(least) => least,
            Ends::Round => 0.0,
        };
        let step = nice_step((hi - lo) / ticks.max(1) as f64).max(least);
        let (first, last) = ((lo / step).ceil(), (hi / step).floor());
        // Beyond 2^53 multiples of the step are no longer exact: a range too narrow for its place.
        if !step.is_normal() || first.abs().max(last.abs()) > 9e15 {
            let ticks = [lo, hi].map(|value| (value, format!("{value:e}")));
            return Self {
                lo,
                hi,
                log: false,
                ticks: ticks.into(),
            };
        }
        let (first, last) = if ends == Ends::Round {
            // 0.1 that was stored as an f32 ends at the tick 0.1, not at the next one.
            ((lo / step + 1e-6).floor(), (hi / step - 1e-6).ceil())
        } else {
            (first, last)
        };
        let (lo, hi) = (lo.min(first * step), hi.max(last * step));
        let widest = lo.abs().max(hi.abs());
        let place = |k: f64| k * step;
        let count = (last - first).max(0.0) as usize;
        let ticks = (0..=count)
            .map(|i| place(first + i as f64))
            .map(|value| (value, label(value, step, widest)))
            .collect();
        Self {
            lo,
            hi,
            log: false,
            ticks,
        }
    }

    fn logarithmic(lo: f64, hi: f64, ticks: usize) -> Self {
        let (low, high) = (lo.log10(), hi.log10());
        let (first, last) = (low.floor() as i32, high.ceil() as i32);
        let every = ((high - low) / ticks.max(1) as f64).ceil().max(1.0) as i32;
        let within_decade: &[f64] = match high - low {
            span if span < 1.2 => &[1.0, 2.0, 3.0, 5.0, 7.0],
            span if span < 2.5 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let first = first.div_euclid(every) * every;
        let inside = |value: &f64| *value >= lo * 0.999_999 && *value <= hi * 1.000_001;
        let mut places: Vec<(f64, String)> = (first..=last)
            .step_by(every as usize)
            .flat_map(|decade| within_decade.iter().map(move |m| m * ten_to(decade)))
            .filter(inside)
            .map(|value| match (1e-3..1e5).contains(&value) {
                true => (value, number(value)),
                false => (value, format!("{value:e}")),
            })
            .collect();
        if places.len() < 2 {
            // Less than a step of the scale: evenly spaced values tell more.
            places = Self::linear(lo, hi, ticks, Ends::Exact(0.0)).ticks;
        }
        Self {
            lo,
            hi,
            log: true,
            ticks: places,
        }
    }

    /// The lowest and the highest value on it.
    pub(crate) fn range(&self) -> [f64; 2] {
        [self.lo, self.hi]
    }

    /// Where `value` lies, from 0 to 1; nothing for what cannot be drawn.
    pub(crate) fn position(&self, value: f64) -> Option<f64> {
        if !fits(value, self.log) {
            return None;
        }
        let value = value.clamp(-FAR, FAR);
        let at = if self.log {
            (value.log10() - self.lo.log10()) / (self.hi.log10() - self.lo.log10())
        } else {
            (value - self.lo) / (self.hi - self.lo)
        };
        // Rounding may leave the range by an ulp; anything further out is not on this axis.
        (-1e-6..=1.0 + 1e-6)
            .contains(&at)
            .then_some(at.clamp(0.0, 1.0))
    }
}

/// `10^exponent`, correctly rounded (`powi` is not).
fn ten_to(exponent: i32) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(f64::MAX)
}

/// A range of positive width around what was found: nothing, one value, or a range.
fn open(lo: f64, hi: f64, log: bool) -> (f64, f64) {
    if lo > hi {
        return if log { (0.1, 1.0) } else { (0.0, 1.0) };
    }
    if lo < hi {
        return (lo, hi);
    }
    if log {
        return ((lo / 2.0).max(f64::MIN_POSITIVE), (hi * 2.0).min(FAR));
    }
    if lo == 0.0 {
        return (0.0, 1.0);
    }
    (lo.min(0.0), lo.max(0.0))
}

/// The smallest of 1, 2, 5 times a power of ten that is at least `raw`.
fn nice_step(raw: f64) -> f64 {
    if !raw.is_normal() {
        return 0.0;
    }
    let power = ten_to(raw.log10().floor() as i32);
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|factor| factor * power >= raw * 0.999_999);
    factor.unwrap_or(10.0) * power
}

/// A tick's label: as many digits as tell it from its neighbours.
fn label(value: f64, step: f64, widest: f64) -> String {
    if value.abs() < step * 1e-6 {
        return "0".into();
    }
    let step_exponent = (step.log10() + 1e-9).floor() as i32;
    if (1e-3..1e7).contains(&widest) {
        let decimals = (-step_exponent).clamp(0, 17) as usize;
        return group(&format!("{value:.decimals$}"));
    }
    let digits = ((value.abs().log10() + 1e-9).floor() as i32 - step_exponent).clamp(0, 16);
    format!("{value:.*e}", digits as usize)
}

/// A number for people: six significant digits at most, thousands grouped, powers of ten for the
/// very large and the very small; `-` for what is no number.
#[must_use]
pub fn number(value: f64) -> String {
    if value.is_nan() {
        return "-".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.into();
    }
    if value == 0.0 {
        return "0".into();
    }
    // Six digits as the formatter rounds them, so that 0.999_999_9 becomes 1.
    let scientific = format!("{value:.5e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-5..9).contains(&exponent) {
        let decimals = (5 - exponent).max(0) as usize;
        return group(&trim(&format!("{value:.decimals$}")));
    }
    format!("{}e{exponent}", trim(mantissa))
}

/// An integer for people, thousands grouped: `12,345`.
#[must_use]
pub fn count(value: u64) -> String {
    group(&value.to_string())
}

/// Without the zeros at the end of the decimals.
fn trim(text: &str) -> String {
    if !text.contains('.') {
        return text.into();
    }
    text.trim_end_matches('0').trim_end_matches('.').into()
}

/// Commas between the thousands of the integer part.
fn group(text: &str) -> String {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, decimals) = match digits.split_once('.') {
        Some((whole, decimals)) => (whole, format!(".{decimals}")),
        None => (digits, String::new()),
    };
    let mut grouped = String::with_capacity(whole.len() * 4 / 3 + 1);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{decimals}")
}

/// One line of text without control characters, for drawings.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], log: bool, ticks: usize, ends: Ends) -> Vec<String> {
        let axis = Axis::new(values.iter().copied(), log, ticks, ends);
        axis.ticks.into_iter().map(|tick| tick.1).collect()
    }

    #[test]
    fn ticks_are_nice_and_tell_their_values() {
        let rate = labels(&[0.01, f64::from(0.1_f32)], false, 5, Ends::Round);
        assert_eq!(rate, ["0", "0.02", "0.04", "0.06", "0.08", "0.10"]);
        let steps = labels(&[0.0, 3751.0], false, 5, Ends::Exact(0.0));
        assert_eq!(steps, ["0", "1,000", "2,000", "3,000"]);
        let tiny = labels(&[1e-7, 9e-7], false, 4, Ends::Round);
        assert_eq!(tiny, ["0", "2e-7", "4e-7", "6e-7", "8e-7", "1.0e-6"]);
        let huge = labels(&[0.0, 1e12], false, 4, Ends::Round);
        assert_eq!(huge, ["0", "5e11", "1.0e12"]);
        let whole = labels(&[0.0, 2.0], false, 8, Ends::Exact(1.0));
        assert_eq!(whole, ["0", "1", "2"]);
        assert_eq!(labels(&[-1.0, 1.0], false, 4, Ends::Round).len(), 5);
        let decades = labels(&[1e-7, 10.0], true, 8, Ends::Round);
        assert_eq!(decades.first().map(String::as_str), Some("1e-7"));
        assert_eq!(decades.last().map(String::as_str), Some("10"));
        assert_eq!(
            labels(&[2.0, 7.0], true, 5, Ends::Round),
            ["2", "3", "5", "7"]
        );
    }

    #[test]
    fn an_axis_has_width_whatever_it_holds() {
        for values in [
            &[][..],
            &[0.0],
            &[0.9],
            &[-3.0],
            &[f64::NAN, f64::INFINITY],
            &[1e300],
            &[-1e308, 1e308],
            &[1e12, 1e12 + 1e-3],
            &[0.0, 5e-324],
            &[1.0, 1.0 + f64::EPSILON],
        ] {
            for log in [false, true] {
                let axis = Axis::new(values.iter().copied(), log, 5, Ends::Round);
                assert!(axis.lo < axis.hi, "{values:?} log {log}: {axis:?}");
                assert!(axis.ticks.len() < 30, "{values:?}: {axis:?}");
                for value in values.iter().filter(|value| fits(**value, log)) {
                    let at = axis.position(*value);
                    assert!(at.is_some(), "{value} lies outside {axis:?}");
                }
            }
        }
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        let cases = [
            (0.0, "0"),
            (0.1_f32.into(), "0.1"),
            (0.999_999_9, "1"),
            (12_345.678, "12,345.7"),
            (1_234_567.0, "1,234,567"),
            (2e-7, "2e-7"),
            (1e12, "1e12"),
            (-0.25, "-0.25"),
            (f64::NAN, "-"),
            (f64::INFINITY, "inf"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(count(999), "999");
    }

    #[test]
    fn gaps_split_a_series() {
        let points = vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, 2.0), (3.0, 3.0)];
        let chart = Chart::new("t", "x").with(Series::new("s", points));
        let runs = chart.runs(&chart.series[0]);
        assert_eq!(runs, [vec![(0.0, 1.0)], vec![(2.0, 2.0), (3.0, 3.0)]]);
    }
}
