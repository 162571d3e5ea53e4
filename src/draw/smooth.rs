//! The running average that is shown instead of a noisy loss.

/// An exponential average with the correction for its start (that of Adam's moments,
/// <https://arxiv.org/abs/1412.6980>, section 3): weights fall by `1 - 1/window` from each value to
/// the one before it and sum to 1.
#[derive(Debug, Clone)]
pub struct Smooth {
    keep: f64,
    sum: f64,
    weight: f64,
}

impl Smooth {
    /// An average over about `window` values.
    pub fn over(window: u64) -> Self {
        Self {
            keep: 1.0 - 1.0 / window.max(1) as f64,
            sum: 0.0,
            weight: 0.0,
        }
    }

    /// The average with one more value; a value that is not finite is left out and gives NaN.
    pub fn next(&mut self, value: f64) -> f64 {
        if !value.is_finite() {
            return f64::NAN;
        }
        self.sum = self.keep * self.sum + (1.0 - self.keep) * value;
        self.weight = self.keep * self.weight + (1.0 - self.keep);
        self.sum / self.weight
    }
}

/// Whether a smoothed curve falls (or blows up) so far, by more than a factor of 12, that a linear
/// axis shows its first steps and nothing of the rest.
pub fn spans_decades(values: impl Iterator<Item = f64>) -> bool {
    let drawn = values.filter(|value| value.is_finite() && *value > 0.0);
    let (lowest, highest) = drawn.fold((f64::INFINITY, 0.0_f64), |(lowest, highest), value| {
        (lowest.min(value), highest.max(value))
    });
    highest > 12.0 * lowest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_is_the_weighted_mean_that_it_claims_to_be() {
        let mut smooth = Smooth::over(4);
        let got = [3.0, 1.0, f64::NAN, 2.0].map(|value| smooth.next(value));
        let keep: f64 = 0.75;
        assert!((got[0] - 3.0).abs() < 1e-15);
        let second = (keep * 3.0 + 1.0) / (keep + 1.0);
        assert!((got[1] - second).abs() < 1e-15, "{} {second}", got[1]);
        assert!(got[2].is_nan());
        let third = (keep * keep * 3.0 + keep + 2.0) / (keep * keep + keep + 1.0);
        assert!((got[3] - third).abs() < 1e-15, "{} {third}", got[3]);
    }

    #[test]
    fn a_wide_range_is_told() {
        assert!(spans_decades([2.0, f64::NAN, 0.1].into_iter()));
        assert!(!spans_decades([2.0, 0.0, 0.2].into_iter()));
        assert!(!spans_decades([].into_iter()));
    }
}
