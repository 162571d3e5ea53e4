//! A part of a set of samples, chosen one by one or as a share of each class.

use std::sync::Arc;

use super::samples::refuse;
use super::{Dataset, Inputs, Samples, Storage, Targets};
use crate::error::Result;
use crate::rng::{Key, Stream};

/// Some of other inputs.
#[derive(Debug)]
struct Chosen {
    of: Arc<dyn Inputs>,
    indices: Vec<u32>,
}

impl Inputs for Chosen {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn shape(&self) -> &[usize] {
        self.of.shape()
    }

    fn storage(&self) -> Storage {
        self.of.storage()
    }

    fn symbols(&self) -> usize {
        self.of.symbols()
    }

    fn flags(&self) -> Option<&[bool]> {
        self.of.flags()
    }

    fn residence(&self) -> &'static str {
        self.of.residence()
    }

    fn read(&self, indices: &[u32], into: &mut [u8]) -> Result<()> {
        let indices: Vec<u32> = indices
            .iter()
            .map(|at| self.indices[*at as usize])
            .collect();
        self.of.read(&indices, into)
    }
}

impl Samples {
    /// The samples at `indices` alone, in that order, with their targets and names. Those of the last
    /// ones that are a validation set must stand at the end, too.
    ///
    /// # Errors
    /// None of them, an index that is not below their number, windows of a stream.
    pub fn chosen(&self, indices: Vec<u32>) -> Result<Self> {
        let last = (self.len() - self.held_out) as u32;
        let held_out = indices.iter().filter(|index| **index >= last).count();
        let names = self.names.as_ref().map(|names| {
            let of = indices
                .iter()
                .filter_map(|index| names.get(*index as usize));
            of.cloned().collect()
        });
        let (inputs, targets) = of(self, indices)?;
        let mut chosen = Self::new(inputs, targets)?;
        (chosen.held_out, chosen.names) = (held_out, names);
        Ok(chosen.from_files(self.origin.clone()))
    }
}

/// Inputs and targets at `indices`.
fn of(samples: &Samples, indices: Vec<u32>) -> Result<(impl Inputs + 'static, Targets)> {
    if let Some(index) = indices
        .iter()
        .find(|index| **index as usize >= samples.len())
    {
        return Err(refuse(
            "samples",
            format!("position {index}"),
            format!("positions below {}, the number of samples", samples.len()),
            "name samples that are there",
        ));
    }
    let targets = match samples.targets() {
        Targets::Classes(classes) => Targets::Classes(picked(classes, 1, &indices)),
        Targets::Numbers { width, values } => Targets::Numbers {
            width: *width,
            values: picked(values, *width, &indices),
        },
        Targets::Positions { steps, values } => Targets::Positions {
            steps: *steps,
            values: picked(values, *steps, &indices),
        },
        Targets::Next => {
            return Err(refuse(
                "samples",
                "windows of one stream",
                "samples that stand for themselves",
                "shorten the text instead",
            ));
        }
    };
    let of = Arc::clone(&samples.inputs);
    Ok((Chosen { of, indices }, targets))
}

/// `width` values of each.
fn picked<T: Copy>(values: &[T], width: usize, indices: &[u32]) -> Vec<T> {
    let each = indices.iter().map(|index| *index as usize * width);
    each.flat_map(|first| values[first..first + width].iter().copied())
        .collect()
}

impl Dataset {
    /// The same data set with the share `share` of each class of its training samples, at random by
    /// `data_seed`: round(share * samples) of a class, and at least one. The validation set of the
    /// files, where there is one, and the test set stay whole.
    ///
    /// # Errors
    /// A share that is not above 0 and at most 1; samples without classes.
    pub fn subset(mut self, share: f64, data_seed: u64) -> Result<Self> {
        let refused = |found: String, expected: &str, help: &str| {
            Err(refuse("data.subset", found, expected, help))
        };
        if !(share > 0.0 && share <= 1.0) {
            let expected = "a share of each class above 0, at most 1";
            return refused(
                share.to_string(),
                expected,
                "0.1 trains on a tenth of each class",
            );
        }
        let labels = self.train.labels();
        if labels.is_empty() {
            let found = format!("{share}, for {}, whose samples have no classes", self.name);
            let expected = "samples of which each has a class";
            return refused(found, expected, "leave data.subset out");
        }
        let trained = labels.len() - self.train.held_out();
        let mut classes = vec![Vec::new(); self.classes().len()];
        for (index, label) in (0..).zip(&labels[..trained]) {
            classes[*label as usize].push(index);
        }
        let mut indices: Vec<u32> = Vec::new();
        // Apart from the splits of a source, which count from 0.
        for (step, class) in (FIRST_STEP..).zip(classes.iter().filter(|c| !c.is_empty())) {
            let count = ((class.len() as f64 * share).round() as usize).max(1);
            let order = Key::new(data_seed, Stream::Split, step).permutation(class.len());
            indices.extend(order[..count].iter().map(|at| class[*at as usize]));
        }
        indices.sort_unstable();
        indices.extend(trained as u32..labels.len() as u32);
        self.train = self.train.chosen(indices)?;
        Ok(self)
    }
}

/// The first step of the random streams that choose.
const FIRST_STEP: u64 = 1 << 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(held_out: usize) -> Dataset {
        let labels: Vec<u32> = (0..100)
            .map(|i| if i < 10 { 0 } else { 1 })
            .chain([0, 1])
            .collect();
        let values: Vec<u8> = (0..102).collect();
        let train = Samples::from_bytes(&[1], values, labels).unwrap();
        let names = (0..102).map(|i| format!("{i}.png")).collect();
        let train = train.named(names).unwrap().holding_out(held_out).unwrap();
        let test = Samples::from_bytes(&[1], vec![7], vec![1]).unwrap();
        Dataset::new("own", train, test, 2).unwrap()
    }

    #[test]
    fn a_subset_has_a_share_of_each_class_and_all_that_is_held_out() {
        let set = dataset(2).subset(0.2, 3).unwrap();
        let labels = set.train.labels();
        assert_eq!((labels.len(), set.train.held_out()), (2 + 18 + 2, 2));
        assert_eq!(labels[..20].iter().filter(|l| **l == 0).count(), 2);
        let values = set.train.read_all().unwrap();
        assert!(values.is_sorted() && values[20..] == [100, 101]);
        for (index, value) in (0..).zip(&values) {
            assert_eq!(set.train.name(index), Some(&*format!("{value}.png")));
        }
        assert_eq!(set, dataset(2).subset(0.2, 3).unwrap());
        assert_ne!(set, dataset(2).subset(0.2, 4).unwrap());
        assert_eq!(dataset(0).subset(1.0, 3).unwrap(), dataset(0));
        // A class never vanishes.
        assert_eq!(dataset(2).subset(1e-9, 3).unwrap().train.len(), 1 + 1 + 2);
        for share in [0.0, -0.5, 1.5, f64::NAN] {
            let message = dataset(0).subset(share, 3).unwrap_err().to_string();
            assert!(message.contains("data.subset"), "{message}");
        }
    }

    #[test]
    fn a_validation_set_of_its_own_is_held_out_whatever_the_share() {
        for share in [0.0, 0.5] {
            let split = super::super::Split::new(dataset(2).train.extent(), share, 0).unwrap();
            assert_eq!(
                (split.train.len(), &split.validation[..]),
                (100, &[100, 101][..])
            );
        }
        assert!(dataset(0).train.holding_out(102).is_err());
        assert!(dataset(0).train.chosen(vec![102]).is_err());
    }
}
