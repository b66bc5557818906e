//! `KeySource`: brings the keys that [`KeyCache`] asks for: from memory, from disk, from Clerk.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use doorward_verifier::{Issuer, Jwks, KeyCache, KeyError, KeyId, KeySet, KeyStatus, Lookup, Rsa, UnixTime};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

use crate::cache::Cache;
use crate::clerk::{ClerkApi, ClerkError, FetchedKeys};
use crate::clock::Clock;
use crate::flights::{Flight, Flights};
use crate::telemetry;

mod snapshot;

pub use snapshot::Snapshot;

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
    fetches: Flights<(), Result<(), FetchError>>,
}

impl KeySource {
    /// Takes up what an earlier process kept, and begins to refresh it in the background.
    pub fn open(settings: KeySettings, cache: Option<Arc<Cache>>, clock: Arc<dyn Clock>) -> KeySource {
        let KeySettings { issuer, origin, hard_age, denied, rsa } = settings;
        let keys = RwLock::new(KeyCache::new(hard_age));
        let published = ArcSwapOption::empty();
        let fetches = Flights::default();
        let source = Arc::new(Source { issuer, origin, denied, rsa, cache, clock, keys, published, fetches });
        source.restore();
        tokio::spawn(refresh_for_ever(Arc::downgrade(&source)));
        KeySource(source)
    }

    /// What to do about the key `kid` now. Waits for nothing, and starts the refresh that is due.
    pub fn lookup(&self, kid: &KeyId, now: UnixTime) -> Lookup {
        let answer = match &self.0.origin {
            KeyOrigin::Configured(keys) => Lookup::Use(Arc::clone(keys)),
            KeyOrigin::Published(_) => self.0.keys().lookup(kid, now),
        };
        if let Lookup::UseAndRefresh(_) = answer {
            let _in_background = self.0.fetching();
        }
        answer
    }

    /// The set that has the key `kid`, fetched for it where that may be done.
    pub async fn for_kid(&self, kid: &KeyId) -> Result<Arc<KeySet>, KeysError> {
        let answer = match self.lookup(kid, self.0.clock.now()) {
            Lookup::Fetch => {
                if timeout(WAIT, self.0.fetching()).await.is_err() {
                    return Err(KeysError::Unavailable { retry_after: RETRY_AFTER });
                }
                self.0.keys().lookup_after_fetch(kid, self.0.clock.now())
            }
            answer => answer,
        };
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
        timeout(WAIT, self.0.fetching()).await.ok()??.ok()?;
        match self.0.keys().lookup_after_fetch(kid, self.0.clock.now()) {
            Lookup::Use(keys) | Lookup::UseAndRefresh(keys) => Some(keys),
            _ => None,
        }
    }

    /// Fetches now, or joins the fetch that is under way.
    pub async fn refresh(&self) -> Result<(), FetchError> {
        self.0.fetching().await.unwrap_or(Err(FetchError::Configured))
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
        self.0.published.load_full().filter(|_| usable).map(|published| published.without(&self.0.denied))
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
    fn fetching(self: &Arc<Self>) -> Flight<Result<(), FetchError>> {
        let fetch = || {
            let source = Arc::clone(self);
            async move { source.fetch().await }
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
        let outcome = answer.and_then(|answer| self.take(api, answer, held.as_deref(), asked_at));
        if let Err(error) = &outcome {
            telemetry::jwks_failed(error);
            let retry_after = if let FetchError::Clerk(error) = error { error.retry_after() } else { None };
            self.keys_mut().fetch_failed(self.clock.now(), retry_after);
        }
        outcome
    }

    /// Puts an answer in the place of what is held, if it is a good one.
    fn take(
        &self,
        api: &ClerkApi,
        answer: FetchedKeys,
        held: Option<&Snapshot>,
        asked_at: UnixTime,
    ) -> Result<(), FetchError> {
        let snapshot = match (answer, held) {
            (FetchedKeys::NotModified, Some(held)) => Snapshot { asked_at, ..held.clone() },
            (FetchedKeys::NotModified, None) => return Err(FetchError::Empty { refused: 0 }),
            (FetchedKeys::Document { body, etag }, _) => Snapshot::of(&Jwks::parse(&body)?, etag, asked_at),
        };
        let keys = self.key_set(&snapshot.document)?;
        if held.is_none_or(|held| held.document != snapshot.document) {
            let kids: Vec<&str> = keys.ids().map(KeyId::as_str).collect();
            info!(issuer = %self.issuer.as_str(), kids = %kids.join(" "), "the issuer's keys are new");
        }
        self.keys_mut().fetched(Arc::new(keys), asked_at, self.clock.now());
        if let Some(cache) = &self.cache {
            cache.save_keys(&self.cache_key(api), &snapshot.to_keep());
        }
        self.published.store(Some(Arc::new(snapshot)));
        Ok(())
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
        let Some(known) = cache.keys(&self.cache_key(api)) else { return };
        let snapshot = Snapshot::kept(known);
        let Ok(keys) = self.key_set(&snapshot.document) else { return };
        let taken = self.keys_mut().restored(Arc::new(keys), snapshot.asked_at, self.clock.now());
        if taken {
            self.published.store(Some(Arc::new(snapshot)));
        }
    }

    /// Keys are kept for one issuer and one address: a server with another one does not see them.
    fn cache_key(&self, api: &ClerkApi) -> String {
        format!("{}|{}", self.issuer.as_str(), api.jwks_url())
    }

    fn is_due(&self) -> bool {
        let published = matches!(self.origin, KeyOrigin::Published(_));
        let status = self.keys().status(self.clock.now());
        published && (status.stale || !status.usable) && status.retry_after.is_zero()
    }
}

async fn refresh_for_ever(source: Weak<Source>) {
    let mut ticks = interval(REFRESH_TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(source) = source.upgrade() else { return };
        if source.is_due() {
            // The next tick sees what came of it.
            let _in_background = source.fetching();
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
