//! Samples that are windows of one stream of tokens, such as a text, and how epochs go through them.

use super::memory::check_tokens;
use super::samples::refuse;
use super::{Extent, Inputs, Samples, Storage, Targets, TokenStream, epoch_order};
use crate::error::Result;
use crate::rng::{Key, Stream};

/// A stream of tokens, cut into windows that follow each other.
#[derive(Debug)]
struct Windows {
    tokens: Box<dyn TokenStream>,
    shape: [usize; 1],
    symbols: usize,
}

/// The windows of `context` tokens at `indices` that begin `shift` tokens later, one after the other.
fn read_windows(
    stream: &dyn TokenStream,
    context: usize,
    (indices, shift): (&[u32], usize),
) -> Result<Vec<u32>> {
    let mut tokens = vec![0; indices.len() * context];
    let mut rest = &mut tokens[..];
    // Windows that follow each other are read at once.
    for run in indices.chunk_by(|a, b| a + 1 == *b) {
        let (into, behind) = rest.split_at_mut(run.len() * context);
        rest = behind;
        stream.read(run[0] as usize * context + shift, into)?;
    }
    Ok(tokens)
}

impl Inputs for Windows {
    fn len(&self) -> usize {
        // The last token of a window has a next one.
        (self.tokens.len() - 1) / self.shape[0]
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn storage(&self) -> Storage {
        Storage::Tokens
    }

    fn symbols(&self) -> usize {
        self.symbols
    }

    fn read(&self, indices: &[u32], into: &mut [u8]) -> Result<()> {
        let tokens = read_windows(&*self.tokens, self.shape[0], (indices, 0))?;
        into.copy_from_slice(bytemuck::cast_slice(&tokens));
        Ok(())
    }

    fn stream(&self) -> Option<&dyn TokenStream> {
        Some(&*self.tokens)
    }

    fn residence(&self) -> &'static str {
        self.tokens.residence()
    }
}

impl Samples {
    /// Windows of `[context, symbols]`, so many tokens of so many symbols, that follow each other in a
    /// stream; what is to be learned is the token that follows each.
    ///
    /// # Errors
    /// A stream that is not longer than a window, a window of no tokens, a token that is not below
    /// `symbols`, more than [`MOST_SYMBOLS`](super::MOST_SYMBOLS).
    pub fn windows([context, symbols]: [usize; 2], tokens: Vec<u32>) -> Result<Self> {
        check_tokens(&tokens, symbols)?;
        Self::windows_of([context, symbols], tokens)
    }

    /// As [`Samples::windows`], of tokens that may lie anywhere; each of them is below `symbols`.
    ///
    /// # Errors
    /// A stream that is not longer than a window, a window of no tokens.
    pub fn windows_of(
        [context, symbols]: [usize; 2],
        tokens: impl TokenStream + 'static,
    ) -> Result<Self> {
        if context == 0 || tokens.len() <= context {
            return Err(refuse(
                "samples",
                format!("{} tokens for windows of {context}", tokens.len()),
                "at least one token in a window, and one token more than a window has",
                "give a longer text, or lower data.context",
            ));
        }
        let windows = Windows {
            tokens: Box::new(tokens),
            shape: [context],
            symbols,
        };
        Self::new(windows, Targets::Next)
    }

    /// Places that they take where they lie one behind the other, each as long as a sample: of a
    /// stream also one for the tokens behind the last whole window.
    #[must_use]
    pub fn places(&self) -> usize {
        match self.inputs().stream() {
            Some(tokens) => (tokens.len() - 1).div_ceil(self.shape()[0]),
            None => self.len(),
        }
    }

    /// Targets of one sample: rows of a network's output.
    #[must_use]
    pub fn positions(&self) -> usize {
        match self.targets() {
            Targets::Classes(_) | Targets::Numbers { .. } => 1,
            Targets::Positions { steps, .. } => *steps,
            Targets::Next => self.shape()[0],
        }
    }

    /// Words of 32 bits that the targets of one sample take: a class for each position, or numbers.
    #[must_use]
    pub fn target_words(&self) -> usize {
        match self.targets() {
            Targets::Numbers { width, .. } => *width,
            _ => self.positions(),
        }
    }

    /// Targets of a sample that belong together as one answer: those of a sequence of its own. Nothing
    /// where a sample has one, or is a window of a stream.
    #[must_use]
    pub fn sequences(&self) -> Option<usize> {
        match self.targets() {
            Targets::Positions { steps, .. } if *steps > 1 => Some(*steps),
            _ => None,
        }
    }

    /// The targets of the samples at `indices`, one after the other, as words of 32 bits: classes, or
    /// the bits of numbers. Windows of a stream begin `phase` tokens later.
    ///
    /// # Errors
    /// A stream that cannot be read.
    pub fn targets_of(&self, indices: &[u32], phase: usize) -> Result<Vec<u32>> {
        let words = self.target_words();
        let at = |values: &[u32]| {
            let of = |index: &u32| {
                let from = *index as usize * words;
                values[from..from + words].to_vec()
            };
            indices.iter().flat_map(of).collect()
        };
        match (self.targets(), self.inputs().stream()) {
            (Targets::Classes(values) | Targets::Positions { values, .. }, _) => Ok(at(values)),
            (Targets::Numbers { values, .. }, _) => Ok(at(bytemuck::cast_slice(values))),
            (Targets::Next, Some(stream)) => read_windows(stream, words, (indices, phase + 1)),
            (Targets::Next, None) => Ok(Vec::new()),
        }
    }

    /// As [`Inputs::read`], with windows of a stream that begin `phase` tokens later.
    ///
    /// # Errors
    /// As [`Inputs::read`].
    pub fn read_shifted(&self, indices: &[u32], phase: usize, into: &mut [u8]) -> Result<()> {
        let Some(stream) = self.inputs().stream().filter(|_| phase > 0) else {
            return self.inputs().read(indices, into);
        };
        let tokens = read_windows(stream, self.shape()[0], (indices, phase))?;
        into.copy_from_slice(bytemuck::cast_slice(&tokens));
        Ok(())
    }

    /// How many there are.
    #[must_use]
    pub fn extent(&self) -> Extent {
        let stream = self.inputs().stream();
        Extent {
            samples: self.len(),
            stream: stream.map(|tokens| [tokens.len(), self.shape()[0]]),
            held_out: self.held_out(),
        }
    }
}

/// Windows that follow each other as `streams` streams of equal length: one of each, then the next of
/// each. Windows behind the last whole length are left out.
#[must_use]
pub fn in_streams(windows: &[u32], streams: usize) -> Vec<u32> {
    let length = windows.len().checked_div(streams).unwrap_or(0);
    let places = (0..length).flat_map(|s| (0..streams).map(move |j| j * length + s));
    places.map(|place| windows[place]).collect()
}

/// Samples of an epoch in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Order {
    /// Positions of the samples.
    pub samples: Vec<u32>,
    /// How many tokens later than their position says windows of a stream begin.
    pub phase: u32,
}

/// How epochs go through the samples that are trained on.
///
/// Samples that stand for themselves come in an order that each epoch draws (`shuffle`), or as they
/// are. Windows of a stream of n tokens do not overlap: as they are, there are (n - 1) / context of
/// them (rounded down); with `shuffle` each epoch draws a phase below `context` by which all begin
/// later, and has (n - context) / context of them. With `streams` B the windows lie in B streams of
/// equal length, and a batch has one of each: the next batch goes on where it ends.
#[derive(Debug, Clone)]
pub struct Epochs {
    samples: Vec<u32>,
    extent: Extent,
    shuffle: bool,
    streams: Option<usize>,
    seed: u64,
}

impl Epochs {
    /// Through `samples`, which are the first ones of `extent` where that is a stream.
    #[must_use]
    pub fn new(
        samples: Vec<u32>,
        extent: Extent,
        (shuffle, streams): (bool, Option<usize>),
        data_seed: u64,
    ) -> Self {
        Self {
            extent: extent.first(samples.len()),
            samples,
            shuffle,
            streams,
            seed: data_seed,
        }
    }

    /// Samples of an epoch.
    #[must_use]
    pub fn len(&self) -> usize {
        let all = self.samples.len();
        match (self.extent.stream, self.streams) {
            (Some([tokens, context]), _) if self.shuffle => {
                tokens.saturating_sub(context) / context
            }
            (_, Some(streams)) => all / streams.max(1) * streams,
            _ => all,
        }
    }

    /// Whether an epoch has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a batch goes on where the one before it in its epoch ends.
    #[must_use]
    pub fn go_on(&self) -> bool {
        self.streams.is_some()
    }

    /// The seed that orders are drawn from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Draws orders from another seed.
    pub fn set_seed(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// The order of an epoch, from 0.
    #[must_use]
    pub fn order(&self, epoch: u64) -> Order {
        let part = &self.samples[..self.len()];
        let phase = match self.extent.stream {
            Some([_, context]) if self.shuffle => {
                Key::new(self.seed, Stream::Phase, epoch).words(0, 0)[0] % context as u32
            }
            _ => 0,
        };
        let samples = match self.streams {
            Some(streams) => in_streams(part, streams),
            _ => epoch_order(part, self.shuffle, self.seed, epoch),
        };
        Order { samples, phase }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Split;

    fn text(n: u32, context: usize) -> Samples {
        Samples::windows([context, n as usize], (0..n).collect()).unwrap()
    }

    fn epochs(samples: &Samples, shuffle: bool, streams: Option<usize>) -> Epochs {
        let all = (0..samples.len() as u32).collect();
        Epochs::new(all, samples.extent(), (shuffle, streams), 3)
    }

    #[test]
    fn windows_follow_each_other_and_their_targets_come_next() {
        let samples = text(11, 4);
        assert_eq!((samples.len(), samples.places()), (2, 3));
        assert_eq!(samples.values(&[1]).unwrap(), [4.0, 5.0, 6.0, 7.0]);
        assert_eq!(
            samples.targets_of(&[1, 0], 0).unwrap(),
            [5, 6, 7, 8, 1, 2, 3, 4]
        );
        assert_eq!(samples.targets_of(&[1], 2).unwrap(), [7, 8, 9, 10]);
        let mut bytes = [0; 16];
        samples.read_shifted(&[1], 2, &mut bytes).unwrap();
        assert_eq!(
            bytemuck::pod_collect_to_vec::<u8, u32>(&bytes),
            [6, 7, 8, 9]
        );
        assert!(Samples::windows([3, 4], vec![1, 2, 3]).is_err());
        assert!(Samples::windows([0, 4], vec![1, 2, 3]).is_err());
        assert!(Samples::windows([1, 4], vec![1, 4]).is_err());
        assert!(Samples::windows([1, 1 << 25], vec![1, 4]).is_err());
    }

    #[test]
    fn an_epoch_has_as_many_windows_as_fit_whatever_its_phase() {
        for n in 20..60 {
            for context in [1, 3, 7, 16] {
                let samples = text(n, context);
                let n = n as usize;
                assert_eq!(epochs(&samples, false, None).len(), (n - 1) / context);
                let shuffled = epochs(&samples, true, None);
                assert_eq!(shuffled.len(), (n - context) / context);
                for epoch in 0..20 {
                    let order = shuffled.order(epoch);
                    assert!((order.phase as usize) < context);
                    let targets = samples
                        .targets_of(&order.samples, order.phase as usize)
                        .unwrap();
                    assert!(targets.iter().all(|target| (*target as usize) < n));
                }
            }
        }
    }

    #[test]
    fn phases_differ_from_epoch_to_epoch() {
        let samples = text(200, 16);
        let epochs = epochs(&samples, true, None);
        let phases: std::collections::BTreeSet<u32> =
            (0..50).map(|epoch| epochs.order(epoch).phase).collect();
        assert!(phases.len() > 10, "{phases:?}");
    }

    #[test]
    fn streams_go_on_from_batch_to_batch() {
        let samples = text(24, 2);
        // Eleven windows in three streams of three.
        let epochs = epochs(&samples, false, Some(3));
        assert_eq!(epochs.len(), 9);
        assert_eq!(epochs.order(0).samples, [0, 3, 6, 1, 4, 7, 2, 5, 8]);
        assert_eq!(epochs.order(1), epochs.order(0));
    }

    #[test]
    fn what_is_held_out_is_the_tail_and_no_window_reaches_into_it() {
        let samples = text(101, 10);
        let split = Split::new(samples.extent(), 0.2, 0).unwrap();
        assert_eq!(split.train, (0..8).collect::<Vec<_>>());
        assert_eq!(split.validation, [8, 9]);
        let epochs = Epochs::new(split.train, samples.extent(), (true, None), 1);
        assert_eq!(epochs.len(), 7);
        for epoch in 0..20 {
            let order = epochs.order(epoch);
            let targets = samples
                .targets_of(&order.samples, order.phase as usize)
                .unwrap();
            assert!(targets.iter().all(|target| *target <= 80));
        }
    }
}
