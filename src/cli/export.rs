//! `wavetrain export`: a trained network for other programs.

use std::path::PathBuf;
use std::process::ExitCode;

use super::output::Output;
use crate::data::Storage;
use crate::error::Result;
use crate::export;
use crate::kernel::program::mebibytes;
use crate::model::Model;
use crate::report::folder::model_file;

/// Writes a trained network as an ONNX model
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder of a run, or a model.safetensors
    #[arg(value_name = "RUN | FILE.safetensors")]
    model: PathBuf,
    /// The ONNX file to write
    #[arg(long, value_name = "FILE.onnx")]
    onnx: PathBuf,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<ExitCode> {
    let model = Model::open(&model_file(&arguments.model)?)?;
    let bytes = export::onnx(&model)?;
    output.write_file("--onnx", &arguments.onnx, |file| file.write_all(&bytes))?;
    let shape: Vec<String> = model
        .description
        .input
        .iter()
        .map(usize::to_string)
        .collect();
    let values = match model.description.values {
        Storage::Bytes => "f32, 0 to 255; the normalisation is inside",
        Storage::Floats => "f32, as in the data; the normalisation is inside",
        Storage::Tokens => "i64, tokens",
    };
    output.text(&format!(
        "{}: {}\n  {}   [batch, {}], {values}\n  {}, {}   \
         [batch, {}]\n",
        arguments.onnx.display(),
        mebibytes(bytes.len() as u64),
        export::INPUT,
        shape.join(", "),
        export::LOGITS,
        match model.description.units.width() {
            0 => export::PROBABILITIES,
            _ => export::PREDICTIONS,
        },
        model.description.classes.len()
    ))?;
    Ok(ExitCode::SUCCESS)
}
