//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use doorward::{dev, doctor, health, inspect, keyring, serve, show, token, transfer};

/// Verifies Clerk's session tokens, and keeps the users that they name.
#[derive(Parser)]
#[command(name = "doorward", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Args),
    Dev(dev::Args),
    Token(token::Args),
    Inspect(inspect::Args),
    Doctor(doctor::Args),
    Config(show::Args),
    Health(health::Args),
    Keys(keyring::Args),
    Users(transfer::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    match CommandLine::parse().command.unwrap_or(Command::Serve(serve::Args::default())) {
        Command::Serve(args) => serve::run(args).await,
        Command::Dev(args) => dev::run(args).await,
        Command::Token(args) => token::run(args).await,
        Command::Inspect(args) => inspect::run(args).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::Config(args) => show::run(args).await,
        Command::Health(args) => health::run(args).await,
        Command::Keys(args) => keyring::run(args).await,
        Command::Users(args) => transfer::run(args).await,
    }
}
