//! When the data are looked at, and which share of the error each look has.

use serde::{Deserialize, Serialize};

/// The chance that is accepted over a whole comparison, all looks, contrasts and verdicts together, that
/// something is claimed that is not so.
pub const ERROR: f64 = 0.05;

/// Numbers of seeds at which a comparison that goes on until all is settled looks at its data, and the
/// share of [`ERROR`] that each look has: more for those that know more. The sum of the shares bounds the
/// error however the looks depend on each other (Bonferroni).
pub const LOOKS: [(u64, f64); 5] = [(3, 0.1), (5, 0.15), (8, 0.2), (12, 0.25), (20, 0.3)];

/// One look at the data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PlannedLook {
    /// The seeds that it looks at.
    pub seeds: u64,
    /// The error that it may spend.
    pub error: f64,
}

/// One look with the whole error.
#[must_use]
pub fn fixed(seeds: u64) -> Vec<PlannedLook> {
    vec![PlannedLook {
        seeds,
        error: ERROR,
    }]
}

/// The share of a last look behind all of [`LOOKS`], which have the rest as they share the whole.
const BEYOND: f64 = 0.3;

/// The looks of a comparison of at most `most` seeds, or of as many as [`LOOKS`] has; the last one has
/// what the others leave.
#[must_use]
pub fn planned(most: Option<u64>) -> Vec<PlannedLook> {
    let furthest = LOOKS[LOOKS.len() - 1].0;
    let most = most.unwrap_or(furthest);
    let rest = if most > furthest { 1.0 - BEYOND } else { 1.0 };
    let before = LOOKS.iter().filter(|(seeds, _)| *seeds < most);
    let mut looks: Vec<PlannedLook> = before
        .map(|(seeds, share)| PlannedLook {
            seeds: *seeds,
            error: ERROR * rest * share,
        })
        .collect();
    let spent: f64 = looks.iter().map(|look| look.error).sum();
    looks.push(PlannedLook {
        seeds: most,
        error: ERROR - spent,
    });
    looks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_look_has_its_share_and_all_have_the_whole() {
        for most in [1, 2, 3, 4, 5, 12, 19, 20, 21, 1000] {
            let looks = planned(Some(most));
            let sum: f64 = looks.iter().map(|look| look.error).sum();
            assert!((sum - ERROR).abs() < 1e-15, "{looks:?}");
            assert!(
                looks.iter().all(|look| look.error > 0.1 * ERROR * 0.6),
                "{looks:?}"
            );
            assert_eq!(looks[looks.len() - 1].seeds, most);
        }
        assert_eq!(planned(None).len(), LOOKS.len());
    }
}
