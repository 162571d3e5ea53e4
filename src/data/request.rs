//! What a source is asked for, and what it says while it loads.

use super::picture::Resize;
use std::path::PathBuf;

/// What a source needs to know to load its samples.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// `data.dir`: where the files are, for sources made of files.
    pub dir: Option<PathBuf>,
    /// `data.seed`: for sources that draw or split their samples.
    pub seed: u64,
    /// The keys of `[data]` that only some sources have.
    pub options: Options,
}

/// The keys of `[data]` that only some sources have.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// `data.size`: height and width of all pictures; without it all must have one.
    pub size: Option<[usize; 2]>,
    /// `data.resize`: how pictures of other sizes come to it.
    pub resize: Resize,
    /// `data.test_share`: the share of each class that becomes the test set where the files do not
    /// say which pictures do; above 0, below 1.
    pub test_share: f64,
    /// `data.train`: the file with the training samples, below `data.dir` where that is given.
    pub train: Option<PathBuf>,
    /// `data.test`: the same for the test samples.
    pub test: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            size: None,
            resize: Resize::None,
            test_share: 0.2,
            train: None,
            test: None,
        }
    }
}

/// What happens while a source loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loading<'a> {
    /// `done` of `total` pieces are done; the first call has 0, the last one `total`.
    Progress {
        /// `decoding pictures`: what is done with each.
        doing: &'a str,
        /// Pieces that are done.
        done: usize,
        /// All pieces.
        total: usize,
    },
    /// Something that a person should know about the samples, a sentence.
    Note(&'a str),
}

/// Who is told what happens while a source loads, maybe from several threads.
pub type Watcher<'a> = &'a (dyn Fn(Loading<'_>) + Sync);
