//! `Withdrawn`: keys that the person on call took out of use, on every instance, while they run.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use doorward_verifier::{KeyId, UnixTime};
use tracing::{debug, warn};

use crate::store::{Mark, Note, NoteKind, Store, StoreError};

/// Longer than any copy of a key is used. What is to be denied for good belongs into `DENY_KIDS`.
const LASTS: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const WITHDRAWN: &str = "\"withdrawn\"";
const ALLOWED: &str = "\"allowed\"";

/// What the store says of withdrawn keys, as this instance last heard it.
#[derive(Debug)]
pub(super) struct Withdrawn {
    store: Arc<dyn Store>,
    issuer: String,
    kids: ArcSwap<Vec<(KeyId, UnixTime)>>,
}

impl Withdrawn {
    pub(super) fn new(store: Arc<dyn Store>, issuer: String) -> Withdrawn {
        Withdrawn { store, issuer, kids: ArcSwap::default() }
    }

    /// Whether no token may be signed with this key.
    pub(super) fn contains(&self, kid: &KeyId, now: UnixTime) -> bool {
        let kids = self.kids.load();
        kids.iter().any(|(withdrawn, until)| withdrawn == kid && now < *until)
    }

    /// All of them.
    pub(super) fn kids(&self, now: UnixTime) -> Vec<KeyId> {
        let kids = self.kids.load();
        kids.iter().filter(|(_, until)| now < *until).map(|(kid, _)| kid.clone()).collect()
    }

    /// Takes the key out of use, or back into it. When this returns, the store has it; the other instances hear of it
    /// within seconds.
    pub(super) async fn set(&self, kid: &KeyId, withdrawn: bool, now: UnixTime) -> Result<(), StoreError> {
        let note = Note {
            kind: NoteKind::Withdrawal,
            key: self.name(kid),
            version: now.as_millis(),
            value: if withdrawn { WITHDRAWN } else { ALLOWED }.to_owned(),
            expires_at: now.plus(LASTS),
        };
        self.store.put_note(&note, u64::MAX).await?;
        warn!(%kid, withdrawn, "a key was taken out of use, or back into it");
        self.take(vec![note], now);
        Ok(())
    }

    /// Reads what instances have written since `mark`.
    pub(super) async fn read(&self, mark: Option<Mark>, now: UnixTime) -> Option<Mark> {
        let read = self.store.notes(NoteKind::Withdrawal, mark).await;
        // An outage is the store's to report.
        let (notes, mark) = read.inspect_err(|error| debug!(%error, "withdrawn keys were not read")).ok()?;
        self.take(notes, now);
        Some(mark)
    }

    /// Whether others write, too.
    pub(super) fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    fn take(&self, notes: Vec<Note>, now: UnixTime) {
        if notes.is_empty() {
            return;
        }
        self.kids.rcu(|kids| {
            let mut kids: Vec<(KeyId, UnixTime)> =
                kids.iter().filter(|(_, until)| now < *until).cloned().collect();
            for note in &notes {
                let Some(kid) = self.kid(note) else { continue };
                kids.retain(|(known, _)| *known != kid);
                if note.value == WITHDRAWN && now < note.expires_at {
                    kids.push((kid, note.expires_at));
                }
            }
            kids
        });
    }

    /// Stores may be shared by servers of several instances: a name holds the issuer.
    fn name(&self, kid: &KeyId) -> String {
        format!("{}|{kid}", self.issuer)
    }

    fn kid(&self, note: &Note) -> Option<KeyId> {
        KeyId::parse(note.key.strip_prefix(&self.issuer)?.strip_prefix('|')?)
    }
}
