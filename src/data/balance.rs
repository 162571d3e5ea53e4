//! How samples are spread over classes.

use super::Dataset;

impl Dataset {
    /// How many of the training samples at `indices` each class has; none where samples have no classes.
    #[must_use]
    pub fn samples_of_classes(&self, indices: &[u32]) -> Vec<u64> {
        let mut counts = vec![0; self.classes().len()];
        let labels = self.train.labels();
        for label in indices.iter().filter_map(|at| labels.get(*at as usize)) {
            if let Some(count) = counts.get_mut(*label as usize) {
                *count += 1;
            }
        }
        counts
    }
}
