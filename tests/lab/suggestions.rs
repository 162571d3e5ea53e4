//! The single rates that fastai's users know, against fastai's own functions.

use std::path::Path;

use wavetrain::lab::find::suggest;

#[derive(serde::Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    rates: Vec<f64>,
    losses: Vec<f64>,
    valley: f64,
    slide: f64,
    minimum: f64,
    steep: f64,
}

#[test]
fn suggestions_are_fastais_on_the_same_curve() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/suggestions.json");
    let golden: Golden = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert!(golden.cases.len() >= 8);
    for (number, case) in golden.cases.iter().enumerate() {
        let found = suggest::of(&case.rates, &case.losses);
        for (name, found, expected) in [
            ("valley", found.valley, case.valley),
            ("slide", found.slide, case.slide),
            ("minimum", found.minimum, case.minimum),
            ("steep", found.steep, case.steep),
        ] {
            let off = (found.unwrap() - expected).abs();
            assert!(
                off <= 1e-12 * expected,
                "case {number}, {name}: {found:?}, {expected}"
            );
        }
    }
}

#[test]
fn short_curves_have_no_suggestion_and_no_panic() {
    for n in 0..18 {
        let rates: Vec<f64> = (0..n).map(|i| 10_f64.powi(i - 9)).collect();
        let losses: Vec<f64> = (0..n).map(|i| f64::from(i % 3)).collect();
        let found = suggest::of(&rates, &losses);
        assert_eq!(found.slide.is_some(), n >= 16);
        assert_eq!(found.minimum.is_some(), n >= 1);
        assert_eq!(found.steep.is_some(), n >= 2);
        assert_eq!(found.valley.is_some(), n >= 1);
    }
}

/// The average of a constant is the constant from the first step on: the correction is right.
#[test]
fn the_running_average_starts_right() {
    for value in suggest::average(&[2.5; 50]) {
        assert!((value - 2.5).abs() < 1e-12);
    }
    let falling = suggest::average(&[1.0, 0.0]);
    assert!((falling[1] - 0.98 * 0.02 / (1.0 - 0.98_f64.powi(2))).abs() < 1e-12);
}
