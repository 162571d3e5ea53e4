//! `wavetrain data`: data sets on this machine.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use clap::builder::PossibleValuesParser;

use super::loading;
use super::options::as_flag;
use super::output::{self, Output};
use crate::data::Loading;
use crate::error::Result;
use crate::fetch::{COLLECTIONS, collection};
use crate::source::source;

/// Gets data sets
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Downloads the official files of a data set, and checks their hashes; a download that was
    /// interrupted is continued
    Get {
        /// Which data set
        #[arg(value_parser = names())]
        name: String,
        /// Where the files go [default: data/NAME]
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        /// Another server that has the same files: the address of the folder they are in
        #[arg(long, value_name = "URL")]
        from: Option<String>,
    },
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(COLLECTIONS.iter().map(|entry| entry.source))
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<ExitCode> {
    let Command::Get { name, to, from } = &arguments.command;
    let Some(collection) = collection(name) else {
        // The parser accepts names of the table only.
        return Ok(ExitCode::from(2));
    };
    let folder = to
        .clone()
        .unwrap_or_else(|| PathBuf::from("data").join(name));
    let bar = loading::bar("{msg} {wide_bar} {binary_bytes}/{binary_total_bytes} {eta}");
    let got = collection.get(from.as_deref(), &folder, &|event| match event {
        Loading::Progress { doing, done, total } => {
            bar.set_length(total as u64);
            bar.set_message(doing.to_owned());
            bar.set_position(done as u64);
        }
        Loading::Note(note) => bar.suspend(|| output::note(&[note.to_owned()])),
    });
    bar.finish_and_clear();
    let files = got.map_err(|error| as_flag(error, &[]))?;
    let (count, place) = (files.len(), folder.display());
    // A name that is no source's is a text's.
    let source = source(name).map_or("text", |entry| entry.name);
    output.text(&format!(
        "{place}: {count} of {count} files, all with the right SHA-256\n\
         for training: --set data.source={source} --data {place}\n"
    ))?;
    Ok(ExitCode::SUCCESS)
}
