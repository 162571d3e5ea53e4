//! Which samples are trained on, in which order, in batches of how many.

use super::Extent;
use crate::error::{Error, Result};
use crate::rng::{Key, Stream};

/// The training set in two parts, each in the order of the data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Samples that are trained on.
    pub train: Vec<u32>,
    /// Samples that are held out; none where the share is 0.
    pub validation: Vec<u32>,
}

impl Split {
    /// Holds the share `validation` of `samples` training samples out, round(samples * validation) of
    /// them: at random by `data_seed`, or the last ones where samples are windows of a stream. Where
    /// the samples have a validation set of their own ([`super::Samples::holding_out`]), that is held
    /// out, whatever the share.
    ///
    /// # Errors
    /// A share outside [0, 1), or one above 0 that leaves one of the parts empty; more than
    /// 2^32 - 1 samples.
    pub fn new(samples: impl Into<Extent>, validation: f64, data_seed: u64) -> Result<Self> {
        let extent = samples.into();
        let samples = extent.samples;
        let refuse = |found: String| Error::Argument {
            what: "data.validation".into(),
            found,
            expected:
                "0 (nothing is held out) or a share below 1 that leaves samples in both parts"
                    .into(),
            help: "0.1 holds a tenth of the training samples out".into(),
        };
        if !(0.0..1.0).contains(&validation) {
            return Err(refuse(validation.to_string()));
        }
        let Ok(count) = u32::try_from(samples) else {
            return Err(refuse(format!("{samples} samples, more than 2^32 - 1")));
        };
        if extent.held_out > 0 {
            let first = count - extent.held_out as u32;
            return Ok(Self {
                train: (0..first).collect(),
                validation: (first..count).collect(),
            });
        }
        let held_out = (f64::from(count) * validation).round() as usize;
        if validation > 0.0 && (held_out == 0 || held_out == samples) {
            let found = format!("{validation} of {samples} samples, which is {held_out} of them");
            return Err(refuse(found));
        }
        if held_out == 0 {
            return Ok(Self {
                train: (0..count).collect(),
                validation: Vec::new(),
            });
        }
        if extent.is_stream() {
            let first = count - held_out as u32;
            return Ok(Self {
                train: (0..first).collect(),
                validation: (first..count).collect(),
            });
        }
        let mut order = Key::new(data_seed, Stream::Split, 0).permutation(samples);
        let mut train = order.split_off(held_out);
        order.sort_unstable();
        train.sort_unstable();
        Ok(Self {
            train,
            validation: order,
        })
    }
}

/// The order of an epoch (from 0): `indices` at random by (`data_seed`, `epoch`), or as they are
/// where `shuffle` is false.
///
/// # Panics
/// If there are more than 2^32 - 1 indices.
#[must_use]
pub fn epoch_order(indices: &[u32], shuffle: bool, data_seed: u64, epoch: u64) -> Vec<u32> {
    if !shuffle {
        return indices.to_vec();
    }
    let mut order = Key::new(data_seed, Stream::Order, epoch).permutation(indices.len());
    for index in &mut order {
        *index = indices[*index as usize];
    }
    order
}

/// Steps of an epoch of `samples` samples in batches of `batch`: rounded up, or down where a last,
/// smaller batch is dropped; 0 where `batch` is 0.
#[must_use]
pub fn steps_per_epoch(samples: usize, batch: usize, drop_last: bool) -> u64 {
    let full = samples.checked_div(batch).unwrap_or(0) as u64;
    let rest = samples.checked_rem(batch).unwrap_or(0);
    full + u64::from(rest > 0 && !drop_last)
}

/// The batch of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// The epoch, from 0.
    pub epoch: u64,
    /// Where the batch starts in the epoch's order.
    pub start: usize,
    /// How many samples it has.
    pub len: usize,
}

/// The batch that step `step` (from 0) trains on; `None` where an epoch has no steps.
#[must_use]
pub fn batch_at(step: u64, samples: usize, batch: usize, drop_last: bool) -> Option<Batch> {
    let steps = steps_per_epoch(samples, batch, drop_last);
    let epoch = step.checked_div(steps)?;
    // Below `samples`, since the step within the epoch is below steps_per_epoch.
    let start = (step % steps) as usize * batch;
    Some(Batch {
        epoch,
        start,
        len: batch.min(samples - start),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_last_batch_is_smaller_or_dropped() {
        assert_eq!(steps_per_epoch(20_000, 128, false), 157);
        assert_eq!(steps_per_epoch(20_000, 128, true), 156);
        assert_eq!(steps_per_epoch(256, 128, false), 2);
        assert_eq!(steps_per_epoch(100, 128, false), 1);
        assert_eq!(steps_per_epoch(100, 128, true), 0);
        assert_eq!(steps_per_epoch(100, 0, false), 0);
        assert_eq!(batch_at(0, 100, 128, true), None);
        let last = batch_at(156 + 157, 20_000, 128, false).unwrap();
        assert_eq!((last.epoch, last.start, last.len), (1, 156 * 128, 32));
    }

    #[test]
    fn a_share_that_leaves_a_part_empty_is_refused() {
        for (samples, share) in [(10, 0.01), (10, 0.99), (1, 0.5), (0, 0.5)] {
            let message = Split::new(samples, share, 0).unwrap_err().to_string();
            assert!(message.contains("data.validation"), "{message}");
        }
        for share in [-0.1, 1.0, 2.0, f64::NAN, f64::INFINITY] {
            assert!(Split::new(1000, share, 0).is_err(), "{share}");
        }
    }

    #[test]
    fn an_order_without_shuffle_is_the_files() {
        let split = Split::new(100, 0.2, 5).unwrap();
        assert_eq!(epoch_order(&split.train, false, 5, 3), split.train);
        assert!(split.train.is_sorted() && split.validation.is_sorted());
        let one = epoch_order(&split.train, true, 5, 3);
        assert_ne!(one, split.train);
        assert_eq!(one, epoch_order(&split.train, true, 5, 3));
        assert_ne!(one, epoch_order(&split.train, true, 5, 4));
        assert_ne!(one, epoch_order(&split.train, true, 6, 3));
        assert_ne!(split, Split::new(100, 0.2, 6).unwrap());
    }

    proptest! {
        #[test]
        fn every_sample_is_in_one_part_and_once_in_an_epoch(
            samples in 2_usize..400, share in 0.0_f64..1.0, seed: u64, epoch: u64,
        ) {
            if let Ok(split) = Split::new(samples, share, seed) {
                let expected = (samples as f64 * share).round() as usize;
                prop_assert_eq!(split.validation.len(), expected);
                let mut order = epoch_order(&split.train, true, seed, epoch);
                order.sort_unstable();
                prop_assert_eq!(&order, &split.train);
                order.extend(&split.validation);
                order.sort_unstable();
                prop_assert_eq!(order, (0..samples as u32).collect::<Vec<_>>());
            }
        }

        #[test]
        fn the_batches_of_an_epoch_follow_each_other(
            samples in 1_usize..400, batch in 1_usize..50, drop_last: bool, epoch in 0_u64..5,
        ) {
            let steps = steps_per_epoch(samples, batch, drop_last);
            let mut next = 0;
            for step in epoch * steps..(epoch + 1) * steps {
                let found = batch_at(step, samples, batch, drop_last).unwrap();
                prop_assert_eq!((found.epoch, found.start), (epoch, next));
                prop_assert!(found.len == batch || (!drop_last && next + found.len == samples));
                next += found.len;
            }
            let left = samples - next;
            prop_assert!(left == 0 || (drop_last && left < batch), "{} left", left);
        }
    }
}
