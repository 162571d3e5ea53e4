//! Which classes are taken for which.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::MOST_SYMBOLS;

/// How often samples of each class were taken for which class: the pairs that occur, so that it grows with
/// the samples and not with the square of the classes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Confusion {
    /// Number of classes.
    classes: usize,
    /// True class, chosen class, number of samples, by the first two; numbers are above 0.
    cells: Vec<(usize, usize, u64)>,
}

/// How it is written; runs of older versions have a full matrix.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Cells {
        classes: usize,
        cells: Vec<(usize, usize, u64)>,
    },
    Matrix(Vec<Vec<u64>>),
}

/// The most classes that are counted: as many as tokens have.
const MOST_CLASSES: usize = MOST_SYMBOLS;

impl TryFrom<Written> for Confusion {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Cells { classes, .. } if classes > MOST_CLASSES => Err(format!(
                "confusions of {classes} classes; expected at most {MOST_CLASSES}"
            )),
            Written::Cells { classes, cells } => Ok(Self::new(classes, cells)),
            Written::Matrix(rows) => Ok(Self::from_rows(&rows)),
        }
    }
}

impl Confusion {
    /// Adds up cells (true class, chosen class, number of samples); those of no class are left out.
    pub fn new(classes: usize, cells: impl IntoIterator<Item = (usize, usize, u64)>) -> Self {
        let mut counts = BTreeMap::new();
        for (truth, chosen, count) in cells {
            if truth < classes && chosen < classes && count > 0 {
                let sum: &mut u64 = counts.entry((truth, chosen)).or_default();
                *sum = sum.saturating_add(count);
            }
        }
        let cells = counts.into_iter();
        let cells = cells.map(|((truth, chosen), count)| (truth, chosen, count));
        Self {
            classes,
            cells: cells.collect(),
        }
    }

    /// Of samples whose classes are `labels` and the class that was chosen for each.
    pub(super) fn of(labels: &[u32], chosen: impl Iterator<Item = usize>, classes: usize) -> Self {
        let cells = labels
            .iter()
            .zip(chosen)
            .map(|(label, chosen)| (*label as usize, chosen.min(classes.saturating_sub(1)), 1));
        Self::new(classes, cells)
    }

    /// From a matrix; rows: true class, columns: chosen class.
    #[must_use]
    pub fn from_rows(rows: &[Vec<u64>]) -> Self {
        let cells = rows.iter().enumerate().flat_map(|(truth, row)| {
            let row = row.iter().enumerate();
            row.map(move |(chosen, count)| (truth, chosen, *count))
        });
        Self::new(rows.len(), cells)
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Whether no sample was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Samples of the class `truth` that were taken for `chosen`.
    #[must_use]
    pub fn get(&self, truth: usize, chosen: usize) -> u64 {
        let key = |cell: &(usize, usize, u64)| (cell.0, cell.1);
        let found = self.cells.binary_search_by_key(&(truth, chosen), key);
        found.map_or(0, |at| self.cells[at].2)
    }

    /// Samples of each class.
    #[must_use]
    pub fn totals(&self) -> Vec<u64> {
        let mut totals = vec![0_u64; self.classes];
        for (truth, _, count) in &self.cells {
            totals[*truth] = totals[*truth].saturating_add(*count);
        }
        totals
    }

    /// Samples that were taken for each class.
    #[must_use]
    pub fn chosen(&self) -> Vec<u64> {
        let mut chosen = vec![0_u64; self.classes];
        for (_, class, count) in &self.cells {
            chosen[*class] = chosen[*class].saturating_add(*count);
        }
        chosen
    }

    /// The mistakes that occur (number of samples, true class, chosen class), the most frequent first.
    #[must_use]
    pub fn mistakes(&self) -> Vec<(u64, usize, usize)> {
        let wrong = self
            .cells
            .iter()
            .filter(|(truth, chosen, _)| truth != chosen);
        let mut wrong: Vec<_> = wrong
            .map(|(truth, chosen, n)| (*n, *truth, *chosen))
            .collect();
        wrong.sort_by_key(|(n, truth, chosen)| (Reverse(*n), *truth, *chosen));
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_those_of_the_matrix_however_it_is_written() {
        let rows = vec![vec![3, 0, 1], vec![0, 0, 2], vec![2, 0, 5]];
        let confusion = Confusion::from_rows(&rows);
        for (truth, row) in rows.iter().enumerate() {
            for (chosen, count) in row.iter().enumerate() {
                assert_eq!(confusion.get(truth, chosen), *count);
            }
        }
        assert_eq!(confusion.totals(), [4, 2, 7]);
        assert_eq!(confusion.chosen(), [5, 0, 8]);
        assert_eq!(confusion.mistakes(), [(2, 1, 2), (2, 2, 0), (1, 0, 2)]);
        let cells = [
            (0, 2, 1),
            (1, 2, 1),
            (1, 2, 1),
            (2, 0, 2),
            (0, 0, 3),
            (2, 2, 5),
        ];
        let outside = [(3, 0, 9), (0, 3, 9), (1, 1, 0)];
        let counted = Confusion::new(3, cells.into_iter().chain(outside));
        assert_eq!(counted, confusion);
        let text = serde_json::to_string(&confusion).unwrap();
        assert_eq!(serde_json::from_str::<Confusion>(&text).unwrap(), confusion);
        let matrix = serde_json::to_string(&rows).unwrap();
        assert_eq!(
            serde_json::from_str::<Confusion>(&matrix).unwrap(),
            confusion
        );
        let empty: Confusion = serde_json::from_str("[]").unwrap();
        assert!(empty.is_empty() && empty == Confusion::default());
        // Numbers that no file should have.
        let wild = format!(
            "{{\"classes\": 1, \"cells\": [[0, 0, {0}], [0, 0, {0}]]}}",
            u64::MAX
        );
        let wild: Confusion = serde_json::from_str(&wild).unwrap();
        assert_eq!(wild.totals(), [u64::MAX]);
        let many = format!("{{\"classes\": {}, \"cells\": [[0, 0, 1]]}}", u64::MAX);
        let refused = serde_json::from_str::<Confusion>(&many).unwrap_err();
        assert!(
            refused.to_string().contains("at most 16777216"),
            "{refused}"
        );
    }
}
