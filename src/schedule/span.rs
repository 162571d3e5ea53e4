//! What policies are made of where they are compared: two rates and a length.

/// Two rates and a length (see [`Policy::between`](super::Policy::between)).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// The low rate.
    pub base_lr: f64,
    /// The high rate.
    pub max_lr: f64,
    /// Steps of a run.
    pub steps: u64,
    /// Half a cycle of the cyclical policies.
    pub half: u64,
}

impl Span {
    /// The bounds and the half cycle, as TOML.
    pub(super) fn cycle(&self) -> String {
        let (base, max, half) = (self.base_lr, self.max_lr, self.half);
        format!("base_lr = {base:?}\nmax_lr = {max:?}\nstep_size_up = {half}")
    }

    /// `lr`, the high rate, as TOML.
    pub(super) fn lr(&self) -> String {
        format!("lr = {:?}", self.max_lr)
    }

    /// The steps of the run's part 1 / `n`; at least 1.
    pub(super) fn part(&self, n: u64) -> u64 {
        (self.steps / n).max(1)
    }

    /// The factor of each step that leaves `share` at the end.
    pub(super) fn reach(&self, share: f64) -> f64 {
        libm::pow(share, 1.0 / self.steps as f64).min(1.0)
    }
}
