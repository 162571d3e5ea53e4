//! Arguments that several sources have.

use serde::de::Deserializer;

use crate::args::{number, whole};

/// `data.test_share` where nobody says anything: a fifth.
pub(super) const TEST_SHARE: f64 = 0.2;

/// `data.test_share`: the share of the samples that becomes the test set where the files do not say
/// which do; above 0, below 1.
pub(super) fn test_share<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let expected = "a share of the samples: above 0, below 1";
    number(from, "a finite number", expected, |s| s > 0.0 && s < 1.0)
}

/// `data.context` where nobody says anything.
pub(super) const CONTEXT: usize = 64;

/// Far above any context that a network is trained on.
const LONGEST_CONTEXT: u64 = 1 << 20;

/// `data.context`: tokens of a window of a text; at least 1.
pub(super) fn context<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    whole::<_, _, 1, LONGEST_CONTEXT>(from)
}
