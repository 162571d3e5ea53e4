//! The strokes of `assets/glyphs.toml` and the straight segments that they become.

use crate::error::{Error, Result};
use glam::Vec2;

/// The embedded file of strokes.
const ASSET: &str = include_str!("../../../assets/glyphs.toml");

/// Straight segments that stand for one span of a curve, the stretch between two of its points.
const SEGMENTS_PER_SPAN: usize = 4;

/// One stroke in a unit square, x to the right, y down.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stroke {
    /// Straight from point to point.
    Line(Vec<[f32; 2]>),
    /// A smooth curve through the points.
    Curve(Vec<[f32; 2]>),
    /// A smooth closed curve through the points.
    Loop(Vec<[f32; 2]>),
}

/// One way to write a digit.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Glyph {
    digit: usize,
    strokes: Vec<Stroke>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Asset {
    glyph: Vec<Glyph>,
}

/// A form of a digit: its strokes.
pub(super) type Form = Vec<Stroke>;

/// The forms of each digit, in the order of the file.
pub(super) fn forms() -> Result<[Vec<Form>; 10]> {
    parse(ASSET)
}

fn parse(text: &str) -> Result<[Vec<Form>; 10]> {
    let broken = |problem: String| Error::Data {
        file: "assets/glyphs.toml".into(),
        problem,
        help: "the file is part of the program; restore it and build again".into(),
    };
    let asset: Asset = toml::from_str(text).map_err(|error| broken(error.to_string()))?;
    let mut forms: [Vec<Form>; 10] = Default::default();
    for glyph in asset.glyph {
        let short = glyph.strokes.iter().any(|stroke| stroke.points().len() < 2);
        if short || glyph.strokes.is_empty() {
            let digit = glyph.digit;
            return Err(broken(format!(
                "a glyph of digit {digit} has no strokes or a stroke of fewer than 2 points; expected at least 1 and 2"
            )));
        }
        let Some(of_digit) = forms.get_mut(glyph.digit) else {
            return Err(broken(format!("digit = {}; expected 0 to 9", glyph.digit)));
        };
        of_digit.push(glyph.strokes);
    }
    if let Some(digit) = forms.iter().position(Vec::is_empty) {
        return Err(broken(format!(
            "digit {digit} has no glyph; expected at least one"
        )));
    }
    Ok(forms)
}

impl Stroke {
    /// The points that the stroke passes through.
    pub(super) fn points(&self) -> &[[f32; 2]] {
        let (Self::Line(points) | Self::Curve(points) | Self::Loop(points)) = self;
        points
    }

    /// Appends the stroke's segments to `segments`, after `place` has moved its points.
    ///
    /// Curves are Catmull-Rom splines (Catmull and Rom, "A class of local interpolating splines",
    /// 1974), uniform, so that a span needs nothing but its four neighbours.
    pub(super) fn flatten(&self, points: &[Vec2], segments: &mut Vec<[Vec2; 2]>) {
        let n = points.len();
        match self {
            Self::Line(_) => segments.extend(points.windows(2).map(|pair| [pair[0], pair[1]])),
            Self::Curve(_) => {
                for i in 0..n.saturating_sub(1) {
                    let before = points[i.saturating_sub(1)];
                    let after = points[(i + 2).min(n - 1)];
                    span([before, points[i], points[i + 1], after], segments);
                }
            }
            Self::Loop(_) => {
                for i in 0..n {
                    let at = |k: usize| points[(i + k) % n];
                    span([at(n - 1), at(0), at(1), at(2)], segments);
                }
            }
        }
    }
}

/// The segments of the curve from `p[1]` to `p[2]`.
fn span(p: [Vec2; 4], segments: &mut Vec<[Vec2; 2]>) {
    let [a, b, c, d] = p;
    let mut from = b;
    for i in 1..=SEGMENTS_PER_SPAN {
        let t = i as f32 / SEGMENTS_PER_SPAN as f32;
        let linear = (c - a) * t;
        let square = (a * 2.0 - b * 5.0 + c * 4.0 - d) * (t * t);
        let cubic = ((b - c) * 3.0 + d - a) * (t * t * t);
        let to = b + (linear + square + cubic) * 0.5;
        segments.push([from, to]);
        from = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_digit_has_several_forms_within_the_unit_square() {
        for (digit, forms) in forms().unwrap().iter().enumerate() {
            assert!(forms.len() >= 3, "digit {digit} has {} forms", forms.len());
            for point in forms.iter().flatten().flat_map(Stroke::points).flatten() {
                assert!((0.0..=1.0).contains(point), "digit {digit}: {point}");
            }
        }
    }

    #[test]
    fn curves_pass_through_their_points_and_loops_close() {
        let points = [[0.0, 0.0], [1.0, 0.5], [0.5, 1.0]];
        let moved = points.map(Vec2::from);
        let ends = |stroke: Stroke| {
            let mut segments = Vec::new();
            stroke.flatten(&moved, &mut segments);
            let joined = segments.windows(2).all(|pair| pair[0][1] == pair[1][0]);
            assert!(joined, "{segments:?}");
            segments
                .chunks(SEGMENTS_PER_SPAN)
                .map(|span| span[span.len() - 1][1])
                .collect()
        };
        let found: Vec<Vec2> = ends(Stroke::Curve(points.to_vec()));
        assert_eq!(found, moved[1..]);
        let found: Vec<Vec2> = ends(Stroke::Loop(points.to_vec()));
        assert_eq!(found, [moved[1], moved[2], moved[0]]);
        let mut segments = Vec::new();
        Stroke::Line(points.to_vec()).flatten(&moved, &mut segments);
        assert_eq!(segments, [[moved[0], moved[1]], [moved[1], moved[2]]]);
    }

    #[test]
    fn a_broken_file_of_strokes_is_an_error() {
        let glyph = |digit, strokes| format!("[[glyph]]\ndigit = {digit}\nstrokes = {strokes}\n");
        let line = "[{ line = [[0, 0], [1, 1]] }]";
        for (text, part) in [
            ("[[glyph]".to_owned(), "assets/glyphs.toml"),
            (glyph(1, "[{ arc = [[0, 0], [1, 1]] }]"), "arc"),
            (glyph(1, "[{ line = [[0, 0]] }]"), "fewer than 2 points"),
            (glyph(1, "[]"), "no strokes"),
            (glyph(10, line), "digit = 10; expected 0 to 9"),
            (glyph(0, line), "digit 1 has no glyph"),
        ] {
            let message = parse(&text).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
