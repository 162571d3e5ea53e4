//! `wavetrain presets`: what is embedded.

use std::fmt::Write;
use std::process::ExitCode;

use serde_json::json;

use super::output::Output;
use crate::config::presets::{self, PRESETS};
use crate::error::Result;

/// Lists the embedded presets, or prints one: the starting point for your own file
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print the TOML of this preset, with comments
    name: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<ExitCode> {
    match (&arguments.name, arguments.json) {
        (None, false) => output.text(&list())?,
        (None, true) => {
            let all: Vec<_> = PRESETS
                .iter()
                .map(|preset| {
                    let default = preset.name == presets::DEFAULT;
                    json!({"name": preset.name, "summary": preset.summary, "default": default})
                })
                .collect();
            output.json(&all)?;
        }
        (Some(name), false) => output.text(presets::find(name)?.text)?,
        (Some(name), true) => {
            let preset = presets::find(name)?;
            output.json(
                &json!({"name": preset.name, "summary": preset.summary, "toml": preset.text}),
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list() -> String {
    let longest = PRESETS.iter().map(|preset| preset.name.len()).max();
    let width = longest.unwrap_or(0);
    let mut text = String::new();
    for preset in PRESETS {
        let _ = writeln!(text, "{:width$}  {}", preset.name, preset.summary);
    }
    text.push_str("\nwavetrain presets NAME prints one, commented: the start of your own file.\n");
    text
}
