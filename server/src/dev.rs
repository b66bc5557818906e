//! `doorward dev`: the server on loopback, with an issuer of its own.

use std::process::ExitCode;

/// Serve on loopback with a local issuer: needs no account and no network
#[derive(clap::Args, Debug, Default)]
pub struct Args {}

/// Runs the command.
pub async fn run(_args: Args) -> ExitCode {
    ExitCode::FAILURE
}
