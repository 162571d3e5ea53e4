//! The texts that are shown while a network learns to go on with texts.

use crate::data::{IGNORED, Samples, Targets};
use crate::error::Result;

/// Symbols that are added where there are few of them, as characters are.
const LETTERS: usize = 80;
/// Steps at the start of the test part that a text begins with.
const START: usize = 8;

/// How a text begins, and by how many tokens it goes on: the first sample of the test set up to the
/// first target that counts, or the first tokens of a stream.
pub(super) fn prompt(samples: &Samples, symbols: usize) -> Result<(Vec<u32>, usize)> {
    let tokens: Vec<u32> = samples
        .values(&[0])?
        .iter()
        .map(|token| *token as u32)
        .collect();
    let Targets::Positions { .. } = samples.targets() else {
        let start = START.min(tokens.len());
        // Words say more than characters.
        let length = if symbols < 40 { LETTERS / 3 } else { LETTERS };
        return Ok((tokens[..start].to_vec(), length));
    };
    let targets = samples.targets_of(&[0], 0)?;
    let first = targets.iter().position(|target| *target != IGNORED);
    let first = first.unwrap_or(0);
    Ok((tokens[..=first].to_vec(), targets.len() - first))
}
