//! Charts as text: braille dots, or plain ASCII, with axes.
//!
//! A braille character is a grid of 2 by 4 dots (Unicode block U+2800), so a plot of 72 by 16
//! characters resolves 130 by 48 points. Without colour, series are told apart by their dots (whole,
//! dashed, dotted) and, in ASCII, by their letters.

use super::chart::{Axis, Chart, Look, Series, clean};

/// Which characters a plot is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlotGlyphs {
    /// Braille dots and box-drawing lines.
    #[default]
    Braille,
    /// ASCII only, for terminals and logs without Unicode.
    Ascii,
}

/// How a plot looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// The characters.
    pub glyphs: PlotGlyphs,
    /// Whether series are coloured by ANSI escape sequences; without it no control character but
    /// the line feed is written.
    pub colour: bool,
}

/// Colours of the series: blue, yellow, magenta, green, the best apart for most eyes; cyan, red.
const COLOURS: [&str; 6] = [
    "\u{1b}[34m",
    "\u{1b}[33m",
    "\u{1b}[35m",
    "\u{1b}[32m",
    "\u{1b}[36m",
    "\u{1b}[31m",
];
const PLAIN: &str = "\u{1b}[0m";
/// ASCII letters of the series.
const LETTERS: [char; 8] = ['*', '+', 'o', 'x', '#', '@', '%', '='];
/// Of every so many dots along a line, this many are drawn: whole, dashed, dotted, sparse, long dashes far
/// apart, short ones far apart; as many as colours.
const DASHES: [(usize, usize); 6] = [(1, 1), (6, 4), (3, 1), (5, 1), (14, 8), (12, 3)];
/// Legend samples of these dashes.
const SAMPLES: [&str; 6] = ["───", "╌╌╌", "···", ". .", "─ ─", "- -"];

/// Draws a chart as lines of text, each ending in a line feed.
///
/// `width` and `height` are in characters and count everything, labels and title included; they
/// are raised to 24 by 7 where they are smaller (and limited to 1000 by 500).
#[must_use]
pub fn draw(chart: &Chart, width: usize, height: usize, style: Style) -> String {
    let (width, height) = (width.clamp(24, 1000), height.clamp(7, 500));
    let ascii = style.glyphs == PlotGlyphs::Ascii;
    // Title and legend above; axis, labels and the label of the axis below.
    let legend = legend(chart, style);
    let ticks = |rows: usize| chart.axes(1, (rows / 3).clamp(2, 8)).1;
    let gutter = |y: &Axis| {
        let longest = y.ticks.iter().map(|tick| tick.1.chars().count()).max();
        longest.unwrap_or(0).min(width / 2).max(3)
    };
    // At least three rows of the plot itself.
    let room = (gutter(&ticks(height - 4)), width, height - 6);
    let above = heading(chart, room, &legend);
    let rows = height - 3 - above.len();
    let y = ticks(rows);
    let gutter = gutter(&y);
    let columns = width - gutter - 2;
    let (x, _) = chart.axes((columns / 14).clamp(1, 10), 1);

    let mut canvas = Canvas::new(columns, rows, ascii);
    canvas.marks(&chart.marks, &x);
    for (i, series) in chart.series.iter().enumerate() {
        canvas.series(chart, series, i, &x, &y);
    }

    let mut text = String::new();
    for line in above {
        push_line(&mut text, &line);
    }
    let mut labels = vec![None; rows];
    for (value, label) in &y.ticks {
        let row = y.position(*value).map(|at| cell(1.0 - at, rows));
        if let Some(slot) = row.and_then(|row| labels.get_mut(row)) {
            *slot = Some(label);
        }
    }
    let (bar, tick) = if ascii { ('|', '+') } else { ('│', '┤') };
    for (row, label) in labels.iter().enumerate() {
        let edge = if label.is_some() { tick } else { bar };
        let label = label.map_or_else(String::new, |label| fit(label, gutter));
        let dots = canvas.row(row, style.colour);
        push_line(&mut text, &format!("{label:>gutter$} {edge}{dots}"));
    }
    for line in feet(chart, &x, gutter, columns, ascii) {
        push_line(&mut text, &line);
    }
    text
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

/// A label in `room` characters; `~` stands for what is cut off.
fn fit(label: &str, room: usize) -> String {
    if label.chars().count() <= room {
        return label.into();
    }
    let kept = label.chars().take(room.saturating_sub(1));
    kept.chain(['~']).collect()
}

/// The cell of `count` that holds position `at` (0 to 1), the ends in the middle of the outermost.
fn cell(at: f64, count: usize) -> usize {
    let last = count.saturating_sub(1);
    ((at * last as f64).round() as usize).min(last)
}

/// A named line: its sample, as it is written and in columns, and its name.
type Entry = (String, usize, String);

/// What each named line is; nothing where there is one alone.
fn legend(chart: &Chart, style: Style) -> Vec<Entry> {
    if chart.series.len() < 2 {
        return Vec::new();
    }
    let named = chart.series.iter().enumerate();
    named
        .filter(|(_, series)| !series.name.is_empty())
        .map(|(i, series)| {
            let sample: String = match style.glyphs {
                PlotGlyphs::Ascii => LETTERS[i % LETTERS.len()].into(),
                PlotGlyphs::Braille => SAMPLES[i % SAMPLES.len()].into(),
            };
            let columns = sample.chars().count();
            let sample = painted(&sample, i, style.colour);
            (sample, columns, clean(&series.name))
        })
        .collect()
}

/// Title, unit and legend, on as many lines as they need, `most` at most.
fn heading(
    chart: &Chart,
    (gutter, width, most): (usize, usize, usize),
    legend: &[Entry],
) -> Vec<String> {
    let mut title = clean(&chart.title);
    if !chart.y_label.is_empty() {
        title = format!("{title} ({})", clean(&chart.y_label));
    }
    let left = gutter + 2;
    let whole = format!("{:left$}{title}", "");
    let mut line: String = whole.chars().take(width).collect();
    let mut used = line.chars().count();
    let mut lines = Vec::new();
    for (sample, columns, name) in legend {
        let name = fit(name, width.saturating_sub(left + columns + 1));
        let columns = columns + 1 + name.chars().count();
        if used + 3 + columns > width {
            if lines.len() + 1 == most {
                break;
            }
            lines.push(std::mem::replace(&mut line, format!("{:left$}", "")));
            used = left;
        }
        let gap = if used > left { "   " } else { "" };
        line.push_str(&format!("{gap}{sample} {name}"));
        used += gap.len() + columns;
    }
    lines.push(line);
    lines
}

fn painted(text: &str, series: usize, colour: bool) -> String {
    if colour {
        format!("{}{text}{PLAIN}", COLOURS[series % COLOURS.len()])
    } else {
        text.into()
    }
}

/// The horizontal axis, its labels, and what it counts.
fn feet(chart: &Chart, x: &Axis, gutter: usize, columns: usize, ascii: bool) -> [String; 3] {
    let (corner, line, tick) = if ascii {
        ('+', '-', '+')
    } else {
        ('└', '─', '┬')
    };
    let mut axis = vec![line; columns];
    // Two places more than the plot: a label may hang over the corner.
    let mut labels = vec![' '; columns + 2];
    let mut free = 0;
    for (value, label) in &x.ticks {
        let Some(column) = x.position(*value).map(|at| cell(at, columns)) else {
            continue;
        };
        let length = label.chars().count();
        let start = (column + 2)
            .saturating_sub(length.div_ceil(2))
            .min((columns + 2).saturating_sub(length));
        if start < free || length > columns {
            continue;
        }
        axis[column] = tick;
        for (slot, c) in labels[start..].iter_mut().zip(label.chars()) {
            *slot = c;
        }
        free = start + length + 2;
    }
    let name: String = clean(&chart.x_label).chars().take(columns).collect();
    let indent = gutter + 2 + (columns - name.chars().count()) / 2;
    [
        format!("{:gutter$} {corner}{}", "", axis.iter().collect::<String>()),
        format!("{:gutter$}{}", "", labels.iter().collect::<String>()),
        format!("{:indent$}{name}", ""),
    ]
}

/// A grid of characters, each made of dots (2 by 4 in braille, 1 by 1 in ASCII).
struct Canvas {
    columns: usize,
    rows: usize,
    ascii: bool,
    /// Dots of each cell as the low byte of a braille character; in ASCII not zero where drawn.
    dots: Vec<u8>,
    /// The series drawn last in each cell, for its colour or letter.
    owner: Vec<Option<usize>>,
    /// Columns with a vertical mark.
    marked: Vec<bool>,
}

/// Bits of the dots of a braille character, by row and column.
const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

impl Canvas {
    fn new(columns: usize, rows: usize, ascii: bool) -> Self {
        Self {
            columns,
            rows,
            ascii,
            dots: vec![0; columns * rows],
            owner: vec![None; columns * rows],
            marked: vec![false; columns],
        }
    }

    /// Dots in a cell, across and down.
    fn dots_per_cell(&self) -> (usize, usize) {
        if self.ascii { (1, 1) } else { (2, 4) }
    }

    fn dot(&mut self, x: usize, y: usize, series: usize) {
        let (across, down) = self.dots_per_cell();
        let (column, row) = (x / across, y / down);
        if column >= self.columns || row >= self.rows {
            return;
        }
        let at = row * self.columns + column;
        self.dots[at] |= BITS[y % down][x % across];
        self.owner[at] = Some(series);
    }

    /// Vertical marks, unless they stand so close that they would hide the plot.
    fn marks(&mut self, marks: &[f64], x: &Axis) {
        if marks.len() > self.columns / 6 {
            return;
        }
        for at in marks.iter().filter_map(|mark| x.position(*mark)) {
            let column = cell(at, self.columns);
            self.marked[column] = true;
        }
    }

    fn series(&mut self, chart: &Chart, series: &Series, index: usize, x: &Axis, y: &Axis) {
        let (across, down) = self.dots_per_cell();
        let (width, height) = (self.columns * across, self.rows * down);
        let place = |point: &(f64, f64)| {
            let (at_x, at_y) = (x.position(point.0)?, y.position(point.1)?);
            Some((cell(at_x, width) as i64, cell(1.0 - at_y, height) as i64))
        };
        let dash = if self.ascii {
            DASHES[0]
        } else {
            DASHES[index % DASHES.len()]
        };
        for run in chart.runs(series) {
            let places: Vec<_> = run.iter().filter_map(place).collect();
            if series.look == Look::Band {
                continue;
            }
            if matches!(series.look, Look::Faint | Look::Dots) {
                for (x, y) in places {
                    self.dot(x as usize, y as usize, index);
                }
                continue;
            }
            let mut travelled = 0;
            for pair in places.windows(2) {
                self.line(pair[0], pair[1], index, dash, &mut travelled);
            }
            if places.len() == 1 || series.look == Look::Marked {
                for (x, y) in places {
                    self.spot(x, y, index);
                }
            }
        }
    }

    /// A straight line, point by point along its longer side.
    fn line(
        &mut self,
        from: (i64, i64),
        to: (i64, i64),
        series: usize,
        (period, drawn): (usize, usize),
        travelled: &mut usize,
    ) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.abs().max(dy.abs());
        for i in 0..=length {
            // The first point of a line is the last of the one before it.
            if i > 0 || length == 0 {
                *travelled += usize::from(length > 0);
            }
            if !travelled.is_multiple_of(period) && *travelled % period >= drawn {
                continue;
            }
            let along = |d: i64| (d * i * 2 + length.max(1)).div_euclid(length.max(1) * 2);
            self.dot(
                (from.0 + along(dx)) as usize,
                (from.1 + along(dy)) as usize,
                series,
            );
        }
    }

    /// A mark that stands out from a line: a small square of dots.
    fn spot(&mut self, x: i64, y: i64, series: usize) {
        let reach = i64::from(!self.ascii);
        for (dx, dy) in [(0, 0), (reach, 0), (0, reach), (reach, reach)] {
            let (across, down) = self.dots_per_cell();
            let x = (x + dx).min((self.columns * across) as i64 - 1);
            let y = (y + dy).min((self.rows * down) as i64 - 1);
            self.dot(x as usize, y as usize, series);
        }
    }

    /// A row as text.
    fn row(&self, row: usize, colour: bool) -> String {
        let mut text = String::new();
        for column in 0..self.columns {
            let at = row * self.columns + column;
            let c = match (self.owner[at], self.ascii) {
                (None, _) if self.marked[column] => {
                    if self.ascii {
                        ':'
                    } else {
                        '┊'
                    }
                }
                (None, _) => ' ',
                (Some(series), true) => LETTERS[series % LETTERS.len()],
                (Some(_), false) => {
                    char::from_u32(0x2800 + u32::from(self.dots[at])).unwrap_or(' ')
                }
            };
            match self.owner[at] {
                Some(series) => text.push_str(&painted(&c.to_string(), series, colour)),
                None => text.push(c),
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn triangle(steps: u32) -> Vec<(f64, f64)> {
        let half = f64::from(steps) / 2.0;
        (0..=steps)
            .map(f64::from)
            .map(|t| (t, 0.01 + 0.09 * (1.0 - (t / half - 1.0).abs())))
            .collect()
    }

    #[test]
    fn ascii_plot_of_a_triangle() {
        let mut chart = Chart::new("learning rate", "step");
        chart = chart.with(Series::new("lr", triangle(1000)));
        let style = Style {
            glyphs: PlotGlyphs::Ascii,
            colour: false,
        };
        let expected = "\
\x20     learning rate
0.10 +                  *****
     |               ****   ****
     |            ****         ****
     |         ****               ****
0.05 +      ****                     ****
     |   ****                           ****
     |****                                 ****
   0 +
     ++-------------------+-------------------+
     0                  500               1,000
                        step
";
        assert_eq!(draw(&chart, 47, 12, style), expected);
    }

    #[test]
    fn braille_has_no_control_characters_and_keeps_its_size() {
        let chart = Chart::new("a\u{1b}[31m", "b\n")
            .with(Series::new("one\t", triangle(100)))
            .with(Series::new("two", triangle(50)));
        for (width, height) in [(0, 0), (24, 7), (80, 20), (300, 60)] {
            for glyphs in [PlotGlyphs::Braille, PlotGlyphs::Ascii] {
                let style = Style {
                    glyphs,
                    colour: false,
                };
                let text = draw(&chart, width, height, style);
                assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
                assert_eq!(text.lines().count(), height.max(7));
                for line in text.lines() {
                    assert!(line.chars().count() <= width.max(24), "{line:?}");
                }
                if glyphs == PlotGlyphs::Ascii {
                    assert!(text.is_ascii(), "{text}");
                }
            }
        }
    }

    #[test]
    fn braille_lines_are_told_apart_by_their_dots() {
        let flat = |y: f64| vec![(0.0, y), (40.0, y)];
        let chart = Chart::new("", "step")
            .with(Series::new("whole", flat(1.0)))
            .with(Series::new("dashed", flat(0.5)))
            .with(Series::new("dotted", flat(0.0)));
        let expected = "\
\x20    ─── whole   ╌╌╌ dashed   ··· dotted
1.0 ┤⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉
    │
0.5 ┤⠤⠤ ⠤⠤ ⠤⠤ ⠤⠤ ⠤⠤ ⠤⠤ ⠤⠤ ⠤⠤ ⠤⠤ ⠤⠤ ⠤⠤ ⠤⠤ ⠤⠤ ⠤⠤ ⠤⠤
    │
  0 ┤⡀⢀ ⡀⢀ ⡀⢀ ⡀⢀ ⡀⢀ ⡀⢀ ⡀⢀ ⡀⢀ ⡀⢀ ⡀⢀ ⡀⢀ ⡀⢀ ⡀⢀ ⡀⢀ ⡀⢀
    └┬─────────────────────┬─────────────────────┬
    0                     20                    40
                         step
";
        assert_eq!(draw(&chart, 50, 9, Style::default()), expected);
        let painted = draw(
            &chart,
            50,
            9,
            Style {
                colour: true,
                ..Style::default()
            },
        );
        assert!(painted.contains("\u{1b}[34m") && painted.contains(PLAIN));
    }

    #[test]
    fn marks_stand_where_cycles_end_unless_they_crowd() {
        let mut chart = Chart::new("", "step").with(Series::new("lr", triangle(1000)));
        chart.marks = vec![500.0];
        let few = draw(&chart, 60, 12, Style::default());
        assert!(few.matches('┊').count() >= 6, "{few}");
        chart.marks = (0..100).map(|i| f64::from(i) * 10.0).collect();
        assert!(!draw(&chart, 60, 12, Style::default()).contains('┊'));
    }
}
