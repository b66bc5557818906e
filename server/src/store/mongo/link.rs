//! `Link`: the connection to MongoDB. While it is away nobody waits for it: one task asks until it is back.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use mongodb::error::{Error, ErrorKind};
use mongodb::options::{Acknowledgment, ClientOptions, ConnectionString, WriteConcern};
use mongodb::{Client, Database};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::super::{MongoSettings, OpenError, StoreError};
use super::prepare;
use super::stream::STREAMS;
use crate::telemetry;

/// The driver's own default of 10 is a tenth of other drivers'.
const POOL: u32 = 32;
const MIN_POOL: u32 = 2;
const MAX_IDLE: Duration = Duration::from_secs(5 * 60);
/// The driver's defaults are 30 s and 10 s, and every call would wait so long.
const SELECTION_TIMEOUT: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const MAJORITY_TIMEOUT: Duration = Duration::from_secs(2);
/// The driver has no time limit for an operation: a server that answers heartbeats alone would hang it for ever.
pub(super) const OPERATION_TIMEOUT: Duration = Duration::from_secs(2);
/// The driver has none for a connection of its pool either.
const SLOT_TIMEOUT: Duration = Duration::from_millis(100);
/// How often it is asked whether it is back, and whether it is still there.
const AWAY_EVERY: Duration = Duration::from_secs(1);
const READY_EVERY: Duration = Duration::from_secs(5);

/// The connection.
#[derive(Debug)]
pub(super) struct Link {
    options: MongoSettings,
    /// None until the connection string is resolved: `mongodb+srv` needs DNS for it.
    database: ArcSwapOption<Database>,
    ready: AtomicBool,
    closed: AtomicBool,
    /// That it is time to ask whether it is still there.
    doubted: Notify,
    slots: Arc<Semaphore>,
}

impl Link {
    /// Checks the connection string, and asks for a first answer.
    pub(super) async fn open(settings: &MongoSettings) -> Result<Arc<Link>, OpenError> {
        check_uri(settings.uri.expose()).map_err(|detail| OpenError::Uri { detail })?;
        let link = Arc::new(Link {
            options: settings.clone(),
            database: ArcSwapOption::empty(),
            ready: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            doubted: Notify::new(),
            slots: Arc::new(Semaphore::new(POOL as usize)),
        });
        if let Err(error) = link.ask().await {
            if let ErrorKind::InvalidArgument { .. } | ErrorKind::InvalidTlsConfig { .. } = *error.kind {
                return Err(OpenError::Uri { detail: unquoted(settings.uri.expose(), &error) });
            }
            warn!(%error, "MongoDB is away; it is tried again in the background");
        }
        tokio::spawn(watch(Arc::downgrade(&link)));
        Ok(link)
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::SeqCst)
    }

    /// The database, unless it is away.
    pub(super) fn database(&self) -> Option<Arc<Database>> {
        self.database.load_full().filter(|_| self.is_ready())
    }

    /// Runs an operation, for a request that waits for it.
    pub(super) async fn run<T, F>(&self, operation: impl FnOnce(Database) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.attempt(operation).await?.ok_or_else(|| self.lose("no answer in time"))
    }

    /// Runs an operation that is of many and that nobody waits for. That it takes too long may be because of what it is:
    /// whether the server is still there is asked, and not concluded.
    pub(super) async fn run_many<T, F>(&self, operation: impl FnOnce(Database) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.attempt(operation).await?.ok_or_else(|| {
            self.doubted.notify_one();
            StoreError::Busy
        })
    }

    /// What an operation came to; none when that took too long. It is a task of its own: a driver's future that is
    /// dropped half-way loses its connection, and one that hangs keeps it, so nobody waits for it longer than the limit,
    /// and it is ended a while later.
    async fn attempt<T, F>(&self, operation: impl FnOnce(Database) -> F) -> Result<Option<T>, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let database = self.database().ok_or_else(|| away("it did not answer lately"))?;
        let slot = timeout(SLOT_TIMEOUT, Arc::clone(&self.slots).acquire_owned()).await;
        let Ok(Ok(slot)) = slot else { return Err(StoreError::Busy) };
        let operation = operation(Database::clone(&database));
        let mut task = tokio::spawn(async move {
            let _slot = slot;
            operation.await
        });
        match timeout(OPERATION_TIMEOUT, &mut task).await {
            Ok(Ok(Ok(outcome))) => Ok(Some(outcome)),
            Ok(Ok(Err(error))) => Err(self.failed(&error)),
            Ok(Err(panicked)) => Err(away(panicked)),
            Err(_elapsed) => {
                tokio::spawn(async move {
                    sleep(OPERATION_TIMEOUT).await;
                    task.abort();
                });
                Ok(None)
            }
        }
    }

    /// An error of the server's is about this operation alone. Any other one is about the connection.
    fn failed(&self, error: &Error) -> StoreError {
        match &*error.kind {
            ErrorKind::Command(_) | ErrorKind::Write(_) if !is_state_change(error) => away(error),
            _ => self.lose(&error.to_string()),
        }
    }

    fn lose(&self, detail: &str) -> StoreError {
        if self.ready.swap(false, Ordering::SeqCst) {
            warn!(detail, "MongoDB is away; known users go on for a while");
            self.doubted.notify_one();
        }
        away(detail)
    }

    /// Asks for an answer, and for the indexes if it was away.
    async fn ask(&self) -> Result<(), Error> {
        let database = match self.database.load_full() {
            Some(database) => database,
            None => {
                let database = Arc::new(connect(&self.options).await?);
                self.database.store(Some(Arc::clone(&database)));
                database
            }
        };
        if self.is_ready() {
            return super::ask(&database).await;
        }
        prepare(&database).await?;
        if !self.ready.swap(true, Ordering::SeqCst) {
            telemetry::database_ready("mongodb");
        }
        Ok(())
    }

    /// Gives the connection back. The driver waits for whatever is still under way on it, without a limit of its own.
    pub(super) async fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.ready.store(false, Ordering::SeqCst);
        if let Some(database) = self.database.swap(None) {
            let closed = timeout(OPERATION_TIMEOUT, database.client().clone().shutdown()).await;
            if closed.is_err() {
                warn!("the connections to MongoDB did not end in time, and are left");
            }
        }
    }
}

/// Asks whether the server is there, for as long as the store is.
async fn watch(link: Weak<Link>) {
    loop {
        let Some(link) = link.upgrade().filter(|link| !link.closed.load(Ordering::SeqCst)) else { return };
        if link.is_ready() {
            let _doubted_or_time_to_ask = timeout(READY_EVERY, link.doubted.notified()).await;
        } else {
            sleep(AWAY_EVERY).await;
        }
        if link.closed.load(Ordering::SeqCst) {
            return;
        }
        if let Err(error) = timeout(2 * OPERATION_TIMEOUT, link.ask())
            .await
            .unwrap_or_else(|_| Err(Error::custom("no answer in time")))
        {
            link.lose(&error.to_string());
        }
    }
}

/// Nothing is sent yet, other than to DNS where the connection string wants it.
async fn connect(settings: &MongoSettings) -> Result<Database, Error> {
    let mut options = ClientOptions::parse(settings.uri.expose()).await?;
    options.app_name.get_or_insert_with(|| "doorward".to_owned());
    options.max_pool_size = Some(POOL + STREAMS);
    options.min_pool_size.get_or_insert(MIN_POOL);
    options.max_idle_time.get_or_insert(MAX_IDLE);
    options.connect_timeout.get_or_insert(CONNECT_TIMEOUT);
    options.server_selection_timeout = Some(SELECTION_TIMEOUT);
    let majority = WriteConcern::builder().w(Acknowledgment::Majority).w_timeout(MAJORITY_TIMEOUT).build();
    options.write_concern.get_or_insert(majority);
    // Commands carry what is in the documents.
    options.tracing_max_document_length_bytes = Some(0);
    Ok(Client::with_options(options)?.database(&settings.database))
}

/// What is wrong with a connection string, in words that hold nothing of it. Nobody is asked: not even DNS.
pub(crate) fn check_uri(uri: &str) -> Result<(), String> {
    let refused = |detail: &str| Err(detail.to_owned());
    let Some((scheme, rest)) = uri.split_once("://") else {
        return refused("it has no scheme; expected mongodb:// or mongodb+srv://");
    };
    if scheme != "mongodb" && scheme != "mongodb+srv" {
        return refused("expected mongodb:// or mongodb+srv://");
    }
    if rest.to_ascii_lowercase().contains("sockettimeoutms=") {
        return refused(
            "its option socketTimeoutMS is not supported; operations end after 2 s by themselves",
        );
    }
    ConnectionString::parse(uri).map(drop).map_err(|error| unquoted(uri, &error))
}

/// The driver's words may quote the connection string, and with it a password.
fn unquoted(uri: &str, error: &Error) -> String {
    let message = match &*error.kind {
        ErrorKind::InvalidArgument { message, .. } | ErrorKind::InvalidTlsConfig { message, .. } => {
            message.clone()
        }
        _ => error.to_string(),
    };
    let userinfo =
        uri.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(userinfo, _)| userinfo);
    let mut parts = userinfo
        .into_iter()
        .flat_map(|userinfo| userinfo.split([':', '@', '/']))
        .filter(|part| !part.is_empty());
    if parts.any(|part| message.contains(part)) { "the driver does not take it".to_owned() } else { message }
}

/// The server answers, and says that it is not the primary any more, or goes away.
fn is_state_change(error: &Error) -> bool {
    const CODES: [i32; 8] = [91, 189, 10107, 11600, 11602, 13435, 13436, 10058];
    matches!(&*error.kind, ErrorKind::Command(command) if CODES.contains(&command.code))
}

fn away(detail: impl ToString) -> StoreError {
    StoreError::Away { detail: detail.to_string() }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::config::Secret;

    /// A connection to nobody, which is taken to be there.
    async fn link() -> Link {
        let options = MongoSettings {
            uri: Secret::new("mongodb://127.0.0.1:1"),
            database: "test".to_owned(),
            change_streams: false,
        };
        let database = connect(&options).await.unwrap();
        Link {
            options,
            database: ArcSwapOption::from_pointee(database),
            ready: true.into(),
            closed: false.into(),
            doubted: Notify::new(),
            slots: Arc::new(Semaphore::new(1)),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_a_request_waits_for_says_that_the_server_is_away() {
        let link = link().await;
        let hangs = |_| pending::<Result<(), Error>>();
        assert!(matches!(link.run_many(hangs).await, Err(StoreError::Busy)));
        assert!(link.is_ready());
        link.doubted.notified().await;
        sleep(2 * OPERATION_TIMEOUT).await;
        assert!(matches!(link.run(hangs).await, Err(StoreError::Away { .. })));
        assert!(!link.is_ready());
    }
}
