//! Smoothing about each point, and what is left beside it.

use statrs::statistics::{Data, OrderStatistics};

/// Half the width of the window, as a share of the curve.
const SHARE: f64 = 0.05;

/// Steps on each side of a point that its smoothed value looks at.
pub(super) fn reach(points: usize) -> usize {
    ((points as f64 * SHARE).round() as usize).max(3)
}

/// Each value by the line that fits best about it, near points counting more (Cleveland 1979, with
/// his tricube weights). Steps are equal distances: of the rate's logarithm, or of the rate in a
/// linear sweep. No lag: what happens at a rate is seen at that rate.
pub(super) fn local(values: &[f64]) -> Vec<f64> {
    let reach = reach(values.len());
    (0..values.len()).map(|at| fit(values, at, reach)).collect()
}

fn fit(values: &[f64], at: usize, reach: usize) -> f64 {
    let (from, to) = (at.saturating_sub(reach), (at + reach + 1).min(values.len()));
    let (mut w, mut wx, mut wy, mut wxx, mut wxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (i, &y) in values.iter().enumerate().take(to).skip(from) {
        let x = i as f64 - at as f64;
        let near = 1.0 - (x.abs() / (reach as f64 + 1.0)).powi(3);
        let weight = near.powi(3);
        w += weight;
        wx += weight * x;
        wy += weight * y;
        wxx += weight * x * x;
        wxy += weight * x * y;
    }
    let spread = w * wxx - wx * wx;
    if spread <= 1e-9 * w * wxx {
        return wy / w;
    }
    // The line's height at x = 0.
    (wxx * wy - wx * wxy) / spread
}

/// The middle value; NaN of none.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    Data::new(values.collect::<Vec<_>>()).median()
}

/// The scatter of values about their smoothed curve: a standard deviation that a few outliers do
/// not move (1.4826 times the median of the absolute deviations).
pub(super) fn scatter(values: impl Iterator<Item = (f64, f64)>) -> f64 {
    1.4826 * median(values.map(|(raw, smoothed)| (raw - smoothed).abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_and_noise_goes() {
        let line: Vec<f64> = (0..100).map(|i| 3.0 - 0.02 * f64::from(i)).collect();
        for (smoothed, value) in local(&line).iter().zip(&line) {
            assert!((smoothed - value).abs() < 1e-9);
        }
        let noisy: Vec<f64> = (0..100).map(|i| f64::from(i % 2) - 0.5).collect();
        assert!(local(&noisy)[10..90].iter().all(|v| v.abs() < 0.1));
        let scattered = scatter(noisy.iter().map(|v| (*v, 0.0)));
        assert!((scattered - 0.7413).abs() < 1e-9);
        assert!(median([].into_iter()).is_nan());
        assert_eq!(median([4.0, 1.0, 3.0, 2.0].into_iter()), 2.5);
    }
}
