//! What is counted while an evaluation goes through samples, so that nothing has to be kept of each: a text
//! has more places than there is room for.

use super::evaluate::{MISTAKES, RowResult};
use super::record::SymbolRecord;
use super::updates::positive;
use crate::data::{IGNORED, Judge};

/// Sums over targets, in their order.
#[derive(Debug)]
pub(super) struct Tally<'a> {
    class_weights: &'a [f32],
    /// Targets of a sample that are one answer.
    whole: Option<usize>,
    /// Targets that count.
    counted: usize,
    /// The sum of the weights of their classes.
    weights: f64,
    /// Answers, and those that are right as a whole.
    answers: [usize; 2],
}

impl<'a> Tally<'a> {
    /// Of targets whose classes have these weights (none: all the same), of which `whole` are one answer.
    pub(super) fn new(class_weights: &'a [f32], whole: Option<usize>) -> Self {
        Self {
            class_weights,
            whole,
            counted: 0,
            weights: 0.0,
            answers: [0; 2],
        }
    }

    /// Adds what came out for whole samples.
    pub(super) fn add(&mut self, outcomes: &[RowResult], targets: &[u32]) {
        let counting = targets.iter().filter(|target| **target != IGNORED);
        self.counted += counting.clone().count();
        if !self.class_weights.is_empty() {
            for target in counting {
                let weight = self.class_weights.get(*target as usize).copied();
                self.weights += f64::from(weight.unwrap_or(0.0));
            }
        }
        let Some(positions) = self.whole else {
            return;
        };
        let answers = outcomes.chunks(positions).zip(targets.chunks(positions));
        for (outcomes, targets) in answers {
            let is_whole = outcomes.iter().zip(targets).all(is_right_or_ignored);
            self.answers[0] += 1;
            self.answers[1] += usize::from(is_whole);
        }
    }

    /// Number of targets that count.
    pub(super) fn counted(&self) -> f64 {
        self.counted as f64
    }

    /// What the mean loss over targets is over: their number, or the sum of the weights of their classes.
    pub(super) fn mass(&self) -> f64 {
        match self.class_weights {
            [] => self.counted(),
            _ => positive(self.weights),
        }
    }

    /// Share of the answers in which all targets that count are classified rightly; nothing where targets
    /// belong to no such.
    pub(super) fn whole_share(&self) -> Option<f64> {
        let [all, right] = self.answers;
        (all > 0).then(|| right as f64 / all as f64)
    }
}

fn is_right_or_ignored((outcome, target): (&RowResult, &u32)) -> bool {
    *target == IGNORED || outcome.chosen == *target as usize
}

/// How each symbol is predicted.
#[derive(Debug, Default)]
pub(super) struct Symbols(Vec<SymbolRecord>);

impl Symbols {
    /// Of so many symbols.
    pub(super) fn new(symbols: usize) -> Self {
        let nothing = |symbol| SymbolRecord {
            symbol,
            count: 0,
            right: 0,
            loss: 0.0,
        };
        Self((0..symbols).map(nothing).collect())
    }

    /// Adds what came out for some targets.
    pub(super) fn add(&mut self, outcomes: &[RowResult], targets: &[u32]) {
        for (outcome, target) in outcomes.iter().zip(targets) {
            // Targets that do not count are no symbol.
            if let Some(record) = self.0.get_mut(*target as usize) {
                record.count += 1;
                record.right += u64::from(outcome.chosen == record.symbol);
                record.loss += outcome.loss;
            }
        }
    }

    /// The symbols that are predicted worst, by falling mean loss.
    pub(super) fn worst(mut self) -> Vec<SymbolRecord> {
        let all = &mut self.0;
        all.retain(|record| record.count > 0);
        all.iter_mut()
            .for_each(|record| record.loss /= record.count as f64);
        all.sort_by(|a, b| b.loss.total_cmp(&a.loss));
        all.truncate(MISTAKES);
        self.0
    }
}

/// What came out for a sample, in the eyes of a judge: of how many of its targets the class was chosen
/// rightly, or the sum of their losses.
pub(super) fn score(judge: Judge, outcomes: &[RowResult], targets: &[u32]) -> f64 {
    let of = |(outcome, target): (&RowResult, &u32)| match judge {
        _ if *target == IGNORED => 0.0,
        Judge::Accuracy => f64::from(u8::from(outcome.chosen == *target as usize)),
        Judge::Loss => outcome.loss,
    };
    outcomes.iter().zip(targets).map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(chosen: &[usize]) -> Vec<RowResult> {
        let row = |chosen: &usize| RowResult {
            loss: 0.5,
            chosen: *chosen,
        };
        chosen.iter().map(row).collect()
    }

    #[test]
    fn sums_are_those_of_all_targets_however_they_are_cut() {
        let (outcomes, targets) = (rows(&[0, 1, 1, 0]), [0, 1, IGNORED, 1]);
        for cut in [2, 4] {
            let mut tally = Tally::new(&[0.25, 2.0], Some(2));
            for (outcomes, targets) in outcomes.chunks(cut).zip(targets.chunks(cut)) {
                tally.add(outcomes, targets);
            }
            assert_eq!((tally.counted(), tally.mass()), (3.0, 4.25));
            assert_eq!(tally.whole_share(), Some(0.5));
        }
        let mut plain = Tally::new(&[], None);
        plain.add(&outcomes, &targets);
        assert_eq!((plain.mass(), plain.whole_share()), (3.0, None));
        assert_eq!(Tally::new(&[], Some(2)).whole_share(), None);
    }

    #[test]
    fn symbols_are_told_by_falling_loss_and_samples_by_their_judge() {
        let outcomes = [(2.0, 0), (1.0, 1), (4.0, 1), (9.0, 0)];
        let outcomes = outcomes.map(|(loss, chosen)| RowResult { loss, chosen });
        let targets = [0, 1, 0, IGNORED];
        let mut symbols = Symbols::new(3);
        symbols.add(&outcomes, &targets);
        let worst = symbols.worst();
        let about = |r: &SymbolRecord| (r.symbol, r.count, r.right, r.loss);
        assert_eq!(
            worst.iter().map(about).collect::<Vec<_>>(),
            [(0, 2, 1, 3.0), (1, 1, 1, 1.0)]
        );
        assert_eq!(score(Judge::Accuracy, &outcomes, &targets), 2.0);
        assert_eq!(score(Judge::Loss, &outcomes, &targets), 7.0);
    }
}
