//! `wavetrain runs`: a table of runs, comparisons and range tests.

use std::path::PathBuf;
use std::process::ExitCode;

use super::output::{self, Output};
use crate::error::Result;
use crate::report::listing;

/// Lists runs, comparisons and range tests in a folder: how each ended and what it reached
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
    let listing = listing::list(&arguments.folder)?;
    if arguments.json {
        output.json(&listing.listed)?;
    } else {
        output.text(&listing::text(&listing.listed))?;
    }
    let left_out = listing.left_out.iter();
    let notes = left_out.map(|(path, why)| format!("{}: {why}", path.display()));
    output::note(&notes.collect::<Vec<_>>());
    Ok(ExitCode::SUCCESS)
}
