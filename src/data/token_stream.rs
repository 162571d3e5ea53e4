//! Tokens one behind the other, wherever they lie.

use std::fmt::Debug;

use crate::error::Result;

/// Tokens that are read at a time where a stream is gone through.
const BLOCK: usize = 1 << 16;

/// Tokens one behind the other, as a text has them, wherever they lie.
pub trait TokenStream: Debug + Send + Sync {
    /// Number of tokens.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `into` with the tokens from place `first` on; there are as many. The same place has the same
    /// token each time.
    ///
    /// # Errors
    /// A file that can no longer be read.
    fn read(&self, first: usize, into: &mut [u32]) -> Result<()>;

    /// Where they are, in words.
    fn residence(&self) -> &'static str {
        "in memory"
    }
}

impl TokenStream for Vec<u32> {
    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn read(&self, first: usize, into: &mut [u32]) -> Result<()> {
        into.copy_from_slice(&self[first..first + into.len()]);
        Ok(())
    }
}

/// Gives all tokens to `each`, block after block.
///
/// # Errors
/// As [`TokenStream::read`]; what `each` says.
pub(crate) fn for_each_block(
    stream: &dyn TokenStream,
    mut each: impl FnMut(&[u32]) -> Result<()>,
) -> Result<()> {
    let mut block = vec![0; BLOCK.min(stream.len())];
    for first in (0..stream.len()).step_by(BLOCK) {
        let block = &mut block[..BLOCK.min(stream.len() - first)];
        stream.read(first, block)?;
        each(block)?;
    }
    Ok(())
}

/// Whether both have the same tokens; not where they cannot be read.
pub(super) fn are_equal(a: &dyn TokenStream, b: &dyn TokenStream) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let (mut at, mut equal) = (0, true);
    let read = for_each_block(a, |block| {
        let mut other = vec![0; block.len()];
        b.read(at, &mut other)?;
        at += block.len();
        equal &= block == other;
        Ok(())
    });
    equal && read.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_equal_whose_tokens_are() {
        let stream = |n: u32| (0..n).collect::<Vec<_>>();
        let long = BLOCK as u32 + 3;
        let equal = |n| are_equal(&stream(long), &stream(n));
        assert_eq!([long - 1, long, long + 1].map(equal), [false, true, false]);
        let mut other = stream(long);
        other[BLOCK + 1] = 7;
        assert!(!are_equal(&stream(long), &other));
    }
}
