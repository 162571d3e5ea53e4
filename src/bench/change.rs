//! Figures against earlier ones.

use std::path::Path;

use serde::Serialize;

use super::Figures;
use crate::error::{Error, Result};

/// One figure, then and now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FigureChange {
    /// What was measured (`nt 1024x1024x1024, GFLOP/s`).
    pub what: String,
    /// The earlier figure.
    pub before: f64,
    /// The figure now.
    pub now: f64,
    /// How much faster it is now: above 1 is better, whatever the figure counts.
    pub speedup: f64,
}

/// Reads figures that `wavetrain bench --json` wrote.
///
/// # Errors
/// [`Error::Data`] for a file that cannot be read or holds something else.
pub fn read(file: &Path) -> Result<Figures> {
    let wrong = |problem: String| Error::Data {
        file: file.to_owned(),
        problem,
        help: "name a file that `wavetrain bench --json` wrote".into(),
    };
    let text = std::fs::read(file).map_err(|error| wrong(format!("cannot be read ({error})")))?;
    serde_json::from_slice(&text).map_err(|error| wrong(format!("holds no figures: {error}")))
}

/// What both have, in the order of `now`. Speeds are compared by their share of the multiply-add rate
/// that was measured in the same round, too, which a machine whose speed drifts changes less.
#[must_use]
pub fn changes(before: &Figures, now: &Figures) -> Vec<FigureChange> {
    let change = |what: String, before: f64, now: f64, more_is_better: bool| FigureChange {
        speedup: if more_is_better {
            now / before
        } else {
            before / now
        },
        what,
        before,
        now,
    };
    let mut changes = vec![
        change(
            "multiply-add, GFLOP/s".into(),
            before.fma_gflops,
            now.fma_gflops,
            true,
        ),
        change(
            "dispatch, us".into(),
            before.dispatch_us,
            now.dispatch_us,
            false,
        ),
    ];
    for product in &now.gemm {
        let key = (product.m, product.n, product.k, &product.form);
        let mut earlier = before.gemm.iter();
        if let Some(earlier) = earlier.find(|p| (p.m, p.n, p.k, &p.form) == key) {
            let (m, n, k, form) = key;
            let what = format!("{form} {m}x{n}x{k}, share of multiply-add");
            let (before, now) = (earlier.of_multiply_add, product.of_multiply_add);
            changes.push(change(what, before, now, true));
        }
    }
    for step in &now.steps {
        let mut earlier = before.steps.iter();
        let same = earlier.find(|s| (&s.model, s.batch) == (&step.model, step.batch));
        if let Some(earlier) = same {
            let name = &step.model;
            changes.push(change(
                format!("{name}, ms a step"),
                earlier.ms,
                step.ms,
                false,
            ));
            let (before, now) = (earlier.of_multiply_add, step.of_multiply_add);
            let what = format!("{name}, share of multiply-add");
            changes.push(change(what, before, now, true));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{ProductFigure, StepFigure};
    use crate::train::event::AdapterSummary;

    fn figures(ms: f64, share: f64) -> Figures {
        Figures {
            adapter: AdapterSummary {
                name: "made up".into(),
                backend: String::new(),
                kind: String::new(),
                driver: String::new(),
                class: String::new(),
            },
            fma_gflops: 100.0,
            dispatch_us: 20.0,
            gemm: vec![ProductFigure {
                m: 8,
                n: 8,
                k: 8,
                form: "nt".into(),
                kernel: "lanes".into(),
                gflops: 10.0,
                of_multiply_add: share,
            }],
            steps: vec![StepFigure {
                model: "lenet".into(),
                batch: 128,
                ms,
                gflops: 1.0,
                of_multiply_add: share,
                first_cold_s: None,
                first_warm_s: None,
                peak_rss_mb: None,
                rss_500_mb: None,
                rss_10000_mb: None,
            }],
        }
    }

    #[test]
    fn faster_is_above_one_whatever_is_counted() {
        let found = changes(&figures(50.0, 0.2), &figures(25.0, 0.4));
        let speedups: Vec<f64> = found.iter().map(|change| change.speedup).collect();
        assert_eq!(speedups, [1.0, 1.0, 2.0, 2.0, 2.0]);
        let mut other = figures(50.0, 0.2);
        other.steps[0].model = "another".into();
        assert_eq!(changes(&other, &figures(25.0, 0.4)).len(), 3);
    }

    #[test]
    fn files_that_hold_no_figures_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("figures.json");
        for (text, words) in [(None, "cannot be read"), (Some("{}"), "holds no figures")] {
            if let Some(text) = text {
                std::fs::write(&file, text).unwrap();
            }
            let error = read(&file).unwrap_err();
            assert!(
                error.is_users_mistake() && error.to_string().contains(words),
                "{error}"
            );
        }
        let text = serde_json::to_string(&figures(50.0, 0.2)).unwrap();
        std::fs::write(&file, text).unwrap();
        assert_eq!(read(&file).unwrap(), figures(50.0, 0.2));
    }
}
