//! Charts of any numbers can be drawn.

use proptest::prelude::*;
use wavetrain::draw::chart::{Chart, Look, Series, number};
use wavetrain::draw::plot::{self, PlotGlyphs, Style};
use wavetrain::draw::svg;

/// Numbers as runs have them, and the worst that f64 holds.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -10.0..10.0,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![
            0.0, -0.0, 1e-7, 1e12, f64::NAN, f64::INFINITY, f64::NEG_INFINITY,
            f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 1.0 + f64::EPSILON,
        ]),
    ]
}

fn series() -> impl Strategy<Value = Series> {
    let points = prop::collection::vec((value(), value()), 0..60);
    let look = prop::sample::select(vec![Look::Line, Look::Faint, Look::Marked]);
    (".{0,12}", points, look).prop_map(|(name, points, look)| Series {
        name,
        points,
        look,
        hue: None,
    })
}

fn chart() -> impl Strategy<Value = Chart> {
    let texts = (".{0,40}", ".{0,20}", ".{0,10}");
    let series = prop::collection::vec(series(), 0..6);
    let marks = prop::collection::vec((value(), ".{0,12}"), 0..8);
    let range = prop::option::of((value(), value()));
    let logs = (any::<bool>(), any::<bool>(), any::<bool>());
    (texts, series, marks, range, logs).prop_map(|(texts, series, marks, x_range, logs)| Chart {
        title: texts.0,
        x_label: texts.1,
        y_label: texts.2,
        series,
        marks: marks.iter().map(|mark| mark.0).collect(),
        mark_names: marks.into_iter().map(|mark| mark.1).collect(),
        x_range,
        whole_x: logs.0,
        log_x: logs.1,
        log_y: logs.2,
    })
}

proptest! {
    #[test]
    fn plots_keep_their_size_whatever_they_draw(
        chart in chart(), width in 0_usize..160, height in 0_usize..60, ascii in any::<bool>(),
    ) {
        let glyphs = if ascii { PlotGlyphs::Ascii } else { PlotGlyphs::Braille };
        let text = plot::draw(&chart, width, height, Style { glyphs, colour: false });
        prop_assert!(text.ends_with('\n'));
        prop_assert_eq!(text.lines().count(), height.max(7));
        for line in text.lines() {
            prop_assert!(line.chars().count() <= width.max(24), "{:?} in {}", line, width);
            prop_assert!(!line.chars().any(char::is_control), "{:?}", line);
        }
    }

    #[test]
    fn svg_holds_only_finite_coordinates_inside_the_drawing(chart in chart()) {
        let text = svg::figure(&chart);
        for attribute in [" x=\"", " y=\"", " cx=\"", " cy=\""] {
            for found in text.split(attribute).skip(1) {
                let number = found.split('"').next().unwrap_or_default();
                let number: f64 = number.parse().expect(number);
                prop_assert!((-1000.0..=svg::WIDTH).contains(&number), "{number}");
            }
        }
        for path in text.split(" d=\"").skip(1) {
            let path = path.split('"').next().unwrap_or_default();
            prop_assert!(!path.contains("NaN") && !path.contains("inf"), "{path}");
        }
    }

    #[test]
    fn numbers_are_short(value in value()) {
        prop_assert!(number(value).len() <= 14, "{}", number(value));
    }
}

#[test]
fn every_awkward_chart_has_axes() {
    let nan = f64::NAN;
    let cases: [(&str, Vec<(f64, f64)>); 8] = [
        ("no points", vec![]),
        ("one point", vec![(3.0, 0.5)]),
        ("constant", vec![(0.0, 0.9), (1.0, 0.9), (2.0, 0.9)]),
        ("zero", vec![(0.0, 0.0), (5.0, 0.0)]),
        (
            "gaps",
            vec![(0.0, 1.0), (1.0, nan), (2.0, 2.0), (3.0, f64::INFINITY)],
        ),
        ("tiny", vec![(0.0, 1e-7), (1.0, 3e-7)]),
        ("huge", vec![(0.0, 1e12), (1e12, 2e12)]),
        ("the same place", vec![(1.0, 1.0), (1.0, 1.0)]),
    ];
    for (name, points) in cases {
        let chart = Chart::new(name, "step").with(Series::new("s", points));
        let text = plot::draw(&chart, 60, 12, Style::default());
        let labelled = text.lines().filter(|line| line.contains('┤')).count();
        assert!(labelled >= 2, "{name}:\n{text}");
        assert!(text.contains('┬'), "{name}:\n{text}");
        let svg = svg::document(&[chart]);
        assert!(
            svg.contains("wt-axis") && svg.matches("wt-end").count() >= 2,
            "{name}"
        );
        assert_eq!(name == "no points", svg.contains("no data"), "{name}");
    }
}
