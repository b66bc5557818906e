//! `doorward users`: records out of a store, and into one.

mod adopt;
mod export;
mod import;
mod progress;
mod records;
mod restore;

use std::path::PathBuf;
use std::process::ExitCode;

use thiserror::Error;

use crate::clerk::{ClerkError, ClerkSettingsError};
use crate::config::Mistakes;
use crate::control::ControlError;
use crate::store::{OpenError, StoreError};
use crate::terminal::note;
pub(crate) use records::config;

/// Back up, restore, reconcile with Clerk, or take up older records
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// The data folder of the server or of `doorward dev` [default: DATA_DIR, or ./.doorward]
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Export(export::Args),
    Import(import::Args),
    Adopt(adopt::Args),
}

/// Why it ended early. What was written until then stays, and the same command goes on from there.
#[derive(Debug, Error)]
enum TransferError {
    #[error(transparent)]
    Settings(#[from] Mistakes),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error(transparent)]
    Client(#[from] ClerkSettingsError),
    #[error("{0}")]
    Clerk(#[from] ClerkError),
    #[error("there is no store in {}: nothing was ever kept there", .0.display())]
    NoStore(PathBuf),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{}: {wrong}", path.display())]
    Backup { path: PathBuf, wrong: String },
    #[error("{0}")]
    Refused(String),
}

impl TransferError {
    fn at(path: &std::path::Path) -> impl Fn(std::io::Error) -> TransferError + use<'_> {
        |source| TransferError::File { path: path.to_owned(), source }
    }
}

/// Runs the command.
pub async fn run(args: Args) -> ExitCode {
    let outcome = match config(args.data_dir) {
        Ok(config) => match args.command {
            Command::Export(args) => export::export(&config, &args).await,
            Command::Import(args) => import::import(&config, &args).await,
            Command::Adopt(args) => adopt::adopt(&config, &args).await,
        },
        Err(mistakes) => Err(mistakes.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(TransferError::Settings(mistakes)) => crate::show::refuse(&mistakes),
        Err(error) => {
            note(error);
            ExitCode::FAILURE
        }
    }
}
