//! `Entry`: what memory holds of a user, and how old that is.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use doorward_verifier::UnixTime;

use super::{FRESH, Shown, UserError, standing};
use crate::logins::Login;
use crate::user::{User, UserId};

/// A record is confirmed in the background somewhere between these hundredths of its fresh time. Where, depends on the
/// id, so that users who came together do not stay together.
const CONFIRMED_FROM: u64 = 60;
const CONFIRMED_TO: u64 = 75;
/// What a record takes as it is shown, its texts apart: names, times, an id.
const SHOWN_BYTES: usize = 400;

/// What memory holds of a user. A request of somebody who is known looks at no more than this: that the record itself,
/// which is elsewhere, need not be brought from memory is a good part of what such a request costs.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) user: Arc<User>,
    pub(super) login: Arc<Login>,
    /// The number of the read or the write of the store that it comes from; 0 for one of an earlier process.
    pub(super) read: u64,
    /// When the store last said so.
    pub(super) confirmed_at: UnixTime,
    /// When Clerk last said who they are.
    pub(super) asked_at: Option<UnixTime>,
    pub(super) shown: Shown,
    /// The store has hinted at something newer.
    pub(super) is_outdated: bool,
    /// Whether the user may come in.
    pub(super) standing: Result<(), UserError>,
    /// Nobody but Clerk has said anything of them.
    is_never_seen: bool,
    /// How old it is when it is confirmed in the background.
    confirmed_after: Duration,
}

/// How old what memory holds is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// As good as the store's own.
    Fresh,
    /// Still that, but not for long.
    Ending,
    /// The store has to be asked.
    Over,
}

impl Entry {
    /// What an earlier process kept; older than anything that this one reads.
    pub(super) fn from_disk(user: User, confirmed_at: UnixTime) -> Entry {
        let login = Arc::new(Login::new(user.clerk_id.clone(), user.last_login_at));
        Entry::new(user, login, 0, confirmed_at, None)
    }

    /// What the read or the write `read` of the store came to.
    pub(super) fn new(
        user: User,
        login: Arc<Login>,
        read: u64,
        confirmed_at: UnixTime,
        asked_at: Option<UnixTime>,
    ) -> Entry {
        let confirmed_after = confirmed_after(&user.clerk_id);
        let is_never_seen = user.last_login_at.is_none() && user.deleted_at.is_none();
        let (standing, shown) = (standing(&user), Shown::default());
        let user = Arc::new(user);
        Entry {
            user,
            login,
            read,
            confirmed_at,
            asked_at,
            shown,
            is_outdated: false,
            standing,
            is_never_seen,
            confirmed_after,
        }
    }

    /// The same, of whom the store is asked before they are shown again, as long as it can be had.
    pub(super) fn outdated(&self) -> Entry {
        let (user, login) = (Arc::clone(&self.user), Arc::clone(&self.login));
        Entry { user, login, shown: Shown::default(), is_outdated: true, ..*self }
    }

    pub(super) fn is_from_disk(&self) -> bool {
        self.read == 0
    }

    pub(super) fn is_older_than(&self, other: &Entry) -> bool {
        self.read < other.read
    }

    pub(super) fn age(&self, now: UnixTime) -> Age {
        let age = now.since(self.confirmed_at);
        // Confirmed later than now: the clock went back, and the age is unknown. Never seen: this is the first time,
        // and the record is to say so.
        if age >= FRESH || self.confirmed_at > now || self.is_never_seen || self.is_outdated {
            Age::Over
        } else if age >= self.confirmed_after {
            Age::Ending
        } else {
            Age::Fresh
        }
    }

    /// About how many bytes it takes.
    pub(super) fn weight(&self) -> u64 {
        let user = &*self.user;
        let identity = user.identity.iter().flat_map(|identity| {
            [
                &identity.email,
                &identity.username,
                &identity.first_name,
                &identity.last_name,
                &identity.image_url,
            ]
        });
        let texts = identity.chain([&user.profile.username, &user.profile.name]);
        let bytes: usize = texts.flatten().map(String::len).sum();
        let fixed = size_of::<Entry>() + size_of::<User>() + size_of::<Login>() + 3 * size_of::<UserId>();
        // The texts are there once more as they are shown.
        (fixed + SHOWN_BYTES + 4 * user.clerk_id.as_str().len() + user.issuer.len() + 2 * bytes) as u64
    }
}

fn confirmed_after(id: &UserId) -> Duration {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    let hundredths = CONFIRMED_FROM + hasher.finish() % (CONFIRMED_TO - CONFIRMED_FROM);
    FRESH.mul_f64(hundredths as f64 / 100.0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const NOON: UnixTime = UnixTime::from_secs(1_795_521_600); // 2026-11-24T12:00:00Z

    #[test]
    fn users_who_came_together_are_confirmed_at_different_times_and_always_before_they_are_over() {
        let due = |number: u32| {
            let id = UserId::parse(&format!("user_{number}")).unwrap();
            let seen = Some(NOON);
            let user = User { last_login_at: seen, ..User::new(id, "https://clerk.example.com", NOON) };
            let entry = Entry::from_disk(user, NOON);
            (0..60).find(|second| entry.age(NOON.plus(Duration::from_secs(*second))) == Age::Ending).unwrap()
        };
        let seconds: HashSet<u64> = (0..200).map(due).collect();
        assert!(seconds.len() >= 8, "{seconds:?}");
        assert!(seconds.iter().all(|second| (36..=45).contains(second)), "{seconds:?}");
    }
}
