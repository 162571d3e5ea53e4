//! Several networks that answer together: the mean of their probabilities.

use crate::loss::{Loss, first_largest};

/// Most numbers that an ensemble keeps: 128 MiB of sums.
const MOST: usize = 1 << 24;

/// The places of the samples that an ensemble is measured on, always the same ones; nothing where it is
/// all `samples`. Each has so many `outputs`, and all that are kept are `most` at most: samples at equal
/// distances, or the first ones in whole batches of so many `streams` that go on from each other.
fn places_of_most(
    samples: usize,
    outputs: usize,
    streams: Option<usize>,
    most: usize,
) -> Option<Vec<usize>> {
    let count = (most / outputs.max(1)).max(1);
    if count >= samples {
        return None;
    }
    Some(match streams {
        Some(streams) => (0..(count / streams * streams).max(streams).min(samples)).collect(),
        None => (0..count).map(|i| i * samples / count).collect(),
    })
}

/// As [`places_of_most`], of as many as there is room for.
pub(super) fn places(samples: usize, outputs: usize, streams: Option<usize>) -> Option<Vec<usize>> {
    places_of_most(samples, outputs, streams, MOST)
}

/// The probabilities of an ensemble for some samples, added up member by member: the members
/// themselves need not be kept (Huang et al., "Snapshot ensembles", arXiv 1704.00109).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ensemble {
    members: u64,
    /// A row of one number for each class for each sample.
    sums: Vec<f64>,
}

impl Ensemble {
    /// Adds a member: its outputs, rows of `classes` numbers for the same samples each time. What
    /// probabilities they stand for depends on the loss, see [`Loss::probabilities`].
    pub fn add(&mut self, outputs: &[f32], classes: usize, loss: &dyn Loss) {
        self.members += 1;
        self.sums.resize(outputs.len(), 0.0);
        let rows = outputs.chunks_exact(classes.max(1));
        for (sums, row) in self.sums.chunks_exact_mut(classes.max(1)).zip(rows) {
            for (sum, probability) in sums.iter_mut().zip(loss.probabilities(row)) {
                *sum += probability;
            }
        }
    }

    /// Adds a member that predicts numbers: its outputs, rows of the same length for the same samples
    /// each time.
    pub fn add_numbers(&mut self, outputs: &[f32]) {
        self.members += 1;
        self.sums.resize(outputs.len(), 0.0);
        let pairs = self.sums.iter_mut().zip(outputs);
        pairs.for_each(|(sum, output)| *sum += f64::from(*output));
    }

    /// The mean of the members' outputs, or of their probabilities.
    #[must_use]
    pub fn mean(&self) -> Vec<f32> {
        let members = self.members.max(1) as f64;
        self.sums.iter().map(|sum| (sum / members) as f32).collect()
    }

    /// An ensemble whose members were added before ([`Ensemble::sums`]).
    pub(super) fn from_sums(members: u64, sums: Vec<f64>) -> Self {
        Self { members, sums }
    }

    /// The sums of the members' probabilities: a row of one number for each class for each sample.
    pub(super) fn sums(&self) -> &[f64] {
        &self.sums
    }

    /// Number of members so far.
    #[must_use]
    pub fn members(&self) -> u64 {
        self.members
    }

    /// Share of the samples, whose classes are `labels`, for which the mean probability of the right
    /// class is the largest (of equal ones the first counts, as in the loss kernels).
    #[must_use]
    pub fn accuracy(&self, labels: &[u32]) -> f64 {
        let classes = (self.sums.len() / labels.len().max(1)).max(1);
        let rows = self.sums.chunks_exact(classes).zip(labels);
        let right = rows.filter(|(row, label)| first_largest(row) == **label as usize);
        right.count() as f64 / labels.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_measured_on_as_many_samples_as_there_is_room_for() {
        assert_eq!(places(1000, 65, None), None);
        assert_eq!(
            places(30_000_000, 64, None).map(|all| all.len()),
            Some(1 << 18)
        );
        assert_eq!(places_of_most(10, 3, None, 12), Some(vec![0, 2, 5, 7]));
        assert_eq!(places_of_most(10, 3, Some(3), 14), Some(vec![0, 1, 2]));
        assert_eq!(
            places_of_most(10, 3, Some(8), 14).map(|all| all.len()),
            Some(8)
        );
        assert_eq!(places_of_most(10, 3, None, 1), Some(vec![0]));
    }

    /// Two members that are barely wrong and one that is surely right.
    #[test]
    fn probabilities_are_averaged_not_votes() {
        let mut ensemble = Ensemble::default();
        for outputs in [[0.1, 0.0], [0.1, 0.0], [0.0, 5.0]] {
            ensemble.add(&outputs, 2, &crate::loss::CrossEntropy::default());
        }
        assert_eq!(ensemble.members(), 3);
        assert_eq!(ensemble.accuracy(&[1]), 1.0);
        assert_eq!(ensemble.accuracy(&[0]), 0.0);
    }
}
