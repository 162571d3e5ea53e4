//! `wavetrain report`: the page of a run, of a range test or of a comparison, again.

use std::path::PathBuf;
use std::process::ExitCode;

use super::output::Output;
use crate::error::Result;
use crate::page::write_page;

/// Writes the page of a run, of a range test or of a comparison again, from its folder alone
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder of the run, or of `wavetrain find` or `wavetrain compare`
    #[arg(value_name = "FOLDER")]
    run: PathBuf,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<ExitCode> {
    let page = write_page(&arguments.run)?;
    output.text(&format!("{}\n", page.display()))?;
    Ok(ExitCode::SUCCESS)
}
