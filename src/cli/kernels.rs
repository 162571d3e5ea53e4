//! `wavetrain kernels`: the shaders.

use std::fmt::Write;
use std::process::ExitCode;

use serde_json::json;

use super::options::Globals;
use super::output::Output;
use crate::config::nearest;
use crate::error::{Error, Result};
use crate::product::catalogue::{self, Kernel};

/// Lists the shaders and what each computes, or prints one as the driver gets it
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print the composed WGSL of this shader
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(
    arguments: &Arguments,
    globals: &Globals,
    output: &mut Output,
) -> Result<ExitCode> {
    let class = globals.kernels.map(Into::into);
    let kernels = catalogue::kernels(class);
    match &arguments.name {
        None if arguments.json => {
            let all: Vec<_> = kernels
                .iter()
                .map(|kernel| json!({"name": kernel.name, "summary": kernel.summary, "file": kernel.file}))
                .collect();
            output.json(&all)?;
        }
        None => output.text(&list(&kernels))?,
        Some(name) => {
            let kernel = find(&kernels, name)?;
            if arguments.json {
                output.json(&json!({
                    "name": kernel.name,
                    "summary": kernel.summary,
                    "file": kernel.file,
                    "wgsl": kernel.text(),
                }))?;
            } else {
                output.text(&kernel.text())?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn find<'a>(kernels: &'a [Kernel], name: &str) -> Result<&'a Kernel> {
    // `relu` is enough where only one folder has it.
    let is_it = |kernel: &&Kernel| kernel.name == name;
    let ends = |kernel: &&Kernel| kernel.name.rsplit('/').next() == Some(name);
    kernels
        .iter()
        .find(is_it)
        .or_else(|| kernels.iter().find(ends))
        .ok_or_else(|| {
            let near = nearest(name, kernels.iter().map(|kernel| kernel.name.as_str()));
            Error::Argument {
                what: "kernel".into(),
                found: format!("`{name}`"),
                expected: "the name of a shader".into(),
                help: match near {
                    Some(near) => format!("did you mean `{near}`? `wavetrain kernels` lists all"),
                    None => "`wavetrain kernels` lists all".into(),
                },
            }
        })
}

fn list(kernels: &[Kernel]) -> String {
    let width = kernels.iter().map(|kernel| kernel.name.len()).max();
    let width = width.unwrap_or(0);
    let mut text = String::new();
    for kernel in kernels {
        let _ = writeln!(text, "{:width$}  {}", kernel.name, kernel.summary);
    }
    text += "\nwavetrain kernels NAME prints one as the driver gets it.\n";
    text
}
