//! What the columns of a table are, before its values are read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Csv, Csvs, Missing, TableTask, is_missing};
use crate::data::{Column, Table, Task, number};
use crate::error::{Error, Result};

/// Values of a column of texts that become features.
const MOST_VALUES: usize = 64;
/// The values of a target are counted up to here.
const MOST_COUNTED: usize = 2000;

/// What is known of a column of inputs.
#[derive(Debug, Default)]
struct Seen {
    at: usize,
    name: String,
    /// Its texts, while there are few.
    values: BTreeSet<String>,
    /// The first field that is no number: its line and its text.
    text: Option<(u64, String)>,
    missing: bool,
}

/// What is predicted.
#[derive(Debug)]
pub(super) enum Wanted {
    /// Numbers.
    Numbers,
    /// Classes: the values of the target, sorted; numbers by their size.
    Classes(Vec<String>),
}

/// What is known of a table.
#[derive(Debug)]
pub(super) struct Learned {
    columns: Vec<Seen>,
    /// The names of the columns that are predicted.
    pub(super) target: Vec<String>,
    pub(super) wanted: Wanted,
    /// Rows of the training file and of the test file.
    pub(super) rows: [u32; 2],
    /// The first target of each row as it is written.
    texts: Vec<String>,
}

/// Goes through all files once.
pub(super) fn learn(source: &Csvs, files: &[PathBuf]) -> Result<Learned> {
    let mut csv = Csv::open(&files[0])?;
    let target = named(&csv, &files[0], "target", &source.target)?;
    let dropped = named(&csv, &files[0], "drop", &source.drop)?;
    if target.is_empty() {
        return Err(Error::Argument {
            what: "data.target".into(),
            found: "not given".into(),
            expected: format!(
                "the column to predict, one of those of {}: {}",
                files[0].display(),
                csv.header().join(", ")
            ),
            help: "set data.target = \"NAME\"".into(),
        });
    }
    let header = csv.header().to_vec();
    let inputs = (0..header.len()).filter(|at| !target.contains(at) && !dropped.contains(at));
    let mut columns: Vec<Seen> = inputs
        .map(|at| Seen {
            at,
            name: header[at].clone(),
            ..Seen::default()
        })
        .collect();
    if columns.is_empty() {
        let problem = "has no column besides data.target and data.drop; expected inputs";
        return Err(Error::data(&files[0], problem, "leave fewer columns out"));
    }
    let mut learned = Learned {
        columns: Vec::new(),
        target: target.iter().map(|at| header[*at].clone()).collect(),
        wanted: Wanted::Numbers,
        rows: [0; 2],
        texts: Vec::new(),
    };
    let mut classes = BTreeSet::new();
    // The first target that is no number.
    let mut text = None;
    for (part, file) in files.iter().enumerate() {
        if part > 0 {
            csv = Csv::open(file)?;
            same_header(&header, &csv, file)?;
        }
        while let Some(row) = csv.next_row()? {
            let row = row.clone();
            for column in &mut columns {
                column.see(&csv, source.missing, &row[column.at])?;
            }
            for at in &target {
                let field = row[*at].trim();
                if is_missing(field) {
                    let help = "give each row what is to be predicted, or leave the row out";
                    return Err(csv.wrong(*at, "a value to predict", help));
                }
                if text.is_none() && number(field).is_err() {
                    text = Some(csv.wrong(
                        *at,
                        "a number to predict",
                        "set data.task = \"classification\" to predict a class",
                    ));
                }
            }
            let field = row[target[0]].trim();
            if classes.len() < MOST_COUNTED && !classes.contains(field) {
                classes.insert(field.to_owned());
            }
            if target.len() == 1 {
                learned.texts.push(field.to_owned());
            }
            learned.rows[part] += 1;
        }
        if learned.rows[part] == 0 {
            return Err(Error::data(
                file,
                "has a header and no rows; expected rows",
                "give a line for each row",
            ));
        }
    }
    learned.wanted = wanted(source, text, classes)?;
    if let Wanted::Numbers = learned.wanted {
        learned.texts = Vec::new();
    }
    for column in &columns {
        column.check(&files[0])?;
    }
    learned.columns = columns;
    Ok(learned)
}

/// Whether classes or numbers are predicted.
fn wanted(source: &Csvs, text: Option<Error>, classes: BTreeSet<String>) -> Result<Wanted> {
    let several = source.target.len() > 1;
    match (source.task, text) {
        (TableTask::Auto | TableTask::Regression, None) => Ok(Wanted::Numbers),
        (TableTask::Regression, Some(error)) => Err(error),
        (_, Some(error)) if several => Err(error),
        (TableTask::Classification, _) if several => Err(Error::Argument {
            what: "data.task".into(),
            found: "classification, of several columns".into(),
            expected: "one column to take the classes from".into(),
            help: "name one column in data.target".into(),
        }),
        _ => {
            let mut classes: Vec<String> = classes.into_iter().collect();
            let numbers: Option<Vec<f32>> = classes.iter().map(|c| number(c).ok()).collect();
            if numbers.is_some() {
                classes.sort_by(|a, b| {
                    number(a)
                        .unwrap_or(0.0)
                        .total_cmp(&number(b).unwrap_or(0.0))
                });
            }
            Ok(Wanted::Classes(classes))
        }
    }
}

/// The positions of columns that a key names.
fn named(csv: &Csv, file: &Path, key: &str, names: &[String]) -> Result<Vec<usize>> {
    let mut places = Vec::new();
    for name in names {
        let Some(at) = csv.header().iter().position(|column| column == name) else {
            let near = csv
                .header()
                .iter()
                .min_by_key(|column| strsim::osa_distance(column, name));
            return Err(Error::Argument {
                what: format!("data.{key}"),
                found: format!("{name:?}, which is no column of {}", file.display()),
                expected: format!("one of its columns: {}", csv.header().join(", ")),
                help: format!("did you mean {:?}?", near.map_or("", String::as_str)),
            });
        };
        if !places.contains(&at) {
            places.push(at);
        }
    }
    Ok(places)
}

fn same_header(header: &[String], csv: &Csv, file: &Path) -> Result<()> {
    if csv.header() == header {
        return Ok(());
    }
    let problem = format!(
        "has the columns {}; expected {}, as the training file",
        csv.header().join(", "),
        header.join(", ")
    );
    Err(Error::data(file, problem, "write both files alike"))
}

impl Seen {
    fn see(&mut self, csv: &Csv, missing: Missing, field: &str) -> Result<()> {
        let field = field.trim();
        if is_missing(field) {
            self.missing = true;
            let help = "fill it, drop the row, or set data.missing = \"mean\"";
            return match missing {
                Missing::Error => Err(csv.wrong(self.at, "a value", help)),
                Missing::Mean => Ok(()),
            };
        }
        let is_number = number(field);
        if let Err(expected) = is_number {
            if field.parse::<f64>().is_ok() {
                return Err(csv.wrong(self.at, expected, "correct or drop the row"));
            }
            if self.text.is_none() {
                self.text = Some((csv.line(), field.to_owned()));
            }
        }
        if self.values.len() <= MOST_VALUES && !self.values.contains(field) {
            self.values.insert(field.to_owned());
        }
        Ok(())
    }

    /// Refuses a column that says nothing, or too much.
    fn check(&self, file: &Path) -> Result<()> {
        let name = &self.name;
        let drop = format!("leave it out: data.drop = [{name:?}]");
        match (&self.text, self.values.len()) {
            (_, 0) => Err(Error::data(
                file,
                format!("the column {name} has no value in any row"),
                drop,
            )),
            (_, 1) if !self.missing => {
                let value = self.values.first().map_or("", String::as_str);
                let problem = format!(
                    "the column {name} is {value:?} in every row; expected columns that tell rows apart"
                );
                Err(Error::data(file, problem, drop))
            }
            (Some((line, text)), n) if n > MOST_VALUES => {
                let text: String = text.chars().take(60).collect();
                let problem = format!(
                    "the column {name} has more than {MOST_VALUES} different texts (the first field that is \
                     no number is {text:?} on line {line}); expected numbers, or fewer values"
                );
                Err(Error::data(file, problem, drop))
            }
            _ => Ok(()),
        }
    }

    fn column(&self) -> Column {
        Column {
            name: self.name.clone(),
            values: match self.text {
                Some(_) => self.values.iter().cloned().collect(),
                None => Vec::new(),
            },
            missing: self.missing.then_some(0.0),
        }
    }
}

impl Learned {
    /// The class of each row; all of them, in the order of the files.
    pub(super) fn classes(&self) -> impl Iterator<Item = u32> {
        let classes = match &self.wanted {
            Wanted::Classes(classes) => &classes[..],
            Wanted::Numbers => &[],
        };
        let place = |text: &String| classes.iter().position(|class| class == text);
        self.texts
            .iter()
            .map(move |text| place(text).unwrap_or(0) as u32)
    }

    /// Goes through the files again: how columns become features, these, and the targets, row by row.
    /// Missing numbers are the mean over the rows `train`.
    pub(super) fn read(
        &self,
        source: &Csvs,
        files: &[PathBuf],
        train: &[u32],
        task: &Task,
    ) -> Result<(Table, Vec<f32>, Vec<f32>)> {
        let columns: Vec<Column> = self.columns.iter().map(Seen::column).collect();
        let mut table = Table {
            columns,
            target: self.target.clone(),
        };
        let rows = self.rows.iter().map(|rows| *rows as usize).sum::<usize>();
        let mut values = Vec::with_capacity(rows * table.width());
        let mut targets: Vec<f32> = match task {
            Task::Classes(_) => self.classes().map(|class| class as f32).collect(),
            _ => Vec::with_capacity(rows * self.target.len()),
        };
        for file in files {
            let mut csv = Csv::open(file)?;
            let target = named(&csv, file, "target", &source.target)?;
            while let Some(row) = csv.next_row()? {
                let row = row.clone();
                for (column, seen) in table.columns.iter().zip(&self.columns) {
                    let encoded = column.encode(&row[seen.at], &mut values);
                    encoded
                        .map_err(|expected| csv.wrong(seen.at, &expected, "correct the field"))?;
                }
                if let Task::Numbers(_) = task {
                    for at in &target {
                        let value = number(row[*at].trim());
                        targets.push(
                            value.map_err(|expected| {
                                csv.wrong(*at, expected, "correct the field")
                            })?,
                        );
                    }
                }
            }
        }
        fill(&mut table, &mut values, train);
        Ok((table, values, targets))
    }
}

/// Puts the mean over the rows `train` in place of numbers that are missing.
fn fill(table: &mut Table, values: &mut [f32], train: &[u32]) {
    let width = table.width();
    let mut first = 0;
    for column in &mut table.columns {
        let at = first;
        first += column.width();
        if column.missing.is_none() || !column.values.is_empty() {
            continue;
        }
        let present = train
            .iter()
            .map(|row| &values[*row as usize * width..][at..at + 2]);
        let present = present.filter(|pair| pair[1] == 0.0);
        let (sum, count) = present.fold((0.0, 0_u32), |(sum, count), pair| {
            (sum + f64::from(pair[0]), count + 1)
        });
        let mean = sum / f64::from(count.max(1));
        column.missing = Some(mean);
        for row in values
            .chunks_exact_mut(width)
            .filter(|row| row[at + 1] == 1.0)
        {
            row[at] = mean as f32;
        }
    }
}
