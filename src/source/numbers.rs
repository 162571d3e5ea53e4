//! `numbers`: the numbers from 1 to 9,999 in English words, one after the other: a stream that the
//! program makes itself, so that nothing has to be downloaded.
//!
//! The words are those of the data set HUMAN_NUMBERS in Howard and Gugger, "Deep Learning for Coders with
//! fastai and PyTorch" (2020), chapter 12: `one . two . three . ...`, without 8,000, which that data set
//! lacks between its two files; 63,095 words, 30 symbols.

use super::values::{CONTEXT, TEST_SHARE, context, test_share};
use super::{Entry, Known, Request, Source, Windows};
use crate::data::{Dataset, Samples, Task, Watcher};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// The table's line.
pub(super) const ENTRY: Entry<dyn Source> = Entry {
    name: "numbers",
    summary: "1 to 9,999 in words, one after the other; the next word is learned; no download",
    arguments: &["test_share", "context", "stateful"],
    short: None,
    example: "context = 64",
    parse: |args| Ok(Box::new(args.read::<Numbers>()?)),
};

/// Numbers in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Numbers {
    /// The share of the words, the last ones, that is the test part; above 0, below 1.
    #[serde(deserialize_with = "test_share")]
    pub test_share: f64,
    /// Words of a sample; at least 1.
    #[serde(deserialize_with = "context")]
    pub context: usize,
    /// Whether a batch goes on where the one before it ends.
    pub stateful: bool,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            test_share: TEST_SHARE,
            context: CONTEXT,
            stateful: false,
        }
    }
}

impl Source for Numbers {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::try_from(self).unwrap_or_default()
    }

    fn known(&self) -> Known {
        Known {
            shape: vec![self.context],
            ..Known::default()
        }
    }

    fn windows(&self) -> Option<Windows> {
        Some(Windows {
            context: self.context,
            stateful: self.stateful,
        })
    }

    fn open(&self, _: &Request, _: Watcher<'_>) -> Result<Dataset> {
        load(self)
    }
}

const SMALL: [&str; 20] = [
    "",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = [
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];

/// The words of a number below 10,000.
fn words(number: usize) -> Vec<&'static str> {
    let (thousands, hundreds, rest) = (number / 1000, number / 100 % 10, number % 100);
    let mut words = Vec::new();
    if thousands > 0 {
        words.extend([SMALL[thousands], "thousand"]);
    }
    if hundreds > 0 {
        words.extend([SMALL[hundreds], "hundred"]);
    }
    match rest {
        0 => {}
        1..20 => words.push(SMALL[rest]),
        _ => words.extend([TENS[rest / 10], SMALL[rest % 10]]),
    }
    words.retain(|word| !word.is_empty());
    words
}

/// All words: a period stands between two numbers.
fn all() -> Vec<&'static str> {
    let numbers = (1..10_000).filter(|number| *number != 8000).map(words);
    let mut all: Vec<&str> = numbers
        .flat_map(|words| words.into_iter().chain(["."]))
        .collect();
    all.pop();
    all
}

fn load(source: &Numbers) -> Result<Dataset> {
    let words = all();
    let mut symbols: Vec<String> = Vec::new();
    let tokens: Vec<u32> = words
        .iter()
        .map(|word| {
            let known = symbols.iter().position(|symbol| symbol == word);
            known.unwrap_or_else(|| {
                symbols.push((*word).to_owned());
                symbols.len() - 1
            }) as u32
        })
        .collect();
    let cut = ((1.0 - source.test_share) * tokens.len() as f64) as usize;
    let sizes = [source.context, symbols.len()];
    let train = Samples::windows(sizes, tokens[..cut].to_vec())?;
    let test = Samples::windows(sizes, tokens[cut..].to_vec())?;
    Dataset::of(ENTRY.name, train, test, Task::Tokens(symbols))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_published_data_set() {
        let words = all();
        assert_eq!(words.len(), 63_095);
        assert_eq!(words[..6].join(" "), "one . two . three .");
        let end = words[words.len() - 7..].join(" ");
        assert_eq!(
            end,
            "nine thousand nine hundred ninety nine"
                .split(' ')
                .collect::<Vec<_>>()
                .join(" ")
                .replace("nine thousand", ". nine thousand")
        );
        let symbols: std::collections::BTreeSet<&str> = words.into_iter().collect();
        assert_eq!(symbols.len(), 30);
    }
}
