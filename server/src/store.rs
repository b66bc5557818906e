//! `Store`: where the records are right. MongoDB, or sled alone, or memory for tests.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use doorward_verifier::UnixTime;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::config::Secret;
use crate::record::Record;
use crate::user::{InvalidUserId, User, UserId};

pub mod embedded;
mod hints;
pub mod memory;
pub mod mongo;
mod notes;

pub(crate) use hints::Rounds;
pub use hints::{Hint, Hints};
pub use notes::{Mark, Note, NoteKind, Notes};

/// What a store's functions return; boxed, since stores are chosen at start.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Where the records are right. An answer is either what is durably stored or an error: a store that says `Written`
/// for what it may still lose makes the server acknowledge what never happened.
pub trait Store: Notes {
    /// The record, or none where there never was one. Tombstones are records.
    fn load<'a>(&'a self, id: &'a UserId) -> Pending<'a, Option<User>>;

    /// Writes `after` if the record is still `before` (none: if there is none yet). Only named fields that differ
    /// are written; whatever else other programs keep in the record stays.
    fn save<'a>(&'a self, before: Option<&'a User>, after: &'a User) -> Pending<'a, Saved>;

    /// Moves `last_login_at` of these records forward, never back. Unknown and deleted users are passed over.
    fn record_logins<'a>(&'a self, logins: &'a [(UserId, UnixTime)]) -> Pending<'a, ()>;

    /// Up to `limit` records in the order of their ids, from the one after `after` on.
    fn page<'a>(&'a self, after: Option<&'a UserId>, limit: usize) -> Pending<'a, Page>;

    /// Writes a record of a backup if there is none of its user, with what other programs kept in it.
    fn restore<'a>(&'a self, record: &'a Record) -> Pending<'a, Saved>;

    /// What it tells of changes by itself, from now on.
    fn hints(&self) -> Hints {
        Hints::none()
    }

    /// Whether it tells of changes now.
    fn tells(&self) -> bool {
        false
    }

    /// Whether it can be had, without asking it.
    fn status(&self) -> StoreStatus;

    /// Everything acknowledged is on disk, and the folder or the connection is given back.
    fn close(&self) -> Pending<'_, ()>;
}

/// Some of the records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// In the order of their ids.
    pub records: Vec<Record>,
    /// The last one looked at: the next page begins after it. None at the end.
    pub last: Option<UserId>,
    /// How many there are that can not be read. They are left alone.
    pub unreadable: usize,
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It is stored.
    Written,
    /// The record is no longer what the writer had read: read it again.
    Overtaken,
}

/// Whether the store can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreStatus {
    /// Its last answer was good.
    Ready,
    /// It does not answer; it is asked again in the background.
    Away,
}

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It does not answer.
    #[error("the store is away: {detail}")]
    Away {
        /// What its driver said.
        detail: String,
    },
    /// It answers, but has more to do than it may.
    #[error("the store is busy")]
    Busy,
    /// A record is there but is not one of ours. It is left alone.
    #[error("the record of {id} can not be read: {detail}")]
    Unreadable {
        /// Whose record.
        id: UserId,
        /// What is wrong with it.
        detail: String,
    },
    /// A record of a backup that is none.
    #[error(transparent)]
    Record(#[from] InvalidUserId),
    /// A note that is larger than one may be.
    #[error("a note has {bytes} bytes, at most {limit}")]
    NoteTooLarge {
        /// How large it would be.
        bytes: usize,
        /// How large it may be.
        limit: usize,
    },
    /// It holds as much as it may, and takes nobody new.
    #[error("the store is full: it holds {bytes} bytes, at most {limit}; MongoDB takes more")]
    Full {
        /// How much it holds.
        bytes: u64,
        /// How much it may hold.
        limit: u64,
    },
    /// A record that is larger than one may be.
    #[error("the record of {id} has {bytes} bytes, at most {limit}")]
    TooLarge {
        /// Whose record.
        id: UserId,
        /// How large it would be.
        bytes: usize,
        /// How large it may be.
        limit: usize,
    },
}

/// Which store.
#[derive(Clone, Debug)]
pub enum StoreSettings {
    /// Nothing outlives the process.
    Memory,
    /// sled alone, in a folder of its own.
    Embedded(EmbeddedSettings),
    /// MongoDB.
    Mongo(MongoSettings),
}

/// The embedded store's settings.
#[derive(Clone, Debug)]
pub struct EmbeddedSettings {
    /// Its folder, made where it is missing.
    pub folder: PathBuf,
    /// How long to wait for another process to let go of it: a restart meets its predecessor.
    pub lock_wait: Duration,
    /// What to do when the folder holds less than was acknowledged.
    pub on_loss: OnLoss,
}

/// What to do when a folder holds less than was acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnLoss {
    /// Do not start.
    #[default]
    Refuse,
    /// Go on with what is there; the folder as it was found is kept beside it.
    Accept,
}

/// MongoDB's settings.
#[derive(Clone, Debug)]
pub struct MongoSettings {
    /// The connection string.
    pub uri: Secret,
    /// The database. One that the connection string names is for logging in alone.
    pub database: String,
    /// Whether its change streams are used, if it has them.
    pub change_streams: bool,
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds the folder.
    #[error("{} is in use by another process{}; a sled folder belongs to one process at a time",
        folder.display(), process.map(|id| format!(" ({id})")).unwrap_or_default())]
    Locked {
        /// Which folder.
        folder: PathBuf,
        /// The process that holds it, where it left its id.
        process: Option<u32>,
    },
    /// The folder can not be read or written.
    #[error("{} can not be opened: {detail}", folder.display())]
    Folder {
        /// Which folder.
        folder: PathBuf,
        /// What the system said.
        detail: String,
    },
    /// The folder holds less than was acknowledged, or something else.
    #[error("{} is damaged: {detail}. Restore a backup, or start once with --accept-data-loss to go on with what is \
             left; the folder is then kept beside it as it was found", folder.display())]
    Damaged {
        /// Which folder.
        folder: PathBuf,
        /// What was found and what was expected.
        detail: String,
    },
    /// The connection string is none.
    #[error("MONGODB_URI can not be used: {detail}")]
    Uri {
        /// What is wrong with it, without the text itself.
        detail: String,
    },
}

/// Opens the store. MongoDB may be away: it is then tried again in the background.
pub async fn open(settings: StoreSettings, clock: Arc<dyn Clock>) -> Result<Arc<dyn Store>, OpenError> {
    Ok(match settings {
        StoreSettings::Memory => Arc::new(memory::MemoryStore::default()),
        StoreSettings::Embedded(settings) => Arc::new(embedded::EmbeddedStore::open(settings, clock).await?),
        StoreSettings::Mongo(settings) => Arc::new(mongo::MongoStore::open(&settings).await?),
    })
}
