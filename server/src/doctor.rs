//! `doorward doctor`: the guide's diagnostic.

use std::process::ExitCode;

/// Check a running server, step by step
#[derive(clap::Args, Debug, Default)]
pub struct Args {}

/// Runs the command.
pub async fn run(_args: Args) -> ExitCode {
    ExitCode::FAILURE
}
