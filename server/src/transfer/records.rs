//! `Records`: the records of a store, by way of the server that holds its folder, or opened here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::TransferError;
use crate::app;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Mistakes, Settings, StoreKind};
use crate::control::work::Desk;
use crate::control::{Answer, Outcome, Request, RunningServer};
use crate::dev;
use crate::issuer::LocalIssuer;
use crate::store::{self, OnLoss, OpenError, Page, Store, StoreError};
use crate::terminal::note;
use crate::user::UserId;
use crate::users::UserDirectory;

/// Records in one request.
pub(super) const AT_ONCE: usize = 100;
/// A server that holds a folder and can not be spoken with yet has just begun, or is about to end.
const FIND_EVERY: Duration = Duration::from_millis(100);
const FIND_TRIES: u32 = 100;

/// Failures of the store in a row, and the pause after each.
const MAX_FAILURES: u32 = 8;
const PAUSE: Duration = Duration::from_secs(2);

/// The records of a store.
pub(super) enum Records {
    /// Of one that no server holds: MongoDB, or a folder.
    Here { store: Arc<dyn Store>, users: UserDirectory },
    /// Of the server that holds the folder.
    There(RunningServer),
}

impl Records {
    /// The store of these settings. A folder is opened by one process alone: by the server that runs, if one does.
    pub(super) async fn open(config: &Config) -> Result<Records, TransferError> {
        let embedded = config.storage.store == StoreKind::Embedded;
        let mut tries = FIND_TRIES;
        loop {
            if embedded && let Some(server) = RunningServer::find(&config.storage.data_dir).await {
                return Ok(Records::There(server));
            }
            let settings = app::store_settings(config, OnLoss::Refuse, Duration::ZERO);
            match store::open(settings, Arc::new(SystemClock)).await {
                Ok(store) => {
                    let users = app::directory(config, Arc::clone(&store), None, None, Arc::new(SystemClock));
                    return Ok(Records::Here { store, users });
                }
                Err(OpenError::Locked { .. }) if tries > 0 => tries -= 1,
                Err(error) => return Err(error.into()),
            }
            sleep(FIND_EVERY).await;
        }
    }

    /// The same, where there is something to be read.
    pub(super) async fn open_existing(config: &Config) -> Result<Records, TransferError> {
        let folder = app::store_folder(config);
        if config.storage.store == StoreKind::Embedded && !folder.exists() {
            return Err(TransferError::NoStore(folder));
        }
        Records::open(config).await
    }

    /// Records from the one after this on.
    pub(super) async fn page(&mut self, after: Option<&UserId>) -> Result<Page, TransferError> {
        match self.ask(Request::Page { after: after.cloned(), limit: AT_ONCE }).await? {
            Answer::Page(page) => Ok(page),
            other => Err(TransferError::Refused(other.refusal())),
        }
    }

    /// What became of each record.
    pub(super) async fn outcomes(&mut self, request: Request) -> Result<Vec<Outcome>, TransferError> {
        match self.ask(request).await? {
            Answer::Outcomes(outcomes) => Ok(outcomes),
            other => Err(TransferError::Refused(other.refusal())),
        }
    }

    /// Gives the folder back.
    pub(super) async fn close(self) -> Result<(), TransferError> {
        if let Records::Here { users, .. } = self {
            users.close().await?;
        }
        Ok(())
    }

    async fn ask(&mut self, request: Request) -> Result<Answer, TransferError> {
        for _ in 0..MAX_FAILURES {
            match self.ask_once(request.clone()).await? {
                Answer::Unavailable(why) => note(format_args!("{why}; trying again")),
                answer => return Ok(answer),
            }
            sleep(PAUSE).await;
        }
        self.ask_once(request).await
    }

    async fn ask_once(&mut self, request: Request) -> Result<Answer, TransferError> {
        Ok(match self {
            Records::Here { store, users } => {
                Desk::on(&**store, users, SystemClock.now()).carry_out(request).await
            }
            Records::There(server) => server.ask(&request).await?,
        })
    }
}

/// A store that is away for a moment does not end hours of work.
pub(super) async fn patiently<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    for _ in 0..MAX_FAILURES {
        match ask().await {
            Err(error @ (StoreError::Away { .. } | StoreError::Busy)) => {
                note(format_args!("{error}; trying again"));
            }
            outcome => return outcome,
        }
        sleep(PAUSE).await;
    }
    ask().await
}

/// The settings in force, or those of the local issuer: where its folder was named, or the settings name no instance.
pub(crate) fn config(data_dir: Option<PathBuf>) -> Result<Config, Mistakes> {
    let mut settings = Settings::load(Path::new("."))?;
    if let Some(data_dir) = &data_dir {
        settings.set("DATA_DIR", &data_dir.display().to_string());
    }
    let data_dir = settings.data_dir();
    match LocalIssuer::open(&data_dir) {
        Ok(issuer) if !NAMING.iter().any(|name| settings.get(name).is_some()) => {
            Config::read(&dev::settings(&settings, &issuer, &data_dir))
        }
        _ => Config::read(&settings),
    }
}

/// What names an instance.
const NAMING: [&str; 4] =
    ["CLERK_PUBLISHABLE_KEY", "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", "CLERK_FRONTEND_API", "CLERK_ISSUER"];
