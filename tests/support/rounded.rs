//! Running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, section 3.3):
//! numbers that know how far f32 arithmetic may have taken them. The bounds of the proofs come
//! from here, not from a constant.
//!
//! What an operation may be off by is what WGSL grants (section "Floating Point Accuracy"):
//! +, -, * correctly rounded, / 2.5 ulp, exp (3 + 2 |x|) ulp, log 3 ulp. Two things are worse
//! than the letter: any operation may flush a result below 2^-126 to zero, and log is off by up to
//! [`LOG_NEAR_ONE`] between 0.5 and 2. `drivers.rs` measures exp and log on the adapter in use.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// Half a unit in the last place of 1: the relative error of one rounding.
pub(crate) const U: f64 = 1.0 / 16_777_216.0;

/// The smallest normal number: what flushing to zero costs at most.
const TINY: f64 = 1.175_494_4e-38;

/// Absolute error of log between 0.5 and 2: WGSL grants 2^-21 = 4.8e-7; lavapipe (Mesa 22.3.6 and
/// 25.0.7) is off by up to 1.2e-6 beside 1, where its polynomial in (x - 1) starts.
pub(crate) const LOG_NEAR_ONE: f64 = 1.25e-6;

/// Relative error of exp(x): (3 + 2 |x|) ulp, an ulp being at most 2 U of the value.
pub(crate) fn exp_error(x: f64) -> f64 {
    (3.0 + 2.0 * x.abs()) * 2.0 * U
}

/// Absolute error of log(x).
pub(crate) fn log_error(x: f64) -> f64 {
    let ulps = 3.0 * 2.0 * U * x.ln().abs();
    if (0.5..=2.0).contains(&x) {
        ulps.max(LOG_NEAR_ONE)
    } else {
        ulps
    }
}

/// A value and the most that the f32 at hand may differ from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Num {
    pub(crate) value: f64,
    pub(crate) error: f64,
}

impl Num {
    /// A number that an f32 holds exactly.
    pub(crate) fn exact(value: f64) -> Self {
        Self { value, error: 0.0 }
    }

    /// A constant: off by its rounding to f32.
    pub(crate) fn constant(value: f64) -> Self {
        Self {
            value,
            error: (f64::from(value as f32) - value).abs(),
        }
    }

    /// An f32 that came of `roundings` roundings.
    pub(crate) fn about(value: f64, roundings: f64) -> Self {
        Self::made(value, 0.0, roundings)
    }

    /// `value`, computed from operands that make it off by `error`, rounded `roundings` times.
    fn made(value: f64, error: f64, roundings: f64) -> Self {
        Self {
            value,
            error: error + roundings * U * (value.abs() + error) + TINY,
        }
    }

    pub(crate) fn abs(self) -> Self {
        Self {
            value: self.value.abs(),
            error: self.error,
        }
    }

    pub(crate) fn exp(self) -> Self {
        let value = self.value.exp();
        let moved = value * self.error.exp_m1();
        Self {
            value,
            error: moved + (value + moved) * exp_error(self.value) + TINY,
        }
    }

    /// WGSL grants a root the error of 1 / inverseSqrt(x): 2 ulp and a division's 2.5, which are 9
    /// roundings.
    pub(crate) fn sqrt(self) -> Self {
        let value = self.value.sqrt();
        let low = (self.value - self.error).max(0.0).sqrt();
        let moved = (value - low).max((self.value + self.error).sqrt() - value);
        Self::made(value, moved, 9.0)
    }

    pub(crate) fn ln(self) -> Self {
        let low = (self.value - self.error).max(self.value / 2.0);
        Self {
            value: self.value.ln(),
            error: self.error / low + log_error(self.value) + TINY,
        }
    }

    /// The same f32 as an approximation of `truth`, for formulas that are themselves off by
    /// `approximation`.
    pub(crate) fn of(self, truth: f64, approximation: f64) -> Self {
        Self {
            value: truth,
            error: self.error + approximation,
        }
    }
}

impl Add for Num {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Self::made(self.value + o.value, self.error + o.error, 1.0)
    }
}

impl Sub for Num {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        Self::made(self.value - o.value, self.error + o.error, 1.0)
    }
}

impl Mul for Num {
    type Output = Self;
    fn mul(self, o: Self) -> Self {
        let error = self.value.abs() * o.error + o.value.abs() * self.error + self.error * o.error;
        Self::made(self.value * o.value, error, 1.0)
    }
}

impl Div for Num {
    type Output = Self;
    fn div(self, o: Self) -> Self {
        let value = self.value / o.value;
        let low = (o.value.abs() - o.error).max(o.value.abs() / 2.0);
        let error = (self.error + value.abs() * o.error) / low;
        // 2.5 ulp are 5 roundings.
        Self::made(value, error, 5.0)
    }
}

impl Neg for Num {
    type Output = Self;
    fn neg(self) -> Self {
        Self {
            value: -self.value,
            error: self.error,
        }
    }
}

/// c0 + s (c1 + s (c2 + ...)).
pub(crate) fn horner(s: Num, coefficients: &[f64]) -> Num {
    let mut terms = coefficients.iter().rev().map(|c| Num::constant(*c));
    let last = terms.next().unwrap();
    terms.fold(last, |sum, c| c + s * sum)
}

/// The bound of a sum of `n` products, in whatever order it is added up, whose magnitudes sum to
/// `magnitude`: roundings are independent enough to grow with the root of their number; four
/// deviations.
pub(crate) fn sum_error(n: usize, magnitude: f64) -> f64 {
    4.0 * (n.max(1) as f64).sqrt() * U * magnitude + TINY
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bounds hold for f32 arithmetic on this machine, and are not absurdly wide.
    #[test]
    fn bounds_hold_and_are_close() {
        let (mut worst, mut count) = (0.0_f64, 0);
        for i in 1..2000 {
            let x = i as f32 * 0.013;
            let e = (-x).exp();
            let got = (1.0 - e) / (1.0 + e) * 1.1 + x;
            let [n, one] = [Num::exact(f64::from(x)), Num::exact(1.0)];
            let e = (-n).exp();
            let want = (one - e) / (one + e) * Num::constant(1.1) + n;
            let off = (f64::from(got) - want.value).abs();
            assert!(off <= want.error, "{x}: {off} {want:?}");
            worst = worst.max(off / want.error);
            count += 1;
        }
        assert!(count > 1000 && worst > 0.1, "{worst}");
    }
}
