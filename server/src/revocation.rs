//! `Denials`: sessions and users that are turned away before their tokens end.
//!
//! They are kept in the store for all instances. Each instance reads the new ones every two seconds, so that what one
//! has acknowledged is in force on all of them within five. While the store is away nothing new is heard of, and a
//! token lives to its end, which is near.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use doorward_verifier::{MAX_LIFETIME, UnixTime};

use crate::clock::Stopwatch;
use crate::store::{Note, NoteKind};
use crate::user::{User, UserId};

/// How often each instance reads the new ones.
pub(crate) const READ_EVERY: Duration = Duration::from_secs(2);
/// No token that was there when its session ended is accepted for longer: the lifetime that is accepted at most, and
/// the clock skew, generously.
const LASTS: Duration = Duration::from_secs(MAX_LIFETIME.as_secs() + 5 * 60);

/// Why somebody is turned away, or that they are not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// The session was ended, removed or revoked.
    Ended,
    /// Clerk lets the user in no more.
    Banned,
    /// The user is gone.
    Deleted,
    /// Clerk lets the user in again.
    Lifted,
}

impl Denial {
    const ALL: [Denial; 4] = [Denial::Ended, Denial::Banned, Denial::Deleted, Denial::Lifted];

    fn as_str(self) -> &'static str {
        match self {
            Denial::Ended => "ended",
            Denial::Banned => "banned",
            Denial::Deleted => "deleted",
            Denial::Lifted => "lifted",
        }
    }

    /// What a note says.
    pub(crate) fn of(note: &Note) -> Option<Denial> {
        let said: String = serde_json::from_str(&note.value).ok()?;
        Denial::ALL.into_iter().find(|denial| denial.as_str() == said)
    }

    /// That the session was ended.
    pub(crate) fn session(session_id: &str, at: UnixTime) -> Note {
        Denial::Ended.note(session_id, at.as_millis(), at)
    }

    /// What the record of a user comes to. It follows the record and not the event, which may be late.
    pub(crate) fn standing(user: &User, now: UnixTime) -> Note {
        let id = user.clerk_id.as_str();
        let version = user.identity.as_ref().map_or(0, |identity| identity.updated_at.as_millis());
        match user {
            User { deleted_at: Some(_), .. } => Denial::Deleted.note(id, i64::MAX as u64, now),
            user if user.banned() => Denial::Banned.note(id, version, now),
            _ => Denial::Lifted.note(id, version, now),
        }
    }

    fn note(self, key: &str, version: u64, now: UnixTime) -> Note {
        let (key, value) = (key.to_owned(), format!("\"{}\"", self.as_str()));
        Note { kind: NoteKind::Denial, key, version, value, expires_at: now.plus(LASTS) }
    }
}

/// The denials that this instance knows of.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    known: RwLock<HashMap<String, Known>>,
    count: AtomicUsize,
}

#[derive(Debug)]
struct Known {
    denial: Denial,
    note: Note,
    /// When it was heard of. It is kept for as long as it lasts by a clock that nobody sets: one that is ahead for a
    /// while would drop it, and let a session in again when it is set right.
    heard: Stopwatch,
}

impl Denials {
    /// Why the session or the user of a genuine token is turned away. Asks for the time only if there is anybody.
    pub(crate) fn find(
        &self,
        session_id: Option<&str>,
        user_id: &str,
        now: impl FnOnce() -> UnixTime,
    ) -> Option<Denial> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let now = now();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let in_force =
            |key: &str| known.get(key).filter(|known| known.note.expires_at > now).map(|known| known.denial);
        let user = in_force(user_id).filter(|denial| *denial != Denial::Lifted);
        user.or_else(|| in_force(session_id?))
    }

    /// Takes up what the store has, and says which users it is news about. What has ended by a clock that may be wrong
    /// is taken up, too: it is not told again.
    pub(crate) fn take(&self, notes: Vec<Note>) -> Vec<UserId> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut news = Vec::new();
        for note in notes {
            let Some(denial) = Denial::of(&note) else { continue };
            if known.get(&note.key).is_some_and(|known| known.note == note) {
                continue;
            }
            news.extend(UserId::parse(&note.key));
            known.insert(note.key.clone(), Known { denial, note, heard: Stopwatch::start() });
        }
        known.retain(|_, known| known.heard.elapsed() < LASTS);
        self.count.store(known.len(), Ordering::Release);
        news
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixTime = UnixTime::from_secs(1_795_521_600); // 2026-11-24T12:00:00Z

    #[tokio::test(start_paused = true)]
    async fn a_denial_is_in_force_until_no_token_of_its_time_is_accepted() {
        let denials = Denials::default();
        assert_eq!(denials.find(Some("sess_1"), "user_1", || NOON), None);
        denials.take(vec![Denial::session("sess_1", NOON)]);
        assert_eq!(denials.find(Some("sess_1"), "user_1", || NOON), Some(Denial::Ended));
        assert_eq!(denials.find(Some("sess_2"), "user_1", || NOON), None);
        assert_eq!(denials.find(None, "user_1", || NOON), None);
        assert_eq!(denials.find(Some("sess_1"), "user_1", || NOON.plus(MAX_LIFETIME)), Some(Denial::Ended));
        assert_eq!(denials.find(Some("sess_1"), "user_1", || NOON.plus(LASTS)), None);
        denials.take(Vec::new());
        assert_eq!(
            denials.find(Some("sess_1"), "user_1", || NOON),
            Some(Denial::Ended),
            "the clock was wrong"
        );
        tokio::time::advance(LASTS).await;
        denials.take(Vec::new());
        assert_eq!(denials.count(), 0);
    }

    #[test]
    fn an_unban_lifts_a_ban_and_only_news_is_news() {
        let denials = Denials::default();
        let banned = Denial::Banned.note("user_1", 1, NOON);
        assert_eq!(denials.take(vec![banned.clone()]).len(), 1);
        assert!(denials.take(vec![banned]).is_empty());
        assert_eq!(denials.find(Some("sess_1"), "user_1", || NOON), Some(Denial::Banned));
        assert_eq!(denials.take(vec![Denial::Lifted.note("user_1", 2, NOON)]).len(), 1);
        assert_eq!(denials.find(Some("sess_1"), "user_1", || NOON), None);
    }
}
