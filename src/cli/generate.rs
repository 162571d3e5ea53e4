//! `wavetrain generate`: a trained network goes on with a text.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::loading;
use super::options::Globals;
use super::output::{Output, STDOUT};
use crate::error::{Error, Result, shown};
use crate::model::Model;
use crate::report::folder::model_file;
use crate::train::{Generator, Sampling};

/// Goes on with a text, as a trained network of text would
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder of a run, or a model.safetensors
    #[arg(value_name = "RUN | FILE.safetensors")]
    model: PathBuf,
    /// How the text begins [default: at the start of a line]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: Option<String>,
    /// The same from a file
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    prompt_file: Option<PathBuf>,
    /// Symbols to be added
    #[arg(long, value_name = "N", default_value_t = 500)]
    length: usize,
    /// 0 takes the likeliest symbol each time; below 1 the likely ones come more often
    #[arg(
        long,
        value_name = "T",
        default_value_t = 0.8,
        allow_hyphen_values = true
    )]
    temperature: f64,
    /// Draw from so many of the likeliest symbols
    #[arg(long, value_name = "K", default_value_t = 200)]
    top_k: usize,
    /// Draw from the likeliest symbols that together have this probability
    #[arg(long, value_name = "P", allow_hyphen_values = true)]
    top_p: Option<f64>,
    /// The same seed gives the same text
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many texts
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    count: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    globals: &Globals,
    output: &mut Output,
) -> Result<ExitCode> {
    let sampling = Sampling {
        temperature: arguments.temperature,
        top_k: Some(arguments.top_k),
        top_p: arguments.top_p,
        seed: arguments.seed,
    };
    sampling.check()?;
    let prompt = match &arguments.prompt_file {
        Some(file) => {
            let text = loading::text(file)?;
            // Its last end of line is no part of a prompt.
            text.strip_suffix('\n').unwrap_or(&text).to_owned()
        }
        None => arguments.prompt.clone().unwrap_or_default(),
    };
    let model = Model::open(&model_file(&arguments.model)?)?;
    let count = usize::from(arguments.count);
    let mut generator = Generator::new(globals.open()?, &model, count)?;
    let tokens = generator.prompt(&prompt)?;
    let vocabulary = generator.vocabulary().clone();
    let streams = count == 1 && !arguments.json;
    if streams {
        output.text(&prompt)?;
    }
    let mut first = prompt.is_empty();
    let size = (count, arguments.length);
    let generated = generator.generate(&tokens, size, &sampling, &mut |tokens| {
        if streams {
            let piece = vocabulary.decode(tokens[0], first);
            let piece: Vec<u8> = piece.into_iter().flat_map(shown::byte).collect();
            output.write(|out| out.write_all(&piece))?;
            output.flush()?;
            if output.is_closed() {
                let nobody_reads = std::io::ErrorKind::BrokenPipe.into();
                return Err(Error::io(STDOUT, "writing")(nobody_reads));
            }
            first = false;
        }
        Ok(())
    });
    let texts = match generated {
        Err(_) if output.is_closed() => return Ok(ExitCode::SUCCESS),
        generated => generated?,
    };
    // What stands behind a prompt keeps its space.
    let text = |tokens: &Vec<u32>| -> String {
        let at_start = prompt.is_empty();
        let pieces = tokens.iter().enumerate();
        let bytes: Vec<u8> = pieces
            .flat_map(|(at, token)| vocabulary.decode(*token, at_start && at == 0))
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let texts: Vec<String> = texts.iter().map(text).collect();
    if arguments.json {
        output.json(&json!({
            "model": model.path.to_string_lossy(),
            "prompt": prompt,
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
            "texts": texts,
        }))?;
    } else if streams {
        output.text("\n")?;
    } else {
        for (number, text) in texts.iter().enumerate() {
            output.text(&format!("--- {} of {count}\n{prompt}{text}\n", number + 1))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
