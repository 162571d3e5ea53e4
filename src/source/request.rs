//! What a source is asked for.

use crate::picture::Resize;
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
