//! What a network of text makes of texts: how well it predicts them, and what it expects next.

use std::fmt::Write as _;

use serde_json::json;

use super::Arguments;
use crate::cli::loading;
use crate::cli::options::Globals;
use crate::cli::output::Output;
use crate::data::Samples;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::train::{Evaluator, Generator, Likely, evaluation_batch, likely};

/// A text and where it comes from.
struct Text {
    name: String,
    tokens: Vec<u32>,
}

/// How well a text is predicted, where it is longer than a window.
struct Figures {
    loss: f64,
    accuracy: f64,
}

pub(super) fn run(
    arguments: &Arguments,
    model: &Model,
    globals: &Globals,
    output: &mut Output,
) -> Result<()> {
    let gpu = globals.open()?;
    let mut generator = Generator::new(std::sync::Arc::clone(&gpu), model, 1)?;
    let mut texts = Vec::new();
    for path in &arguments.files()? {
        let name = path.display().to_string();
        let tokens = match generator.vocabulary().is_bytes() {
            true => match &loading::bytes(path)?[..] {
                [] => generator.prompt("")?,
                bytes => bytes.iter().copied().map(u32::from).collect(),
            },
            false => {
                let tokens = generator.prompt(&loading::text(path)?);
                tokens.map_err(|error| of_file(error, &name))?
            }
        };
        texts.push(Text { name, tokens });
    }
    if let Some(prompt) = &arguments.prompt {
        let tokens = generator.prompt(prompt)?;
        let name = "prompt".to_owned();
        texts.push(Text { name, tokens });
    }
    let sizes = [generator.context(), model.description.symbols];
    let batch = evaluation_batch(1, &model.network()?);
    let mut evaluator = Evaluator::new(gpu, model, batch)?;
    let symbols = &model.description.classes;
    let (mut shown, mut told) = (String::new(), Vec::new());
    for text in &texts {
        let row = generator
            .next(std::slice::from_ref(&text.tokens))?
            .swap_remove(0);
        let next = likely(&row, evaluator.loss())
            .map_err(|problem| Error::not_finite(format!("{}: {problem}", text.name)))?;
        let next = &next[..next.len().min(usize::from(arguments.top))];
        let figures = figures(&mut evaluator, text, sizes)?;
        show(&mut shown, text, figures.as_ref(), next, symbols);
        told.push(as_json(text, figures.as_ref(), next, symbols));
    }
    match arguments.json {
        true => output.json(&json!({"model": model.path.to_string_lossy(), "predictions": told})),
        false => output.text(&shown),
    }
}

/// What was said of a prompt, of the file that it is from.
fn of_file(error: Error, name: &str) -> Error {
    match error {
        Error::Argument {
            found,
            expected,
            help,
            ..
        } => Error::Argument {
            what: name.to_owned(),
            found,
            expected,
            help,
        },
        other => other,
    }
}

fn figures(
    evaluator: &mut Evaluator,
    text: &Text,
    [context, symbols]: [usize; 2],
) -> Result<Option<Figures>> {
    if text.tokens.len() <= context {
        return Ok(None);
    }
    let samples = Samples::windows([context, symbols], text.tokens.clone())?;
    let all: Vec<u32> = (0..samples.len() as u32).collect();
    let outputs = evaluator.run(&samples, &all)?;
    Ok(Some(Figures {
        loss: outputs.loss,
        accuracy: outputs.accuracy,
    }))
}

fn show(
    shown: &mut String,
    text: &Text,
    figures: Option<&Figures>,
    next: &[Likely],
    symbols: &[String],
) {
    let _ = write!(shown, "{}: {} tokens", text.name, text.tokens.len());
    if let Some(Figures { loss, accuracy }) = figures {
        let (perplexity, share) = (loss.exp(), 100.0 * accuracy);
        let _ = write!(
            shown,
            "; loss {loss:.4}, perplexity {perplexity:.4}, accuracy {share:.2} %"
        );
    }
    shown.push_str("; next\n");
    let name = |likely: &Likely| symbols[likely.class].escape_debug().to_string();
    let width = next.iter().map(|likely| name(likely).chars().count()).max();
    let width = width.unwrap_or(0);
    for likely in next {
        let share = 100.0 * likely.probability;
        let _ = writeln!(shown, "  {:<width$}  {share:>6.2} %", name(likely));
    }
}

fn as_json(
    text: &Text,
    figures: Option<&Figures>,
    next: &[Likely],
    symbols: &[String],
) -> serde_json::Value {
    let next: Vec<_> = next
        .iter()
        .map(|likely| {
            json!({
                "class": likely.class,
                "name": symbols[likely.class],
                "probability": likely.probability,
                "output": likely.output,
            })
        })
        .collect();
    json!({
        "text": text.name,
        "tokens": text.tokens.len(),
        "loss": figures.map(|figures| figures.loss),
        "perplexity": figures.map(|figures| figures.loss.exp()),
        "accuracy": figures.map(|figures| figures.accuracy),
        "next": next,
    })
}
