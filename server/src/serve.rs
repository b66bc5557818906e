//! `doorward serve`: the server.

use std::process::ExitCode;

/// Serve (also what happens without a command)
#[derive(clap::Args, Debug, Default)]
pub struct Args {}

/// Runs the command.
pub async fn run(_args: Args) -> ExitCode {
    ExitCode::FAILURE
}
