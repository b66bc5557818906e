//! `doorward inspect`: why a token is accepted or refused.

use std::process::ExitCode;

/// Say what is wrong with a token, and which setting to change
#[derive(clap::Args, Debug, Default)]
pub struct Args {}

/// Runs the command.
pub async fn run(_args: Args) -> ExitCode {
    ExitCode::FAILURE
}
