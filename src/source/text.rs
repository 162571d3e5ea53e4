//! `text`: a text as one stream of characters or bytes, to be gone on with.
//!
//! A file is cut: its last part, `data.test_share` of it, is the test part. A folder has `train.txt`, and
//! maybe `test.txt`. The text lies in memory, and on the device where it fits there.

use super::request::set_dir;
use super::values::{CONTEXT, TEST_SHARE, context, test_share};
use super::{Entry, Known, Request, Source, Windows};
use crate::args::choice;
use crate::data::{Dataset, Samples, Task, Vocabulary, Watcher};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

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

    fn open(&self, request: &Request, _: Watcher<'_>) -> Result<Dataset> {
        load(self, request)
    }
}

const EXPECTED: &str = "a text file, or a folder with train.txt";
const HELP: &str = "give a text file in UTF-8, or a folder with train.txt";

fn load(source: &Text, request: &Request) -> Result<Dataset> {
    let (train_file, test_file) = files(request.place("a text", EXPECTED, "")?)?;
    let train = read(&train_file)?;
    let test = test_file.as_deref().map(read).transpose()?;
    let both = test.as_deref().zip(test_file.as_deref());
    let vocabulary = vocabulary(&train, both, source.tokens, &train_file)?;
    let tokens = |file: &Path, bytes: &[u8]| encode(&vocabulary, bytes, source.tokens, file);
    // Tokens take four times the bytes of a text: neither lies in memory twice.
    let text = train;
    let mut train = tokens(&train_file, &text)?;
    drop(text);
    let test = match (test, &test_file) {
        (Some(test), Some(file)) => tokens(file, &test)?,
        _ => {
            let share = 1.0 - source.test_share;
            let test = train.split_off((share * train.len() as f64) as usize);
            train.shrink_to_fit();
            test
        }
    };
    let context = source.context;
    let sizes = [context, vocabulary.symbols().len()];
    let samples = |what: &str, file: &Path, tokens: Vec<u32>| {
        if tokens.len() <= context {
            let (found, needed) = (tokens.len(), context + 1);
            let problem = format!(
                "the {what} part has {found} tokens; expected at least {needed}, one more than data.context"
            );
            return Err(Error::data(
                file,
                problem,
                "give a longer text, or lower data.context",
            ));
        }
        Samples::windows(sizes, tokens)
    };
    let train = samples("training", &train_file, train)?;
    let test = samples("test", test_file.as_ref().unwrap_or(&train_file), test)?;
    Dataset::of(
        ENTRY.name,
        train,
        test,
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

fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).map_err(Error::io(file.to_owned(), "reading"))
}

/// The text of a file.
fn utf8<'a>(bytes: &'a [u8], file: &Path) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let problem = format!(
            "is no UTF-8 from byte {} on; expected a text",
            error.valid_up_to()
        );
        Error::data(
            file,
            problem,
            "convert it (iconv -t UTF-8), or set data.tokens = \"bytes\"",
        )
    })
}

/// The symbols of both texts.
fn vocabulary(
    train: &[u8],
    test: Option<(&[u8], &Path)>,
    tokens: Tokens,
    file: &Path,
) -> Result<Vocabulary> {
    let wrong = |problem: &str| Err(Error::data(file, problem.to_owned(), HELP));
    if train.is_empty() {
        return wrong("is empty; expected a text");
    }
    let vocabulary = match tokens {
        Tokens::Bytes => Vocabulary::bytes(),
        Tokens::Chars => {
            let test = test.map_or(Ok(""), |(test, file)| utf8(test, file))?;
            Vocabulary::of_chars(utf8(train, file)?.chars().chain(test.chars()))
        }
    };
    let test = test.map_or(&[][..], |(test, _)| test);
    let all = train.iter().chain(test);
    if all.clone().all(|byte| *byte == train[0]) || vocabulary.symbols().len() < 2 {
        return wrong("has one symbol only; expected a text of at least two");
    }
    Ok(vocabulary)
}

fn encode(vocabulary: &Vocabulary, bytes: &[u8], tokens: Tokens, file: &Path) -> Result<Vec<u32>> {
    match tokens {
        Tokens::Bytes => Ok(bytes.iter().copied().map(u32::from).collect()),
        Tokens::Chars => vocabulary.encode(utf8(bytes, file)?).map_err(|symbol| {
            let problem = format!("has the symbol {symbol:?}, which no text has");
            Error::data(file, problem, HELP)
        }),
    }
}
