//! `Writer`: the one thread that writes. It takes what has come in together, writes it as one, and acknowledges it
//! when the disk has it.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use doorward_verifier::UnixTime;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use super::database::{self, HEAD_KEY};
use super::manifest::{Head, Manifest};
use super::{Shared, away, compaction, note, record, user_key};
use crate::envelope::{Envelope, MAX_VALUE_BYTES};
use crate::record::Record;
use crate::sled_folder::SledFolder;
use crate::store::{EmbeddedSettings, Note, OnLoss, OpenError, Saved, StoreError};
use crate::telemetry;
use crate::user::{User, UserId};

/// Writes that share one sync.
const MAX_GROUP: usize = 256;
/// What records and notes may take, about four million users: a start reads all of it, and sled keeps an index in
/// memory. The disk holds about three times as much before a compaction.
const MAX_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// After an error of the disk the folder is opened again this often.
const REOPEN_EVERY: Duration = Duration::from_secs(1);

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// Something to write.
pub(super) struct Write {
    pub(super) work: Work,
}

/// What to write, and who waits for it.
pub(super) enum Work {
    Save {
        before: Option<u64>,
        after: Box<User>,
        reply: Reply<Saved>,
    },
    RecordLogins {
        logins: Vec<(UserId, UnixTime)>,
        reply: Reply<()>,
    },
    /// A record of a backup, where there is none.
    Restore {
        record: Box<Record>,
        reply: Reply<Saved>,
    },
    PutNote {
        note: Note,
        replaces: u64,
        reply: Reply<Saved>,
    },
    DropExpiredNotes {
        now: UnixTime,
        reply: Reply<u64>,
    },
    /// Begins a new database, if the old one is worth leaving, or in any case.
    Compact {
        always: bool,
        reply: Reply<bool>,
    },
    Close {
        reply: Reply<()>,
    },
}

/// What a commit goes through.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) head: Head,
    pub(super) manifest: Manifest,
    /// A handle on sled's log, to sync it.
    pub(super) log: File,
}

impl Journal {
    /// Returns once `batch` and the state `head` that it leads to are on the disk, in this order: the database, then
    /// the manifest. What the manifest promises is there, at any moment.
    pub(super) fn commit(
        &mut self,
        db: &sled::Db,
        mut batch: sled::Batch,
        head: Head,
        now: UnixTime,
    ) -> Result<(), sled::Error> {
        batch.insert(HEAD_KEY, Envelope::lasting(now, &head.to_json()).seal(HEAD_KEY));
        db.apply_batch(batch)?;
        db.flush()?;
        self.log.sync_all()?;
        self.manifest.write(head, now)?;
        self.head = head;
        Ok(())
    }
}

impl Journal {
    /// From here on commits go to `fresh`, which is on the disk when this returns.
    pub(super) fn move_to(
        &mut self,
        fresh: &SledFolder,
        head: Head,
        now: UnixTime,
    ) -> Result<(), sled::Error> {
        let left = std::mem::replace(&mut self.log, fresh.sync_handle()?);
        let moved = fresh
            .sync_folder()
            .map_err(sled::Error::from)
            .and_then(|()| self.commit(&fresh.db, sled::Batch::default(), head, now));
        if moved.is_err() {
            self.log = left;
        }
        moved
    }
}

/// The thread's own.
pub(super) struct Writer {
    shared: Arc<Shared>,
    journal: Journal,
    waiting: mpsc::Receiver<Write>,
}

impl Writer {
    /// Starts the thread. It ends with the store, or when told to.
    pub(super) fn start(
        shared: Arc<Shared>,
        journal: Journal,
        waiting: mpsc::Receiver<Write>,
    ) -> Result<(), OpenError> {
        let folder = shared.settings.folder.clone();
        let writer = Writer { shared, journal, waiting };
        let thread = thread::Builder::new().name("doorward-writer".to_owned()).spawn(move || writer.run());
        thread.map(drop).map_err(|error| OpenError::Folder { folder, detail: error.to_string() })
    }

    fn run(mut self) {
        let mut group = Vec::with_capacity(MAX_GROUP);
        let mut closing = None;
        while closing.is_none() && self.waiting.blocking_recv_many(&mut group, MAX_GROUP) > 0 {
            closing = self.write(group.drain(..));
        }
        self.end();
        if let Some(reply) = closing {
            let _nobody_waits = reply.send(Ok(()));
        }
    }

    /// Writes a group, and says whether the end was among it.
    fn write(&mut self, group: impl Iterator<Item = Write>) -> Option<Reply<()>> {
        let Some(folder) = self.shared.folder.load_full() else {
            return refuse(group);
        };
        let mut draft = Draft::new(&folder.db, self.journal.head, self.shared.clock.now());
        let mut acknowledgements: Vec<Acknowledgement> = Vec::new();
        let mut compacting = Vec::new();
        let mut closing = None;
        for Write { work } in group {
            match work {
                Work::Save { before, after, reply } => {
                    acknowledgements.push(draft.save(before, &after).acknowledge(reply))
                }
                Work::RecordLogins { logins, reply } => {
                    acknowledgements.push(draft.record_logins(&logins).acknowledge(reply));
                }
                Work::Restore { record, reply } => {
                    acknowledgements.push(draft.restore(&record).acknowledge(reply))
                }
                Work::PutNote { note, replaces, reply } => {
                    acknowledgements.push(draft.put_note(&note, replaces).acknowledge(reply));
                }
                Work::DropExpiredNotes { now, reply } => {
                    acknowledgements.push(draft.drop_expired_notes(now).acknowledge(reply));
                }
                Work::Compact { always, reply } => compacting.push((always, reply)),
                Work::Close { reply } => closing = Some(reply),
            }
        }
        let outcome = if draft.is_empty() { Ok(()) } else { self.commit(&folder.db, draft) };
        for acknowledge in acknowledgements {
            acknowledge(outcome.as_ref().err());
        }
        match outcome {
            Ok(()) => self.compact(folder, compacting),
            Err(error) => {
                drop((folder, compacting));
                self.recover(&error);
            }
        }
        closing
    }

    fn commit(&mut self, db: &sled::Db, draft: Draft<'_>) -> Result<(), sled::Error> {
        let now = draft.now;
        let (batch, head) = draft.finish();
        self.journal.commit(db, batch, head, now)
    }

    /// Nothing is written meanwhile: this is the one thread that writes. Readers go on in the old database until the
    /// new one is the one that the manifest names.
    fn compact(&mut self, folder: Arc<SledFolder>, compacting: Vec<(bool, Reply<bool>)>) {
        let always = compacting.iter().any(|(always, _)| *always);
        let wanted =
            always || (!compacting.is_empty() && compaction::is_worth_it(&folder, &self.journal.head));
        let done = if wanted { self.move_to_another(folder) } else { Ok(()) };
        if let Err(error) = &done {
            warn!(%error, "the database could not be compacted; it goes on as it is");
        }
        for (_, reply) in compacting {
            let _nobody_waits = reply.send(done.as_ref().map(|()| wanted).map_err(away));
        }
    }

    fn move_to_another(&mut self, old: Arc<SledFolder>) -> Result<(), compaction::CompactionError> {
        let left = self.journal.head.generation;
        let fresh = compaction::compact(&old, &mut self.journal, self.shared.clock.now())?;
        let held = fresh.held().clone();
        self.shared.folder.store(Some(Arc::new(fresh)));
        close(old);
        // What is left of it when this fails is removed at the next start.
        Ok(held.wipe(&database::data_folder(left))?)
    }

    /// After an error sled has in memory what the disk may not have. So nothing is read from it any more until it has
    /// been opened, and checked, again.
    fn recover(&mut self, error: &sled::Error) {
        error!(folder = %self.shared.settings.folder.display(), %error, "the disk does not take writes; the store is away");
        self.let_go();
        while !self.shared.closed.load(Ordering::SeqCst) {
            match self.reopen() {
                Ok(()) => return telemetry::database_ready("sled"),
                Err(error) => warn!(%error, "the store stays away"),
            }
            // Nobody waits for it in vain: every write that came meanwhile is refused.
            thread::sleep(REOPEN_EVERY);
            while let Ok(write) = self.waiting.try_recv() {
                if let Some(reply) = refuse(std::iter::once(write)) {
                    let _nobody_waits = reply.send(Ok(()));
                    return;
                }
            }
        }
    }

    fn reopen(&mut self) -> Result<(), OpenError> {
        let settings = EmbeddedSettings { on_loss: OnLoss::Refuse, ..self.shared.settings.clone() };
        let (folder, journal) = database::open(&settings, &*self.shared.clock)?;
        self.journal = journal;
        self.shared.folder.store(Some(Arc::new(folder)));
        Ok(())
    }

    fn end(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.let_go();
    }

    fn let_go(&self) {
        if let Some(folder) = self.shared.folder.swap(None) {
            close(folder);
        }
    }
}

/// Returns when sled has closed: readers hold it for the time of one read.
fn close(mut folder: Arc<SledFolder>) {
    while let Err(held) = Arc::try_unwrap(folder) {
        folder = held;
        thread::sleep(Duration::from_millis(1));
    }
}

/// Tells one writer how it ended, given the error of the whole group, if there was one.
type Acknowledgement = Box<dyn FnOnce(Option<&sled::Error>)>;

trait Acknowledge {
    type Outcome;

    fn acknowledge(self, reply: Reply<Self::Outcome>) -> Acknowledgement;
}

impl<T: Send + 'static> Acknowledge for Result<T, StoreError> {
    type Outcome = T;

    fn acknowledge(self, reply: Reply<T>) -> Acknowledgement {
        Box::new(move |failure| {
            let _nobody_waits = reply.send(failure.map_or(self, |error| Err(away(error))));
        })
    }
}

fn refuse(group: impl Iterator<Item = Write>) -> Option<Reply<()>> {
    let refused = || away("the disk does not take writes");
    let mut closing = None;
    for Write { work } in group {
        match work {
            Work::Save { reply, .. } => drop(reply.send(Err(refused()))),
            Work::RecordLogins { reply, .. } => drop(reply.send(Err(refused()))),
            Work::Restore { reply, .. } => drop(reply.send(Err(refused()))),
            Work::PutNote { reply, .. } => drop(reply.send(Err(refused()))),
            Work::DropExpiredNotes { reply, .. } => drop(reply.send(Err(refused()))),
            Work::Compact { reply, .. } => drop(reply.send(Err(refused()))),
            Work::Close { reply } => closing = Some(reply),
        }
    }
    closing
}

/// What a group comes to, before it is written. Later writes of the group see the earlier ones.
struct Draft<'a> {
    db: &'a sled::Db,
    /// None for what is removed.
    written: HashMap<Vec<u8>, Option<Vec<u8>>>,
    head: Head,
    now: UnixTime,
}

impl<'a> Draft<'a> {
    fn new(db: &'a sled::Db, head: Head, now: UnixTime) -> Draft<'a> {
        let head = Head { revision: head.revision + 1, ..head };
        Draft { db, written: HashMap::new(), head, now }
    }

    fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    fn finish(self) -> (sled::Batch, Head) {
        let mut batch = sled::Batch::default();
        for (key, value) in self.written {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        (batch, self.head)
    }

    fn save(&mut self, before: Option<u64>, after: &User) -> Result<Saved, StoreError> {
        let id = &after.clerk_id;
        let stored = self.record(id)?;
        let user = stored.as_ref().map(|record| readable(id, record)).transpose()?;
        if user.as_ref().map(|user| user.revision) != before {
            return Ok(Saved::Overtaken);
        }
        if stored.is_none() {
            self.check_room()?;
        }
        let after = after.clone().keeping_login_of(user.as_ref());
        if after.deleted_at.is_some() {
            self.head.erased += 1;
        }
        self.put(id, &Record::new(&after, stored))?;
        Ok(Saved::Written)
    }

    fn restore(&mut self, record: &Record) -> Result<Saved, StoreError> {
        let id = record.user()?.clerk_id;
        if self.get(&user_key(&id))?.is_some() {
            return Ok(Saved::Overtaken);
        }
        self.check_room()?;
        self.put(&id, record)?;
        Ok(Saved::Written)
    }

    /// Whoever is here goes on; nobody new comes.
    fn check_room(&self) -> Result<(), StoreError> {
        let bytes = self.head.bytes;
        if bytes < MAX_BYTES { Ok(()) } else { Err(StoreError::Full { bytes, limit: MAX_BYTES }) }
    }

    fn record_logins(&mut self, logins: &[(UserId, UnixTime)]) -> Result<(), StoreError> {
        for (id, at) in logins {
            let Some(stored) = self.record(id)? else { continue };
            let user = readable(id, &stored)?;
            if user.deleted_at.is_none() && user.last_login_at < Some(*at) {
                let user = User { last_login_at: Some(*at), ..user };
                self.put(id, &Record::new(&user, Some(stored)))?;
            }
        }
        Ok(())
    }

    fn record(&self, id: &UserId) -> Result<Option<Record>, StoreError> {
        let key = user_key(id);
        let parsed = |bytes: &[u8]| {
            record(&key, bytes).map_err(|detail| StoreError::Unreadable { id: id.clone(), detail })
        };
        self.get(&key)?.map(|bytes| parsed(&bytes)).transpose()
    }

    fn put_note(&mut self, note: &Note, replaces: u64) -> Result<Saved, StoreError> {
        let key = note::key(note.kind, &note.key);
        let known = self.get(&key)?.and_then(|bytes| note::open(note.kind, &key, &bytes));
        if known.is_some_and(|(_, known)| known.version > replaces) {
            return Ok(Saved::Overtaken);
        }
        let value = note::seal(note, self.head.revision, self.now);
        if value.len() > MAX_VALUE_BYTES {
            return Err(StoreError::NoteTooLarge { bytes: value.len(), limit: MAX_VALUE_BYTES });
        }
        self.write(key, Some(value))?;
        Ok(Saved::Written)
    }

    fn drop_expired_notes(&mut self, now: UnixTime) -> Result<u64, StoreError> {
        let mut expired = Vec::new();
        for entry in self.db.scan_prefix(note::PREFIX) {
            let (key, value) = entry.map_err(away)?;
            if Envelope::open(&key, &value).is_ok_and(|envelope| envelope.expires_at < now) {
                expired.push(key.to_vec());
            }
        }
        // One that was written anew in this group stays.
        expired.retain(|key| !self.written.contains_key(key));
        let dropped = expired.len() as u64;
        expired.into_iter().try_for_each(|key| self.write(key, None))?;
        Ok(dropped)
    }

    fn put(&mut self, id: &UserId, record: &Record) -> Result<(), StoreError> {
        let key = user_key(id);
        let unwritable =
            |error: serde_json::Error| StoreError::Unreadable { id: id.clone(), detail: error.to_string() };
        let value = Envelope::lasting(self.now, &record.to_json().map_err(unwritable)?).seal(&key);
        if value.len() > MAX_VALUE_BYTES {
            return Err(StoreError::TooLarge { id: id.clone(), bytes: value.len(), limit: MAX_VALUE_BYTES });
        }
        self.write(key, Some(value))
    }

    /// What is there now, with what this group has written.
    fn get(&self, key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        match self.written.get(key) {
            Some(value) => Ok(value.as_deref().map(sled::IVec::from)),
            None => self.db.get(key).map_err(away),
        }
    }

    fn write(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) -> Result<(), StoreError> {
        if let Some(replaced) = self.get(&key)? {
            self.head.remove(&key, &replaced);
        }
        if let Some(value) = &value {
            self.head.add(&key, value);
        }
        self.written.insert(key, value);
        Ok(())
    }
}

fn readable(id: &UserId, record: &Record) -> Result<User, StoreError> {
    record.user().map_err(|error| StoreError::Unreadable { id: id.clone(), detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::user::Change;

    const NOON: UnixTime = UnixTime::from_secs(1_795_521_600); // 2026-11-24T12:00:00Z

    #[test]
    fn a_full_store_takes_nobody_new_and_goes_on_for_everybody_who_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let db = sled::open(folder.path()).unwrap();
        let user = |id: &str| User::new(UserId::parse(id).unwrap(), "https://clerk.example.com", NOON);
        let here = user("user_here").after(&[Change::Seen], NOON).unwrap();
        let mut draft = Draft::new(&db, Head::new(Uuid::nil()), NOON);
        assert_eq!(draft.save(None, &here).unwrap(), Saved::Written);
        draft.head.bytes = MAX_BYTES;
        let new = user("user_new").after(&[Change::Seen], NOON).unwrap();
        assert!(matches!(draft.save(None, &new), Err(StoreError::Full { .. })));
        assert!(matches!(draft.restore(&Record::new(&new, None)), Err(StoreError::Full { .. })));
        let gone = here.after(&[Change::Deleted], NOON).unwrap();
        assert_eq!(draft.save(Some(here.revision), &gone).unwrap(), Saved::Written);
    }
}
