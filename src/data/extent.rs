//! How many samples there are.

/// How many samples there are to train on, and whether they are windows of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Samples; windows that follow each other without a gap.
    pub samples: usize,
    /// Tokens of the stream and of a window.
    pub(super) stream: Option<[usize; 2]>,
    /// The last so many are the validation set, because the files say so; 0: they do not.
    pub(super) held_out: usize,
}

impl From<usize> for Extent {
    /// Samples that stand for themselves.
    fn from(samples: usize) -> Self {
        Self {
            samples,
            stream: None,
            held_out: 0,
        }
    }
}

impl Extent {
    /// Whether samples are windows of a stream.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.stream.is_some()
    }

    /// The same of the first `samples` samples alone.
    #[must_use]
    pub fn first(&self, samples: usize) -> Self {
        let stream = match self.stream {
            // The target of the last token is there, too.
            Some([_, context]) if samples < self.samples => Some([samples * context + 1, context]),
            stream => stream,
        };
        Self {
            samples,
            stream,
            held_out: self.held_out.min(samples),
        }
    }
}
