//! How far the functions of `shaders/shared/numeric.wgsl` and of the layers may be off: the
//! shaders' formulas, followed by running error analysis. The values are those of the true
//! functions; a shader's approximation adds what its comment documents.

use super::rounded::{Num, U, horner};

fn n(value: f64) -> Num {
    Num::exact(value)
}

fn c(value: f64) -> Num {
    Num::constant(value)
}

/// `numeric_tanh`: a series below 1/4 (its first term left out is below 1e-8 of the value),
/// (1 - e) / (1 + e) above.
fn numeric_tanh(x: Num) -> Num {
    let a = x.abs();
    let truth = a.value.tanh();
    let series = || {
        let s = x * x;
        let taylor = [
            1.0,
            -1.0 / 3.0,
            2.0 / 15.0,
            -17.0 / 315.0,
            62.0 / 2835.0,
            -1382.0 / 155_925.0,
        ];
        (a * horner(s, &taylor)).of(truth, 1e-8 * truth)
    };
    let quotient = || {
        let e = (n(-2.0) * a).exp();
        ((n(1.0) - e) / (n(1.0) + e)).of(truth, 0.0)
    };
    either(a, 0.25, series, quotient).of(x.value.tanh(), 0.0)
}

/// `numeric_erf`: the Maclaurin series up to x^17 below 1 (its first term left out is
/// 2 / (sqrt(pi) 19 9!) x^19 < 1.7e-7 x), 1 - erfc above, erfc by Numerical Recipes' fit of
/// relative error 1.2e-7.
fn numeric_erf(x: Num) -> Num {
    let a = x.abs();
    let truth = libm::erf(a.value);
    let series = || {
        let s = x * x;
        let term = |k: i32| {
            let factorial: f64 = (1..=k).map(f64::from).product();
            let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
            std::f64::consts::FRAC_2_SQRT_PI * sign / (factorial * f64::from(2 * k + 1))
        };
        let terms: Vec<f64> = (0..9).map(term).collect();
        (a * horner(s, &terms)).of(truth, 1.7e-7 * a.value)
    };
    let tail = || {
        let t = n(1.0) / (n(1.0) + n(0.5) * a);
        let fit = [
            1.000_023_68,
            0.374_091_96,
            0.096_784_18,
            -0.186_288_06,
            0.278_868_07,
            -1.135_203_98,
            1.488_515_87,
            -0.822_152_23,
            0.170_872_77,
        ];
        let power = -(a * a) - c(1.265_512_23) + t * horner(t, &fit);
        let tail = t * power.exp();
        let tail = tail.of(libm::erfc(a.value), 1.2e-7 * tail.value);
        (n(1.0) - tail).of(truth, 0.0)
    };
    either(a, 1.0, series, tail).of(libm::erf(x.value), 0.0)
}

/// The branch that a comparison with `border` takes; the worse of both where rounding decides.
fn either(a: Num, border: f64, below: impl Fn() -> Num, above: impl Fn() -> Num) -> Num {
    if a.value + a.error < border {
        return below();
    }
    if a.value - a.error >= border {
        return above();
    }
    let (below, above) = (below(), above());
    if below.error > above.error {
        below
    } else {
        above
    }
}

pub(crate) fn tanh(x: Num) -> Num {
    numeric_tanh(x)
}

/// dx = dy (1 - t) (1 + t).
pub(crate) fn tanh_slope(_: Num, t: Num, dy: Num) -> Num {
    dy * (n(1.0) - t) * (n(1.0) + t)
}

pub(crate) fn sigmoid(x: Num) -> Num {
    let e = (-x.abs()).exp();
    if x.value < 0.0 {
        e / (n(1.0) + e)
    } else {
        n(1.0) / (n(1.0) + e)
    }
}

/// dx = dy s (1 - s).
pub(crate) fn sigmoid_slope(_: Num, s: Num, dy: Num) -> Num {
    dy * s * (n(1.0) - s)
}

pub(crate) fn silu(x: Num) -> Num {
    x * sigmoid(x)
}

/// dx = dy (s + x s (1 - s)).
pub(crate) fn silu_slope(x: Num, _: Num, dy: Num) -> Num {
    let s = sigmoid(x);
    dy * (s + x * s * (n(1.0) - s))
}

/// P(x), through the error function.
fn share(x: Num) -> Num {
    c(0.5) * (n(1.0) + numeric_erf(x * c(std::f64::consts::FRAC_1_SQRT_2)))
}

pub(crate) fn gelu(x: Num) -> Num {
    x * share(x)
}

/// dx = dy (P(x) + x phi(x)).
pub(crate) fn gelu_slope(x: Num, _: Num, dy: Num) -> Num {
    let phi = c(1.0 / std::f64::consts::TAU.sqrt()) * (c(-0.5) * x * x).exp();
    dy * (share(x) + x * phi)
}

const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;

fn inner(x: Num) -> Num {
    c(SQRT_2_OVER_PI) * (x + c(0.044_715) * x * x * x)
}

/// tanh of the inner polynomial.
fn inner_tanh(x: Num) -> Num {
    let inner = inner(x);
    // What the operand's own error moves: tanh' at the nearest point, which the running analysis
    // of the quotient overstates for large operands.
    let exact = numeric_tanh(n(inner.value));
    let nearest = (inner.value.abs() - inner.error).max(0.0);
    let slope = 1.0 - nearest.tanh().powi(2);
    exact.of(
        inner.value.tanh(),
        (slope * inner.error).min(2.0) + U * exact.error,
    )
}

pub(crate) fn gelu_tanh(x: Num) -> Num {
    x * (c(0.5) * (n(1.0) + inner_tanh(x)))
}

/// dx = dy (share + x slope) with slope = 1/2 (1 - t)(1 + t) inner'(x).
pub(crate) fn gelu_tanh_slope(x: Num, _: Num, dy: Num) -> Num {
    let t = inner_tanh(x);
    let inner_slope = c(SQRT_2_OVER_PI) * (n(1.0) + c(3.0 * 0.044_715) * x * x);
    let slope = c(0.5) * (n(1.0) - t) * (n(1.0) + t) * inner_slope;
    dy * (c(0.5) * (n(1.0) + t) + x * slope)
}
