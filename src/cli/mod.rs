//! The program (the roof): parses arguments, calls one library operation, prints, sets the exit
//! status. One file for each command; nothing here that a Rust user of the library would miss.

mod bench;
mod compare;
mod data;
mod devices;
mod display;
mod eval;
mod export;
mod find;
mod flags;
mod generate;
mod kernels;
mod loading;
mod options;
mod output;
mod plan;
mod predict;
mod presets;
mod replay;
mod report;
mod runs;
mod schedule;
mod signals;
mod train;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Result;
pub use display::name_folder;
use options::Globals;
use output::Output;

const EXIT_STATUS: &str = "Exit status: 0 done; 2 a mistake in arguments, configuration or data, \
    or no usable adapter; 1 a failure while running; 130 after Ctrl-C, 143 after SIGTERM: the run can go on.";

/// Trains neural networks with cyclical learning rates on any GPU, or on a software adapter.
#[derive(Debug, Parser)]
#[command(name = "wavetrain", version, after_help = EXIT_STATUS, max_term_width = 100)]
struct Program {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

/// The table of commands: the only place that lists them.
#[derive(Debug, Subcommand)]
enum Command {
    Train(train::Arguments),
    Find(find::Arguments),
    Compare(compare::Arguments),
    Eval(eval::Arguments),
    Predict(predict::Arguments),
    Generate(generate::Arguments),
    Export(export::Arguments),
    Schedule(schedule::Arguments),
    Plan(plan::Arguments),
    Presets(presets::Arguments),
    Data(data::Arguments),
    Devices(devices::Arguments),
    Kernels(kernels::Arguments),
    Replay(replay::Arguments),
    Report(report::Arguments),
    Runs(runs::Arguments),
    Bench(bench::Arguments),
}

impl Command {
    fn run(&self, globals: &Globals, output: &mut Output) -> Result<ExitCode> {
        match self {
            Self::Train(arguments) => train::run(arguments, globals, output),
            Self::Find(arguments) => find::run(arguments, globals, output),
            Self::Compare(arguments) => compare::run(arguments, globals, output),
            Self::Eval(arguments) => eval::run(arguments, globals, output),
            Self::Predict(arguments) => predict::run(arguments, globals, output),
            Self::Generate(arguments) => generate::run(arguments, globals, output),
            Self::Export(arguments) => export::run(arguments, output),
            Self::Schedule(arguments) => schedule::run(arguments, output),
            Self::Plan(arguments) => plan::run(arguments, globals, output),
            Self::Presets(arguments) => presets::run(arguments, output),
            Self::Data(arguments) => data::run(arguments, output),
            Self::Devices(arguments) => devices::run(arguments, globals, output),
            Self::Kernels(arguments) => kernels::run(arguments, globals, output),
            Self::Replay(arguments) => replay::run(arguments, globals, output),
            Self::Report(arguments) => report::run(arguments, output),
            Self::Runs(arguments) => runs::run(arguments, output),
            Self::Bench(arguments) => bench::run(arguments, globals, output),
        }
    }
}

/// Runs the program with its arguments (the first is the program's name) and gives its exit
/// status.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let program = match Program::try_parse_from(arguments) {
        Ok(program) => program,
        Err(error) => {
            // Help and version are no mistakes; clap knows. A closed pipe is nobody's either.
            match error.use_stderr() {
                true => output::complain_of_arguments(&error),
                false => {
                    let _ = error.print();
                }
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    signals::end_at_once();
    let mut output = Output::stdout();
    let ended = program.command.run(&program.globals, &mut output);
    let ended = ended.and_then(|code| output.flush().map(|()| code));
    ended.unwrap_or_else(|error| {
        output::complain(&error);
        ExitCode::from(if error.is_users_mistake() { 2 } else { 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_well_formed() {
        Program::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does() {
        for command in Program::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
        }
    }
}
