//! `sums`: sums of two numbers below 100, written with the answer reversed (`85+50=531`): sequences that
//! the program makes itself. Only the answer counts.
//!
//! The task is that of the adder in minGPT (Karpathy, `projects/adder`), with signs between the numbers;
//! reversed, each digit of the answer follows from the digits in front. Which pairs are held out for the
//! test is drawn by `data.seed`: of a pair that is, neither order is trained on.

use super::values::{TEST_SHARE, test_share};
use super::{Entry, Known, Request, Source};
use crate::data::{Dataset, IGNORED, Samples, Targets, Task, Watcher};
use crate::error::{Error, Result};
use crate::rng::{Key, Stream};
use serde::{Deserialize, Serialize};

/// The table's line.
pub(super) const ENTRY: Entry<dyn Source> = Entry {
    name: "sums",
    summary: "sums of two numbers below 100, the answer reversed; no download",
    arguments: &["test_share"],
    short: None,
    example: "test_share = 0.2",
    parse: |args| Ok(Box::new(args.read::<Sums>()?)),
};

/// Sums that are written out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sums {
    /// The share of the pairs that is the test part; above 0, below 1.
    #[serde(deserialize_with = "test_share")]
    pub test_share: f64,
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            test_share: TEST_SHARE,
        }
    }
}

impl Source for Sums {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::try_from(self).unwrap_or_default()
    }

    fn known(&self) -> Known {
        Known {
            shape: vec![STEPS],
            ..Known::default()
        }
    }

    fn open(&self, request: &Request, _: Watcher<'_>) -> Result<Dataset> {
        let [train, test] = pairs(self.test_share, request.seed)?;
        let symbols = SYMBOLS.map(|symbol| symbol.to_string()).to_vec();
        let (train, test) = (samples(&train)?, samples(&test)?);
        Dataset::of(self.name(), train, test, Task::Tokens(symbols))
    }
}

/// Symbols of a written sum, `85+50=531`.
const LENGTH: usize = 9;
/// Tokens that go in: the last digit is only answered.
const STEPS: usize = LENGTH - 1;
/// Numbers that are added.
const NUMBERS: usize = 100;

/// The symbols, in the order of their numbers.
const SYMBOLS: [char; 12] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '+', '='];

/// A sum as tokens.
fn written(a: usize, b: usize) -> [u32; LENGTH] {
    let c = a + b;
    let digits = [
        a / 10,
        a % 10,
        10,
        b / 10,
        b % 10,
        11,
        c % 10,
        c / 10 % 10,
        c / 100,
    ];
    digits.map(|digit| digit as u32)
}

/// The samples of some pairs, each in both orders.
fn samples(pairs: &[[usize; 2]]) -> Result<Samples> {
    let (mut tokens, mut targets) = (Vec::new(), Vec::new());
    for [a, b] in pairs {
        let orders = [(*a, *b), (*b, *a)];
        for (a, b) in &orders[..1 + usize::from(a != b)] {
            let sum = written(*a, *b);
            tokens.extend_from_slice(&sum[..STEPS]);
            targets.extend([IGNORED; LENGTH - 4]);
            targets.extend_from_slice(&sum[LENGTH - 3..]);
        }
    }
    let targets = Targets::Positions {
        steps: STEPS,
        values: targets,
    };
    Samples::from_tokens([STEPS, SYMBOLS.len()], tokens, targets)
}

/// Pairs that are trained on, and those that are not.
fn pairs(share: f64, seed: u64) -> Result<[Vec<[usize; 2]>; 2]> {
    let all: Vec<[usize; 2]> = (0..NUMBERS)
        .flat_map(|a| (a..NUMBERS).map(move |b| [a, b]))
        .collect();
    let out = (share * all.len() as f64).round() as usize;
    if out == 0 || out == all.len() {
        return Err(Error::Argument {
            what: "data.test_share".into(),
            found: format!("{share} of {} pairs, which is {out}", all.len()),
            expected: "a share that leaves pairs in both parts".into(),
            help: "0.2 holds a fifth of the pairs out".into(),
        });
    }
    let order = Key::new(seed, Stream::Sums, 0).permutation(all.len());
    let of = |places: &[u32]| {
        let mut places = places.to_vec();
        places.sort_unstable();
        places.iter().map(|at| all[*at as usize]).collect()
    };
    Ok([of(&order[out..]), of(&order[..out])])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_sum_is_written_with_its_answer_reversed() {
        let text: String = written(85, 50)
            .map(|token| SYMBOLS[token as usize])
            .into_iter()
            .collect();
        assert_eq!(text, "85+50=531");
        let samples = samples(&[[7, 98]]).unwrap();
        assert_eq!(samples.len(), 2);
        let targets = samples.targets_of(&[0], 0).unwrap();
        assert_eq!(targets[..5], [IGNORED; 5]);
        assert_eq!(targets[5..], [5, 0, 1]);
    }

    #[test]
    fn no_pair_is_in_both_parts_in_any_order() {
        let request = Request {
            seed: 4,
            ..Request::default()
        };
        let dataset = Sums::default().open(&request, &|_| {}).unwrap();
        assert_eq!(dataset.train.len() + dataset.test.len(), 10_000);
        let pairs = |samples: &Samples| -> BTreeSet<BTreeSet<Vec<u32>>> {
            let all: Vec<u32> = (0..samples.len() as u32).collect();
            let tokens: Vec<u32> = samples
                .values(&all)
                .unwrap()
                .iter()
                .map(|t| *t as u32)
                .collect();
            let pair = |sum: &[u32]| {
                [sum[..2].to_vec(), sum[3..5].to_vec()]
                    .into_iter()
                    .collect()
            };
            tokens.chunks(STEPS).map(pair).collect()
        };
        let (train, test) = (pairs(&dataset.train), pairs(&dataset.test));
        assert!(train.is_disjoint(&test));
        assert_eq!(train.len() + test.len(), 5050);
        assert_eq!(test.len(), 1010);
    }
}
