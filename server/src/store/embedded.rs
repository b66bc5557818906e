//! `EmbeddedStore`: sled alone, for one node. What it acknowledges has been synced to the disk, and what the disk lost
//! since is found at the next start.

use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use doorward_verifier::UnixTime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tracing::error;

use super::{
    EmbeddedSettings, Mark, Note, NoteKind, Notes, OpenError, Page, Pending, Saved, Store, StoreError,
    StoreStatus,
};
use crate::clock::{Clock, Stopwatch};
use crate::envelope::Envelope;
use crate::record::Record;
use crate::sled_folder::{HeldFolder, SledFolder};
use crate::telemetry;
use crate::user::{User, UserId};
use writer::{Work, Write, Writer};

mod compaction;
mod database;
mod manifest;
mod note;
mod writer;

/// What every user's key begins with.
const USERS: &[u8] = b"user|";
/// Writers that wait for the disk. Beyond them a write is refused at once.
const MAX_WAITING_WRITES: usize = 1024;
/// People who were erased are gone from the disk after this long.
const COMPACT_EVERY: Duration = Duration::from_secs(60 * 60);
/// How often the log has it that there is no room.
const FULL_SAID_EVERY: Duration = Duration::from_secs(60);

/// sled alone.
#[derive(Debug)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    writes: mpsc::Sender<Write>,
    full_said: Mutex<Option<Stopwatch>>,
}

/// What readers and the writer share.
#[derive(Debug)]
struct Shared {
    settings: EmbeddedSettings,
    clock: Arc<dyn Clock>,
    /// None while the disk does not take writes, and after the end.
    folder: ArcSwapOption<SledFolder>,
    closed: AtomicBool,
}

impl EmbeddedStore {
    /// Opens the folder, and reads all of it: what is there must be what was acknowledged.
    pub async fn open(settings: EmbeddedSettings, clock: Arc<dyn Clock>) -> Result<EmbeddedStore, OpenError> {
        let path = settings.folder.clone();
        let opening = (settings.clone(), Arc::clone(&clock));
        let held = HeldFolder::hold(&settings.folder, settings.lock_wait).await?;
        let opened = spawn_blocking(move || database::open_held(held, &opening.0, &*opening.1)).await;
        let (folder, head) =
            opened.map_err(|panic| OpenError::Folder { folder: path, detail: panic.to_string() })??;
        let folder = ArcSwapOption::from_pointee(folder);
        let shared = Arc::new(Shared { settings, clock, folder, closed: AtomicBool::new(false) });
        let (writes, waiting) = mpsc::channel(MAX_WAITING_WRITES);
        Writer::start(Arc::clone(&shared), head, waiting)?;
        telemetry::database_ready("sled");
        tokio::spawn(compact_for_ever(writes.downgrade()));
        Ok(EmbeddedStore { shared, writes, full_said: Mutex::default() })
    }

    /// Begins a new database with everything that this one holds, and says whether it did.
    pub async fn compact(&self) -> Result<bool, StoreError> {
        self.write(|reply| Work::Compact { always: true, reply }).await
    }

    /// Held for one read: the writer waits for it when it lets go of the folder.
    fn folder(&self) -> Result<Arc<SledFolder>, StoreError> {
        self.shared.folder.load_full().ok_or_else(|| away("the disk does not take writes"))
    }

    fn read_note(&self, kind: NoteKind, key: &str) -> Result<Option<Note>, StoreError> {
        let key = note::key(kind, key);
        let bytes = self.folder()?.db.get(&key).map_err(away)?;
        Ok(bytes.and_then(|bytes| note::open(kind, &key, &bytes)).map(|(_, note)| note))
    }

    fn read_notes(&self, kind: NoteKind, since: Option<Mark>) -> Result<(Vec<Note>, Mark), StoreError> {
        let (mut new, since) = (Vec::new(), since.unwrap_or_default());
        let mut mark = since;
        let folder = self.folder()?;
        for entry in folder.db.scan_prefix(note::key(kind, "")) {
            let (key, bytes) = entry.map_err(away)?;
            let Some((commit, note)) = note::open(kind, &key, &bytes).filter(|(commit, _)| *commit > since.0)
            else {
                continue;
            };
            mark = mark.max(Mark(commit));
            new.push(note);
        }
        Ok((new, mark))
    }

    fn read(&self, id: &UserId) -> Result<Option<User>, StoreError> {
        let key = user_key(id);
        match self.folder()?.db.get(&key).map_err(away)? {
            Some(bytes) => Ok(Some(user(id, &key, &bytes)?)),
            None => Ok(None),
        }
    }

    fn read_page(&self, after: Option<&UserId>, limit: usize) -> Result<Page, StoreError> {
        let folder = self.folder()?;
        let from = after.map_or_else(|| USERS.to_vec(), user_key);
        let mut page = Page::default();
        let mut seen = 0;
        for entry in folder.db.range(from.clone()..) {
            let (key, bytes) = entry.map_err(away)?;
            let Some(id) = key.strip_prefix(USERS) else { break };
            if after.is_some() && *key == *from {
                continue;
            }
            match record(&key, &bytes) {
                Ok(record) => page.records.push(record),
                Err(_) => page.unreadable += 1,
            }
            seen += 1;
            if seen == limit {
                page.last = std::str::from_utf8(id).ok().and_then(|id| UserId::parse(id).ok());
                break;
            }
        }
        Ok(page)
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Work,
    ) -> Pending<'_, T> {
        let (reply, outcome) = oneshot::channel();
        let queued = self.writes.try_send(Write { work: work(reply) });
        Box::pin(async move {
            queued.map_err(|refused| match refused {
                mpsc::error::TrySendError::Full(_) => StoreError::Busy,
                mpsc::error::TrySendError::Closed(_) => away("it is closed"),
            })?;
            let outcome = outcome.await.unwrap_or_else(|_| Err(away("its writer ended")));
            if let Err(full @ StoreError::Full { .. }) = &outcome {
                self.say_full(full);
            }
            outcome
        })
    }

    /// Everybody who is new meets it: it is one line in the log, not one for each of them.
    fn say_full(&self, full: &StoreError) {
        let mut said = self.full_said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| said.elapsed() >= FULL_SAID_EVERY) {
            *said = Some(Stopwatch::start());
            error!(%full, "nobody new is taken");
        }
    }
}

impl Notes for EmbeddedStore {
    fn note<'a>(&'a self, kind: NoteKind, key: &'a str) -> Pending<'a, Option<Note>> {
        Box::pin(ready(self.read_note(kind, key)))
    }

    fn put_note<'a>(&'a self, note: &'a Note, replaces: u64) -> Pending<'a, Saved> {
        let note = note.clone();
        self.write(move |reply| Work::PutNote { note, replaces, reply })
    }

    fn notes(&self, kind: NoteKind, since: Option<Mark>) -> Pending<'_, (Vec<Note>, Mark)> {
        Box::pin(ready(self.read_notes(kind, since)))
    }

    fn drop_expired_notes(&self, now: UnixTime) -> Pending<'_, u64> {
        self.write(move |reply| Work::DropExpiredNotes { now, reply })
    }

    fn is_shared(&self) -> bool {
        false
    }
}

impl Store for EmbeddedStore {
    fn load<'a>(&'a self, id: &'a UserId) -> Pending<'a, Option<User>> {
        Box::pin(ready(self.read(id)))
    }

    fn save<'a>(&'a self, before: Option<&'a User>, after: &'a User) -> Pending<'a, Saved> {
        let before = before.map(|user| user.revision);
        let after = Box::new(after.clone());
        self.write(move |reply| Work::Save { before, after, reply })
    }

    fn record_logins<'a>(&'a self, logins: &'a [(UserId, UnixTime)]) -> Pending<'a, ()> {
        let logins = logins.to_vec();
        self.write(move |reply| Work::RecordLogins { logins, reply })
    }

    fn page<'a>(&'a self, after: Option<&'a UserId>, limit: usize) -> Pending<'a, Page> {
        Box::pin(ready(self.read_page(after, limit)))
    }

    fn restore<'a>(&'a self, record: &'a Record) -> Pending<'a, Saved> {
        let record = record.clone();
        self.write(move |reply| Work::Restore { record: Box::new(record), reply })
    }

    fn status(&self) -> StoreStatus {
        if self.shared.folder.load().is_some() { StoreStatus::Ready } else { StoreStatus::Away }
    }

    fn close(&self) -> Pending<'_, ()> {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.write(|reply| Work::Close { reply })
    }
}

/// Looks whether a compaction is worth it, at the start and from time to time.
async fn compact_for_ever(writes: mpsc::WeakSender<Write>) {
    let mut ticks = interval(COMPACT_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(writes) = writes.upgrade() else { return };
        let (reply, _outcome_is_logged) = oneshot::channel();
        // A writer that has no room has other things to do.
        let _later = writes.try_send(Write { work: Work::Compact { always: false, reply } });
    }
}

fn away(detail: impl ToString) -> StoreError {
    StoreError::Away { detail: detail.to_string() }
}

fn user_key(id: &UserId) -> Vec<u8> {
    [USERS, id.as_str().as_bytes()].concat()
}

fn user(id: &UserId, key: &[u8], bytes: &[u8]) -> Result<User, StoreError> {
    let unreadable = |detail: String| StoreError::Unreadable { id: id.clone(), detail };
    let record = record(key, bytes).map_err(&unreadable)?;
    record.user().map_err(|error| unreadable(error.to_string()))
}

fn record(key: &[u8], bytes: &[u8]) -> Result<Record, String> {
    let envelope = Envelope::open(key, bytes).map_err(|error| error.to_string())?;
    Record::from_json(envelope.payload).map_err(|error| error.to_string())
}
