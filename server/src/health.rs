//! `doorward health`: the image's health check.

use std::process::ExitCode;

/// Ask the running server whether it is well
#[derive(clap::Args, Debug, Default)]
pub struct Args {}

/// Runs the command.
pub async fn run(_args: Args) -> ExitCode {
    ExitCode::FAILURE
}
