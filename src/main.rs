//! The `wavetrain` program: sets up the engine's own words (`RUST_LOG`) and hands over to
//! [`wavetrain::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    wavetrain::cli::name_folder();
    let env = env_logger::Env::default().default_filter_or("warn");
    env_logger::Builder::from_env(env).init();
    wavetrain::cli::main(std::env::args_os())
}
