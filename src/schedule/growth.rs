//! Cycles that grow: where a step lies when each cycle is `factor` times as long as the one before.

use super::python::list;
use super::{CycleAt, Invalid};

/// Cycles of `first`, `first * factor`, `first * factor^2` ... steps, each end rounded to a whole
/// step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Growth {
    pub(super) first: u64,
    pub(super) factor: f64,
}

/// The cycle that a step lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The cycle, from 0.
    pub(super) cycle: u64,
    /// Its first step.
    pub(super) start: u64,
    /// Its steps.
    pub(super) length: u64,
}

impl Growth {
    pub(super) fn check(self, key: &'static str) -> Result<(), Invalid> {
        if self.factor >= 1.0 && self.factor.is_finite() {
            return Ok(());
        }
        Err(Invalid {
            key,
            message: format!(
                "is {}; expected a growth of 1 (cycles of the same length) or more",
                self.factor
            ),
        })
    }

    /// Whether all cycles have one length.
    pub(super) fn is_even(self) -> bool {
        self.factor == 1.0
    }

    /// The cycle of `step`. Starts are summed in whole numbers where the factor is whole; a logarithm
    /// (as in PyTorch, which misses restarts by it) only guesses the cycle elsewhere.
    pub(super) fn place(self, step: u64) -> Place {
        let first = self.first.max(1);
        if self.is_even() || self.check("").is_err() {
            let cycle = step / first;
            return Place {
                cycle,
                start: cycle * first,
                length: first,
            };
        }
        if self.factor.fract() == 0.0 && self.factor < 1e18 {
            return whole(first, self.factor as u64, step);
        }
        let m = self.factor;
        let guess = libm::log1p(step as f64 * (m - 1.0) / first as f64) / libm::log(m);
        let mut cycle = guess.max(0.0) as u64;
        while cycle > 0 && self.start(cycle) > step {
            cycle -= 1;
        }
        while self.start(cycle + 1) <= step && self.start(cycle + 1) < u64::MAX {
            cycle += 1;
        }
        let start = self.start(cycle);
        Place {
            cycle,
            start,
            // The last cycle that 64 bits can count never ends.
            length: (self.start(cycle + 1) - start).max((step - start).saturating_add(1)),
        }
    }

    /// The cycle of `step`, for [`Policy::cycle`](super::Policy::cycle).
    pub(super) fn cycle(self, step: u64) -> CycleAt {
        let place = self.place(step);
        CycleAt {
            index: place.cycle,
            start: place.start,
            end: place.start.checked_add(place.length),
            period: self.is_even().then(|| self.first.max(1)),
        }
    }

    /// Python lines that make `cycle`, the step `q` in it and its `length` of `t`, up to `steps`.
    pub(super) fn python(self, steps: u64) -> Vec<String> {
        if self.is_even() {
            let length = self.first.max(1);
            return vec![
                format!("length = {length}"),
                "cycle, q = divmod(t, length)".to_owned(),
            ];
        }
        // As numbers: rounding of logarithms elsewhere must not move a restart.
        let mut starts = vec![0];
        while let Some(&start) = starts.last()
            && start <= steps
        {
            starts.push(start.saturating_add(self.place(start).length));
        }
        vec![
            format!("starts = {}", list(&starts)),
            "cycle = min(bisect.bisect(starts, t), len(starts) - 1) - 1".to_owned(),
            "q, length = t - starts[cycle], starts[cycle + 1] - starts[cycle]".to_owned(),
        ]
    }

    /// The first step of cycle `n`, `first * (factor^n - 1) / (factor - 1)`, rounded; at the end of
    /// the whole numbers it stays.
    fn start(self, n: u64) -> u64 {
        let m = self.factor;
        let grown = libm::expm1(n as f64 * libm::log(m)) / (m - 1.0);
        (self.first.max(1) as f64 * grown).round() as u64
    }
}

fn whole(first: u64, factor: u64, step: u64) -> Place {
    let (mut cycle, mut start, mut length) = (0, 0_u64, first);
    while step - start >= length {
        start += length;
        cycle += 1;
        length = length.saturating_mul(factor);
    }
    Place {
        cycle,
        start,
        length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_are_gapless_and_grow() {
        for factor in [1.0, 1.001, 1.5, 2.0, 3.0, 10.0] {
            let growth = Growth { first: 10, factor };
            let (mut at, mut cycle) = (0, 0);
            while at < 100_000 {
                let place = growth.place(at);
                assert_eq!((place.cycle, place.start), (cycle, at), "{factor}");
                let last = growth.place(at + place.length - 1);
                assert_eq!(last, place, "{factor}");
                let exact = 10.0 * factor.powi(cycle as i32);
                assert!((place.length as f64 - exact).abs() <= 1.0, "{factor}");
                at += place.length;
                cycle += 1;
            }
            for far in [1_000_000_000_000, u64::MAX] {
                let place = growth.place(far);
                assert!(place.start <= far && far - place.start < place.length);
            }
        }
        // PyTorch and timm miss these restarts by the rounding of a logarithm.
        for (first, factor, start) in [(10, 3.0, 1210), (10, 10.0, 1110)] {
            assert_eq!(Growth { first, factor }.place(start).start, start);
        }
    }
}
