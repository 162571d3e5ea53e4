//! `text`: a text as one stream of characters or bytes, to be gone on with.
//!
//! A file is cut: its last part, `data.test_share` of it, is the test part. A folder has `train.txt`, and
//! maybe `test.txt`. The text lies in memory, and on the device where it fits there.

use super::{Entry, Request, Tokens};
use crate::data::{Dataset, Samples, Task, Vocabulary};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The table's line.
pub(super) const ENTRY: Entry = Entry {
    name: "text",
    summary: "a text file, or a folder with train.txt and maybe test.txt; the next character is learned",
    shape: &[],
    classes: &[],
    sizes: None,
    keys: &["test_share", "tokens", "context", "stateful"],
    load: |request, _| load(request),
};

const HELP: &str = "give a text file in UTF-8 with --data FILE, or a folder with train.txt";

fn load(request: &Request) -> Result<Dataset> {
    let Some(path) = &request.dir else {
        return Err(Error::Argument {
            what: "data.dir".into(),
            found: "not given, and text is read from a file".into(),
            expected: "a text file, or a folder with train.txt".into(),
            help: "name it with --data FILE".into(),
        });
    };
    let (train_file, test_file) = files(path)?;
    let train = read(&train_file)?;
    let test = test_file.as_deref().map(read).transpose()?;
    let both = test.as_deref().zip(test_file.as_deref());
    let vocabulary = vocabulary(&train, both, request.options.tokens, &train_file)?;
    let tokens =
        |file: &Path, bytes: &[u8]| encode(&vocabulary, bytes, request.options.tokens, file);
    let train = tokens(&train_file, &train)?;
    let (train, test) = match (&test, &test_file) {
        (Some(test), Some(file)) => (train, tokens(file, test)?),
        _ => {
            let share = 1.0 - request.options.test_share;
            let cut = (share * train.len() as f64) as usize;
            let (first, last) = train.split_at(cut);
            (first.to_vec(), last.to_vec())
        }
    };
    let context = request.options.context;
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
        false => "does not exist; expected a text file, or a folder with train.txt",
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
            "is a folder without train.txt; expected a text file, or a folder with it"
        }
    };
    Err(Error::data(path, problem.to_owned(), HELP))
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
            Vocabulary::chars(&format!("{}{test}", utf8(train, file)?))
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
