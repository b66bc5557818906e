//! Settings, log, signals and all: as `doorward serve`, with the team's routes.

use std::process::ExitCode;

use clap::Parser;
use doorward::serve;

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    serve: serve::Args,
}

#[tokio::main]
async fn main() -> ExitCode {
    serve::run_with(CommandLine::parse().serve, team_server::routes).await
}
