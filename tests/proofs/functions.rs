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

/// `numeric_erf`: a quotient of two polynomials up to 3.92, of relative error 2e-8; 1 above, from which the
/// true value is no further than 3e-8.
fn numeric_erf(x: Num) -> Num {
    let a = x.abs();
    let truth = libm::erf(x.value.abs());
    let quotient = || quotient(a).of(truth, 5e-8 * truth);
    let one = || n(1.0).of(truth, 3e-8);
    either(a, 3.92, quotient, one).of(libm::erf(x.value), 0.0)
}

fn quotient(a: Num) -> Num {
    let s = a * a;
    let p = [
        1.128_379_146_184_833_4,
        0.190_402_619_639_801_18,
        0.052_748_244_647_314_375,
        0.003_765_463_047_460_062,
        0.000_284_881_077_216_14,
        0.000_002_050_138_004_251,
    ];
    let q = [
        1.0,
        0.502_072_669_588_296_7,
        0.114_107_549_649_526_17,
        0.014_968_903_399_920_604,
        0.001_162_501_821_127_033_8,
        0.000_038_092_161_253_738_09,
    ];
    a * horner(s, &p) / horner(s, &q)
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
    let s = n(1.0) / (n(1.0) + e);
    if x.value < 0.0 { e * s } else { s }
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
