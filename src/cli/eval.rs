//! `wavetrain eval`: loss and accuracy of a trained network.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use super::loading;
use super::options::Globals;
use super::output::{self, Output};
use crate::config::{Config, Overrides};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::report::folder::{CONFIG, model_file};
use crate::train::{Evaluator, Measured, Split, config_of, evaluation_batch};

/// Measures loss and accuracy of a trained network on the test set, and on what was held out
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder of a run, or a model.safetensors
    #[arg(value_name = "RUN | FILE.safetensors")]
    model: PathBuf,
    /// The folder with the data: sets data.dir
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Sets a key of [data], for example data.validation=0.1; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    globals: &Globals,
    output: &mut Output,
) -> Result<ExitCode> {
    check_keys(&arguments.set)?;
    let model = Model::open(&model_file(&arguments.model)?)?;
    let config = config(arguments, &model)?;
    let dataset = loading::load(&config)?;
    check_data(&model, &dataset)?;
    let batch = evaluation_batch(config.data.batch);
    let mut evaluator = Evaluator::new(globals.open()?, &model, batch)?;
    let measured = evaluator.evaluate(&dataset, &config.data)?;
    let results = [(model.path.as_path(), measured)];
    if arguments.json {
        let models: Vec<_> = results
            .iter()
            .map(|(path, measured)| json!({"model": path, "evaluations": measured}))
            .collect();
        output.json(&json!({"data": dataset.name, "models": models}))?;
    } else {
        output.text(&as_text(&dataset.name, &results))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Only the data can be chosen: the rest is the model's own.
fn check_keys(set: &[String]) -> Result<()> {
    for set in set {
        let key = set.split('=').next().unwrap_or_default().trim();
        if key.starts_with("data.") && key != "data.normalize" {
            continue;
        }
        return Err(Error::Argument {
            what: "--set".into(),
            found: format!("`{set}`"),
            expected: "a key of [data] other than data.normalize".into(),
            help: "layers, loss and normalisation are those that the model was trained with".into(),
        });
    }
    Ok(())
}

/// The configuration of the run, or what the file says itself.
fn config(arguments: &Arguments, model: &Model) -> Result<Config> {
    let overrides = Overrides {
        set: arguments.set.clone(),
        data: arguments.data.clone(),
        seed: None,
    };
    let of_run = arguments.model.join(CONFIG);
    if arguments.model.is_dir() && of_run.is_file() {
        // A name without a slash would be a preset's.
        let of_run = Path::new(".").join(of_run);
        return Config::load(Some(&of_run), &overrides);
    }
    config_of(model, &overrides)
}

fn check_data(model: &Model, dataset: &Dataset) -> Result<()> {
    let description = &model.description;
    let (shape, classes) = (&description.input, &description.classes);
    if dataset.train.shape != *shape || dataset.classes.len() != classes.len() {
        return Err(Error::Argument {
            what: format!("the data of {}", dataset.name),
            found: format!(
                "samples of the shape {:?} in {} classes",
                dataset.train.shape,
                dataset.classes.len()
            ),
            expected: format!(
                "the shape {shape:?} and {} classes, which {} was trained for",
                classes.len(),
                model.path.display()
            ),
            help: "name the data of the training with --data and --set data.source=NAME".into(),
        });
    }
    if dataset.classes != *classes {
        output::note(&[format!(
            "the classes have other names: {} in the data, {} in the model",
            dataset.classes.join(", "),
            classes.join(", ")
        )]);
    }
    Ok(())
}

fn as_text(data: &str, results: &[(&Path, Vec<Measured>)]) -> String {
    let mut text = String::new();
    for (path, measured) in results {
        let _ = writeln!(text, "{} on {data}", path.display());
        for part in measured {
            let name = match part.split {
                Split::Train => "training",
                Split::Validation => "validation",
                Split::Test => "test",
            };
            let _ = writeln!(
                text,
                "  {name:<12}{:>7} samples   loss {:.4}   accuracy {:.2} %",
                part.samples,
                part.loss,
                100.0 * part.accuracy
            );
        }
    }
    text
}
