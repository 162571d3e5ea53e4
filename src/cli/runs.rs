//! `wavetrain runs`: a table of runs.

use std::path::PathBuf;
use std::process::ExitCode;

use super::output::Output;
use crate::error::Result;
use crate::report::listing;

/// Lists the runs in a folder: how each ended and what it reached
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder
    #[arg(value_name = "DIR", default_value = "runs")]
    folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<ExitCode> {
    let runs = listing::list(&arguments.folder)?;
    if arguments.json {
        output.json(&runs)?;
    } else {
        output.text(&listing::text(&runs))?;
    }
    Ok(ExitCode::SUCCESS)
}
