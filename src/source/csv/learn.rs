//! What the columns of a table are, before its values are read.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::{Csv, Csvs, Missing, TableTask, is_missing};
use crate::data::{Column, Table, Task, exact, number};
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
    /// Fields that have a value, and those of them that are numbers.
    fields: [u64; 2],
    numbers: Spread,
}

/// How far numbers lie apart, and how far off the floats of 32 bits are that they become.
#[derive(Debug)]
struct Spread {
    least: f64,
    largest: f64,
    off: f64,
}

/// Of the spread of a column's numbers its floats may be off by this share.
const MOST_OFF: f64 = 0.01;

impl Default for Spread {
    fn default() -> Self {
        Self {
            least: f64::INFINITY,
            largest: f64::NEG_INFINITY,
            off: 0.0,
        }
    }
}

impl Spread {
    fn see(&mut self, number: f64) {
        self.least = self.least.min(number);
        self.largest = self.largest.max(number);
        self.off = self.off.max((f64::from(number as f32) - number).abs());
    }

    /// Refuses the numbers of a column that its floats do not tell apart.
    fn check(&self, name: &str, file: &Path) -> Result<()> {
        // One number alone tells nothing apart as it is.
        if self.largest <= self.least || self.off <= MOST_OFF * (self.largest - self.least) {
            return Ok(());
        }
        let problem = format!(
            "the column {name} has numbers from {} to {}, which floats of 32 bits round by up to {}; expected \
             numbers that these tell apart",
            self.least, self.largest, self.off
        );
        let help = "subtract one number from the whole column, such as its least";
        Err(Error::data(file, problem, help))
    }
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
    /// Of the first target of each row its number among the values that were met, in the order in which
    /// they were; empty where there are too many for classes.
    codes: Vec<u32>,
    /// The number of each value.
    values: HashMap<String, u32>,
    /// What is probably not meant.
    pub(super) notes: Vec<String>,
}

/// Goes through all files once.
pub(super) fn learn(source: &Csvs, files: &[PathBuf]) -> Result<Learned> {
    let mut csv = Csv::open(&files[0])?;
    let target = named(&csv, &files[0], "target", &source.target)?;
    let dropped = named(&csv, &files[0], "drop", &source.drop)?;
    each_once(source)?;
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
    let inputs = (0..header.len())
        .filter(|at| !target.contains(at) && !dropped.contains(at))
        .filter(|at| !header[*at].is_empty());
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
        codes: Vec::new(),
        values: HashMap::new(),
        notes: unnamed(&header, &[&target[..], &dropped[..]].concat()),
    };
    // The first target that is no number.
    let mut text = None;
    let mut spreads: Vec<Spread> = target.iter().map(|_| Spread::default()).collect();
    for (part, file) in files.iter().enumerate() {
        if part > 0 {
            csv = Csv::open(file)?;
            same_header(&header, &csv, file)?;
        }
        while csv.next_row()?.is_some() {
            let row = csv.row();
            for column in &mut columns {
                column.see(&csv, source.missing, &row[column.at])?;
            }
            for (at, spread) in target.iter().zip(&mut spreads) {
                let wrong = see_target(&csv, *at, (source.task, text.is_some()), spread)?;
                text = text.or(wrong);
            }
            let field = row[target[0]].trim();
            learned.count(field);
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
    let classes = learned.values.keys().cloned().collect();
    learned.wanted = wanted(source, text, classes)?;
    if let Wanted::Numbers = learned.wanted {
        learned.codes = Vec::new();
        for (name, spread) in learned.target.iter().zip(&spreads) {
            spread.check(name, &files[0])?;
        }
    }
    for column in &columns {
        column.check(&files[0])?;
        learned.notes.extend(column.note());
    }
    learned.columns = columns;
    Ok(learned)
}

/// A note on the column without a name, if there is one that no key names: row names are written so.
fn unnamed(header: &[String], known: &[usize]) -> Vec<String> {
    let at = header.iter().position(String::is_empty);
    let note = at.filter(|at| !known.contains(at)).map(|at| {
        format!(
            "column {} has no name and is left out, like the row names that pandas and R write; give it a name \
             to train on it",
            at + 1
        )
    });
    note.into_iter().collect()
}

/// Looks at a target of the row that was read last; gives what is wrong with it as a number, which it may
/// not be, unless that was `told` of another one.
fn see_target(
    csv: &Csv,
    at: usize,
    (task, told): (TableTask, bool),
    spread: &mut Spread,
) -> Result<Option<Error>> {
    let field = csv.row()[at].trim();
    if is_missing(field) {
        let help = "give each row what is to be predicted, or leave the row out";
        return Err(csv.wrong(at, "a value to predict", help));
    }
    match exact(field) {
        Ok(number) => {
            spread.see(number);
            Ok(None)
        }
        Err(expected) if task == TableTask::Auto && field.parse::<f64>().is_ok() => {
            Err(csv.wrong(at, expected, "correct or drop the row"))
        }
        // Once is enough.
        Err(_) if told => Ok(None),
        Err(_) => Ok(Some(csv.wrong(
            at,
            "a number to predict",
            "set data.task = \"classification\" to predict a class",
        ))),
    }
}

/// Whether classes or numbers are predicted.
fn wanted(source: &Csvs, text: Option<Error>, classes: BTreeSet<String>) -> Result<Wanted> {
    let several = source.target.len() > 1;
    // Numbers among which a text stands by mistake make no classes.
    let numbers = classes.iter().filter(|class| number(class).is_ok()).count();
    let mistake = source.task == TableTask::Auto && numbers > 2 && 2 * numbers > classes.len();
    match (source.task, text) {
        (_, Some(error)) if mistake => Err(error),
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

/// Refuses a column that is named twice, or is predicted and left out.
fn each_once(source: &Csvs) -> Result<()> {
    let twice = |key: &str, found: String, help: &str| {
        Err(Error::Argument {
            what: format!("data.{key}"),
            found,
            expected: "each column once".into(),
            help: help.into(),
        })
    };
    for (at, name) in source.target.iter().enumerate() {
        if source.target[..at].contains(name) {
            return twice("target", format!("{name:?} twice"), "name it once");
        }
        if source.drop.contains(name) {
            let found = format!("{name:?}, which is data.target, too");
            return twice("drop", found, "take it from one of the two lists");
        }
    }
    Ok(())
}

/// The positions of columns that a key names.
fn named(csv: &Csv, file: &Path, key: &str, names: &[String]) -> Result<Vec<usize>> {
    let mut places = Vec::new();
    for name in names {
        let Some(at) = csv.header().iter().position(|column| column == name) else {
            let near = csv.header().iter().min_by_key(|column| {
                let lower = [column.to_lowercase(), name.to_lowercase()];
                strsim::osa_distance(&lower[0], &lower[1])
            });
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
        let is_number = exact(field);
        if let Err(expected) = is_number {
            if field.parse::<f64>().is_ok() {
                return Err(csv.wrong(self.at, expected, "correct or drop the row"));
            }
            if self.text.is_none() {
                self.text = Some((csv.line(), field.to_owned()));
            }
        }
        self.fields[0] += 1;
        if let Ok(number) = is_number {
            self.fields[1] += 1;
            self.numbers.see(number);
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
            (None, _) => self.numbers.check(name, file),
            _ => Ok(()),
        }
    }

    /// Where texts stand among numbers, or are numbers in another writing, a feature for each value is
    /// probably not meant.
    fn note(&self) -> Option<String> {
        let (line, text) = self.text.as_ref()?;
        let ([fields, numbers], name, features) = (self.fields, &self.name, self.values.len());
        let bare: String = text
            .chars()
            .filter(|c| c.is_ascii_digit() || matches!(c, '.' | '-'))
            .collect();
        let otherwise = text
            .chars()
            .any(|c| matches!(c, ',' | '%' | '$' | '€' | '\'' | ' '))
            && !text.chars().any(char::is_alphabetic)
            && bare.parse::<f64>().is_ok();
        let why = match (2 * numbers >= fields, otherwise) {
            (true, _) => format!("{numbers} of {fields} fields are numbers"),
            (false, true) => "its fields look like numbers in another writing".to_owned(),
            _ => return None,
        };
        Some(format!(
            "the column {name} becomes {features} features, one for each value, because line {line} has {text:?}; \
             {why}: write numbers as 1234.5, and NA where a value is missing, if numbers are meant"
        ))
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
    /// Counts the first target of a row.
    fn count(&mut self, field: &str) {
        if self.values.len() >= MOST_COUNTED {
            self.codes = Vec::new();
            return;
        }
        let code = match self.values.get(field) {
            Some(code) => *code,
            None => {
                let code = self.values.len() as u32;
                self.values.insert(field.to_owned(), code);
                code
            }
        };
        self.codes.push(code);
    }

    /// The class of each row; all of them, in the order of the files.
    pub(super) fn classes(&self) -> impl Iterator<Item = u32> {
        let classes = match &self.wanted {
            Wanted::Classes(classes) => &classes[..],
            Wanted::Numbers => &[],
        };
        let mut places = vec![0; self.values.len()];
        for (class, value) in (0..).zip(classes) {
            if let Some(code) = self.values.get(value) {
                places[*code as usize] = class;
            }
        }
        let codes = self.codes.iter();
        codes.map(move |code| places[*code as usize])
    }

    /// How columns become features. Missing numbers are the mean over the rows that are not `is_test`: where
    /// there are any, the files are gone through for it.
    pub(super) fn table(&self, files: &[PathBuf], is_test: &[bool]) -> Result<Table> {
        let mut columns: Vec<Column> = self.columns.iter().map(Seen::column).collect();
        let lacking: Vec<usize> = (0..columns.len())
            .filter(|at| columns[*at].missing.is_some() && columns[*at].values.is_empty())
            .collect();
        let mut sums = vec![(0.0, 0_u32); lacking.len()];
        if !lacking.is_empty() {
            let mut tested = is_test.iter();
            for file in files {
                let mut csv = Csv::open(file)?;
                while let Some(row) = csv.next_row()? {
                    if tested.next() != Some(&false) {
                        continue;
                    }
                    for (sum, at) in sums.iter_mut().zip(&lacking) {
                        let value = number(row[self.columns[*at].at].trim());
                        let present = value
                            .ok()
                            .filter(|_| !is_missing(&row[self.columns[*at].at]));
                        if let Some(value) = present {
                            *sum = (sum.0 + f64::from(value), sum.1 + 1);
                        }
                    }
                }
            }
        }
        for ((sum, count), at) in sums.into_iter().zip(lacking) {
            columns[at].missing = Some(sum / f64::from(count.max(1)));
        }
        Ok(Table {
            columns,
            target: self.target.clone(),
        })
    }

    /// Goes through the files again: gives `each` row's number, features and targets, a class being its
    /// number.
    pub(super) fn rows(
        &self,
        source: &Csvs,
        files: &[PathBuf],
        (table, task): (&Table, &Task),
        mut each: impl FnMut(u32, &[f32], &[f32]) -> Result<()>,
    ) -> Result<()> {
        let mut classes = self.classes();
        let (mut values, mut learned) = (Vec::with_capacity(table.width()), Vec::new());
        let all: u32 = self.rows.iter().sum();
        let mut number_of_row = 0;
        for file in files {
            let mut csv = Csv::open(file)?;
            let target = named(&csv, file, "target", &source.target)?;
            while csv.next_row()?.is_some() {
                let row = csv.row();
                values.clear();
                learned.clear();
                for (column, seen) in table.columns.iter().zip(&self.columns) {
                    let encoded = column.encode(&row[seen.at], &mut values);
                    encoded
                        .map_err(|expected| csv.wrong(seen.at, &expected, "correct the field"))?;
                }
                match task {
                    Task::Classes(_) => learned.push(classes.next().unwrap_or(0) as f32),
                    _ => {
                        for at in &target {
                            let value = number(row[*at].trim());
                            learned.push(value.map_err(|expected| {
                                csv.wrong(*at, expected, "correct the field")
                            })?);
                        }
                    }
                }
                if number_of_row == all {
                    return Err(changed(file));
                }
                each(number_of_row, &values, &learned)?;
                number_of_row += 1;
            }
        }
        match number_of_row == all {
            true => Ok(()),
            false => Err(changed(&files[0])),
        }
    }
}

/// A file that another program writes to.
fn changed(file: &Path) -> Error {
    let problem =
        "has another number of rows than a moment ago; expected a file that stays as it is";
    Error::data(file, problem, "run again when nothing writes to it")
}
