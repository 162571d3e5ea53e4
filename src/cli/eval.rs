//! `wavetrain eval`: loss and accuracy of a trained network.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::loading;
use super::options::Globals;
use super::output::{self, Output};
use crate::config::{Config, Overrides, Tables};
use crate::data::Dataset;
use crate::draw::words::{digits, things};
use crate::error::{Error, Result};
use crate::model::{Model, Weights};
use crate::report::folder::{AVERAGE, CONFIG, SNAPSHOTS, model_file, snapshots};
use crate::train::{self, Errors, Evaluator, Measured, config_of};

/// Measures loss and accuracy of a trained network on the test set, and on the validation set; where
/// a run has them, also of the average of its weights and of its snapshots together
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
    let mut evaluator = Evaluator::for_data(globals.open()?, &model, &config.data)?;
    let measured = evaluator.evaluate(&dataset, &config.data)?;
    let mut results = vec![(model.path.clone(), measured)];
    let average = arguments.model.join(AVERAGE);
    if average.is_file() {
        evaluator.set_weights(&Weights::read(&average)?, &average)?;
        results.push((average, evaluator.evaluate(&dataset, &config.data)?));
    }
    let members = snapshots(&arguments.model);
    refuse_not_finite(&results)?;
    let together = evaluator.evaluate_together(&members, &dataset, &config.data)?;
    let together = Together {
        folder: arguments.model.join(SNAPSHOTS),
        members: members.len(),
        parts: together,
    };
    if arguments.json {
        output.json(&as_json(&dataset.name, &results, &together))?;
    } else {
        output.text(&as_text(&dataset.name, &results, &together))?;
        if let Some(part) = results[0]
            .1
            .iter()
            .find(|part| part.split == train::Split::Test)
        {
            output.text(&by_class(part, dataset.classes()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Finite weights may give a loss that is not.
fn refuse_not_finite(results: &[(PathBuf, Vec<Measured>)]) -> Result<()> {
    for (path, measured) in results {
        if let Some(part) = measured.iter().find(|part| !part.loss.is_finite()) {
            let (path, split) = (path.display(), part.split.name());
            let what = format!("{path}: the loss over the {split} set is {}", part.loss);
            return Err(Error::not_finite(what));
        }
    }
    Ok(())
}

/// The snapshots of a run as an ensemble; without members there is none.
struct Together {
    folder: PathBuf,
    members: usize,
    parts: Vec<train::Together>,
}

fn as_json(data: &str, results: &[(PathBuf, Vec<Measured>)], together: &Together) -> Value {
    let model = |(path, measured): &(PathBuf, Vec<Measured>)| json!({"model": path.to_string_lossy(), "evaluations": measured});
    let models: Vec<_> = results.iter().map(model).collect();
    let mut all = json!({"data": data, "models": models});
    if together.members > 0 {
        all["ensemble"] = json!({
            "snapshots": together.folder.to_string_lossy(),
            "members": together.members,
            "evaluations": together.parts,
        });
    }
    all
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
    config_of(model, &overrides, &Tables::default())
}

fn check_data(model: &Model, dataset: &Dataset) -> Result<()> {
    let description = &model.description;
    let (shape, classes) = (&description.input, &description.classes);
    if dataset.train.shape() != *shape || dataset.task.names().len() != classes.len() {
        return Err(Error::Argument {
            what: format!("the data of {}", dataset.name),
            found: format!(
                "samples of the shape {:?} in {} classes",
                dataset.train.shape(),
                dataset.task.names().len()
            ),
            expected: format!(
                "the shape {shape:?} and {} classes, which {} was trained for",
                classes.len(),
                model.path.display()
            ),
            help: "name the data of the training with --data and --set data.source=NAME".into(),
        });
    }
    if dataset.task.names() != *classes {
        output::note(&[format!(
            "the classes have other names: {} in the data, {} in the model",
            dataset.task.names().join(", "),
            classes.join(", ")
        )]);
    }
    Ok(())
}

/// `accuracy 97.10 %`, or how far numbers are off.
fn figures(accuracy: f64, errors: Option<Errors>) -> String {
    match errors {
        None => format!("accuracy {:.2} %", 100.0 * accuracy),
        Some(errors) => {
            let [rmse, mae] = [errors.rmse, errors.mae].map(digits);
            format!("RMSE {rmse}   MAE {mae}   R² {:.2} %", 100.0 * errors.r2)
        }
    }
}

fn as_text(data: &str, results: &[(PathBuf, Vec<Measured>)], together: &Together) -> String {
    let mut text = String::new();
    for (path, measured) in results {
        let _ = writeln!(text, "{} on {data}", path.display());
        for part in measured {
            let _ = write!(
                text,
                "  {:<12}{:>7} samples   loss {:.4}   {}",
                part.split.name(),
                part.samples,
                part.loss,
                figures(part.accuracy, part.errors)
            );
            if let (Some(perplexity), Some(bits)) = (part.perplexity, part.bits) {
                let _ = write!(text, "   perplexity {perplexity:.4}   {bits:.4} bits");
            }
            if let Some(share) = part.top5 {
                let _ = write!(text, "   top 5 {:.2} %", 100.0 * share);
            }
            if let Some(share) = part.sequences {
                let _ = write!(text, "   whole sequences {:.2} %", 100.0 * share);
            }
            text.push('\n');
        }
    }
    if together.members == 0 {
        return text;
    }
    let (members, folder) = (together.members, together.folder.display());
    let members = things(members as u64, "snapshot");
    let _ = writeln!(text, "{members} of {folder} together on {data}");
    for part in &together.parts {
        let _ = writeln!(
            text,
            "  {:<12}{:>7} samples                 {}",
            part.split.name(),
            part.samples,
            figures(part.accuracy, part.errors)
        );
    }
    text
}

/// The scores of each class on a part of the data; nothing where samples have none.
fn by_class(part: &Measured, names: &[String]) -> String {
    if part.classes.is_empty() {
        return String::new();
    }
    let wide = names
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0)
        .max(5);
    let mut text = format!(
        "{} by class\n  {:<wide$}  samples  precision    recall        F1\n",
        part.split.name(),
        "class"
    );
    for (score, name) in part.classes.iter().zip(names) {
        let [precision, recall, f1] = [score.precision, score.recall, score.f1].map(|s| 100.0 * s);
        let _ = writeln!(
            text,
            "  {name:<wide$}  {:>7}  {precision:>7.2} %  {recall:>6.2} %  {f1:>6.2} %",
            score.samples
        );
    }
    text
}
