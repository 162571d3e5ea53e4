//! `text`: a text as one stream of characters or bytes, to be gone on with.
//!
//! A file is cut: its last part, `data.test_share` of it, is the test part. A folder has `train.txt`, and
//! maybe `test.txt`. The tokens lie in memory, and on the device where they fit there; those of a large text
//! stay in its file.

mod file;

use super::Cache;
use super::request::set_dir;
use super::values::{CONTEXT, TEST_SHARE, context, test_share};
use super::{Entry, Known, Request, Source, Windows};
use crate::args::choice;
use crate::data::{Dataset, Loading, Samples, Task, Vocabulary, Watcher, for_each_block};
use crate::error::{Error, Result};
use file::{InFile, Numbered, TextFile};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The table's line.
pub(super) const ENTRY: Entry<dyn Source> = Entry {
    name: "text",
    summary: "a text file, or a folder with train.txt and maybe test.txt; the next character is learned",
    arguments: &["test_share", "tokens", "context", "stateful"],
    short: None,
    example: "context = 64",
    parse: |args| Ok(Box::new(args.read::<Text>()?)),
};

/// A text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Text {
    /// The share of a file, its end, that is the test part; above 0, below 1.
    #[serde(deserialize_with = "test_share")]
    pub test_share: f64,
    /// What its tokens are.
    #[serde(deserialize_with = "choice")]
    pub tokens: Tokens,
    /// Tokens of a sample; at least 1.
    #[serde(deserialize_with = "context")]
    pub context: usize,
    /// Whether a batch goes on where the one before it ends.
    pub stateful: bool,
}

impl Default for Text {
    fn default() -> Self {
        Self {
            test_share: TEST_SHARE,
            tokens: Tokens::Chars,
            context: CONTEXT,
            stateful: false,
        }
    }
}

/// `data.tokens`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename = "kind of tokens")]
pub enum Tokens {
    /// Characters: the sorted set of those of the whole text.
    #[default]
    Chars,
    /// The 256 bytes.
    Bytes,
}

impl Source for Text {
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

    fn open(&self, request: &Request, watcher: Watcher<'_>) -> Result<Dataset> {
        load(self, request, watcher)
    }
}

const EXPECTED: &str = "a text file, or a folder with train.txt";
const HELP: &str = "give a text file in UTF-8, or a folder with train.txt";

/// Bytes of a token in memory.
const TOKEN: u64 = 4;

fn load(source: &Text, request: &Request, watcher: Watcher<'_>) -> Result<Dataset> {
    let (train_file, test_file) = files(request.place("a text", EXPECTED, "")?)?;
    let train = TextFile::open(&train_file, source.tokens)?;
    let test = test_file
        .as_deref()
        .map(|file| TextFile::open(file, source.tokens))
        .transpose()?;
    let vocabulary = vocabulary(&train, test.as_ref(), source.tokens, &train_file)?;
    if source.tokens == Tokens::Chars && train.found()[0] {
        watcher(Loading::Note(&format!(
            "{} has characters of the number 0, as texts in UTF-16 have where they are read as UTF-8: convert it \
             if it is one (iconv -f UTF-16LE -t UTF-8)",
            train_file.display()
        )));
    }
    let count = train.count() + test.as_ref().map_or(0, TextFile::count);
    let in_memory = request.cache.of(TOKEN * count as u64) == Cache::Memory;
    let (all, all_of_test) = (train.count(), test.as_ref().map(TextFile::count));
    let train = Arc::new(train.numbered(&vocabulary));
    let test = test.map(|test| Arc::new(test.numbered(&vocabulary)));
    let (train_part, test_part) = match all_of_test {
        Some(count) => (0..all, 0..count),
        None => {
            let cut = ((1.0 - source.test_share) * all as f64) as usize;
            (0..cut, cut..all)
        }
    };
    let samples = |what: &str, (file, text): (&Path, &Arc<Numbered>), part: Range<usize>| {
        let context = source.context;
        if part.len() <= context {
            let (found, needed) = (part.len(), context + 1);
            let problem = format!(
                "the {what} part has {found} tokens; expected at least {needed}, one more than data.context"
            );
            return Err(Error::data(
                file,
                problem,
                "give a longer text, or lower data.context",
            ));
        }
        let sizes = [context, vocabulary.symbols().len()];
        let tokens = InFile::new(text, part.start, part.len());
        if !in_memory {
            return Samples::windows_of(sizes, tokens);
        }
        let mut kept = Vec::with_capacity(part.len());
        for_each_block(&tokens, |block| {
            kept.extend_from_slice(block);
            Ok(())
        })?;
        Samples::windows_of(sizes, kept)
    };
    let train_samples = samples("training", (&train_file, &train), train_part)?;
    let test_of = (
        test_file.as_deref().unwrap_or(&train_file),
        test.as_ref().unwrap_or(&train),
    );
    let test_samples = samples("test", test_of, test_part)?;
    Dataset::of(
        ENTRY.name,
        train_samples,
        test_samples,
        Task::Tokens(vocabulary.symbols().to_vec()),
    )
}

/// The training text and, where it is a file of its own, the test text.
fn files(path: &Path) -> Result<(PathBuf, Option<PathBuf>)> {
    if path.is_file() {
        return Ok((path.to_owned(), None));
    }
    let problem = match path.is_dir() {
        false => format!("does not exist; expected {EXPECTED}"),
        true => {
            let [train, test, input] =
                ["train.txt", "test.txt", "input.txt"].map(|name| path.join(name));
            if train.is_file() {
                return Ok((train, Some(test).filter(|test| test.is_file())));
            }
            // As `wavetrain data get` leaves it.
            if input.is_file() {
                return Ok((input, None));
            }
            "is a folder without train.txt; expected a text file, or a folder with it".to_owned()
        }
    };
    Err(Error::data(path, problem, set_dir("")))
}

/// The symbols of both texts.
fn vocabulary(
    train: &TextFile,
    test: Option<&TextFile>,
    tokens: Tokens,
    file: &Path,
) -> Result<Vocabulary> {
    let wrong = |problem: &str| Err(Error::data(file, problem.to_owned(), HELP));
    if train.count() == 0 {
        return wrong("is empty; expected a text");
    }
    let test = test.map_or(train.found(), TextFile::found);
    let found = train.found().iter().zip(test).map(|(a, b)| *a || *b);
    let numbers = (0_u32..).zip(found).filter(|(_, is_there)| *is_there);
    let numbers: Vec<u32> = numbers.map(|(number, _)| number).collect();
    match (numbers.len(), tokens) {
        (1, _) => wrong("has one symbol only; expected a text of at least two"),
        (_, Tokens::Bytes) => Ok(Vocabulary::bytes()),
        (_, Tokens::Chars) => {
            let chars = numbers.into_iter().filter_map(char::from_u32);
            Ok(Vocabulary::of_chars(chars))
        }
    }
}
