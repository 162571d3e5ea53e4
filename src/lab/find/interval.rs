//! How well a bound is known: over seeds, which are first weights and orders of the data.
//!
//! A bound is a factor from sweep to sweep, not a difference: rates rise by factors, and six seeds
//! that gave 0.135 to 0.271 lie evenly on a logarithmic scale. So the interval is Student's t (1908) of
//! the mean logarithm, the centre the geometric mean. A sweep sees the rates of its steps only: half
//! a step on either side is added, as independent errors add, so that sweeps which agree by chance
//! do not look certain.

use crate::lab::student::Interval;

/// One minus the level of the intervals.
const ERROR: f64 = 0.05;
/// Bounds are known to a third digit where their interval is narrower than this factor.
const NARROW: f64 = 1.1;

/// A bound over all sweeps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bound {
    /// The geometric mean.
    pub(super) rate: f64,
    /// The 95 % interval; `None` of one sweep.
    pub(super) interval: Option<[f64; 2]>,
}

/// The bound that `rates` show, each read from a sweep whose rate rises by `factor` at a step there.
pub(super) fn bound(rates: &[f64], factor: f64) -> Option<Bound> {
    if rates.is_empty() {
        return None;
    }
    let logarithms: Vec<f64> = rates.iter().map(|rate| libm::log(*rate)).collect();
    let known = Interval::of(&logarithms, ERROR);
    let ends = known.half.map(|half| {
        let half = libm::hypot(half, libm::log(factor) / 2.0);
        [known.mean - half, known.mean + half].map(libm::exp)
    });
    Some(Bound {
        rate: libm::exp(known.mean),
        interval: ends,
    })
}

impl Bound {
    /// The digits that are known: two, and a third where the interval is narrow.
    pub(super) fn rounded(self) -> Self {
        let narrow = self.spread().is_some_and(|spread| spread <= NARROW);
        let digits = if narrow { 3 } else { 2 };
        Self {
            rate: round(self.rate, digits),
            interval: self.interval.map(|ends| ends.map(|end| round(end, digits))),
        }
    }

    /// The upper end of the interval over the lower one.
    pub(super) fn spread(self) -> Option<f64> {
        self.interval.map(|[low, high]| high / low)
    }
}

/// `rate` to so many significant digits.
pub(super) fn round(rate: f64, digits: usize) -> f64 {
    let decimals = digits.saturating_sub(1);
    format!("{rate:.decimals$e}").parse().unwrap_or(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `qt(0.975, 2) = 4.302652729749462`, `qt(0.975, 1) = 12.706204736174694` (R 4.4).
    #[test]
    fn intervals_are_students_of_the_logarithms() {
        let known = bound(&[0.1, 0.2, 0.4], 1.0).unwrap();
        assert!((known.rate - 0.2).abs() < 1e-12);
        let half = 4.302_652_729_749_462 * std::f64::consts::LN_2 / 3.0_f64.sqrt();
        let [low, high] = known.interval.unwrap();
        assert!((low / (0.2 * (-half).exp()) - 1.0).abs() < 1e-9, "{low}");
        assert!((high / (0.2 * half.exp()) - 1.0).abs() < 1e-9, "{high}");
        assert_eq!(bound(&[0.1], 1.1).unwrap().interval, None);
        assert_eq!(bound(&[], 1.1), None);
    }

    #[test]
    fn sweeps_that_agree_are_known_to_half_a_step() {
        let [low, high] = bound(&[0.1; 5], 1.44).unwrap().interval.unwrap();
        assert!((low - 0.1 / 1.2).abs() < 1e-12 && (high - 0.12).abs() < 1e-12);
    }

    #[test]
    fn so_many_digits_are_given_as_are_known() {
        let wide = bound(&[0.135_7, 0.271_1], 1.07).unwrap().rounded();
        assert_eq!(wide.rate, 0.19);
        let narrow = bound(&[0.144_44; 9], 1.07).unwrap().rounded();
        assert_eq!(narrow.rate, 0.144);
        assert_eq!(narrow.interval, Some([0.14, 0.149]));
    }
}
