//! `FaultyStore`: a store that counts, and goes away when a test says so.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use doorward::record::Record;
use doorward::store::memory::MemoryStore;
use doorward::store::{
    Hint, Hints, Mark, Note, NoteKind, Notes, Page, Pending, Saved, Store, StoreError, StoreStatus,
};
use doorward::user::{User, UserId};
use doorward_verifier::UnixTime;
use tokio::sync::Notify;
use tokio::sync::broadcast::{self, Sender};

/// A store in memory, with a switch.
#[derive(Debug, Default)]
pub struct FaultyStore {
    store: MemoryStore,
    away: AtomicBool,
    loads: AtomicUsize,
    saves: AtomicUsize,
    logins: AtomicUsize,
    hints: OnceLock<Sender<Hint>>,
    holds_next_load: AtomicBool,
    release: Notify,
}

impl FaultyStore {
    /// One that is there.
    pub fn new() -> Arc<FaultyStore> {
        Arc::default()
    }

    /// Makes it go away, or come back.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// How often it was read, written to, and given sign-ins.
    pub fn calls(&self) -> [usize; 3] {
        [&self.loads, &self.saves, &self.logins].map(|count| count.load(Ordering::SeqCst))
    }

    /// Makes what the next load has read wait for `release`.
    pub fn hold_next_load(&self) {
        self.holds_next_load.store(true, Ordering::SeqCst);
    }

    /// Lets the load go that is held, or will be.
    pub fn release(&self) {
        self.release.notify_one();
    }

    /// Tells of a change, whether there was one or not.
    pub fn hint(&self, hint: Hint) {
        self.hinting().send(hint).expect("somebody listens");
    }

    fn hinting(&self) -> &Sender<Hint> {
        self.hints.get_or_init(|| broadcast::channel(16).0)
    }

    fn gone<T>(&self) -> Option<Pending<'_, T>>
    where
        T: Send + 'static,
    {
        let gone = || StoreError::Away { detail: "as asked".to_owned() };
        self.away.load(Ordering::SeqCst).then(|| Box::pin(async move { Err(gone()) }) as Pending<'_, T>)
    }
}

impl Notes for FaultyStore {
    fn note<'a>(&'a self, kind: NoteKind, key: &'a str) -> Pending<'a, Option<Note>> {
        self.gone().unwrap_or_else(|| self.store.note(kind, key))
    }

    fn put_note<'a>(&'a self, note: &'a Note, replaces: u64) -> Pending<'a, Saved> {
        self.gone().unwrap_or_else(|| self.store.put_note(note, replaces))
    }

    fn notes(&self, kind: NoteKind, since: Option<Mark>) -> Pending<'_, (Vec<Note>, Mark)> {
        self.gone().unwrap_or_else(|| self.store.notes(kind, since))
    }

    fn drop_expired_notes(&self, now: UnixTime) -> Pending<'_, u64> {
        self.gone().unwrap_or_else(|| self.store.drop_expired_notes(now))
    }

    fn is_shared(&self) -> bool {
        true
    }
}

impl Store for FaultyStore {
    fn load<'a>(&'a self, id: &'a UserId) -> Pending<'a, Option<User>> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let holds = self.holds_next_load.swap(false, Ordering::SeqCst);
        self.gone().unwrap_or_else(|| {
            Box::pin(async move {
                let loaded = self.store.load(id).await;
                if holds {
                    self.release.notified().await;
                }
                loaded
            })
        })
    }

    fn save<'a>(&'a self, before: Option<&'a User>, after: &'a User) -> Pending<'a, Saved> {
        self.saves.fetch_add(1, Ordering::SeqCst);
        self.gone().unwrap_or_else(|| self.store.save(before, after))
    }

    fn record_logins<'a>(&'a self, logins: &'a [(UserId, UnixTime)]) -> Pending<'a, ()> {
        self.logins.fetch_add(logins.len(), Ordering::SeqCst);
        self.gone().unwrap_or_else(|| self.store.record_logins(logins))
    }

    fn page<'a>(&'a self, after: Option<&'a UserId>, limit: usize) -> Pending<'a, Page> {
        self.gone().unwrap_or_else(|| self.store.page(after, limit))
    }

    fn restore<'a>(&'a self, record: &'a Record) -> Pending<'a, Saved> {
        self.gone().unwrap_or_else(|| self.store.restore(record))
    }

    fn hints(&self) -> Hints {
        self.hinting().subscribe().into()
    }

    fn status(&self) -> StoreStatus {
        if self.away.load(Ordering::SeqCst) { StoreStatus::Away } else { StoreStatus::Ready }
    }

    fn close(&self) -> Pending<'_, ()> {
        self.store.close()
    }
}
