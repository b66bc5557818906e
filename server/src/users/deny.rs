//! Who is turned away before their token ends: written for all instances, and read from them.

use std::sync::{Arc, Weak};

use doorward_verifier::Principal;
use tracing::warn;

use super::{Directory, UserError};
use crate::clock::Stopwatch;
use crate::revocation::{Denial, READ_EVERY};
use crate::store::{Hints, Mark, NoteKind, Rounds, Saved, StoreError};
use crate::user::{User, UserId};

/// Notes that have expired are removed this often.
const SWEEP_EVERY: std::time::Duration = std::time::Duration::from_secs(10 * 60);

impl Directory {
    /// Whether the session and the user of a genuine token are let in, as far as this instance has heard.
    pub(super) fn heard_of(&self, principal: &Principal) -> Result<(), UserError> {
        let now = || self.clock.now();
        match self.denials.find(principal.session_id(), principal.user_id(), now) {
            None | Some(Denial::Lifted) => Ok(()),
            Some(Denial::Ended) => Err(UserError::Revoked),
            Some(Denial::Banned) => Err(UserError::Banned),
            Some(Denial::Deleted) => Err(UserError::Deleted),
        }
    }

    /// Has every instance turn the session away. When this returns, the store has it.
    pub(super) async fn end_session(&self, session_id: &str) -> Result<(), StoreError> {
        let now = self.clock.now();
        let note = Denial::session(session_id, now);
        self.store.put_note(&note, u64::MAX).await?;
        self.denials.take(vec![note]);
        Ok(())
    }

    /// Tells every instance how a user stands, if that is news to the store.
    pub(super) async fn tell_standing(&self, user: &User) -> Result<(), StoreError> {
        let now = self.clock.now();
        let note = Denial::standing(user, now);
        if Denial::of(&note) == Some(Denial::Lifted) {
            let known = self.store.note(NoteKind::Denial, &note.key).await?;
            if known.is_none_or(|known| Denial::of(&known) == Some(Denial::Lifted)) {
                return Ok(());
            }
        }
        if self.store.put_note(&note, note.version).await? == Saved::Written {
            self.denials.take(vec![note]);
        }
        Ok(())
    }

    /// Reads what others have written since `mark`.
    pub(super) async fn read_denials(&self, mark: Option<Mark>) -> Result<Mark, StoreError> {
        let (notes, mark) = self.store.notes(NoteKind::Denial, mark).await?;
        for id in self.denials.take(notes) {
            self.forget(&id);
        }
        Ok(mark)
    }

    /// What is known of the user is not shown again before the store was asked.
    fn forget(&self, id: &UserId) {
        let mut turn = self.turn(id);
        self.memory.remove(id);
        if let Some(cache) = &self.cache {
            cache.forget_user(&self.settings.issuer, id.as_str());
        }
        // A read that began before is of who they were.
        *turn = self.number();
    }
}

/// Reads the denials of other instances, for as long as the directory is there.
pub(super) async fn read_denials_for_ever(directory: Weak<Directory>, hints: Hints) {
    let mut rounds = Rounds::new(READ_EVERY, hints, NoteKind::Denial);
    let (mut mark, mut swept) = (None, Stopwatch::start());
    loop {
        rounds.next().await;
        let Some(directory) = directory.upgrade() else { return };
        if directory.store.is_shared() || mark.is_none() {
            // An outage is the store's to report.
            mark = directory.read_denials(mark).await.ok().or(mark);
        }
        if swept.elapsed() >= SWEEP_EVERY {
            swept = Stopwatch::start();
            sweep(&directory).await;
        }
    }
}

async fn sweep(directory: &Arc<Directory>) {
    if let Err(error) = directory.store.drop_expired_notes(directory.clock.now()).await {
        warn!(%error, "expired notes could not be removed; they are next time");
    }
}
