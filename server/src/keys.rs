//! `KeySource`: brings the keys that [`KeyCache`] asks for: from memory, from disk, from Clerk.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use doorward_verifier::{
    Issuer, Jwks, KeyCache, KeyError, KeyId, KeySet, KeyStatus, Lookup, REFRESH_AFTER, Rsa, UnixTime,
};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{error, info, warn};

use crate::cache::Cache;
use crate::clerk::{ClerkApi, ClerkError, FetchedKeys};
use crate::clock::Clock;
use crate::flights::{Flight, Flights};
use crate::revocation::READ_EVERY;
use crate::store::{Hints, NoteKind, Rounds, Store, StoreError};
use crate::telemetry;

mod fleet;
mod snapshot;
mod withdrawn;

use fleet::Fleet;
pub use snapshot::Snapshot;
use withdrawn::Withdrawn;

/// How long a request waits for keys. The fetch goes on when nobody waits any more.
const WAIT: Duration = Duration::from_secs(2);
/// How often it is looked whether a refresh is due.
const REFRESH_TICK: Duration = Duration::from_secs(1);
/// When to ask again after a fetch that took too long.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Whose keys, and from where.
pub struct KeySettings {
    /// The instance that they belong to.
    pub issuer: Issuer,
    /// Where they come from.
    pub origin: KeyOrigin,
    /// How long they are used after the issuer was asked: `JWKS_HARD_AGE_SECS`.
    pub hard_age: Duration,
    /// Keys that are not passed on, whatever the issuer publishes: `DENY_KIDS`. The policy refuses them here.
    pub denied: Vec<KeyId>,
    /// What checks signatures.
    pub rsa: Arc<dyn Rsa>,
    /// Where instances leave each other copies, if there can be others.
    pub store: Option<Arc<dyn Store>>,
}

/// Where keys come from.
pub enum KeyOrigin {
    /// A key in the settings: `CLERK_JWT_KEY`. It is for every `kid`, and nothing is fetched.
    Configured(Arc<KeySet>),
    /// What the issuer publishes.
    Published(ClerkApi),
}

/// Why a key can not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// The issuer was asked lately and has no such key: a refusal.
    #[error("the issuer has no such key")]
    UnknownKid,
    /// Nobody can tell: a failure.
    #[error("the keys can not be had")]
    Unavailable {
        /// When to ask again.
        retry_after: Duration,
    },
}

/// Why keys were not fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Clerk gave no answer.
    #[error(transparent)]
    Clerk(#[from] ClerkError),
    /// What it answered is no JWKS.
    #[error("the answer is no key set: {0}")]
    Malformed(#[from] KeyError),
    /// It is one, without a key that is fit for use.
    #[error("the answer has no key that is fit for use, {refused} that are not")]
    Empty {
        /// How many.
        refused: usize,
    },
    /// The key is configured, so there is nothing to fetch.
    #[error("the key is configured")]
    Configured,
}

/// What keys are needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// A request waits for them: another instance's copy is as good.
    Keys,
    /// This instance has to hear it from the issuer.
    Confirmation,
}

/// Brings one issuer's keys.
#[derive(Clone, Debug)]
pub struct KeySource(Arc<Source>);

struct Source {
    issuer: Issuer,
    origin: KeyOrigin,
    denied: Vec<KeyId>,
    rsa: Arc<dyn Rsa>,
    cache: Option<Arc<Cache>>,
    clock: Arc<dyn Clock>,
    keys: RwLock<KeyCache>,
    published: ArcSwapOption<Snapshot>,
    fleet: Option<Fleet>,
    withdrawn: Option<Withdrawn>,
    /// Where this instance stands among the others, from 0.1 to 0.9.
    place: f64,
    /// Until when a copy of another instance's is not confirmed; in milliseconds.
    confirm_from: AtomicU64,
    fetches: Flights<(), Result<(), FetchError>>,
    answered: AtomicU64,
    failed: AtomicU64,
}

impl KeySource {
    /// Takes up what an earlier process kept, and begins to refresh it in the background.
    pub fn open(settings: KeySettings, cache: Option<Arc<Cache>>, clock: Arc<dyn Clock>) -> KeySource {
        let KeySettings { issuer, origin, hard_age, denied, rsa, store } = settings;
        let hints = store.as_ref().map_or_else(Hints::none, |store| store.hints());
        let withdrawn = store.clone().map(|store| Withdrawn::new(store, issuer.as_str().to_owned()));
        let fleet = match (&origin, store) {
            (KeyOrigin::Published(api), Some(store)) if store.is_shared() => {
                Some(Fleet::new(store, Arc::clone(&clock), source_name(&issuer, api)))
            }
            _ => None,
        };
        let keys = RwLock::new(KeyCache::new(hard_age));
        let published = ArcSwapOption::empty();
        let place = 0.1 + 0.8 * f64::from(RandomState::new().hash_one(()) as u32) / f64::from(u32::MAX);
        let (confirm_from, fetches) = (AtomicU64::new(0), Flights::default());
        let source = Arc::new(Source {
            issuer,
            origin,
            denied,
            rsa,
            cache,
            clock,
            keys,
            published,
            fleet,
            withdrawn,
            place,
            confirm_from,
            fetches,
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        });
        source.restore();
        tokio::spawn(refresh_for_ever(Arc::downgrade(&source)));
        tokio::spawn(read_withdrawn_for_ever(Arc::downgrade(&source), hints));
        KeySource(source)
    }

    /// What to do about the key `kid` now. Waits for nothing, and starts the refresh that is due.
    pub fn lookup(&self, kid: &KeyId, now: UnixTime) -> Lookup {
        if self.is_withdrawn(kid, now) {
            return Lookup::UnknownKid;
        }
        let answer = match &self.0.origin {
            KeyOrigin::Configured(keys) => Lookup::Use(Arc::clone(keys)),
            KeyOrigin::Published(_) => self.0.keys().lookup(kid, now),
        };
        if matches!(answer, Lookup::UseAndRefresh(_)) && self.0.may_confirm(now) {
            let _in_background = self.0.fetching(Need::Confirmation);
        }
        answer
    }

    /// The set that has the key `kid`, fetched for it where that may be done.
    pub async fn for_kid(&self, kid: &KeyId) -> Result<Arc<KeySet>, KeysError> {
        let mut answer = self.lookup(kid, self.0.clock.now());
        // What the first one brings may be another instance's copy, which need not have this key.
        for _ in 0..2 {
            let Lookup::Fetch = answer else { break };
            if timeout(WAIT, self.0.fetching(Need::Keys)).await.is_err() {
                return Err(KeysError::Unavailable { retry_after: RETRY_AFTER });
            }
            answer = self.0.keys().lookup(kid, self.0.clock.now());
        }
        if let Lookup::Fetch = answer {
            answer = self.0.keys().lookup_after_fetch(kid, self.0.clock.now());
        }
        match answer {
            Lookup::Use(keys) | Lookup::UseAndRefresh(keys) => Ok(keys),
            Lookup::UnknownKid => Err(KeysError::UnknownKid),
            Lookup::Unavailable { retry_after } => Err(KeysError::Unavailable { retry_after }),
            Lookup::Fetch => Err(KeysError::Unavailable { retry_after: RETRY_AFTER }),
        }
    }

    /// A signature did not verify under the key `kid`: the set that has it now, if the issuer may have put another
    /// key under that name and there was a fetch for it.
    pub async fn after_wrong_signature(&self, kid: &KeyId) -> Option<Arc<KeySet>> {
        let published = matches!(self.0.origin, KeyOrigin::Published(_));
        if !published || !self.0.keys().suspects_rekeying(self.0.clock.now()) {
            return None;
        }
        timeout(WAIT, self.0.fetching(Need::Confirmation)).await.ok()??.ok()?;
        match self.0.keys().lookup_after_fetch(kid, self.0.clock.now()) {
            Lookup::Use(keys) | Lookup::UseAndRefresh(keys) => Some(keys),
            _ => None,
        }
    }

    /// Fetches now, or joins the fetch that is under way.
    pub async fn refresh(&self) -> Result<(), FetchError> {
        self.0.fetching(Need::Confirmation).await.unwrap_or(Err(FetchError::Configured))
    }

    /// Whether the person on call took this key out of use, as far as this instance has heard.
    pub fn is_withdrawn(&self, kid: &KeyId, now: UnixTime) -> bool {
        self.0.withdrawn.as_ref().is_some_and(|withdrawn| withdrawn.contains(kid, now))
    }

    /// How often the issuer was asked, with success and without.
    pub fn fetches(&self) -> (u64, u64) {
        (self.0.answered.load(Ordering::Relaxed), self.0.failed.load(Ordering::Relaxed))
    }

    /// Whose keys these are.
    pub fn issuer(&self) -> &str {
        self.0.issuer.as_str()
    }

    /// Where they come from.
    pub fn source(&self) -> String {
        match &self.0.origin {
            KeyOrigin::Configured(_) => "CLERK_JWT_KEY".to_owned(),
            KeyOrigin::Published(api) => api.jwks_url().to_owned(),
        }
    }

    /// The names of the keys that are held, withdrawn ones among them. A configured key has none.
    pub fn kids(&self) -> Vec<KeyId> {
        let held = self.0.published.load_full();
        let held = held.and_then(|held| Jwks::parse(held.document.as_bytes()).ok());
        held.map(|jwks| jwks.keys().iter().map(|key| key.kid().clone()).collect()).unwrap_or_default()
    }

    /// The keys that the person on call took out of use.
    pub fn withdrawn(&self) -> Vec<KeyId> {
        self.0.withdrawn.as_ref().map(|withdrawn| withdrawn.kids(self.0.clock.now())).unwrap_or_default()
    }

    /// Takes a key out of use on every instance, whatever the issuer publishes, or back into it. When this returns,
    /// the store has it, and the other instances hear of it within seconds. It ends after 30 days.
    pub async fn withdraw(&self, kid: &KeyId, withdrawn: bool) -> Result<(), StoreError> {
        match &self.0.withdrawn {
            Some(known) => known.set(kid, withdrawn, self.0.clock.now()).await,
            None => Err(StoreError::Away { detail: "there is none".to_owned() }),
        }
    }

    /// Reads which keys are out of use, so that a server knows it from its first request on.
    pub async fn load_withdrawn(&self) {
        if let Some(withdrawn) = &self.0.withdrawn {
            withdrawn.read(None, self.0.clock.now()).await;
        }
    }

    /// How the keys are. A configured key is always there.
    pub fn status(&self, now: UnixTime) -> KeyStatus {
        match self.0.origin {
            KeyOrigin::Configured(_) => KeyStatus {
                asked_at: None,
                age: None,
                stale: false,
                usable: true,
                failures: 0,
                retry_after: Duration::ZERO,
            },
            KeyOrigin::Published(_) => self.0.keys().status(now),
        }
    }

    /// The keys that are in use, for others to use: none for a key that was configured, which has no name.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let usable = self.0.keys().status(self.0.clock.now()).usable;
        let denied: Vec<KeyId> = self.0.denied.iter().cloned().chain(self.withdrawn()).collect();
        self.0.published.load_full().filter(|_| usable).map(|published| published.without(&denied))
    }
}

impl Source {
    fn keys(&self) -> RwLockReadGuard<'_, KeyCache> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys_mut(&self) -> RwLockWriteGuard<'_, KeyCache> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// One fetch at a time, in a task of its own.
    fn fetching(self: &Arc<Self>, need: Need) -> Flight<Result<(), FetchError>> {
        let fetch = || {
            let source = Arc::clone(self);
            async move {
                if need == Need::Keys && source.take_newer_copy().await {
                    return Ok(());
                }
                source.fetch().await
            }
        };
        self.fetches.join(&(), fetch).0
    }

    async fn fetch(&self) -> Result<(), FetchError> {
        let KeyOrigin::Published(api) = &self.origin else { return Err(FetchError::Configured) };
        let asked_at = self.clock.now();
        self.keys_mut().fetch_started(asked_at);
        let held = self.published.load_full();
        let etag = held.as_ref().and_then(|held| held.issuers_etag.as_deref());
        let answer = api.fetch_jwks(etag).await.map_err(FetchError::from);
        let taken = answer.and_then(|answer| self.take(answer, held.as_deref(), asked_at));
        match taken {
            Ok(snapshot) => {
                self.answered.fetch_add(1, Ordering::Relaxed);
                self.keep(&snapshot).await;
                Ok(())
            }
            Err(error) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                telemetry::jwks_failed(&error);
                let retry_after =
                    if let FetchError::Clerk(error) = &error { error.retry_after() } else { None };
                self.keys_mut().fetch_failed(self.clock.now(), retry_after);
                Err(error)
            }
        }
    }

    /// Whether another instance left, or was about to leave, keys that are newer than these.
    async fn take_newer_copy(&self) -> bool {
        let Some(fleet) = &self.fleet else { return false };
        let held = self.published.load_full().map(|held| held.asked_at);
        let Some(copy) = fleet.newer_copy(held).await else { return false };
        let taken = self.take_up(Snapshot::kept(copy));
        if taken {
            // Each instance asks the issuer itself within ten minutes, and not all of them at once.
            let spread = REFRESH_AFTER.mul_f64(self.place);
            self.confirm_from.store(self.clock.now().plus(spread).as_millis(), Ordering::Relaxed);
        }
        taken
    }

    /// Puts an answer in the place of what is held, if it is a good one.
    fn take(
        &self,
        answer: FetchedKeys,
        held: Option<&Snapshot>,
        asked_at: UnixTime,
    ) -> Result<Arc<Snapshot>, FetchError> {
        let snapshot = match (answer, held) {
            (FetchedKeys::NotModified, Some(held)) => Snapshot { asked_at, ..held.clone() },
            (FetchedKeys::NotModified, None) => return Err(FetchError::Empty { refused: 0 }),
            (FetchedKeys::Document { body, etag }, _) => Snapshot::of(&Jwks::parse(&body)?, etag, asked_at),
        };
        let keys = self.key_set(&snapshot.document)?;
        let unconfirmed = self.confirm_from.swap(0, Ordering::Relaxed) > 0;
        if held.is_none_or(|held| held.document != snapshot.document) {
            let kids: Vec<&str> = keys.ids().map(KeyId::as_str).collect();
            info!(issuer = %self.issuer.as_str(), kids = %kids.join(" "), "the issuer's keys are new");
            if unconfirmed {
                error!(
                    "the copy of the keys in the store was not what the issuer publishes; it is not used any more"
                );
            }
        }
        self.keys_mut().fetched(Arc::new(keys), asked_at, self.clock.now());
        let snapshot = Arc::new(snapshot);
        self.published.store(Some(Arc::clone(&snapshot)));
        Ok(snapshot)
    }

    /// For the next start, and for the other instances.
    async fn keep(&self, snapshot: &Snapshot) {
        let KeyOrigin::Published(api) = &self.origin else { return };
        if let Some(cache) = &self.cache {
            cache.save_keys(&source_name(&self.issuer, api), &snapshot.to_keep());
        }
        if let Some(fleet) = &self.fleet {
            fleet.leave(&snapshot.to_keep()).await;
        }
    }

    /// The keys of a document, if there is one that can be used.
    fn key_set(&self, document: &str) -> Result<KeySet, FetchError> {
        let keys = KeySet::from_jwks(&self.issuer, &Jwks::parse(document.as_bytes())?, &*self.rsa);
        for refused in keys.refused() {
            warn!(kid = ?refused.kid, reason = %refused.error, "a published key is not fit for use");
        }
        if keys.is_empty() { Err(FetchError::Empty { refused: keys.refused().len() }) } else { Ok(keys) }
    }

    /// What an earlier process kept is used at once, and is as old as it says.
    fn restore(&self) {
        let (KeyOrigin::Published(api), Some(cache)) = (&self.origin, &self.cache) else { return };
        if let Some(known) = cache.keys(&source_name(&self.issuer, api)) {
            self.take_up(Snapshot::kept(known));
        }
    }

    /// Uses a copy, unless what is held is newer.
    fn take_up(&self, copy: Snapshot) -> bool {
        let Ok(keys) = self.key_set(&copy.document) else { return false };
        let taken = self.keys_mut().restored(Arc::new(keys), copy.asked_at, self.clock.now());
        if taken {
            self.published.store(Some(Arc::new(copy)));
        }
        taken
    }

    fn may_confirm(&self, now: UnixTime) -> bool {
        now.as_millis() >= self.confirm_from.load(Ordering::Relaxed)
    }

    /// What the background does now, if anything: without keys it takes a copy as well as an answer.
    fn due(&self) -> Option<Need> {
        let now = self.clock.now();
        let status = self.keys().status(now);
        if matches!(self.origin, KeyOrigin::Configured(_)) || !status.retry_after.is_zero() {
            return None;
        }
        match status {
            status if !status.usable => Some(Need::Keys),
            status if status.stale && self.may_confirm(now) => Some(Need::Confirmation),
            _ => None,
        }
    }
}

/// Keys are kept for one issuer and one address: a server with another one does not see them.
fn source_name(issuer: &Issuer, api: &ClerkApi) -> String {
    format!("{}|{}", issuer.as_str(), api.jwks_url())
}

async fn refresh_for_ever(source: Weak<Source>) {
    let mut ticks = interval(REFRESH_TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(source) = source.upgrade() else { return };
        if let Some(need) = source.due() {
            // The next tick sees what came of it.
            let _in_background = source.fetching(need);
        }
    }
}

/// Hears of keys that other instances were told to take out of use.
async fn read_withdrawn_for_ever(source: Weak<Source>, hints: Hints) {
    let (mut rounds, mut mark) = (Rounds::new(READ_EVERY, hints, NoteKind::Withdrawal), None);
    loop {
        rounds.next().await;
        let Some(source) = source.upgrade() else { return };
        let Some(withdrawn) = &source.withdrawn else { return };
        if withdrawn.is_shared() || mark.is_none() {
            mark = withdrawn.read(mark, source.clock.now()).await.or(mark);
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("issuer", &self.issuer)
            .field("keys", &*self.keys())
            .finish_non_exhaustive()
    }
}
