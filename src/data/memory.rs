//! Own samples: data sets made from memory, checked before anything uses them.

use super::samples::{check_shape, refuse};
use super::token_stream::for_each_block;
use super::{Dataset, Inputs, MOST_SYMBOLS, Samples, Storage, Table, Targets, Task};
use crate::error::Result;
use crc32fast::Hasher;

/// Inputs in memory.
#[derive(Debug)]
pub(crate) struct Memory {
    shape: Vec<usize>,
    values: Values,
    symbols: usize,
    /// Of rows of a table, which features are 0 or 1.
    flags: Vec<bool>,
}

#[derive(Debug)]
enum Values {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
    Tokens(Vec<u32>),
}

impl Samples {
    /// Samples of bytes in memory: `values` holds them one after the other, each of `shape`, one for
    /// each label.
    ///
    /// # Errors
    /// Those of [`Samples::new`], or a number of values that is not the shape's.
    pub fn from_bytes(shape: &[usize], values: Vec<u8>, labels: Vec<u32>) -> Result<Self> {
        Self::of_bytes(shape, values, Targets::Classes(labels))
    }

    /// As [`Samples::from_bytes`], with any targets.
    ///
    /// # Errors
    /// Those of [`Samples::from_bytes`].
    pub fn of_bytes(shape: &[usize], values: Vec<u8>, targets: Targets) -> Result<Self> {
        let count = targets.len(0);
        Self::new(Memory::bytes(shape, values, count)?, targets)
    }

    /// Samples of floats in memory: as [`Samples::from_bytes`].
    ///
    /// # Errors
    /// Those of [`Samples::from_bytes`], and a value that is NaN or infinite.
    pub fn from_floats(shape: &[usize], values: Vec<f32>, labels: Vec<u32>) -> Result<Self> {
        Self::of_floats(shape, values, Targets::Classes(labels))
    }

    /// As [`Samples::from_floats`], with any targets.
    ///
    /// # Errors
    /// Those of [`Samples::from_floats`].
    pub fn of_floats(shape: &[usize], values: Vec<f32>, targets: Targets) -> Result<Self> {
        let count = targets.len(0);
        Self::new(Memory::floats(shape, values, count)?, targets)
    }
}

impl Samples {
    /// Sequences of floats in memory, `[steps, features]` each, with any targets.
    ///
    /// # Errors
    /// Those of [`Samples::new`], a number of values that is not the shape's, and a value that is NaN
    /// or infinite.
    pub fn from_sequences(shape: [usize; 2], values: Vec<f32>, targets: Targets) -> Result<Self> {
        let count = values.len() / shape.iter().product::<usize>().max(1);
        Self::new(Memory::floats(&shape, values, count)?, targets)
    }

    /// Rows of a table in memory, a feature for each of `flags`: those that are 0 or 1 for good, and
    /// numbers, which are normalised.
    ///
    /// # Errors
    /// As [`Samples::from_sequences`].
    pub fn from_rows(flags: Vec<bool>, values: Vec<f32>, targets: Targets) -> Result<Self> {
        let count = values.len() / flags.len().max(1);
        let memory = Memory::floats(&[flags.len()], values, count)?;
        Self::new(Memory { flags, ..memory }, targets)
    }

    /// Sequences of tokens in memory, `[steps, symbols]`: so many in each, of so many symbols; with any
    /// targets.
    ///
    /// # Errors
    /// Those of [`Samples::new`], a number of values that is not a multiple of `steps`, a token that
    /// is not below `symbols`, more than [`MOST_SYMBOLS`].
    pub fn from_tokens(
        [steps, symbols]: [usize; 2],
        tokens: Vec<u32>,
        targets: Targets,
    ) -> Result<Self> {
        let shape = vec![steps];
        check_values(&shape, tokens.len(), tokens.len() / steps.max(1))?;
        check_tokens(&tokens, symbols)?;
        let memory = Memory {
            shape,
            values: Values::Tokens(tokens),
            symbols,
            flags: Vec::new(),
        };
        Self::new(memory, targets)
    }
}

/// Refuses a token that is not below `symbols`.
pub(super) fn check_tokens(tokens: &[u32], symbols: usize) -> Result<()> {
    if !(1..=MOST_SYMBOLS).contains(&symbols) {
        return Err(refuse(
            "samples.symbols",
            symbols.to_string(),
            format!("1 to {MOST_SYMBOLS}"),
            "use fewer symbols",
        ));
    }
    match tokens.iter().position(|token| *token as usize >= symbols) {
        None => Ok(()),
        Some(at) => Err(refuse(
            "samples.values",
            format!("token {} at place {at}", tokens[at]),
            format!("tokens from 0, below {symbols}"),
            "number the symbols from 0, or raise their number",
        )),
    }
}

impl Memory {
    /// Bytes: `count` samples of `shape`, one after the other.
    ///
    /// # Errors
    /// A number of values that is not the shape's.
    pub(crate) fn bytes(shape: &[usize], values: Vec<u8>, count: usize) -> Result<Self> {
        check_values(shape, values.len(), count)?;
        Ok(Self {
            shape: shape.to_vec(),
            values: Values::Bytes(values),
            symbols: 0,
            flags: Vec::new(),
        })
    }

    fn floats(shape: &[usize], values: Vec<f32>, count: usize) -> Result<Self> {
        check_values(shape, values.len(), count)?;
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let elements: usize = shape.iter().product();
            let (sample, element) = (at / elements, at % elements);
            return Err(refuse(
                "samples.values",
                format!("{} in sample {sample}, element {element}", values[at]),
                "finite numbers",
                "fill or drop what is missing before training",
            ));
        }
        Ok(Self {
            shape: shape.to_vec(),
            values: Values::Floats(values),
            symbols: 0,
            flags: Vec::new(),
        })
    }

    fn all(&self) -> &[u8] {
        match &self.values {
            Values::Bytes(bytes) => bytes,
            Values::Floats(floats) => bytemuck::cast_slice(floats),
            Values::Tokens(tokens) => bytemuck::cast_slice(tokens),
        }
    }

    fn sample_bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.storage().size()
    }
}

impl Inputs for Memory {
    fn len(&self) -> usize {
        self.all().len() / self.sample_bytes()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn storage(&self) -> Storage {
        match self.values {
            Values::Bytes(_) => Storage::Bytes,
            Values::Floats(_) => Storage::Floats,
            Values::Tokens(_) => Storage::Tokens,
        }
    }

    fn symbols(&self) -> usize {
        self.symbols
    }

    fn flags(&self) -> Option<&[bool]> {
        Some(&self.flags[..]).filter(|flags| !flags.is_empty())
    }

    fn read(&self, indices: &[u32], into: &mut [u8]) -> Result<()> {
        let (all, width) = (self.all(), self.sample_bytes());
        for (index, into) in indices.iter().zip(into.chunks_exact_mut(width)) {
            let first = *index as usize * width;
            into.copy_from_slice(&all[first..first + width]);
        }
        Ok(())
    }
}

fn check_values(shape: &[usize], found: usize, count: usize) -> Result<()> {
    check_shape(shape, count)?;
    let expected = shape
        .iter()
        .try_fold(count, |product, &d| product.checked_mul(d));
    if expected == Some(found) {
        return Ok(());
    }
    let expected = expected.map_or("more than memory holds".into(), |n| n.to_string());
    Err(refuse(
        "samples.values",
        format!("{found} values"),
        format!("{expected}: {count} labels times the shape {shape:?}"),
        "give each sample one label and all its values",
    ))
}

/// A checksum of bytes: `crc32:` and eight hexadecimal digits.
#[must_use]
pub fn checksum(bytes: &[u8]) -> String {
    format!("crc32:{:08x}", crc32fast::hash(bytes))
}

/// Adds words to a checksum, as little-endian bytes.
fn add_words(crc: &mut Hasher, words: &[u32]) {
    if cfg!(target_endian = "little") {
        crc.update(bytemuck::cast_slice(words));
        return;
    }
    for word in words {
        crc.update(&word.to_le_bytes());
    }
}

/// Adds shape, values and targets to a checksum, as little-endian bytes.
fn sum(samples: &Samples, crc: &mut Hasher) -> Result<()> {
    for &size in samples.shape() {
        crc.update(&(size as u64).to_le_bytes());
    }
    if let Some(stream) = samples.inputs().stream() {
        return for_each_block(stream, |tokens| {
            add_words(crc, tokens);
            Ok(())
        });
    }
    match samples.inputs().checksum() {
        Some(checksum) => {
            let bytes = samples.len() as u64 * samples.sample_bytes() as u64;
            crc.combine(&Hasher::new_with_initial_len(checksum, bytes));
        }
        None => samples.for_each_block(|bytes| {
            match samples.storage() {
                Storage::Bytes => crc.update(&bytes),
                Storage::Floats | Storage::Tokens => {
                    add_words(crc, &bytemuck::pod_collect_to_vec::<u8, u32>(&bytes));
                }
            }
            Ok(())
        })?,
    }
    match samples.targets() {
        Targets::Classes(labels) | Targets::Positions { values: labels, .. } => {
            add_words(crc, labels);
        }
        Targets::Next => {}
        Targets::Numbers { values, .. } => {
            for value in values {
                crc.update(&value.to_le_bytes());
            }
        }
    }
    Ok(())
}

impl Samples {
    /// A checksum of shape, values and targets: `crc32:` and eight hexadecimal digits.
    ///
    /// # Errors
    /// Inputs that cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        let mut crc = Hasher::new();
        sum(self, &mut crc)?;
        Ok(in_words(crc))
    }
}

fn in_words(crc: Hasher) -> String {
    format!("crc32:{:08x}", crc.finalize())
}

impl Dataset {
    /// A data set of own samples with `classes` classes, named `0`, `1` and so on.
    ///
    /// # Errors
    /// What [`Dataset::check`] finds.
    pub fn new(
        name: impl Into<String>,
        train: Samples,
        test: Samples,
        classes: usize,
    ) -> Result<Self> {
        let names = (0..classes).map(|class| class.to_string()).collect();
        Self::of(name, train, test, Task::Classes(names))
    }

    /// A data set of any task.
    ///
    /// # Errors
    /// What [`Dataset::check`] finds.
    pub fn of(name: impl Into<String>, train: Samples, test: Samples, task: Task) -> Result<Self> {
        let dataset = Self {
            name: name.into(),
            train,
            test,
            task,
            table: None,
        };
        dataset.check().map(|()| dataset)
    }

    /// The same data set, whose samples are rows of a table.
    #[must_use]
    pub fn with_table(self, table: Table) -> Self {
        let table = Some(table);
        Self { table, ..self }
    }

    /// The same data set with names for its classes, in the order of the labels.
    ///
    /// # Errors
    /// If there are not as many names as classes.
    pub fn with_class_names<S: Into<String>>(
        mut self,
        names: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.len() != self.classes().len() {
            return Err(refuse(
                "class names",
                format!("{} names", names.len()),
                format!("{}, one for each class", self.classes().len()),
                "name the classes in the order of their labels",
            ));
        }
        self.task = Task::Classes(names);
        Ok(self)
    }

    /// The names of the classes, in the order of the labels; none where the task is another one.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        self.task.classes()
    }

    /// Checks everything that training relies on: the fields are public, so a data set can be
    /// anything before this.
    ///
    /// # Errors
    /// Targets that are not the task's, a label that is not below the number of classes, or training
    /// and test samples of different shapes or types.
    pub fn check(&self) -> Result<()> {
        for (what, samples) in [("train", &self.train), ("test", &self.test)] {
            self.task.check(what, samples.targets())?;
            let (symbols, outputs) = (samples.symbols(), self.task.outputs());
            if *samples.targets() == Targets::Next && symbols != outputs {
                return Err(refuse(
                    format!("{what}.symbols"),
                    symbols.to_string(),
                    format!("{outputs}, as many as have names"),
                    "name each symbol",
                ));
            }
        }
        let symbols = [&self.train, &self.test].map(Samples::symbols);
        if symbols[0] != symbols[1] {
            return Err(refuse(
                "test.symbols",
                symbols[1].to_string(),
                format!("{}, as in train", symbols[0]),
                "number the symbols of both alike",
            ));
        }
        let about = |samples: &Samples| (samples.storage(), samples.shape().to_vec());
        let ((a, shape), (b, other)) = (about(&self.train), about(&self.test));
        if (a, &shape) != (b, &other) {
            return Err(refuse(
                "test",
                format!("{} of shape {other:?}", b.name()),
                format!("{} of shape {shape:?}, as in train", a.name()),
                "prepare both in the same way",
            ));
        }
        Ok(())
    }

    /// Whether both are copies of the same data set, which share all samples and targets.
    #[must_use]
    pub fn shares(&self, other: &Self) -> bool {
        self.train.shares(&other.train) && self.test.shares(&other.test)
    }

    /// A checksum of shapes, values and targets that tells one data set from another in a run
    /// folder: `crc32:` and eight hexadecimal digits.
    ///
    /// # Errors
    /// Inputs that cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        let mut crc = Hasher::new();
        sum(&self.train, &mut crc)?;
        sum(&self.test, &mut crc)?;
        Ok(in_words(crc))
    }
}
