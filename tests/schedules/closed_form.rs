//! Every policy against its closed form, written apart from the program in whole numbers.

use super::policy;
use wavetrain::schedule::{
    Cycle, Decay, ExpRange, Policy, Rate, Sinusoidal, Triangular, Triangular2,
};

const STEPS: u64 = 100_000;

/// A cycle in whole numbers: rates are `base / unit` and `max / unit`, momentums in tenths.
#[derive(Clone, Copy)]
struct Exact {
    base: u64,
    max: u64,
    unit: u64,
    up: u64,
    down: u64,
}

const CONFIGURATIONS: &[Exact] = &[
    exact(1, 6, 1000, 2000, 2000),
    exact(1, 6, 1000, 2000, 3000),
    exact(1, 10, 100, 938, 938),
    exact(1, 10, 10, 8, 24),
    exact(0, 3, 1, 7, 7),
    exact(0, 1, 3, 3, 4),
    exact(1, 2, 7, 1, 1),
    exact(1, 1_000_000, 1_000_000, 1, 9999),
    exact(99_999, 100_000, 1_000_000, 4999, 1),
    exact(1, 6, 1000, 60_000, 80_000),
];

const fn exact(base: u64, max: u64, unit: u64, up: u64, down: u64) -> Exact {
    Exact {
        base,
        max,
        unit,
        up,
        down,
    }
}

impl Exact {
    fn cycle(self) -> Cycle {
        let unit = self.unit as f64;
        Cycle {
            step_size_down: self.down,
            cycle_momentum: true,
            ..Cycle::new(self.base as f64 / unit, self.max as f64 / unit, self.up)
        }
    }

    /// Kenstler's and PyTorch's closed form, `cycle = floor(1 + t / T)`, `x = 1 + t / T - cycle`,
    /// scale `x / ratio` or `(x - 1) / (ratio - 1)`, over the common denominator `T`: the scale as
    /// a fraction and the number of the cycle, from 1.
    fn scale(self, t: u64) -> (u64, u64, u64) {
        let total = self.up + self.down;
        let cycle = (total + t) / total;
        let x = total + t - cycle * total;
        if x <= self.up {
            (x, self.up, cycle)
        } else {
            (total - x, total - self.up, cycle)
        }
    }

    /// `base + (max - base) * n / (d * 2^halvings)` by one division of whole numbers.
    fn lr(self, n: u64, d: u64, halvings: u64) -> f64 {
        if halvings > 40 {
            // Less than 10^-12 of the swing is left: below the last place of the base here.
            return self.base as f64 / self.unit as f64;
        }
        let d = u128::from(d) << halvings;
        let sum = u128::from(self.base) * d + u128::from(self.max - self.base) * u128::from(n);
        sum as f64 / (u128::from(self.unit) * d) as f64
    }
}

#[track_caller]
fn close(found: f64, expected: f64, scale: f64, ulps: f64, what: &str) {
    let bound = ulps * f64::EPSILON * scale;
    assert!(
        (found - expected).abs() <= bound,
        "{what}: {found:e}, expected {expected:e} within {bound:e}"
    );
}

/// The rates in `at` are sums of three rounded terms below `max`: 4 units in the last place.
#[test]
fn triangular_is_the_closed_form_for_100_000_steps() {
    for &config in CONFIGURATIONS {
        let cycle = config.cycle();
        let policy = Triangular(cycle);
        policy.validate().unwrap();
        for t in 0..STEPS {
            let (n, d, number) = config.scale(t);
            let Rate { lr, momentum } = policy.at(t);
            let what = format!("{cycle:?} at {t}");
            close(lr, config.lr(n, d, 0), cycle.max_lr, 4.0, &what);
            let momentum = momentum.unwrap();
            let expected = (9 * d - n) as f64 / (10 * d) as f64;
            close(momentum, expected, 1.0, 4.0, &what);
            assert_eq!(policy.cycle(t).unwrap().index, number - 1, "{what}");
            assert_eq!(lr == cycle.base_lr, n == 0, "{what}");
            assert_eq!(lr == cycle.max_lr, n == d, "{what}");
        }
    }
}

#[test]
fn triangular2_is_the_closed_form_for_100_000_steps() {
    for &config in CONFIGURATIONS {
        let cycle = config.cycle();
        let policy = Triangular2(cycle);
        policy.validate().unwrap();
        for t in 0..STEPS {
            let (n, d, number) = config.scale(t);
            let Rate { lr, momentum } = policy.at(t);
            let what = format!("{cycle:?} at {t}");
            let left = if number > 41 {
                cycle.max_lr * 1e-12
            } else {
                0.0
            };
            let bound = cycle.max_lr + left / (4.0 * f64::EPSILON);
            close(lr, config.lr(n, d, number - 1), bound, 4.0, &what);
            // The momentum takes the same share of its swing as the rate.
            let share = (lr - cycle.base_lr) / (cycle.max_lr - cycle.base_lr);
            let conditioning = cycle.max_lr / (cycle.max_lr - cycle.base_lr);
            close(
                0.9 - momentum.unwrap(),
                0.1 * share,
                conditioning,
                4.0,
                &what,
            );
            if n == 0 {
                assert_eq!(lr, cycle.base_lr, "{what}");
            }
        }
        assert_eq!(policy.at(config.up).lr, cycle.max_lr);
        assert_eq!(policy.at(config.up).momentum, Some(0.8));
    }
}

/// `gamma^t` for t = 0, 1, 2 ... as an unevaluated sum of two f64 (Dekker 1971), some 30 digits.
fn powers(gamma: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some((1.0_f64, 0.0_f64)), move |&(high, low)| {
        let product = high * gamma;
        let rest = high.mul_add(gamma, -product) + low * gamma;
        let sum = product + rest;
        Some((sum, rest - (sum - product)))
    })
    .map(|(high, _)| high)
}

#[test]
fn exp_range_is_the_closed_form_for_100_000_steps() {
    for &config in CONFIGURATIONS {
        for gamma in [1.0, 0.999_94, 0.999, 0.5, 1e-300] {
            let cycle = config.cycle();
            let make = |decay| {
                let policy = ExpRange {
                    cycle,
                    gamma,
                    decay,
                };
                policy.validate().unwrap();
                policy
            };
            let (amplitude, both) = (make(Decay::Amplitude), make(Decay::Both));
            for (t, power) in (0..STEPS).zip(powers(gamma)) {
                let (n, d, _) = config.scale(t);
                let what = format!("{amplitude:?} at {t}");
                let share = n as f64 / d as f64 * power;
                let expected = cycle.base_lr + (cycle.max_lr - cycle.base_lr) * share;
                let found = amplitude.at(t);
                close(found.lr, expected, cycle.max_lr, 4.0, &what);
                close(found.momentum.unwrap(), 0.9 - 0.1 * share, 1.0, 4.0, &what);
                let found = both.at(t);
                let expected = config.lr(n, d, 0) * power;
                close(found.lr, expected, cycle.max_lr * power, 8.0, &what);
                assert_eq!(found.momentum, amplitude.at(t).momentum);
                if n == 0 {
                    assert_eq!(amplitude.at(t).lr, cycle.base_lr, "{what}");
                }
            }
        }
    }
}

#[test]
fn sinusoidal_is_the_closed_form_for_100_000_steps() {
    for &config in CONFIGURATIONS {
        let cycle = config.cycle();
        let (policy, triangle) = (Sinusoidal(cycle), Triangular(cycle));
        policy.validate().unwrap();
        assert_eq!(policy.cycle(0), triangle.cycle(0));
        for t in 0..STEPS {
            let (n, d, _) = config.scale(t);
            let Rate { lr, momentum } = policy.at(t);
            let what = format!("{cycle:?} at {t}");
            let share = (1.0 - (std::f64::consts::PI * n as f64 / d as f64).cos()) / 2.0;
            let expected = cycle.base_lr + (cycle.max_lr - cycle.base_lr) * share;
            close(lr, expected, cycle.max_lr, 4.0, &what);
            close(momentum.unwrap(), 0.9 - 0.1 * share, 1.0, 4.0, &what);
            if n == 0 || n == d {
                assert_eq!(policy.at(t), triangle.at(t), "{what}");
            }
            if 2 * n == d {
                close(lr, triangle.at(t).lr, cycle.max_lr, 2.0, &what);
            }
        }
    }
}

/// `base + (max - base)` rounds to another number than `max` for each of these pairs.
#[test]
fn the_turns_are_exact_where_sums_are_not() {
    let ulp = f64::EPSILON;
    let cycle = Cycle {
        cycle_momentum: true,
        base_momentum: 0.1,
        max_momentum: 0.9,
        ..Cycle::new(ulp / 2.0, 1.0 + ulp, 3)
    };
    assert_ne!(cycle.base_lr + (cycle.max_lr - cycle.base_lr), cycle.max_lr);
    assert_ne!(0.9 - (0.9 - 0.1), 0.1);
    for policy in [
        &Triangular(cycle) as &dyn Policy,
        &Triangular2(cycle),
        &Sinusoidal(cycle),
    ] {
        let (low, peak) = (policy.at(0), policy.at(3));
        assert_eq!((low.lr, low.momentum), (cycle.base_lr, Some(0.9)));
        assert_eq!((peak.lr, peak.momentum), (cycle.max_lr, Some(0.1)));
    }
}

type Known = (&'static str, &'static str, &'static [(u64, f64)]);

/// Values of policies with base 0.001, max 0.006 and half cycle 2000: policy, further arguments,
/// rates by step, in 8 to 10 decimal digits worked out apart from this program.
const KNOWN: &[Known] = &[
    (
        "triangular",
        "",
        &[
            (1, 0.001_002_5),
            (500, 0.002_25),
            (1999, 0.005_997_5),
            (3999, 0.001_002_5),
        ],
    ),
    ("triangular", UNEQUAL, &[(250, 0.0035), (1250, 0.0035)]),
    (
        "triangular2",
        "",
        &[
            (2000, 0.006),
            (4001, 0.001_001_25),
            (6000, 0.0035),
            (10_000, 0.002_25),
        ],
    ),
    (
        "exp_range",
        "gamma = 0.99994",
        &[
            (500, 0.002_213_055_8),
            (2000, 0.005_434_586_2),
            (10_000, 0.003_744_008_8),
        ],
    ),
    (
        "exp_range",
        "gamma = 0.99994\ndecay = \"both\"",
        &[
            (500, 0.002_183_500_5),
            (4000, 0.000_786_622_2),
            (6000, 0.004_186_012_7),
        ],
    ),
    (
        "sinusoidal",
        "",
        &[(1, 0.001_000_003_084), (500, 0.001_732_233_0)],
    ),
    (
        "sinusoidal",
        UNEQUAL,
        &[(1000, 0.004_75), (1999, 0.001_000_005_5)],
    ),
];

const UNEQUAL: &str = "step_size_up = 500\nstep_size_down = 1500";

#[test]
fn known_values() {
    for (name, more, values) in KNOWN {
        let policy = policy(name, &format!("base_lr = 0.001\nmax_lr = 0.006\n{more}"));
        for &(step, expected) in *values {
            let lr = policy.at(step).lr;
            assert!((lr - expected).abs() < 1e-10, "{name} at {step}: {lr}");
        }
    }
    assert_eq!(policy("constant", "lr = 3").at(u64::MAX), Rate::new(3.0));
}

#[test]
fn step_10_to_the_12_has_the_phase_of_its_remainder() {
    for &config in CONFIGURATIONS {
        let (triangle, wave) = (Triangular(config.cycle()), Sinusoidal(config.cycle()));
        let period = config.up + config.down;
        for far in [1_000_000_000_000, 1_u64 << 53, u64::MAX - 2 * period] {
            for step in far..far + period.min(5000) {
                assert_eq!(triangle.at(step), triangle.at(step % period), "{step}");
                assert_eq!(wave.at(step), wave.at(step % period), "{step}");
            }
        }
    }
}

#[test]
fn large_exponents_end_at_the_base() {
    let cycle = Cycle {
        cycle_momentum: true,
        ..Cycle::new(0.001, 0.006, 10)
    };
    let rest = Rate {
        lr: 0.001,
        momentum: Some(0.9),
    };
    let halved = Triangular2(cycle);
    for number in [
        100,
        1024,
        1025,
        1074,
        1075,
        1076,
        5000,
        1 << 31,
        1 << 32,
        1 << 59,
    ] {
        assert_eq!(halved.at(20 * number + 10), rest, "cycle {number}");
    }
    let from_zero = Cycle {
        base_lr: 0.0,
        ..cycle
    };
    assert_eq!(
        Triangular2(from_zero).at(20 * 1000 + 10).lr,
        0.006 * 0.5_f64.powi(1000)
    );
    assert_eq!(Triangular2(from_zero).at(20 * 5000 + 10).lr, 0.0);
    let decayed = |decay| ExpRange {
        cycle,
        gamma: 0.999_94,
        decay,
    };
    for step in [1_000_000_000_010, u64::MAX / 20 * 20 + 10, u64::MAX] {
        assert_eq!(decayed(Decay::Amplitude).at(step), rest);
        let Rate { lr, momentum } = decayed(Decay::Both).at(step);
        assert_eq!((lr, momentum), (0.0, Some(0.9)));
    }
    let slow = ExpRange {
        gamma: 1.0 - 1e-12,
        ..decayed(Decay::Amplitude)
    };
    // (1 - 10^-12)^(10^12) = 1 / e, but for the rounding of gamma: 5e-17 of each factor.
    let share = (slow.at(1_000_000_000_010).lr - 0.001) / 0.005;
    assert!((share - (-1.0_f64).exp()).abs() < 1e-4, "{share}");
    let undecayed = ExpRange { gamma: 1.0, ..slow };
    assert_eq!(undecayed.at(1_000_000_000_010).lr, 0.006);
}
