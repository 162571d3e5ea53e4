//! Own samples: data sets made from memory, checked before anything uses them.

use super::{Dataset, Samples, Values};
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

impl Samples {
    /// Samples of bytes: `values` holds them one after the other, each of `shape`, one for each
    /// label.
    ///
    /// # Errors
    /// A shape that is neither `[features]` nor `[channels, height, width]` or holds a 0, no
    /// samples, or numbers of values and labels that disagree.
    pub fn from_bytes(shape: &[usize], values: Vec<u8>, labels: Vec<u32>) -> Result<Self> {
        let samples = Self {
            shape: shape.to_vec(),
            values: Values::Bytes(values),
            labels,
        };
        samples.check("samples").map(|()| samples)
    }

    /// Samples of floats: as [`Samples::from_bytes`].
    ///
    /// # Errors
    /// Those of [`Samples::from_bytes`], and a value that is NaN or infinite.
    pub fn from_floats(shape: &[usize], values: Vec<f32>, labels: Vec<u32>) -> Result<Self> {
        let samples = Self {
            shape: shape.to_vec(),
            values: Values::Floats(values),
            labels,
        };
        samples.check("samples").map(|()| samples)
    }

    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Values of one sample: the product of `shape`.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    fn check(&self, what: &str) -> Result<()> {
        let shape = &self.shape;
        if !matches!(shape.len(), 1 | 3) || shape.contains(&0) {
            return Err(refuse(
                format!("{what}.shape"),
                format!("{shape:?}"),
                "[features] or [channels, height, width], each at least 1",
                "a grey picture has one channel: [1, height, width]",
            ));
        }
        if self.labels.is_empty() {
            return Err(refuse(
                format!("{what}.labels"),
                "none",
                "one for each sample, and at least one sample",
                "check how the samples were read",
            ));
        }
        if u32::try_from(self.len()).is_err() {
            return Err(refuse(
                format!("{what}.labels"),
                format!("{} samples", self.len()),
                "at most 2^32 - 1",
                "train on a part of them",
            ));
        }
        let expected = shape
            .iter()
            .try_fold(self.len(), |product, &d| product.checked_mul(d));
        let found = match &self.values {
            Values::Bytes(values) => values.len(),
            Values::Floats(values) => values.len(),
        };
        if expected != Some(found) {
            let count = self.len();
            let expected = expected.map_or("more than memory holds".into(), |n| n.to_string());
            return Err(refuse(
                format!("{what}.values"),
                format!("{found} values"),
                format!("{expected}: {count} labels times the shape {shape:?}"),
                "give each sample one label and all its values",
            ));
        }
        if let Values::Floats(values) = &self.values
            && let Some(at) = values.iter().position(|value| !value.is_finite())
        {
            let (sample, element) = (at / self.elements(), at % self.elements());
            return Err(refuse(
                format!("{what}.values"),
                format!("{} in sample {sample}, element {element}", values[at]),
                "finite numbers",
                "fill or drop what is missing before training",
            ));
        }
        Ok(())
    }

    /// Adds shape, values and labels to a checksum, as little-endian bytes.
    fn sum(&self, crc: &mut Crc) {
        for &size in &self.shape {
            crc.update(&(size as u64).to_le_bytes());
        }
        match &self.values {
            Values::Bytes(values) => crc.update(values),
            Values::Floats(values) => {
                for value in values {
                    crc.update(&value.to_le_bytes());
                }
            }
        }
        for label in &self.labels {
            crc.update(&label.to_le_bytes());
        }
    }
}

/// A checksum of bytes: `crc32:` and eight hexadecimal digits.
#[must_use]
pub fn checksum(bytes: &[u8]) -> String {
    let mut crc = Crc::new();
    crc.update(bytes);
    format!("crc32:{:08x}", crc.sum())
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
        let dataset = Self {
            name: name.into(),
            train,
            test,
            classes: (0..classes).map(|class| class.to_string()).collect(),
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
        if names.len() != self.classes.len() {
            return Err(refuse(
                "class names",
                format!("{} names", names.len()),
                format!("{}, one for each class", self.classes.len()),
                "name the classes in the order of their labels",
            ));
        }
        self.classes = names;
        Ok(self)
    }

    /// Checks everything that training relies on: the fields are public, so a data set can be
    /// anything before this.
    ///
    /// # Errors
    /// What the constructors of [`Samples`] refuse, a label that is not below the number of
    /// classes, or training and test samples of different shapes or types.
    pub fn check(&self) -> Result<()> {
        let classes = self.classes.len();
        for (what, samples) in [("train", &self.train), ("test", &self.test)] {
            samples.check(what)?;
            let wrong = samples.labels.iter().position(|&l| l as usize >= classes);
            if let Some(sample) = wrong {
                return Err(refuse(
                    format!("{what}.labels"),
                    format!("{} for sample {sample}", samples.labels[sample]),
                    format!("labels from 0, below {classes}, the number of classes"),
                    "number the classes from 0, or raise the number of classes",
                ));
            }
        }
        let kind = |samples: &Samples| match samples.values {
            Values::Bytes(_) => "bytes",
            Values::Floats(_) => "floats",
        };
        let (a, b) = (kind(&self.train), kind(&self.test));
        if self.train.shape != self.test.shape || a != b {
            return Err(refuse(
                "test",
                format!("{b} of shape {:?}", self.test.shape),
                format!("{a} of shape {:?}, as in train", self.train.shape),
                "prepare both in the same way",
            ));
        }
        Ok(())
    }

    /// A checksum of shapes, values and labels that tells one data set from another in a run
    /// folder: `crc32:` and eight hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut crc = Crc::new();
        self.train.sum(&mut crc);
        self.test.sum(&mut crc);
        format!("crc32:{:08x}", crc.sum())
    }
}
