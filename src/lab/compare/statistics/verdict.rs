//! The verdict on a contrast.

use serde::{Deserialize, Serialize};

use super::contrast::Contrast;
use super::needed::Needed;

/// What the data show of a variant against the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContrastVerdict {
    /// Better by more than the margin.
    BetterByMore,
    /// Better; by more than the margin is not shown.
    Better,
    /// Neither better nor worse by the margin.
    AsGood,
    /// Worse.
    Worse,
    /// None of these.
    NotShown,
}

/// A contrast with what it shows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The contrast.
    pub contrast: Contrast,
    /// The interval of the gain; with those of all other contrasts and looks it holds with 95 %.
    pub interval: [f64; 2],
    /// What is shown.
    pub verdict: ContrastVerdict,
    /// For a difference that is not shown: what would show one of the margin.
    pub needed: Option<Needed>,
}

/// Which of the two have runs that diverged: these are never better and never as good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Diverged {
    /// The variant.
    pub variant: bool,
    /// The baseline.
    pub baseline: bool,
}

impl Judgement {
    /// Judges a contrast that may err with the chance `error`, whatever is claimed; `least` as in
    /// [`Contrast::of`]. What would show a difference is not said where runs diverged.
    #[must_use]
    pub fn of(
        contrast: Contrast,
        (margin, least): (f64, f64),
        error: f64,
        diverged: Diverged,
    ) -> Self {
        let interval = contrast.interval(error);
        let verdict = verdict(&contrast, margin, error, diverged);
        let is_open = verdict == ContrastVerdict::NotShown && diverged == Diverged::default();
        let needed = (is_open && contrast.seeds.min(contrast.samples) > 1)
            .then(|| Needed::of(&contrast, margin, error, least));
        Self {
            contrast,
            interval,
            verdict,
            needed,
        }
    }
}

fn verdict(contrast: &Contrast, margin: f64, error: f64, diverged: Diverged) -> ContrastVerdict {
    let [low, high] = contrast.interval(error);
    // Two one-sided tests at `error` each.
    let [least, most] = contrast.interval(2.0 * error);
    match () {
        () if low > margin && !diverged.variant => ContrastVerdict::BetterByMore,
        () if low > 0.0 && !diverged.variant => ContrastVerdict::Better,
        () if high < 0.0 && !diverged.baseline => ContrastVerdict::Worse,
        () if least > -margin && most < margin && diverged == Diverged::default() => {
            ContrastVerdict::AsGood
        }
        () => ContrastVerdict::NotShown,
    }
}
