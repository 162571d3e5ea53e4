//! Samples: what is known of them, what is to be learned about them, and how they are read.

use std::fmt::Debug;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::TokenStream;
use super::token_stream::are_equal;
use crate::error::{Error, Result};
use crate::shape::Shape;

/// How the values of samples lie in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// Bytes, 0 to 255, as pictures have them. On the GPU they stay bytes.
    Bytes,
    /// Floats of 32 bits, for own samples.
    Floats,
    /// Numbers of symbols, unsigned integers of 32 bits below [`MOST_SYMBOLS`].
    Tokens,
}

/// Symbols that can be told apart: a loss names the chosen one as a float of 32 bits.
pub const MOST_SYMBOLS: usize = 1 << 24;

/// A target that does not count: no loss, no gradient, neither right nor wrong.
pub const IGNORED: u32 = u32::MAX;

impl Storage {
    /// What a sample of these dimensions is, of tokens below `symbols`; nothing for dimensions that
    /// make none.
    #[must_use]
    pub fn shape(self, dims: &[usize], symbols: usize) -> Option<Shape> {
        match (self, dims) {
            (Self::Tokens, &[steps]) => Some(Shape::Tokens { steps, symbols }),
            (Self::Tokens, _) => None,
            (Self::Bytes | Self::Floats, dims) => Shape::of(dims),
        }
    }

    /// Bytes of one value.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Bytes => 1,
            Self::Floats | Self::Tokens => 4,
        }
    }

    /// In words: `bytes`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Floats => "floats",
            Self::Tokens => "tokens",
        }
    }
}

/// The inputs of a set of samples, read by index: so they may lie in memory, in a file, or be made as
/// they are read. Those that fit are read once and lie on the device then; of others, those of each
/// submission are read when they are trained on.
pub trait Inputs: Debug + Send + Sync {
    /// Number of samples, below 2^32.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape of one sample: `[channels, height, width]`, `[features]`, `[steps, features]`; of tokens
    /// `[steps]`.
    fn shape(&self) -> &[usize];

    /// How their values lie in bytes.
    fn storage(&self) -> Storage;

    /// Writes the samples at `indices`, one after the other in NCHW order, to `into`: as many bytes as
    /// they have, floats in the machine's order of bytes. The same index gives the same bytes each
    /// time; floats are finite.
    ///
    /// # Errors
    /// A file that can no longer be read, a generator that fails.
    fn read(&self, indices: &[u32], into: &mut [u8]) -> Result<()>;

    /// Number of symbols that tokens are of: each is below it. 0 for other samples.
    fn symbols(&self) -> usize {
        0
    }

    /// Where samples are rows of a table, for each feature whether it is 0 or 1 for good and normalisation
    /// leaves it as it is.
    fn flags(&self) -> Option<&[bool]> {
        None
    }

    /// All tokens, where samples are windows that follow each other in one stream of them (see
    /// [`Samples::windows`]).
    fn stream(&self) -> Option<&dyn TokenStream> {
        None
    }

    /// CRC-32 of the bytes of all samples in their order, where it is known without reading them.
    fn checksum(&self) -> Option<u32> {
        None
    }

    /// Where they are, in words.
    fn residence(&self) -> &'static str {
        "in memory"
    }
}

/// What is to be learned about each sample.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Targets {
    /// The class of each, below the number of classes.
    Classes(Vec<u32>),
    /// Numbers, `width` for each sample.
    Numbers {
        /// Numbers of one sample.
        width: usize,
        /// All of them, sample by sample.
        values: Vec<f32>,
    },
    /// A class for each position of a sequence, [`IGNORED`] where none counts.
    Positions {
        /// Positions of one sample.
        steps: usize,
        /// All of them, sample by sample.
        values: Vec<u32>,
    },
    /// At each position the token that follows it, of inputs that are windows of a stream.
    Next,
}

impl Targets {
    /// Number of samples that have targets; of [`Targets::Next`] as many as there are inputs.
    pub(super) fn len(&self, inputs: usize) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Numbers { width, values } => values.len().checked_div(*width).unwrap_or(0),
            Self::Positions { steps, values } => values.len().checked_div(*steps).unwrap_or(0),
            Self::Next => inputs,
        }
    }

    /// What they are, in a word.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Classes(_) => "classes",
            Self::Numbers { .. } => "numbers",
            Self::Positions { .. } | Self::Next => "tokens",
        }
    }

    /// Numbers of one sample; 0 where targets are classes.
    #[must_use]
    pub fn width(&self) -> usize {
        match self {
            Self::Numbers { width, .. } => *width,
            _ => 0,
        }
    }

    /// The class of each sample; none where they are of another kind.
    #[must_use]
    pub fn classes(&self) -> &[u32] {
        match self {
            Self::Classes(classes) => classes,
            Self::Numbers { .. } | Self::Positions { .. } | Self::Next => &[],
        }
    }
}

/// Samples of one shape with their targets. A copy shares the inputs.
#[derive(Debug, Clone)]
pub struct Samples {
    pub(super) inputs: Arc<dyn Inputs>,
    targets: Arc<Targets>,
    /// The last so many are the validation set.
    pub(super) held_out: usize,
    /// What each is called, where it has a name.
    pub(super) names: Option<Arc<[String]>>,
    /// What came of the files on the way.
    pub(super) origin: Origin,
}

/// What came of files on their way to samples, which their run has to remember.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The bits that count of channels of 16 bits, where pictures have such.
    pub bit_depth: Option<u32>,
    /// Files that were passed over, because they are cut or damaged: how many, and the first names.
    pub skipped: Option<String>,
}

/// Samples that are read at a time where all are gone through.
pub(super) const BLOCK: usize = 256;

impl Samples {
    /// Any inputs with their targets.
    ///
    /// # Errors
    /// A shape that is neither `[features]` nor `[channels, height, width]` or holds a 0, no
    /// samples, more than 2^32 - 1, or numbers of inputs and targets that disagree.
    pub fn new(inputs: impl Inputs + 'static, targets: Targets) -> Result<Self> {
        Self::boxed(Box::new(inputs), targets)
    }

    /// As [`Samples::new`], of inputs of a kind that is known later.
    ///
    /// # Errors
    /// As [`Samples::new`].
    pub fn boxed(inputs: Box<dyn Inputs>, targets: Targets) -> Result<Self> {
        check(&*inputs, &targets)?;
        Ok(Self {
            inputs: inputs.into(),
            targets: Arc::new(targets),
            held_out: 0,
            names: None,
            origin: Origin::default(),
        })
    }

    /// Whether both are copies of the same samples, which share inputs and targets.
    #[must_use]
    pub fn shares(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inputs, &other.inputs) && Arc::ptr_eq(&self.targets, &other.targets)
    }

    /// The same inputs with other targets.
    ///
    /// # Errors
    /// As [`Samples::new`].
    pub fn with_targets(&self, targets: Targets) -> Result<Self> {
        check(self.inputs(), &targets)?;
        Ok(Self {
            targets: Arc::new(targets),
            ..self.clone()
        })
    }

    /// The same samples with what came of their files.
    #[must_use]
    pub fn from_files(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// What came of their files.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The same training samples, of which the last `count` are the validation set: nothing else is
    /// held out of them then ([`super::Split::new`]).
    ///
    /// # Errors
    /// A number that leaves no sample to train on.
    pub fn holding_out(mut self, count: usize) -> Result<Self> {
        if count >= self.len() {
            return Err(refuse(
                "samples.held_out",
                format!("{count} of {} samples", self.len()),
                "fewer than there are",
                "leave samples to train on",
            ));
        }
        self.held_out = count;
        Ok(self)
    }

    /// How many of the last samples are a validation set of their own; 0 where there is none.
    #[must_use]
    pub fn held_out(&self) -> usize {
        self.held_out
    }

    /// The same samples with a name for each, such as its file's, by which a person finds it again.
    ///
    /// # Errors
    /// If there are not as many names as samples.
    pub fn named(mut self, names: Vec<String>) -> Result<Self> {
        if names.len() != self.len() {
            return Err(refuse(
                "samples.names",
                format!("{} for {} samples", names.len(), self.len()),
                "one for each",
                "name every sample",
            ));
        }
        self.names = Some(names.into());
        Ok(self)
    }

    /// The name of the sample at `index`, where samples have names.
    #[must_use]
    pub fn name(&self, index: u32) -> Option<&str> {
        let names = self.names.as_ref()?;
        names.get(index as usize).map(String::as_str)
    }

    /// The inputs.
    #[must_use]
    pub fn inputs(&self) -> &dyn Inputs {
        &*self.inputs
    }

    /// What is to be learned about them.
    #[must_use]
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// The class of each sample; none where the targets are of another kind.
    #[must_use]
    pub fn labels(&self) -> &[u32] {
        self.targets.classes()
    }

    /// Dimensions of one sample, as files write them.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        self.inputs.shape()
    }

    /// What one sample is; nothing for dimensions that make none.
    #[must_use]
    pub fn sample_shape(&self) -> Option<Shape> {
        self.storage().shape(self.shape(), self.symbols())
    }

    /// Number of symbols that tokens are of; 0 for other samples.
    #[must_use]
    pub fn symbols(&self) -> usize {
        self.inputs.symbols()
    }

    /// How the values lie in bytes.
    #[must_use]
    pub fn storage(&self) -> Storage {
        self.inputs.storage()
    }

    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Whether there are no samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values of one sample: the product of the shape.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.shape().iter().product()
    }

    /// Bytes of one sample.
    #[must_use]
    pub fn sample_bytes(&self) -> usize {
        self.elements() * self.storage().size()
    }

    /// The bytes of the samples at `indices`, one after the other.
    ///
    /// # Errors
    /// [`Error::Argument`] for an index that is not below their number; what [`Inputs::read`] says.
    pub fn read(&self, indices: &[u32]) -> Result<Vec<u8>> {
        if let Some(index) = indices.iter().find(|i| **i as usize >= self.len()) {
            return Err(Error::Argument {
                what: "samples".into(),
                found: format!("position {index}"),
                expected: format!("positions below {}, the number of samples", self.len()),
                help: "name samples that are there".into(),
            });
        }
        let mut bytes = vec![0; indices.len() * self.sample_bytes()];
        self.inputs.read(indices, &mut bytes)?;
        Ok(bytes)
    }

    /// The bytes of all samples.
    ///
    /// # Errors
    /// What [`Inputs::read`] says.
    pub fn read_all(&self) -> Result<Vec<u8>> {
        let all: Vec<u32> = (0..self.len() as u32).collect();
        self.read(&all)
    }

    /// The values of the samples at `indices`, as numbers: bytes as 0 to 255.
    ///
    /// # Errors
    /// As [`Samples::read`].
    pub fn values(&self, indices: &[u32]) -> Result<Vec<f32>> {
        let bytes = self.read(indices)?;
        Ok(match self.storage() {
            Storage::Bytes => bytes.into_iter().map(f32::from).collect(),
            Storage::Floats => bytemuck::pod_collect_to_vec(&bytes),
            Storage::Tokens => {
                let tokens = bytemuck::pod_collect_to_vec::<u8, u32>(&bytes).into_iter();
                tokens.map(|token| token as f32).collect()
            }
        })
    }

    /// The bytes of all samples, block after block.
    ///
    /// # Errors
    /// As [`Samples::read`]; what `each` says.
    pub fn for_each_block(&self, mut each: impl FnMut(Vec<u8>) -> Result<()>) -> Result<()> {
        let all: Vec<u32> = (0..self.len() as u32).collect();
        all.chunks(BLOCK)
            .try_for_each(|block| each(self.read(block)?))
    }
}

impl PartialEq for Samples {
    /// Whether everything is equal: goes through all samples.
    fn eq(&self, other: &Self) -> bool {
        let about = |s: &Self| (s.shape().to_vec(), s.storage(), s.len(), s.held_out);
        if about(self) != about(other) || self.targets != other.targets {
            return false;
        }
        if let (Some(a), Some(b)) = (self.inputs.stream(), other.inputs.stream()) {
            return are_equal(a, b);
        }
        let all: Vec<u32> = (0..self.len() as u32).collect();
        all.chunks(BLOCK).all(|block| {
            let both = (self.read(block), other.read(block));
            matches!(both, (Ok(a), Ok(b)) if a == b)
        })
    }
}

/// An [`Error::Argument`] about samples.
pub(super) fn refuse(
    what: impl Into<String>,
    found: impl Into<String>,
    expected: impl Into<String>,
    help: &str,
) -> Error {
    Error::Argument {
        what: what.into(),
        found: found.into(),
        expected: expected.into(),
        help: help.into(),
    }
}

pub(super) fn check_shape(shape: &[usize], count: usize) -> Result<()> {
    if !matches!(shape.len(), 1..=3) || shape.contains(&0) {
        return Err(refuse(
            "samples.shape",
            format!("{shape:?}"),
            "[features], [steps, features] or [channels, height, width], each at least 1",
            "a grey picture has one channel: [1, height, width]",
        ));
    }
    if count == 0 {
        return Err(refuse(
            "samples.labels",
            "none",
            "one for each sample, and at least one sample",
            "check how the samples were read",
        ));
    }
    if u32::try_from(count).is_err() {
        return Err(refuse(
            "samples.labels",
            format!("{count} samples"),
            "at most 2^32 - 1",
            "train on a part of them",
        ));
    }
    Ok(())
}

/// Refuses inputs and targets that make no samples.
fn check(inputs: &dyn Inputs, targets: &Targets) -> Result<()> {
    let count = targets.len(inputs.len());
    check_shape(inputs.shape(), count)?;
    if inputs.len() != count {
        return Err(refuse(
            "samples.labels",
            format!("{count} for {} inputs", inputs.len()),
            "one for each",
            "give each sample its target",
        ));
    }
    if let Targets::Positions { steps, values } = targets {
        let whole = values.len().is_multiple_of(*steps);
        if !whole || !matches!(*inputs.shape(), [t] | [t, _] if t == *steps) {
            return Err(refuse(
                "samples.targets",
                format!(
                    "{} for sequences of the shape {:?}",
                    values.len(),
                    inputs.shape()
                ),
                format!("{steps} for each sample, one for each of its positions"),
                "give each position its target, a negative one where it does not count",
            ));
        }
    }
    if matches!(targets, Targets::Next) && inputs.stream().is_none() {
        return Err(refuse(
            "samples.targets",
            "the next token",
            "inputs that are windows of one stream of tokens",
            "make them by Samples::windows",
        ));
    }
    if let Targets::Numbers { width, values } = targets {
        let at = values.iter().position(|value| !value.is_finite());
        if let Some(at) = at {
            return Err(refuse(
                "samples.targets",
                format!("{} for sample {}", values[at], at / width),
                "finite numbers",
                "fill or drop what is missing before training",
            ));
        }
        if !values.len().is_multiple_of(*width) {
            return Err(refuse(
                "samples.targets",
                format!("{} numbers", values.len()),
                format!("{width} for each sample"),
                "give each sample all its targets",
            ));
        }
    }
    Ok(())
}
