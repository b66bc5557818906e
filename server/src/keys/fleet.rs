//! `Fleet`: what instances tell each other about the issuer's keys, by way of the store.

use std::sync::Arc;
use std::time::Duration;

use doorward_verifier::UnixTime;
use tokio::time::sleep;
use tracing::debug;

use crate::cache::KnownKeys;
use crate::clock::Clock;
use crate::store::{Note, NoteKind, Saved, Store};

/// No copy is of use for longer, whatever the hard age is set to.
const COPY_LASTS: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Whoever took the lead has fetched by then, or is gone.
const LEAD_LASTS: Duration = Duration::from_secs(5);
/// How often the others look for the leader's copy, and for how long.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS: u32 = 10;

/// The other instances.
#[derive(Debug)]
pub(super) struct Fleet {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// Whose keys, and from where: copies of other keys are not seen.
    key: String,
}

impl Fleet {
    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, key: String) -> Fleet {
        Fleet { store, clock, key }
    }

    /// The newest copy that an instance has left.
    pub(super) async fn copy(&self) -> Option<KnownKeys> {
        let note = self.store.note(NoteKind::Keys, &self.key).await;
        // Without the store each instance is on its own.
        let note = note.inspect_err(|error| debug!(%error, "no copy of the keys")).ok()??;
        serde_json::from_str(&note.value).ok()
    }

    /// Leaves a copy for the others, unless a newer one is there.
    pub(super) async fn leave(&self, keys: &KnownKeys) {
        let Ok(value) = serde_json::to_string(keys) else { return };
        let expires_at = self.clock.now().plus(COPY_LASTS);
        let note =
            Note { kind: NoteKind::Keys, key: self.key.clone(), version: keys.asked_at, value, expires_at };
        if let Err(error) = self.store.put_note(&note, keys.asked_at).await {
            debug!(%error, "no copy of the keys was left");
        }
    }

    /// A copy that is newer than `than`, if there is one, or if another instance is about to leave one. None means
    /// that this instance has to fetch; the others wait for it.
    pub(super) async fn newer_copy(&self, than: Option<UnixTime>) -> Option<KnownKeys> {
        let newer = |copy: &KnownKeys| than.is_none_or(|than| copy.asked_at > than.as_millis());
        if let Some(copy) = self.copy().await.filter(newer) {
            return Some(copy);
        }
        for _ in 0..LOOKS {
            if self.takes_the_lead().await {
                return None;
            }
            sleep(LOOK_EVERY).await;
            if let Some(copy) = self.copy().await.filter(newer) {
                return Some(copy);
            }
        }
        None
    }

    /// Of instances that need keys at the same time, one gets the lease. It is not given back: whoever is too late for
    /// the copy may fetch, too, when it has ended.
    async fn takes_the_lead(&self) -> bool {
        let now = self.clock.now();
        let until = now.plus(LEAD_LASTS);
        let lease = Note {
            kind: NoteKind::Lease,
            key: self.key.clone(),
            version: until.as_millis(),
            value: "true".to_owned(),
            expires_at: until,
        };
        // Without the store each instance is on its own.
        !matches!(self.store.put_note(&lease, now.as_millis()).await, Ok(Saved::Overtaken))
    }
}
