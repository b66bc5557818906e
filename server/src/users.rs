//! `UserDirectory`: finds the user of a verified token; makes the record on first sight.
//!
//! A record is shown as it is in memory while that is fresh, is confirmed in the background shortly before it would no
//! longer be, and waits for the store (and Clerk) after that. When the store is away it is shown for a while longer,
//! and says so.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use doorward_verifier::{DEFAULT_CLOCK_SKEW, Principal, UnixTime};
use quick_cache::Weighter;
use quick_cache::sync::Cache as Memory;
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::cache::{Cache, KnownUser};
use crate::clerk::ClerkApi;
use crate::clock::Clock;
use crate::flights::Flights;
use crate::identities::{AskingRate, Identities};
use crate::logins::{Logins, to_write};
use crate::revocation::Denials;
use crate::store::{Hint, Hints, Store, StoreError, StoreStatus};
use crate::user::{Change, ProfileChange, User, UserId};
use confirm::{Confirmed, Failure};
use entry::{Age, Entry};

mod confirm;
mod deny;
mod entry;

/// A change at Clerk or by another instance is seen after this long at the latest, while the store answers.
pub const FRESH: Duration = Duration::from_secs(60);
/// Shorter than the time after which a record is confirmed, so that each confirmation asks Clerk, too.
pub const ASK_AGAIN: Duration = Duration::from_secs(30);
/// The rest of the users is asked for at their next confirmation.
const MAX_LATE_QUESTIONS: usize = 512;
/// What memory may hold; a record takes 1 to 2 KB.
const MAX_MEMORY_BYTES: u64 = 64 * 1024 * 1024;
const USUAL_RECORD_BYTES: u64 = 1500;
/// How often sign-ins are written down, and how much later than the stored one they must be for it.
const LOGIN_FLUSH: Duration = Duration::from_secs(30);
const LOGIN_MOVED: Duration = Duration::from_secs(5 * 60);
/// Sign-ins in one write. A store that takes 10 ms for each, having other things to do, still answers well within the
/// time that it is given for all of them.
const LOGINS_AT_ONCE: usize = 50;
/// The store is asked every second whether it is back.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// What the directory is made of, and its time limits.
#[derive(Debug)]
pub struct DirectorySettings {
    /// The Clerk instance whose users these are.
    pub issuer: String,
    /// How long a record is shown after the store last confirmed it: `STORE_STALE_SECS`.
    pub stale: Duration,
    /// How often Clerk may be asked who users are.
    pub asking_rate: AskingRate,
    /// For how long it is not asked again about one user: [`ASK_AGAIN`], or longer where webhooks tell of changes.
    pub ask_again: Duration,
}

/// Finds users.
#[derive(Debug)]
pub struct UserDirectory(Arc<Directory>);

/// A user, and how sure that is.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Whether this call made it.
    pub created: bool,
    /// How long ago the store confirmed it, when the store could not be asked now.
    pub stale: Option<Duration>,
    entry: Arc<Entry>,
}

/// How the record is shown follows from the record.
impl PartialEq for SignedIn {
    fn eq(&self, other: &SignedIn) -> bool {
        (self.user(), self.created, self.stale) == (other.user(), other.created, other.stale)
    }
}

impl Eq for SignedIn {}

/// A record as it is shown, written for the first who asks and kept as long as the record.
type Shown = OnceLock<Bytes>;

impl SignedIn {
    /// The record.
    pub fn user(&self) -> &Arc<User> {
        &self.entry.user
    }

    /// The record as `write` has it, which is always the same function.
    pub(crate) fn shown(&self, write: impl FnOnce(&User) -> Bytes) -> Bytes {
        self.entry.shown.get_or_init(|| write(self.user())).clone()
    }
}

/// Why a verified token gets no user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// The store can not be had, and what is known is too old.
    #[error("the users can not be had")]
    Unavailable {
        /// When to ask again.
        retry_after: Duration,
    },
    /// Clerk lets the person in no more.
    #[error("the user is banned")]
    Banned,
    /// The person is gone.
    #[error("the user is deleted")]
    Deleted,
    /// An operator has set `is_active` to false.
    #[error("the user is inactive")]
    Inactive,
    /// The session was ended.
    #[error("the session is revoked")]
    Revoked,
}

impl UserDirectory {
    /// Over `store`, with `cache` in front of it where there is one, and `clerk` to ask who users are.
    pub fn open(
        settings: DirectorySettings,
        store: Arc<dyn Store>,
        cache: Option<Arc<Cache>>,
        clerk: Option<ClerkApi>,
        clock: Arc<dyn Clock>,
    ) -> UserDirectory {
        let identities = clerk
            .filter(ClerkApi::knows_users)
            .map(|api| Identities::new(api, settings.asking_rate, Arc::clone(&clock)));
        let directory = Arc::new(Directory {
            memory: Memory::with_weighter(
                (MAX_MEMORY_BYTES / USUAL_RECORD_BYTES) as usize,
                MAX_MEMORY_BYTES,
                ByBytes,
            ),
            turns: Default::default(),
            flights: Flights::default(),
            late_questions: Arc::new(Semaphore::new(MAX_LATE_QUESTIONS)),
            logins: Logins::default(),
            denials: Denials::default(),
            reads: AtomicU64::new(1),
            settings,
            store,
            cache,
            identities,
            clock,
        });
        let (weak, store) = (Arc::downgrade(&directory), &directory.store);
        tokio::spawn(flush_logins_for_ever(Weak::clone(&weak)));
        tokio::spawn(deny::read_denials_for_ever(Weak::clone(&weak), store.hints()));
        tokio::spawn(hear_for_ever(weak, store.hints()));
        UserDirectory(directory)
    }

    /// Whether the session and the user of a verified token are let in, as far as this instance has heard. Asks
    /// nobody.
    pub fn admit(&self, principal: &Principal) -> Result<(), UserError> {
        self.0.heard_of(principal)
    }

    /// The user of a verified token. Made where there is none.
    pub async fn sign_in(&self, principal: &Principal) -> Result<SignedIn, UserError> {
        self.admit(principal)?;
        admitted(match self.0.at_hand(principal.user_id()) {
            Ok(signed_in) => signed_in,
            // Its state is large, and most requests need none of it.
            Err(known) => Box::pin(self.0.find_or_create(&UserId::from(principal), known)).await?,
        })
    }

    /// Changes the profile of the user of a verified token. What it returns is stored.
    pub async fn change_profile(
        &self,
        principal: &Principal,
        change: ProfileChange,
    ) -> Result<SignedIn, UserError> {
        self.admit(principal)?;
        self.change(&UserId::from(principal), change).await
    }

    /// The user `id`, whom a verified token names. Made where there is none.
    pub async fn find_or_create(&self, id: &UserId) -> Result<SignedIn, UserError> {
        admitted(match self.0.at_hand(id.as_str()) {
            Ok(signed_in) => signed_in,
            Err(known) => self.0.find_or_create(id, known).await?,
        })
    }

    /// Changes the profile of the user `id`, whom a verified token names. What it returns is stored.
    pub async fn change(&self, id: &UserId, change: ProfileChange) -> Result<SignedIn, UserError> {
        let known = self.0.recall(id);
        let outcome = self.0.confirm(id, known, Some(Change::Profile(change))).await;
        let Confirmed { entry, created } = outcome.map_err(Failure::into_answer)?;
        admitted(SignedIn { entry, created, stale: None })
    }

    /// Writes down what Clerk said about the user `id`, in a webhook or a list. When this returns, it is stored.
    pub async fn record(&self, id: &UserId, change: Change) -> Result<(), UserError> {
        let recorded = self.0.record(id, change).await.map_err(Failure::into_answer)?;
        let told = self.0.tell_standing(&recorded.entry.user).await;
        told.map_err(|failure| Failure::from(failure).into_answer())
    }

    /// Has every instance turn this session away. When this returns, it is stored; the others hear of it within
    /// seconds.
    pub async fn end_session(&self, session_id: &str) -> Result<(), UserError> {
        let ended = self.0.end_session(session_id).await;
        ended.map_err(|failure| Failure::from(failure).into_answer())
    }

    /// Reads who is turned away, so that a server knows it from its first request on.
    pub async fn load_denials(&self) -> Result<(), StoreError> {
        self.0.read_denials(None).await.map(drop)
    }

    /// How many sessions and users are turned away before their tokens end.
    pub fn denials(&self) -> usize {
        self.0.denials.count()
    }

    /// Whether the store can be had.
    pub fn store_status(&self) -> StoreStatus {
        self.0.store.status()
    }

    /// Writes down every sign-in that the store does not have yet.
    pub async fn flush_logins(&self) -> Result<(), StoreError> {
        self.0.flush_logins(Duration::ZERO).await
    }

    /// Flushes, and gives the store back, even if it did not take everything.
    pub async fn close(&self) -> Result<(), StoreError> {
        let flushed = self.flush_logins().await;
        self.0.store.close().await.and(flushed)
    }
}

/// Banned, deleted and inactive users are found, and turned away.
fn admitted(signed_in: SignedIn) -> Result<SignedIn, UserError> {
    signed_in.entry.standing.map(|()| signed_in)
}

fn standing(user: &User) -> Result<(), UserError> {
    match user {
        User { deleted_at: Some(_), .. } => Err(UserError::Deleted),
        user if user.banned() => Err(UserError::Banned),
        User { is_active: false, .. } => Err(UserError::Inactive),
        _ => Ok(()),
    }
}

/// Of records that come at once, so many are taken up side by side.
const TURNS: usize = 16;

/// Memory is bounded in bytes.
#[derive(Clone)]
struct ByBytes;

impl Weighter<UserId, Arc<Entry>> for ByBytes {
    fn weight(&self, _: &UserId, entry: &Arc<Entry>) -> u64 {
        entry.weight()
    }
}

struct Directory {
    settings: DirectorySettings,
    store: Arc<dyn Store>,
    cache: Option<Arc<Cache>>,
    identities: Option<Identities>,
    clock: Arc<dyn Clock>,
    memory: Memory<UserId, Arc<Entry>, ByBytes>,
    /// What changes of one user in memory and on disk changes in both before the next does. In each is the number of
    /// the last hint at one of its users.
    turns: [Mutex<u64>; TURNS],
    flights: Flights<UserId, Result<Confirmed, Failure>>,
    /// Questions to Clerk that nobody waits for any more.
    late_questions: Arc<Semaphore>,
    logins: Logins,
    denials: Denials,
    /// Numbers reads and writes of the store, so that what was read before a write never replaces it.
    reads: AtomicU64,
}

impl Directory {
    /// The user `id`, of whom memory has `known`, which is not at hand.
    async fn find_or_create(
        self: &Arc<Self>,
        id: &UserId,
        known: Option<Arc<Entry>>,
    ) -> Result<SignedIn, UserError> {
        let now = self.clock.now();
        let known = known.or_else(|| self.recall_from_disk(id)).map(|known| self.if_fresh(known, now));
        let known = match known {
            Some(Ok(signed_in)) => return Ok(signed_in),
            outdated => outdated.and_then(Result::err),
        };
        let (confirming, mut ours) = self.confirming(id, &known);
        let mut outcome = confirming.await.unwrap_or(Err(Failure::Unavailable));
        if let Ok(Confirmed { entry, .. }) = &outcome
            && entry.is_outdated
            && !ours
        {
            // It was under way before the hint. One that is not is known to come after it.
            let (again, is_ours) = self.confirming(id, &Some(Arc::clone(entry)));
            (outcome, ours) = (again.await.unwrap_or(Err(Failure::Unavailable)), is_ours);
        }
        match outcome {
            Ok(Confirmed { entry, created }) => {
                self.logins.note(&entry.login, now);
                Ok(SignedIn { entry, created: created && ours, stale: None })
            }
            Err(failure) => self.stale(known, now).ok_or_else(|| failure.into_answer()),
        }
    }

    /// What memory has of the user, if that is as good as the store's own; else it comes back.
    fn at_hand(self: &Arc<Self>, id: &str) -> Result<SignedIn, Option<Arc<Entry>>> {
        let known = self.memory.get(id).ok_or(None)?;
        self.if_fresh(known, self.clock.now()).map_err(Some)
    }

    /// What is known, if that is as good as the store's own. Has it confirmed before it no longer is.
    fn if_fresh(self: &Arc<Self>, known: Arc<Entry>, now: UnixTime) -> Result<SignedIn, Arc<Entry>> {
        let age = known.age(now);
        if age == Age::Over {
            return Err(known);
        }
        self.logins.note(&known.login, now);
        if age == Age::Ending {
            let _in_background = self.confirming(&known.user.clerk_id, &Some(Arc::clone(&known)));
        }
        Ok(SignedIn { entry: known, created: false, stale: None })
    }

    /// What is known, if that may still be shown. What was confirmed later than now is of unknown age.
    fn stale(&self, known: Option<Arc<Entry>>, now: UnixTime) -> Option<SignedIn> {
        let entry = known.filter(|entry| entry.confirmed_at <= now.plus(DEFAULT_CLOCK_SKEW))?;
        let age = now.since(entry.confirmed_at);
        (age <= self.settings.stale).then(|| {
            self.logins.note(&entry.login, now);
            SignedIn { entry, created: false, stale: Some(age) }
        })
    }

    /// From memory, or else from the cache on disk.
    fn recall(&self, id: &UserId) -> Option<Arc<Entry>> {
        self.memory.get(id).or_else(|| self.recall_from_disk(id))
    }

    fn recall_from_disk(&self, id: &UserId) -> Option<Arc<Entry>> {
        let read = self.number();
        let KnownUser { user, confirmed_at } =
            self.cache.as_ref()?.user(&self.settings.issuer, id.as_str())?;
        Some(self.remember(Entry::from_disk(user, confirmed_at), read))
    }

    /// Keeps the newer of `entry`, which comes from a read or a write that had the number `begun` when it began, and what
    /// memory has, and returns it.
    fn remember(&self, entry: Entry, begun: u64) -> Arc<Entry> {
        let turn = self.turn(&entry.user.clerk_id);
        let is_outdated = begun < *turn;
        let entry = Arc::new(if is_outdated { entry.outdated() } else { entry });
        let id = &entry.user.clerk_id;
        if let Some(known) = self.memory.peek(id).filter(|known| !known.is_older_than(&entry)) {
            return known;
        }
        if !entry.is_from_disk() {
            self.save_in_cache(&entry);
        }
        self.memory.insert(id.clone(), Arc::clone(&entry));
        drop(turn);
        entry
    }

    /// The store hints at a change of the user: what is known, and what a read that is under way comes to, is shown as
    /// the store's own no more.
    fn outdate(&self, id: &UserId) {
        let mut turn = self.turn(id);
        if let Some(known) = self.memory.peek(id) {
            self.memory.insert(id.clone(), Arc::new(known.outdated()));
        }
        let known = self.cache.as_ref().and_then(|cache| cache.user(&self.settings.issuer, id.as_str()));
        let on_disk = known.map(|known| Entry::from_disk(known.user, known.confirmed_at));
        if let Some(fresh) = on_disk.filter(|entry| entry.age(self.clock.now()) != Age::Over) {
            self.save_in_cache(&fresh.outdated());
        }
        // Last, so that a read of the disk which found what was there before is older than the hint.
        *turn = self.number();
    }

    fn turn(&self, id: &UserId) -> MutexGuard<'_, u64> {
        let turn = &self.turns[self.memory.shard_index(id) % TURNS];
        turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn save_in_cache(&self, entry: &Entry) {
        let Some(cache) = &self.cache else { return };
        let confirmed_at = if entry.is_outdated {
            // On disk there is only an age: the youngest at which the store is asked.
            entry.confirmed_at.min(self.clock.now().minus(FRESH))
        } else {
            entry.confirmed_at
        };
        cache.save_user(&self.settings.issuer, &entry.user, confirmed_at);
    }

    async fn flush_logins(&self, least_moved: Duration) -> Result<(), StoreError> {
        let logins = to_write(self.logins.take_moved(least_moved));
        let mut outcome = Ok(());
        for chunk in logins.chunks(LOGINS_AT_ONCE) {
            let writes: Vec<(UserId, UnixTime)> =
                chunk.iter().map(|(login, at)| (login.id().clone(), *at)).collect();
            let written = match outcome {
                // It can't keep up: the rest waits with those that it has not taken.
                Err(StoreError::Busy) => Err(StoreError::Busy),
                _ => self.store.record_logins(&writes).await,
            };
            self.logins.settle(chunk, written.is_ok());
            outcome = written.and(outcome);
        }
        outcome
    }
}

/// Hears of changes by other instances, for as long as the directory is there and the store tells of them.
async fn hear_for_ever(directory: Weak<Directory>, mut hints: Hints) {
    while let Some(hint) = hints.next().await {
        let Some(directory) = directory.upgrade() else { return };
        if let Hint::User(id) = hint {
            directory.outdate(&id);
        }
    }
}

/// What is in memory is not shown: everybody.
impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("settings", &self.settings).finish_non_exhaustive()
    }
}

async fn flush_logins_for_ever(directory: Weak<Directory>) {
    let mut ticks = interval(LOGIN_FLUSH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(directory) = directory.upgrade() else { return };
        if let Err(error) = directory.flush_logins(LOGIN_MOVED).await {
            warn!(%error, "sign-ins could not be written down; they are kept for the next time");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::FixedClock;
    use crate::identities::LOCAL_RATE;
    use crate::logins::Login;
    use crate::store::memory::MemoryStore;
    use crate::user::Profile;

    const NOON: UnixTime = UnixTime::from_secs(1_795_521_600); // 2026-11-24T12:00:00Z

    #[tokio::test]
    async fn what_was_read_before_a_hint_came_is_not_shown_as_the_stores_own_after_it() {
        let settings = DirectorySettings {
            issuer: "https://clerk.example.com".to_owned(),
            stale: Duration::from_secs(3600),
            asking_rate: LOCAL_RATE,
            ask_again: ASK_AGAIN,
        };
        let clock = Arc::new(FixedClock::at(NOON));
        let users = UserDirectory::open(settings, Arc::new(MemoryStore::default()), None, None, clock);
        let directory = &users.0;
        let id = UserId::parse("user_1").unwrap();
        let read_as = |name: &str, read| {
            let profile = Profile { name: Some(name.to_owned()), ..Profile::default() };
            let user = User::new(id.clone(), "https://clerk.example.com", NOON);
            let user = User { last_login_at: Some(NOON), profile, ..user };
            let login = Arc::new(Login::new(id.clone(), user.last_login_at));
            directory.remember(Entry::new(user, login, read, NOON, None), read)
        };
        let at_hand = || match directory.at_hand(id.as_str()) {
            Ok(shown) => Ok(shown.user().name()),
            Err(known) => Err(known.and_then(|known| known.user.name())),
        };
        let named = |name: &str| Some(name.to_owned());

        let under_way = directory.number();
        directory.outdate(&id);
        assert_eq!(read_as("one", under_way).user.name(), named("one"), "whoever waits for it gets it");
        assert_eq!(at_hand(), Err(named("one")), "whoever comes later does not");
        read_as("two", directory.number());
        assert_eq!(at_hand(), Ok(named("two")));
        directory.outdate(&id);
        assert_eq!(at_hand(), Err(named("two")));
        read_as("one", under_way);
        assert_eq!(at_hand(), Err(named("two")), "an older read replaces nothing");
        read_as("three", directory.number());
        assert_eq!(at_hand(), Ok(named("three")));
    }
}
