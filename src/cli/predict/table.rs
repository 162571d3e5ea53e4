//! What a network says of the rows of tables: the same rows with the predictions behind them.

use std::path::Path;

use serde_json::json;

use super::{Arguments, predicted};
use crate::cli::options::Globals;
use crate::cli::output::{self, Output};
use crate::data::Table;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::source::Csv;
use crate::train::{Evaluator, Prediction, evaluation_batch};

/// The rows of a file and what the network says of them.
struct Told {
    header: Vec<String>,
    delimiter: u8,
    rows: Vec<Vec<String>>,
    /// What is predicted: its columns, and the fields of each row.
    columns: Vec<String>,
    predictions: Vec<Vec<String>>,
}

pub(super) fn run(
    arguments: &Arguments,
    (model, table): (&Model, &Table),
    globals: &Globals,
    output: &mut Output,
) -> Result<()> {
    let mut evaluator = Evaluator::new(
        globals.open()?,
        model,
        evaluation_batch(0, &model.network()?),
    )?;
    let mut told = Vec::new();
    let files = arguments.files()?;
    for path in &files {
        told.push((path, tell(&mut evaluator, (model, table), path)?));
    }
    if arguments.json {
        let all: Vec<_> = told
            .iter()
            .map(|(path, told)| {
                let rows: Vec<_> = told
                    .predictions
                    .iter()
                    .map(|row| {
                        let pairs = told
                            .columns
                            .iter()
                            .cloned()
                            .zip(row.iter().cloned().map(value));
                        serde_json::Value::Object(pairs.collect())
                    })
                    .collect();
                json!({"file": path, "predictions": rows})
            })
            .collect();
        return output.json(&json!({"model": model.path, "predictions": all}));
    }
    for (path, told) in &told {
        let text = written(told).map_err(|error| Error::Argument {
            what: path.display().to_string(),
            found: error.to_string(),
            expected: "rows that can be written".into(),
            help: "check the file".into(),
        })?;
        output.text(&text)?;
    }
    Ok(())
}

/// A field as JSON: a number where it is one.
fn value(field: String) -> serde_json::Value {
    match field.parse::<f64>() {
        Ok(number) => json!(number),
        Err(_) => json!(field),
    }
}

/// The table as CSV.
fn written(told: &Told) -> std::result::Result<String, csv::Error> {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(told.delimiter)
        .from_writer(Vec::new());
    writer.write_record(told.header.iter().chain(&told.columns))?;
    for (row, predictions) in told.rows.iter().zip(&told.predictions) {
        writer.write_record(row.iter().chain(predictions))?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn tell(evaluator: &mut Evaluator, (model, table): (&Model, &Table), path: &Path) -> Result<Told> {
    let mut csv = Csv::open(path)?;
    let places = places(&csv, table, path)?;
    let (mut values, mut rows) = (Vec::new(), Vec::new());
    let mut unknown = 0_u64;
    while let Some(row) = csv.next_row()? {
        let row = row.clone();
        for (column, at) in table.columns.iter().zip(&places) {
            let field = row[*at].trim();
            unknown += u64::from(column.is_unknown(field));
            let encoded = column.encode(field, &mut values);
            encoded.map_err(|expected| {
                csv.wrong(
                    *at,
                    &expected,
                    "correct the field, or train with data.missing = \"mean\"",
                )
            })?;
        }
        rows.push(row.iter().map(String::from).collect());
    }
    if unknown > 0 {
        output::note(&[format!(
            "{}: fields with texts that the training did not have: {unknown}; they count as none of its",
            path.display()
        )]);
    }
    let header = csv.header().to_vec();
    let (columns, predictions) = match rows.is_empty() {
        true => (columns(model, table), Vec::new()),
        false => (
            columns(model, table),
            predictions(evaluator, model, values)?,
        ),
    };
    Ok(Told {
        header,
        delimiter: csv.delimiter(),
        rows,
        columns,
        predictions,
    })
}

/// Where the columns of the table are in a file.
fn places(csv: &Csv, table: &Table, path: &Path) -> Result<Vec<usize>> {
    let place = |name: &String| {
        let found = csv.header().iter().position(|column| column == name);
        found.ok_or_else(|| {
            let problem = format!(
                "has no column {name}; expected the columns of the training: {}",
                table
                    .columns
                    .iter()
                    .map(|c| c.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            );
            Error::data(
                path,
                problem,
                "name the columns as in the training; their order does not count",
            )
        })
    };
    table
        .columns
        .iter()
        .map(|column| place(&column.name))
        .collect()
}

fn columns(model: &Model, table: &Table) -> Vec<String> {
    let predicted = table.target.iter().map(|name| format!("predicted {name}"));
    let sure = (model.description.units.width() == 0).then(|| "probability".to_owned());
    predicted.chain(sure).collect()
}

fn predictions(
    evaluator: &mut Evaluator,
    model: &Model,
    values: Vec<f32>,
) -> Result<Vec<Vec<String>>> {
    let classes = &model.description.classes;
    let told = predicted(evaluator, model, values)?.into_iter();
    let fields = told.map(|prediction| match prediction {
        Prediction::Classes(likely) => {
            let best = likely.first();
            let fields =
                best.map(|best| [classes[best.class].clone(), best.probability.to_string()]);
            fields.map_or_else(Vec::new, Vec::from)
        }
        Prediction::Numbers(numbers) => numbers.iter().map(f32::to_string).collect(),
    });
    Ok(fields.collect())
}
