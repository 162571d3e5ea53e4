//! Own samples: data sets made from memory, checked before anything uses them.

use super::{Dataset, Inputs, Samples, Storage, Targets, Task};
use crate::error::{Error, Result};
use flate2::Crc;

fn refuse(
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

/// Inputs in memory.
#[derive(Debug)]
pub(super) struct Memory {
    shape: Vec<usize>,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
}

impl Memory {
    pub(super) fn bytes(shape: &[usize], values: Vec<u8>, count: usize) -> Result<Self> {
        check_values(shape, values.len(), count)?;
        Ok(Self {
            shape: shape.to_vec(),
            values: Values::Bytes(values),
        })
    }

    pub(super) fn floats(shape: &[usize], values: Vec<f32>, count: usize) -> Result<Self> {
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
        })
    }

    fn all(&self) -> &[u8] {
        match &self.values {
            Values::Bytes(bytes) => bytes,
            Values::Floats(floats) => bytemuck::cast_slice(floats),
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
        }
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

fn check_shape(shape: &[usize], count: usize) -> Result<()> {
    if !matches!(shape.len(), 1 | 3) || shape.contains(&0) {
        return Err(refuse(
            "samples.shape",
            format!("{shape:?}"),
            "[features] or [channels, height, width], each at least 1",
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
pub(super) fn check(inputs: &dyn Inputs, targets: &Targets) -> Result<()> {
    check_shape(inputs.shape(), targets.len())?;
    if inputs.len() != targets.len() {
        return Err(refuse(
            "samples.labels",
            format!("{} for {} inputs", targets.len(), inputs.len()),
            "one for each",
            "give each sample its target",
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

/// A checksum of bytes: `crc32:` and eight hexadecimal digits.
#[must_use]
pub fn checksum(bytes: &[u8]) -> String {
    let mut crc = Crc::new();
    crc.update(bytes);
    format!("crc32:{:08x}", crc.sum())
}

/// Adds shape, values and targets to a checksum, as little-endian bytes.
fn sum(samples: &Samples, crc: &mut Crc) -> Result<()> {
    for &size in samples.shape() {
        crc.update(&(size as u64).to_le_bytes());
    }
    samples.for_each_block(|bytes| {
        match samples.storage() {
            Storage::Bytes => crc.update(&bytes),
            Storage::Floats => {
                for value in bytemuck::pod_collect_to_vec::<u8, f32>(&bytes) {
                    crc.update(&value.to_le_bytes());
                }
            }
        }
        Ok(())
    })?;
    match samples.targets() {
        Targets::Classes(labels) => {
            for label in labels {
                crc.update(&label.to_le_bytes());
            }
        }
        Targets::Numbers { values, .. } => {
            for value in values {
                crc.update(&value.to_le_bytes());
            }
        }
    }
    Ok(())
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
        };
        dataset.check().map(|()| dataset)
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

    /// A checksum of shapes, values and targets that tells one data set from another in a run
    /// folder: `crc32:` and eight hexadecimal digits.
    ///
    /// # Errors
    /// Inputs that cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        let mut crc = Crc::new();
        sum(&self.train, &mut crc)?;
        sum(&self.test, &mut crc)?;
        Ok(format!("crc32:{:08x}", crc.sum()))
    }
}
