//! `csv`: a table of rows, from which a class or numbers are predicted: one file, of which
//! `data.test_share` becomes the test set, or a folder with `train.csv` and `test.csv`.
//!
//! Columns of numbers are inputs as they are; columns of texts become a feature for each value. The files
//! are read twice: once for what their columns are, once for the values; once more between these where
//! numbers are missing, for the means that stand for them.

mod file;
mod learn;
mod sheet;

pub use file::Csv;

use super::request::set_dir;
use super::values::{TEST_SHARE, test_share};
use super::{Cache, Entry, Request, Source};
use crate::args::choice;
use crate::data::{Dataset, Loading, Task, Watcher, is_missing};
use crate::error::{Error, Result};
use crate::rng::{Key, Stream};
use learn::{Learned, Wanted};
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// The table's line.
pub(super) const ENTRY: Entry<dyn Source> = Entry {
    name: "csv",
    summary: "a CSV file, or a folder with train.csv and test.csv; a class or numbers are predicted",
    arguments: &["target", "drop", "task", "missing", "test_share"],
    short: None,
    example: "target = \"price\"\ndrop = [\"id\"]",
    parse: |args| Ok(Box::new(args.read::<Csvs>()?)),
};

/// Rows of tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Csvs {
    /// The columns that are predicted: one, or several of numbers.
    #[serde(deserialize_with = "names", skip_serializing_if = "Vec::is_empty")]
    pub target: Vec<String>,
    /// Columns that are left out.
    #[serde(deserialize_with = "names", skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
    /// What is predicted.
    #[serde(deserialize_with = "choice")]
    pub task: TableTask,
    /// What becomes of values that are missing.
    #[serde(deserialize_with = "choice")]
    pub missing: Missing,
    /// The share of the rows, of each class, that becomes the test set where no file does; above 0,
    /// below 1.
    #[serde(deserialize_with = "test_share")]
    pub test_share: f64,
}

impl Default for Csvs {
    fn default() -> Self {
        Self {
            target: Vec::new(),
            drop: Vec::new(),
            task: TableTask::Auto,
            missing: Missing::Error,
            test_share: TEST_SHARE,
        }
    }
}

/// `data.task`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename = "task")]
pub enum TableTask {
    /// Classes of a target of texts, or else numbers.
    #[default]
    Auto,
    /// Each value of the target is a class.
    Classification,
    /// The target's numbers are predicted.
    Regression,
}

/// `data.missing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename = "way with missing values")]
pub enum Missing {
    /// They are an error, with line and column.
    #[default]
    Error,
    /// The mean of the column over the training part stands for them, beside a feature that says so.
    Mean,
}

/// A name, or a list of names.
fn names<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Vec<String>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the name of a column, or a list of names")
        }
        fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
            Ok(vec![name.to_owned()])
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut names = Vec::new();
            while let Some(name) = list.next_element()? {
                names.push(name);
            }
            Ok(names)
        }
    }
    from.deserialize_any(Names)
}

impl Source for Csvs {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn arguments(&self) -> toml::Table {
        toml::Table::try_from(self).unwrap_or_default()
    }

    fn open(&self, request: &Request, watcher: Watcher<'_>) -> Result<Dataset> {
        load(self, request, watcher)
    }
}

const EXPECTED: &str = "a CSV file, or a folder with train.csv and test.csv";
/// The most classes of a target.
const MOST_CLASSES: usize = 1000;

fn load(source: &Csvs, request: &Request, watcher: Watcher<'_>) -> Result<Dataset> {
    let files = files(request.place("a table", EXPECTED, "")?)?;
    let bytes = file::bytes(&files)?;
    match request.keeps(bytes)? {
        (Cache::Disk, folder) => {
            let dataset = sheet::on_disk(source, request.seed, (&files, folder), watcher);
            request.kept(folder, dataset, |error| {
                watcher(Loading::Note(&format!(
                    "{error}; the rows are kept in memory"
                )));
                sheet::in_memory(source, request.seed, &files, watcher)
            })
        }
        _ => sheet::in_memory(source, request.seed, &files, watcher),
    }
}

/// The training file and, where it is a file of its own, the test file.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let problem = match path.is_dir() {
        false => format!("does not exist; expected {EXPECTED}"),
        true => {
            let both = ["train.csv", "test.csv"].map(|name| path.join(name));
            match both.iter().find(|file| !file.is_file()) {
                None => return Ok(both.to_vec()),
                Some(missing) => {
                    let name = missing.file_name().unwrap_or_default().to_string_lossy();
                    format!("is a folder without {name}; expected {EXPECTED}")
                }
            }
        }
    };
    Err(Error::data(path, problem, set_dir("")))
}

/// What is predicted, with the names of the classes.
fn task(learned: &Learned, file: &Path) -> Result<Task> {
    match &learned.wanted {
        Wanted::Numbers => Ok(Task::Numbers(learned.target.clone())),
        Wanted::Classes(values) => {
            let name = &learned.target[0];
            let problem = match values.len() {
                0 | 1 => "has one value only; expected at least two classes".to_owned(),
                n if n > MOST_CLASSES => {
                    format!("has more than {MOST_CLASSES} different values; expected classes")
                }
                _ => return Ok(Task::Classes(values.clone())),
            };
            let help = "choose another data.target, or set data.task = \"regression\"";
            Err(Error::data(
                file,
                format!("the column {name} {problem}"),
                help,
            ))
        }
    }
}

/// Which rows train and which are the test set, in the order of the files.
struct Parts {
    train: Vec<u32>,
    test: Vec<u32>,
}

impl Parts {
    /// For each row whether it is one of the test set.
    fn is_test(&self) -> Vec<bool> {
        let mut is_test = vec![false; self.train.len() + self.test.len()];
        for row in &self.test {
            is_test[*row as usize] = true;
        }
        is_test
    }
}

/// Splits as the files say, or at random by the seed, each class alike.
fn split(source: &Csvs, seed: u64, learned: &Learned, task: &Task) -> Result<Parts> {
    let [train, test] = learned.rows;
    if test > 0 {
        return Ok(Parts {
            train: (0..train).collect(),
            test: (train..train + test).collect(),
        });
    }
    let groups: Vec<Vec<u32>> = match task {
        Task::Classes(names) => {
            let mut groups = vec![Vec::new(); names.len()];
            for (row, class) in (0..).zip(learned.classes()) {
                groups[class as usize].push(row);
            }
            groups
        }
        _ => vec![(0..train).collect()],
    };
    let mut is_test = vec![false; train as usize];
    // Step 0 of this stream is the split of the training set.
    for (step, group) in (1..).zip(&groups) {
        let count = group.len();
        let held_out =
            ((count as f64 * source.test_share).round() as usize).min(count.saturating_sub(1));
        let order = Key::new(seed, Stream::Split, step).permutation(count);
        for at in &order[..held_out] {
            is_test[group[*at as usize] as usize] = true;
        }
    }
    let of = |wanted: bool| {
        (0..train)
            .filter(|row| is_test[*row as usize] == wanted)
            .collect()
    };
    let parts = Parts {
        train: of(false),
        test: of(true),
    };
    match parts.test.is_empty() {
        false => Ok(parts),
        true => Err(Error::Argument {
            what: "data.test_share".into(),
            found: format!(
                "{} of {train} rows, which is none of them",
                source.test_share
            ),
            expected: "a share that leaves rows in both parts".into(),
            help: "raise data.test_share, or give more rows".into(),
        }),
    }
}
