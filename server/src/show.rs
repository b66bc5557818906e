//! `doorward config`: the settings in force.

use std::process::ExitCode;

/// Print the settings in force, secrets masked
#[derive(clap::Args, Debug, Default)]
pub struct Args {}

/// Runs the command.
pub async fn run(_args: Args) -> ExitCode {
    ExitCode::FAILURE
}
