//! `doorward keys`: for the person on call.

use std::path::PathBuf;
use std::process::ExitCode;

use doorward_verifier::UnixTime;
use thiserror::Error;

use crate::app::{App, AppError};
use crate::clock::{SystemClock, rfc3339};
use crate::config::{Config, Mistakes};
use crate::control::work::{Desk, KeysReport};
use crate::control::{Answer, ControlError, Request, RunningServer};
use crate::store::{OnLoss, StoreError};
use crate::terminal::{note, print};
use crate::transfer;

/// Show, fetch or withdraw the keys that tokens are verified with
///
/// By the running server of this data folder, or where none runs, on what is kept in the folder and in the store.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// The data folder of the server or of `doorward dev` [default: DATA_DIR, or ./.doorward]
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,
    /// As JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Which keys there are, how old they are, and which were withdrawn
    List,
    /// Ask the issuer now
    Refresh,
    /// Take a key out of use on every instance within seconds, for 30 days, whatever the issuer publishes; DENY_KIDS
    /// does it for good
    Drop {
        /// The key's name, as `list` shows it
        #[arg(value_name = "KID")]
        kid: String,
        /// Take it back into use
        #[arg(long)]
        undo: bool,
    },
}

#[derive(Debug, Error)]
enum KeyringError {
    #[error(transparent)]
    Settings(#[from] Mistakes),
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Close(#[from] StoreError),
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("{0}")]
    Refused(String),
}

/// Runs the command.
pub async fn run(args: Args) -> ExitCode {
    match ask(&args).await {
        Ok(report) => {
            if let Command::Drop { kid, undo: false } = &args.command
                && !report.kids.contains(kid)
            {
                note(format_args!("no key of the name {kid} is held now: is it the right one?"));
            }
            print(if args.json { report.to_json() } else { report.to_string() });
            ExitCode::SUCCESS
        }
        Err(KeyringError::Settings(mistakes)) => crate::show::refuse(&mistakes),
        Err(error) => {
            note(error);
            ExitCode::FAILURE
        }
    }
}

async fn ask(args: &Args) -> Result<KeysReport, KeyringError> {
    let config = transfer::config(args.data_dir.clone())?;
    let request = match &args.command {
        Command::List => Request::Keys,
        Command::Refresh => Request::RefreshKeys,
        Command::Drop { kid, undo } => Request::Withdraw { kid: kid.clone(), withdrawn: !undo },
    };
    let answer = match RunningServer::find(&config.storage.data_dir).await {
        Some(mut server) => server.ask(&request).await?,
        None => without_server(config, request).await?,
    };
    match answer {
        Answer::Keys(report) => Ok(report),
        other => Err(KeyringError::Refused(other.refusal())),
    }
}

async fn without_server(config: Config, request: Request) -> Result<Answer, KeyringError> {
    let app = App::open(config, OnLoss::Refuse, std::sync::Arc::new(SystemClock)).await?;
    let answer = Desk::of(&app).carry_out(request).await;
    app.close().await?;
    Ok(answer)
}

impl KeysReport {
    fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl std::fmt::Display for KeysReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "issuer     {}", self.issuer)?;
        writeln!(f, "source     {}", self.source)?;
        match (self.asked_at, self.age_seconds) {
            (Some(asked_at), Some(age)) => {
                let words = match (self.usable, self.stale) {
                    (false, _) => "too old to be used",
                    (true, true) => "due to be asked for again",
                    (true, false) => "fresh",
                };
                writeln!(f, "asked      {}, {age} s ago: {words}", rfc3339(UnixTime::from_millis(asked_at)))?;
            }
            _ if self.usable => writeln!(f, "asked      never: the key is in the settings")?,
            _ => writeln!(f, "asked      not yet with success")?,
        }
        if self.failures > 0 {
            writeln!(f, "failures   {} since the last success", self.failures)?;
        }
        for kid in &self.kids {
            let words = if self.withdrawn.contains(kid) { "  (withdrawn)" } else { "" };
            writeln!(f, "key        {kid}{words}")?;
        }
        for kid in self.withdrawn.iter().filter(|kid| !self.kids.contains(kid)) {
            writeln!(f, "withdrawn  {kid}")?;
        }
        write!(f, "{} keys in use", self.kids.iter().filter(|kid| !self.withdrawn.contains(kid)).count())
    }
}
