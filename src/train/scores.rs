//! How well each class is told from the others, and how often the right one is among the first.

use super::confusion::Confusion;
use serde::Serialize;

/// How well one class is told from the others, after van Rijsbergen (Information Retrieval, 1979) and as
/// scikit-learn's `classification_report`: a share of nothing is 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassScore {
    /// The class.
    pub class: usize,
    /// Samples of it.
    pub samples: u64,
    /// Of the samples that it was chosen for, the share that are of it.
    pub precision: f64,
    /// Of its samples, the share that it was chosen for.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
}

/// The classes from which on it is told how often the right one is among the first [`TOP`].
pub(super) const FROM_CLASSES: usize = 10;
/// How many are the first ones.
pub(super) const TOP: usize = 5;

/// The scores of each class.
#[must_use]
pub fn class_scores(confusion: &Confusion) -> Vec<ClassScore> {
    let share = |part: u64, whole: u64| match whole {
        0 => 0.0,
        whole => part as f64 / whole as f64,
    };
    let totals = confusion.totals().into_iter().zip(confusion.chosen());
    let each = totals.enumerate().map(|(class, (samples, chosen))| {
        let right = confusion.get(class, class);
        ClassScore {
            class,
            samples,
            precision: share(right, chosen),
            recall: share(right, samples),
            // 2 p r / (p + r), without dividing 0 by 0.
            f1: share(2 * right, chosen + samples),
        }
    });
    each.collect()
}

/// The share of rows of `outputs`, one number for each of `classes` classes, in which the target is among
/// the [`TOP`] largest; of equal outputs the first class comes first, as the loss kernels choose. Nothing
/// below [`FROM_CLASSES`] classes.
#[must_use]
pub(super) fn top5(outputs: &[f32], classes: usize, targets: &[u32]) -> Option<f64> {
    if classes < FROM_CLASSES || targets.is_empty() || outputs.len() != classes * targets.len() {
        return None;
    }
    let is_among = |(row, target): &(&[f32], &u32)| {
        let (target, own) = (**target as usize, row[**target as usize]);
        let before = |(class, output): &(usize, &f32)| {
            **output > own || (**output == own && *class < target)
        };
        own.is_finite() && row.iter().enumerate().filter(before).count() < TOP
    };
    let rows = outputs.chunks_exact(classes).zip(targets);
    Some(rows.filter(is_among).count() as f64 / targets.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: class 1 is chosen 2 + 3 times, 3 of them rightly, and has 4 samples.
    #[test]
    fn precision_recall_and_f1_are_shares_of_the_matrix() {
        let scores = class_scores(&Confusion::from_rows(&[
            vec![5, 2, 0],
            vec![1, 3, 0],
            vec![0, 0, 0],
        ]));
        assert_eq!(
            (scores[1].samples, scores[1].precision, scores[1].recall),
            (4, 0.6, 0.75)
        );
        assert!((scores[1].f1 - 2.0 * 0.6 * 0.75 / (0.6 + 0.75)).abs() < 1e-15);
        assert_eq!(
            (scores[0].precision, scores[0].recall),
            (5.0 / 6.0, 5.0 / 7.0)
        );
        let nothing = &scores[2];
        assert_eq!(
            (nothing.precision, nothing.recall, nothing.f1),
            (0.0, 0.0, 0.0)
        );
    }

    #[test]
    fn the_first_five_are_told_from_ten_classes_on() {
        let falling: Vec<f32> = (0..10).map(|class| 10.0 - class as f32).collect();
        let two = [&falling[..], &falling].concat();
        assert_eq!(top5(&two, 10, &[4, 5]), Some(0.5));
        assert_eq!(
            top5(&[1.0; 20], 10, &[4, 5]),
            Some(0.5),
            "the first ones of equal ones"
        );
        assert_eq!(top5(&[f32::NAN; 10], 10, &[0]), Some(0.0));
        assert_eq!(top5(&falling[..9], 9, &[0]), None);
    }
}
