//! The data of interactive charts (`assets/page/chart.js`): thinned out for long runs, as JSON.

use serde::Serialize;

use crate::draw::chart::{Chart, Look, Series};

/// Runs up to this many steps are embedded whole.
const WHOLE: usize = 4000;
/// Longer ones in this many columns, each with its lowest and highest values.
const COLUMNS: usize = 600;

/// What all interactive charts of a page share.
#[derive(Debug, Serialize)]
pub(super) struct Whole {
    /// Range of the horizontal axis, in steps.
    pub(super) range: [f64; 2],
    /// Steps of a cycle, whose ends are marked.
    pub(super) period: Option<u64>,
    /// 0 where the page tells no epochs.
    pub(super) steps_per_epoch: u64,
}

impl Whole {
    /// The data of the charts, each with its name, as JSON that can stand in a `<script>`.
    pub(super) fn json<'a>(
        &self,
        charts: impl Iterator<Item = (&'static str, &'a Chart)>,
    ) -> String {
        let panels = charts.map(|(id, chart)| Panel {
            id,
            unit: chart.y_label.clone(),
            log: chart.log_y,
            series: lines(chart),
        });
        let embedded = Embedded {
            whole: self,
            panels: panels.collect(),
        };
        // Numbers, names and nothing that can fail to serialize.
        let json = serde_json::to_string(&embedded).unwrap_or_else(|_| "null".into());
        script_safe(&json)
    }
}

#[derive(Debug, Serialize)]
struct Embedded<'a> {
    #[serde(flatten)]
    whole: &'a Whole,
    panels: Vec<Panel>,
}

#[derive(Debug, Serialize)]
struct Panel {
    id: &'static str,
    unit: String,
    log: bool,
    series: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    name: String,
    hue: usize,
    look: &'static str,
    x: Vec<u64>,
    y: Vec<Option<f32>>,
    /// The other edge of an area.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    back: Vec<Option<f32>>,
}

/// JSON that cannot end the script element that holds it; it parses to the same values.
fn script_safe(json: &str) -> String {
    json.replace('<', "\\u003c")
}

/// The series of a chart, all thinned out at the same steps.
fn lines(chart: &Chart) -> Vec<Line> {
    let line = |(i, series): (usize, &Series)| {
        let of = |look: Look| {
            let thin = |s: &&Series| !matches!(s.look, Look::Marked | Look::Band);
            let same = chart.series.iter().filter(thin);
            let curves = same.map(|s| s.points.as_slice());
            match look {
                Look::Marked => vec![series.points.as_slice()],
                _ => curves.collect(),
            }
        };
        if series.look == Look::Band {
            return band(i, series);
        }
        let kept = thinned(&of(series.look));
        let at = |index: &usize| series.points[*index];
        Line {
            name: series.name.clone(),
            hue: series.hue.unwrap_or(i),
            look: match series.look {
                Look::Dots => "marked",
                Look::Line => "line",
                Look::Faint => "faint",
                Look::Band => "band",
                Look::Marked => "marked",
            },
            x: kept.iter().map(|i| at(i).0 as u64).collect(),
            y: kept.iter().map(|i| finite(at(i).1)).collect(),
            back: Vec::new(),
        }
    };
    chart.series.iter().enumerate().map(line).collect()
}

/// An area: its points run along one edge and back along the other.
fn band(position: usize, series: &Series) -> Line {
    let (there, back) = series.points.split_at(series.points.len() / 2);
    Line {
        name: String::new(),
        hue: series.hue.unwrap_or(position),
        look: "band",
        x: there.iter().map(|point| point.0 as u64).collect(),
        y: there.iter().map(|point| finite(point.1)).collect(),
        back: back.iter().rev().map(|point| finite(point.1)).collect(),
    }
}

/// Single precision is what the GPU computed; JSON has only finite numbers.
fn finite(value: f64) -> Option<f32> {
    Some(value as f32).filter(|value| value.is_finite())
}

/// Which points of curves of equal length are embedded: all, or in each column its first, the
/// lowest and the highest of each curve and the first that is missing, so that spikes and gaps stay.
fn thinned(curves: &[&[(f64, f64)]]) -> Vec<usize> {
    let length = curves.iter().map(|curve| curve.len()).min().unwrap_or(0);
    if length <= WHOLE {
        return (0..length).collect();
    }
    let mut kept = vec![length - 1];
    for column in 0..COLUMNS {
        let inside = column * length / COLUMNS..(column + 1) * length / COLUMNS;
        kept.push(inside.start);
        for curve in curves {
            let missing = inside.clone().find(|i| !curve[*i].1.is_finite());
            let there = || inside.clone().filter(|i| curve[*i].1.is_finite());
            let by_value = |a: &usize, b: &usize| curve[*a].1.total_cmp(&curve[*b].1);
            kept.extend(missing);
            kept.extend(there().min_by(by_value));
            kept.extend(there().max_by(by_value));
        }
    }
    kept.sort_unstable();
    kept.dedup();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_spikes_gaps_and_both_ends() {
        let mut curve: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i), 1.0)).collect();
        curve[12_345].1 = 50.0;
        curve[12_346].1 = -50.0;
        curve[77_777].1 = f64::NAN;
        let kept = thinned(&[&curve]);
        for index in [0, 12_345, 12_346, 77_777, 99_999] {
            assert!(kept.contains(&index), "{index} is lost");
        }
        assert!(kept.len() <= 4 * COLUMNS, "{} points", kept.len());
        assert_eq!(thinned(&[&curve[..WHOLE]]).len(), WHOLE);
        assert!(thinned(&[]).is_empty());
    }

    #[test]
    fn embedded_json_cannot_end_its_script() {
        let json = serde_json::to_string("</script><!--").unwrap();
        let safe = script_safe(&json);
        assert!(!safe.contains('<'));
        assert_eq!(
            serde_json::from_str::<String>(&safe).unwrap(),
            "</script><!--"
        );
    }
}
