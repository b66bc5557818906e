//! `Logins`: when each user was last seen, collected so that no request writes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use doorward_verifier::UnixTime;

use crate::user::UserId;

/// A user waits here once, however often they come. Beyond this many, the rest are seen again later.
const MAX_WAITING: usize = 100_000;

/// When one user was last seen, and what the store has of it.
#[derive(Debug)]
pub(crate) struct Login {
    id: UserId,
    seen: AtomicU64,
    written: AtomicU64,
    waiting: AtomicBool,
}

/// The users whose last sign-in the store does not have yet.
#[derive(Debug, Default)]
pub(crate) struct Logins(Mutex<Vec<Arc<Login>>>);

impl Login {
    /// Of a user of whom the store has `written`.
    pub(crate) fn new(id: UserId, written: Option<UnixTime>) -> Login {
        let written = written.unwrap_or_default().as_millis();
        Login { id, seen: written.into(), written: written.into(), waiting: false.into() }
    }

    fn seen(&self) -> UnixTime {
        UnixTime::from_millis(self.seen.load(Ordering::Relaxed))
    }

    fn written(&self) -> UnixTime {
        UnixTime::from_millis(self.written.load(Ordering::Relaxed))
    }
}

impl Logins {
    /// The user came. Touches nothing but two numbers once they are waiting.
    pub(crate) fn note(&self, login: &Arc<Login>, now: UnixTime) {
        login.seen.fetch_max(now.as_millis(), Ordering::Relaxed);
        if login.seen() > login.written() && !login.waiting.swap(true, Ordering::Relaxed) {
            self.wait([Arc::clone(login)]);
        }
    }

    /// Takes out everyone whose last sign-in is more than `least` later than what the store has; the others go on
    /// waiting.
    pub(crate) fn take_moved(&self, least: Duration) -> Vec<Arc<Login>> {
        let mut waiting = self.waiting();
        let (taken, kept) = waiting.drain(..).partition(|login| login.seen().since(login.written()) > least);
        *waiting = kept;
        taken
    }

    /// The store has what `login` was taken out with, or it does not, and `login` waits again.
    pub(crate) fn settle(&self, logins: &[(Arc<Login>, UnixTime)], stored: bool) {
        for (login, at) in logins.iter().filter(|_| stored) {
            login.written.fetch_max(at.as_millis(), Ordering::Relaxed);
        }
        let unsettled = logins.iter().map(|(login, _)| login).filter(|login| {
            login.waiting.store(false, Ordering::Relaxed);
            login.seen() > login.written() && !login.waiting.swap(true, Ordering::Relaxed)
        });
        self.wait(unsettled.cloned().collect::<Vec<_>>());
    }

    fn wait(&self, logins: impl IntoIterator<Item = Arc<Login>>) {
        let mut waiting = self.waiting();
        for login in logins {
            if waiting.len() < MAX_WAITING {
                waiting.push(login);
            } else {
                login.waiting.store(false, Ordering::Relaxed);
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Arc<Login>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What to write for the users taken out.
pub(crate) fn to_write(logins: Vec<Arc<Login>>) -> Vec<(Arc<Login>, UnixTime)> {
    logins.into_iter().map(|login| (Arc::clone(&login), login.seen())).collect()
}

impl Login {
    /// Whose it is.
    pub(crate) fn id(&self) -> &UserId {
        &self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixTime = UnixTime::from_secs(1_795_521_600); // 2026-11-24T12:00:00Z
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_user_waits_once_until_their_login_has_moved_and_is_stored() {
        let logins = Logins::default();
        let login = Arc::new(Login::new(UserId::parse("user_1").unwrap(), Some(NOON)));
        logins.note(&login, NOON);
        assert!(logins.take_moved(Duration::ZERO).is_empty(), "the store has it");
        for second in 1..=50 {
            logins.note(&login, NOON.plus(Duration::from_secs(second)));
        }
        assert!(logins.take_moved(MINUTE).is_empty(), "not far enough");
        let taken = to_write(logins.take_moved(Duration::ZERO));
        assert_eq!(taken.iter().map(|(_, at)| *at).collect::<Vec<_>>(), [NOON.plus(Duration::from_secs(50))]);
        logins.settle(&taken, false);
        let again = to_write(logins.take_moved(Duration::ZERO));
        assert_eq!(again.len(), 1, "a failed write is tried again");
        logins.settle(&again, true);
        assert!(logins.take_moved(Duration::ZERO).is_empty());
    }
}
