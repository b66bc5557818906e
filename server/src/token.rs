//! `doorward token`: session tokens from the local issuer.

use std::process::ExitCode;

/// Print a session token of the local issuer
#[derive(clap::Args, Debug, Default)]
pub struct Args {}

/// Runs the command.
pub async fn run(_args: Args) -> ExitCode {
    ExitCode::FAILURE
}
