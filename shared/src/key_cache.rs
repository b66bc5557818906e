//! `KeyCache`: when an issuer's keys must be fetched; never fetches.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use crate::key_set::{KeyId, KeySet};
use crate::time::UnixTime;

/// How long keys are used after the issuer was asked for them, unless the owner says otherwise.
///
/// What it trades: while the issuer is away its tokens go on being accepted, and a key that it withdraws in that
/// time lives so long at most.
pub const DEFAULT_HARD_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Keys older than this are refreshed, and used meanwhile: what jose and Envoy take too.
pub const REFRESH_AFTER: Duration = Duration::from_secs(10 * 60);

/// An issuer is asked once in so long because of key ids that it may not have: whoever makes them up does not
/// decide how often we call (CVE-2026-48524).
pub const UNKNOWN_KID_COOLDOWN: Duration = Duration::from_secs(30);

/// The pause after the first of several failures. It doubles with each, up to `LONGEST_PAUSE`.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause of our own choosing: an issuer that is back is found within a minute.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The longest `Retry-After` that is honoured. Asking once in ten minutes is what a healthy cache does anyway, so a
/// broken header can't silence us for longer.
const LONGEST_RETRY_AFTER: Duration = REFRESH_AFTER;

/// A fetch that has not reported for so long is lost: its deadline is 5 s, whoever ran it is gone.
pub const FETCH_LOST_AFTER: Duration = Duration::from_secs(15);

/// A set younger than this is not fetched again because of a signature that did not verify.
const REKEYING_AFTER: Duration = Duration::from_secs(60);

/// Clocks of threads and of instances differ by this much without meaning anything: the clock skew that tokens are
/// granted.
const CLOCK_NOISE: Duration = Duration::from_secs(5);

/// In [`KeyCache::latest`]: the clock was seen to go back, so ages are not known.
const CLOCK_WENT_BACK: u64 = u64::MAX;

/// What to do about one key.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// The set has the key.
    Use(Arc<KeySet>),
    /// The set has the key and is due: fetch in the background.
    UseAndRefresh(Arc<KeySet>),
    /// Fetch, or wait for the fetch that is under way, then ask
    /// [`lookup_after_fetch`](KeyCache::lookup_after_fetch).
    Fetch,
    /// The issuer was asked lately and has no such key: a refusal.
    UnknownKid,
    /// Nobody can tell whether the key is good: a failure.
    ///
    /// Says nothing about whether a usable set is held: the issuer may have failed to answer for a new `kid` alone.
    /// What depends on that, such as a debug fallback, asks [`KeyStatus::is_without_keys`].
    Unavailable {
        /// When the issuer is asked again at the earliest.
        retry_after: Duration,
    },
}

impl Lookup {
    /// The set that has the key, where one may be used.
    pub fn keys(&self) -> Option<&Arc<KeySet>> {
        match self {
            Lookup::Use(keys) | Lookup::UseAndRefresh(keys) => Some(keys),
            Lookup::Fetch | Lookup::UnknownKid | Lookup::Unavailable { .. } => None,
        }
    }
}

/// One issuer's keys, and the decisions about them.
///
/// It never fetches, waits or tells the time. Its owner asks [`lookup`](KeyCache::lookup), carries out the answer,
/// and reports: [`fetch_started`](KeyCache::fetch_started), then [`fetched`](KeyCache::fetched) or
/// [`fetch_failed`](KeyCache::fetch_failed). One fetch at a time is the owner's to keep.
///
/// | held | answer |
/// |---|---|
/// | the key, younger than [`REFRESH_AFTER`] | use |
/// | the key, younger than the hard age | use, and refresh unless a pause after a failure is on |
/// | a usable set without the key | fetch, at most once in [`UNKNOWN_KID_COOLDOWN`], failures counted; between: unknown, or unavailable when the last fetch failed |
/// | nothing, or past the hard age, or of unknown age | fetch; in a pause after a failure: unavailable |
///
/// Ages count from when the **issuer** was asked: that time travels with every copy, and a copy read from a disk or a
/// store is as old as its answer. A set is replaced whole, so a key that the issuer withdraws dies with its set.
///
/// Only a wall clock is to be had, so a clock that is set back must not make keys young again. The cache remembers
/// the latest time that it was told; told one that is earlier by more than 5 s, it no longer knows how old its keys
/// are, and uses none until they are fetched again. It notices as often as it is asked: an owner that refreshes in
/// the background asks often enough.
#[derive(Debug)]
pub struct KeyCache {
    hard_age: Duration,
    refresh_after: Duration,
    held: Option<Held>,
    /// When the issuer was last asked by this cache's owner with success. Copies made by others do not count: each
    /// instance sees for itself within [`REFRESH_AFTER`].
    confirmed_at: Option<UnixTime>,
    fetch_started_at: Option<UnixTime>,
    failure: Option<Failure>,
    /// The start of the last fetch that is charged to unknown key ids.
    charged_at: Option<UnixTime>,
    /// A lookup of an unknown `kid` asked for a fetch that has not started. Atomic, as the next: threads look up
    /// under a shared lock.
    unknown_kid_asks: AtomicBool,
    /// The latest time that was seen, in milliseconds, to the second.
    latest: AtomicU64,
}

#[derive(Debug)]
struct Held {
    keys: Arc<KeySet>,
    asked_at: UnixTime,
}

/// Failures since the last success.
#[derive(Clone, Copy, Debug)]
struct Failure {
    times: u32,
    at: UnixTime,
    pause: Duration,
}

/// How one issuer's keys are, for a readiness answer and a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// When the issuer was asked for the set that is held; `None` while there is none.
    pub asked_at: Option<UnixTime>,
    /// The age of that set; `None` while there is none, or its age is not known since the clock went back.
    pub age: Option<Duration>,
    /// It is due to be refreshed.
    pub stale: bool,
    /// It may be used.
    pub usable: bool,
    /// Failures since the last success.
    pub failures: u32,
    /// How long the pause after the last failure still lasts.
    pub retry_after: Duration,
}

impl KeyStatus {
    /// No set may be used, and the last attempt to fetch one failed. An unknown `kid` beside usable keys is not this.
    pub fn is_without_keys(&self) -> bool {
        !self.usable && self.failures > 0
    }
}

impl KeyCache {
    /// An empty cache for one issuer. Keys are used up to `hard_age`, at least 1 s: below that each request would
    /// fetch. They are refreshed after [`REFRESH_AFTER`], or after half of a shorter hard age.
    pub fn new(hard_age: Duration) -> KeyCache {
        let hard_age = hard_age.max(Duration::from_secs(1));
        KeyCache {
            hard_age,
            refresh_after: REFRESH_AFTER.min(hard_age / 2),
            held: None,
            confirmed_at: None,
            fetch_started_at: None,
            failure: None,
            charged_at: None,
            unknown_kid_asks: AtomicBool::new(false),
            latest: AtomicU64::new(0),
        }
    }

    /// What to do about the key `kid` now.
    pub fn lookup(&self, kid: &KeyId, now: UnixTime) -> Lookup {
        let answer = self.decide(kid, now);
        if matches!(answer, Lookup::Fetch) && self.usable(now).is_some() && !self.is_fetching(now) {
            self.unknown_kid_asks.store(true, Ordering::Relaxed);
        }
        answer
    }

    /// What to do once the fetch that [`Lookup::Fetch`] asked for has ended: the same, but it never asks for another.
    /// The issuer was just asked; if it did not say, nobody knows.
    pub fn lookup_after_fetch(&self, kid: &KeyId, now: UnixTime) -> Lookup {
        match self.decide(kid, now) {
            Lookup::Fetch if self.failure.is_none() && self.usable(now).is_some() => Lookup::UnknownKid,
            Lookup::Fetch => Lookup::Unavailable { retry_after: FIRST_PAUSE },
            answer => answer,
        }
    }

    /// Whether a signature that did not verify is reason to fetch: Clerk's `kid` names the instance, so that a new
    /// key may come under the old one. At most one fetch in [`UNKNOWN_KID_COOLDOWN`], shared with unknown key ids.
    pub fn suspects_rekeying(&self, now: UnixTime) -> bool {
        self.observe(now);
        self.usable(now).is_some_and(|held| now.since(held.asked_at) > REKEYING_AFTER)
            && !self.is_fetching(now)
            && self.cooldown(now).max(self.pause(now)).is_zero()
    }

    /// A fetch begins. The issuer is asked from now on, whatever comes of it.
    pub fn fetch_started(&mut self, now: UnixTime) {
        self.observe(now);
        let nobody_else_needs_it = self.usable(now).is_some() && !self.is_due(now);
        if *self.unknown_kid_asks.get_mut() || nobody_else_needs_it {
            self.charged_at = Some(now);
        }
        self.unknown_kid_asks = AtomicBool::new(false);
        self.fetch_started_at = Some(now);
    }

    /// The issuer, asked at `asked_at`, answered with these keys. They replace the held ones whole, unless those are
    /// from a later answer.
    ///
    /// Without one key that is fit for use it is no answer but a failure: a broken page never replaces a good set.
    pub fn fetched(&mut self, keys: Arc<KeySet>, asked_at: UnixTime, now: UnixTime) {
        if keys.is_empty() {
            return self.fetch_failed(now, None);
        }
        let asked_at = asked_at.min(now);
        let overtaken = self.usable(now).is_some_and(|held| held.asked_at > asked_at && held.asked_at <= now);
        if !overtaken {
            self.held = Some(Held { keys, asked_at });
        }
        self.confirmed_at = Some(asked_at);
        self.fetch_started_at = None;
        self.failure = None;
        // An answer of now: its age is known by the clock as it is.
        self.latest = AtomicU64::new(now.as_millis());
    }

    /// The issuer could not be asked, or its answer was no key set; `retry_after` is what it asked for. What is held
    /// stays as it is.
    pub fn fetch_failed(&mut self, now: UnixTime, retry_after: Option<Duration>) {
        self.observe(now);
        let times = self.failure.map_or(0, |failure| failure.times).saturating_add(1);
        let own = FIRST_PAUSE.saturating_mul(1 << (times - 1).min(6)).min(LONGEST_PAUSE);
        let asked = retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        self.failure = Some(Failure { times, at: now, pause: own.max(asked) });
        self.fetch_started_at = None;
    }

    /// A copy from a disk, a store or another instance, with the time when the issuer was asked for it. Says whether
    /// it was taken: not if it is empty, older than the held set, past the hard age, or of unknown age: from the future by
    /// more than 5 s, or offered while the clock can't be trusted.
    ///
    /// A copy that was taken is used at once, and confirmed by a fetch of one's own as soon as one is due.
    pub fn restored(&mut self, keys: Arc<KeySet>, asked_at: UnixTime, now: UnixTime) -> bool {
        self.observe(now);
        let of_known_age = asked_at <= now.plus(CLOCK_NOISE) && !self.clock_went_back(now);
        let newer = self.held.as_ref().is_none_or(|held| held.asked_at < asked_at);
        let taken = !keys.is_empty() && of_known_age && newer && now.since(asked_at) < self.hard_age;
        if taken {
            self.held = Some(Held { keys, asked_at: asked_at.min(now) });
        }
        taken
    }

    /// Until when the held keys are answered with [`Lookup::Use`] if nothing is reported meanwhile: so long may a
    /// verdict of theirs be remembered. Not later than `now` when they are due, or there are none to be used.
    pub fn settled_until(&self, now: UnixTime) -> UnixTime {
        let due_at = self.confirmed_at.map(|at| at.plus(self.refresh_after));
        let too_old_at = self.usable(now).map(|held| held.asked_at.plus(self.hard_age));
        due_at.zip(too_old_at).map_or(now, |(due_at, too_old_at)| due_at.min(too_old_at))
    }

    /// How the keys are.
    pub fn status(&self, now: UnixTime) -> KeyStatus {
        self.observe(now);
        let age_is_known = !self.clock_went_back(now);
        KeyStatus {
            asked_at: self.held.as_ref().map(|held| held.asked_at),
            age: self.held.as_ref().filter(|_| age_is_known).map(|held| self.age(held, now)),
            stale: self.is_due(now),
            usable: self.usable(now).is_some(),
            failures: self.failure.map_or(0, |failure| failure.times),
            retry_after: self.pause(now),
        }
    }

    fn decide(&self, kid: &KeyId, now: UnixTime) -> Lookup {
        self.observe(now);
        match self.usable(now) {
            Some(held) if !held.keys.contains(kid) => self.unknown_kid(now),
            Some(held) if self.wants_refresh(now) => Lookup::UseAndRefresh(Arc::clone(&held.keys)),
            Some(held) => Lookup::Use(Arc::clone(&held.keys)),
            None => self.without_keys(now),
        }
    }

    fn unknown_kid(&self, now: UnixTime) -> Lookup {
        let retry_after = self.cooldown(now).max(self.pause(now));
        if self.is_fetching(now) || retry_after.is_zero() {
            return Lookup::Fetch;
        }
        match self.failure {
            Some(_) => Lookup::Unavailable { retry_after },
            None => Lookup::UnknownKid,
        }
    }

    fn without_keys(&self, now: UnixTime) -> Lookup {
        let retry_after = self.pause(now);
        if self.is_fetching(now) || retry_after.is_zero() {
            return Lookup::Fetch;
        }
        Lookup::Unavailable { retry_after }
    }

    fn wants_refresh(&self, now: UnixTime) -> bool {
        self.is_due(now) && !self.is_fetching(now) && self.pause(now).is_zero()
    }

    /// The held set, if it is young enough and its age is known.
    fn usable(&self, now: UnixTime) -> Option<&Held> {
        let held = self.held.as_ref()?;
        (!self.clock_went_back(now) && self.age(held, now) < self.hard_age).then_some(held)
    }

    fn age(&self, held: &Held, now: UnixTime) -> Duration {
        now.max(self.latest()).since(held.asked_at)
    }

    fn is_due(&self, now: UnixTime) -> bool {
        self.confirmed_at.is_none_or(|at| now.since(at) >= self.refresh_after)
    }

    fn is_fetching(&self, now: UnixTime) -> bool {
        !left(self.fetch_started_at, FETCH_LOST_AFTER, now).is_zero()
    }

    fn pause(&self, now: UnixTime) -> Duration {
        self.failure.map_or(Duration::ZERO, |failure| left(Some(failure.at), failure.pause, now))
    }

    /// How long no unknown `kid` leads to a fetch: counted from the last fetch that one led to, and from the last that
    /// failed for whatever reason.
    fn cooldown(&self, now: UnixTime) -> Duration {
        let failed_at = self.failure.map(|failure| failure.at);
        left(self.charged_at, UNKNOWN_KID_COOLDOWN, now).max(left(failed_at, UNKNOWN_KID_COOLDOWN, now))
    }

    fn observe(&self, now: UnixTime) {
        let latest = self.latest.load(Ordering::Relaxed);
        if now.plus(CLOCK_NOISE).as_millis() < latest {
            self.latest.store(CLOCK_WENT_BACK, Ordering::Relaxed);
        } else if now.as_millis() >= latest.saturating_add(1000) {
            self.latest.fetch_max(now.as_millis(), Ordering::Relaxed);
        }
    }

    fn clock_went_back(&self, now: UnixTime) -> bool {
        now.plus(CLOCK_NOISE).as_millis() < self.latest.load(Ordering::Relaxed)
    }

    fn latest(&self) -> UnixTime {
        UnixTime::from_millis(self.latest.load(Ordering::Relaxed))
    }
}

/// What is left of a span that began at `since`. Nothing when it begins a whole span from now or later: the clock was
/// set back, and waiting for it to come round would be an outage of our own making.
fn left(since: Option<UnixTime>, span: Duration, now: UnixTime) -> Duration {
    match since {
        Some(since) if since.since(now) < span => span.saturating_sub(now.since(since)),
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwks::Jwks;
    use crate::key_error::KeyError;
    use crate::policy::Issuer;
    use crate::signature::{Algorithm, Rsa, RsaKey};

    /// 2025-11-24T16:00:00Z and so many seconds.
    fn at(secs: u64) -> UnixTime {
        UnixTime::from_secs(1_764_000_000 + secs)
    }

    fn kid(name: &str) -> KeyId {
        KeyId::parse(name).unwrap()
    }

    /// A set of these names; what stands behind them is not asked for here.
    fn set(kids: &[&str]) -> Arc<KeySet> {
        let n = format!("{}w", "_".repeat(341));
        let entry = |kid| format!(r#"{{"kty":"RSA","alg":"RS256","kid":"{kid}","e":"AQAB","n":"{n}"}}"#);
        let entries: Vec<_> = kids.iter().map(entry).collect();
        let jwks = Jwks::parse(format!(r#"{{"keys":[{}]}}"#, entries.join(",")).as_bytes()).unwrap();
        Arc::new(KeySet::from_jwks(&Issuer::parse("https://clerk.example.com").unwrap(), &jwks, &NoRsa))
    }

    #[derive(Debug)]
    struct NoRsa;

    impl Rsa for NoRsa {
        fn prepare(&self, _: &[u8]) -> Result<Arc<dyn RsaKey>, KeyError> {
            Ok(Arc::new(NoRsa))
        }
    }

    impl RsaKey for NoRsa {
        fn verify(&self, _: Algorithm, _: &[u8], _: &[u8]) -> bool {
            false
        }
    }

    /// The answer in one word, and how long to wait.
    fn said(answer: Lookup) -> (&'static str, u64) {
        match answer {
            Lookup::Use(_) => ("use", 0),
            Lookup::UseAndRefresh(_) => ("use and refresh", 0),
            Lookup::Fetch => ("fetch", 0),
            Lookup::UnknownKid => ("unknown", 0),
            Lookup::Unavailable { retry_after } => ("unavailable", retry_after.as_secs()),
        }
    }

    fn looked_up(cache: &KeyCache, name: &str, now: UnixTime) -> (&'static str, u64) {
        said(cache.lookup(&kid(name), now))
    }

    /// A cache that fetched the key `a` at second 0.
    fn loaded() -> KeyCache {
        let mut cache = KeyCache::new(DEFAULT_HARD_AGE);
        cache.fetch_started(at(0));
        cache.fetched(set(&["a"]), at(0), at(0));
        cache
    }

    const HOUR: u64 = 3600;

    #[test]
    fn a_verdict_may_be_remembered_until_its_keys_are_due_or_too_old() {
        assert_eq!(loaded().settled_until(at(30)), at(600));
        assert_eq!(KeyCache::new(DEFAULT_HARD_AGE).settled_until(at(30)), at(30));
        let mut copied = KeyCache::new(DEFAULT_HARD_AGE);
        assert!(copied.restored(set(&["a"]), at(0), at(30)));
        assert!(copied.settled_until(at(30)) <= at(30));
        let mut refreshed = loaded();
        refreshed.fetch_started(at(700));
        refreshed.fetch_failed(at(700), None);
        assert!(refreshed.settled_until(at(700)) <= at(700));
        let mut short = KeyCache::new(Duration::from_secs(100));
        short.fetched(set(&["a"]), at(0), at(60));
        assert_eq!(short.settled_until(at(60)), at(50));
    }

    #[test]
    fn keys_that_were_never_loaded_are_fetched() {
        let cache = KeyCache::new(DEFAULT_HARD_AGE);
        assert_eq!(looked_up(&cache, "a", at(0)), ("fetch", 0));
        assert!(!cache.status(at(0)).usable);
        assert!(!cache.status(at(0)).is_without_keys(), "nobody has tried yet");
    }

    #[test]
    fn keys_are_used_then_refreshed_behind_the_answer_then_not_used_any_more() {
        let cache = loaded();
        assert_eq!(looked_up(&cache, "a", at(599)), ("use", 0));
        assert_eq!(looked_up(&cache, "a", at(600)), ("use and refresh", 0));
        assert_eq!(looked_up(&cache, "a", at(24 * HOUR - 1)), ("use and refresh", 0));
        assert_eq!(looked_up(&cache, "a", at(24 * HOUR)), ("fetch", 0));
    }

    #[test]
    fn a_refresh_that_is_under_way_is_not_asked_for_again_until_it_is_lost() {
        let mut cache = loaded();
        cache.fetch_started(at(600));
        assert_eq!(looked_up(&cache, "a", at(601)), ("use", 0));
        assert_eq!(looked_up(&cache, "a", at(614)), ("use", 0));
        assert_eq!(looked_up(&cache, "a", at(615)), ("use and refresh", 0));
    }

    #[test]
    fn age_counts_from_when_the_issuer_was_asked_not_from_when_it_answered() {
        let mut cache = KeyCache::new(DEFAULT_HARD_AGE);
        cache.fetch_started(at(0));
        cache.fetched(set(&["a"]), at(0), at(5));
        assert_eq!(cache.status(at(5)).age, Some(Duration::from_secs(5)));
        assert_eq!(looked_up(&cache, "a", at(24 * HOUR)), ("fetch", 0));
    }

    #[test]
    fn a_clock_that_is_set_back_during_a_fetch_does_not_date_the_answer_ahead() {
        let mut cache = KeyCache::new(DEFAULT_HARD_AGE);
        cache.fetch_started(at(100));
        cache.fetched(set(&["a"]), at(100), at(0));
        assert_eq!(cache.status(at(0)).asked_at, Some(at(0)));
        assert_eq!(looked_up(&cache, "a", at(599)), ("use", 0));
        assert_eq!(looked_up(&cache, "a", at(600)), ("use and refresh", 0));
    }

    #[test]
    fn while_the_issuer_is_away_known_keys_are_used_without_asking_at_every_request() {
        let mut cache = loaded();
        cache.fetch_started(at(600));
        cache.fetch_failed(at(605), None);
        assert_eq!(looked_up(&cache, "a", at(605)), ("use", 0));
        assert_eq!(looked_up(&cache, "a", at(606)), ("use and refresh", 0));
    }

    #[test]
    fn past_the_hard_age_a_failing_issuer_means_unavailable_never_use() {
        let mut cache = loaded();
        cache.fetch_started(at(24 * HOUR));
        cache.fetch_failed(at(24 * HOUR), Some(Duration::from_secs(20)));
        assert_eq!(looked_up(&cache, "a", at(24 * HOUR)), ("unavailable", 20));
        assert_eq!(looked_up(&cache, "b", at(24 * HOUR + 5)), ("unavailable", 15));
        assert!(cache.status(at(24 * HOUR)).is_without_keys());
        assert_eq!(looked_up(&cache, "a", at(24 * HOUR + 20)), ("fetch", 0));
    }

    #[test]
    fn the_pause_doubles_from_one_second_to_sixty_and_a_success_ends_it() {
        let mut cache = KeyCache::new(DEFAULT_HARD_AGE);
        for pause in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            cache.fetch_started(at(0));
            cache.fetch_failed(at(0), None);
            assert_eq!(looked_up(&cache, "a", at(0)), ("unavailable", pause));
            assert_eq!(looked_up(&cache, "a", at(pause)), ("fetch", 0));
        }
        cache.fetched(set(&["a"]), at(0), at(0));
        assert_eq!(cache.status(at(0)).failures, 0);
        cache.fetch_failed(at(0), None);
        assert_eq!(cache.status(at(0)).retry_after, Duration::from_secs(1));
    }

    #[test]
    fn a_retry_after_is_honoured_up_to_ten_minutes_and_never_shortens_our_own_pause() {
        let mut cache = KeyCache::new(DEFAULT_HARD_AGE);
        cache.fetch_failed(at(0), Some(Duration::from_secs(45)));
        assert_eq!(looked_up(&cache, "a", at(0)), ("unavailable", 45));
        cache.fetch_failed(at(0), Some(Duration::ZERO));
        assert_eq!(looked_up(&cache, "a", at(0)), ("unavailable", 2));
        cache.fetch_failed(at(0), Some(Duration::MAX));
        assert_eq!(looked_up(&cache, "a", at(0)), ("unavailable", 600));
    }

    #[test]
    fn an_unknown_kid_is_fetched_for_once_in_thirty_seconds() {
        let mut cache = loaded();
        assert_eq!(looked_up(&cache, "b", at(100)), ("fetch", 0));
        cache.fetch_started(at(100));
        assert_eq!(looked_up(&cache, "b", at(100)), ("fetch", 0), "waits for the one under way");
        cache.fetched(set(&["a"]), at(100), at(101));
        assert_eq!(looked_up(&cache, "b", at(101)), ("unknown", 0));
        assert_eq!(looked_up(&cache, "c", at(129)), ("unknown", 0), "the issuer's, not the key's");
        assert_eq!(looked_up(&cache, "c", at(130)), ("fetch", 0));
    }

    #[test]
    fn unknown_kids_never_get_in_the_way_of_known_ones() {
        let mut cache = loaded();
        looked_up(&cache, "b", at(100));
        cache.fetch_started(at(100));
        assert_eq!(looked_up(&cache, "a", at(100)), ("use", 0));
        cache.fetch_failed(at(101), None);
        assert_eq!(looked_up(&cache, "a", at(101)), ("use", 0));
    }

    #[test]
    fn a_rotation_right_after_a_refresh_is_seen_at_once() {
        let mut cache = loaded();
        cache.fetch_started(at(600));
        cache.fetched(set(&["a"]), at(600), at(600));
        assert_eq!(looked_up(&cache, "b", at(601)), ("fetch", 0));
        cache.fetch_started(at(601));
        cache.fetched(set(&["b"]), at(601), at(601));
        assert_eq!(looked_up(&cache, "b", at(601)), ("use", 0));
        assert_eq!(looked_up(&cache, "a", at(602)), ("unknown", 0), "the withdrawn key died with its set");
    }

    #[test]
    fn a_fetch_that_both_a_refresh_and_an_unknown_kid_wanted_is_charged_to_the_kid() {
        let mut cache = loaded();
        assert_eq!(looked_up(&cache, "b", at(700)), ("fetch", 0));
        cache.fetch_started(at(700));
        cache.fetched(set(&["a"]), at(700), at(700));
        assert_eq!(looked_up(&cache, "c", at(701)), ("unknown", 0));
    }

    #[test]
    fn a_refresh_that_no_unknown_kid_started_is_charged_to_none() {
        let mut cache = loaded();
        cache.fetch_started(at(600));
        assert_eq!(looked_up(&cache, "b", at(600)), ("fetch", 0), "waits for the one under way");
        cache.fetched(set(&["a"]), at(600), at(600));
        for refresh in [1200, 1900] {
            cache.fetch_started(at(refresh));
            cache.fetched(set(&["a"]), at(refresh), at(refresh));
            assert_eq!(looked_up(&cache, "b", at(refresh + 1)), ("fetch", 0));
            cache.fetch_started(at(refresh + 1));
            cache.fetched(set(&["a"]), at(refresh + 1), at(refresh + 1));
            assert_eq!(looked_up(&cache, "b", at(refresh + 2)), ("unknown", 0));
        }
    }

    #[test]
    fn a_failed_fetch_counts_and_leaves_an_unknown_kid_undecided() {
        let mut cache = loaded();
        looked_up(&cache, "b", at(100));
        cache.fetch_started(at(100));
        cache.fetch_failed(at(102), None);
        assert_eq!(looked_up(&cache, "b", at(102)), ("unavailable", 30));
        assert!(!cache.status(at(102)).is_without_keys(), "usable keys are held: no debug fallback");
        assert_eq!(looked_up(&cache, "b", at(131)), ("unavailable", 1));
        assert_eq!(looked_up(&cache, "b", at(132)), ("fetch", 0));
    }

    #[test]
    fn a_failed_refresh_counts_for_unknown_kids_too() {
        let mut cache = loaded();
        cache.fetch_started(at(600));
        cache.fetch_failed(at(600), None);
        assert_eq!(looked_up(&cache, "b", at(610)), ("unavailable", 20));
    }

    #[test]
    fn after_the_fetch_that_a_request_waited_for_it_never_asks_for_another() {
        let mut cache = KeyCache::new(DEFAULT_HARD_AGE);
        assert_eq!(said(cache.lookup_after_fetch(&kid("a"), at(0))), ("unavailable", 1));
        cache.fetch_started(at(0));
        cache.fetched(set(&["a"]), at(0), at(0));
        assert_eq!(said(cache.lookup_after_fetch(&kid("a"), at(0))), ("use", 0));
        assert_eq!(said(cache.lookup_after_fetch(&kid("b"), at(0))), ("unknown", 0));
        cache.fetch_failed(at(0), None);
        assert_eq!(said(cache.lookup_after_fetch(&kid("b"), at(0))), ("unavailable", 30));
        assert_eq!(said(cache.lookup_after_fetch(&kid("b"), at(31))), ("unavailable", 1));
    }

    #[test]
    fn an_answer_without_a_key_is_a_failure_and_replaces_nothing() {
        let mut cache = loaded();
        cache.fetch_started(at(600));
        cache.fetched(set(&[]), at(600), at(600));
        assert_eq!(looked_up(&cache, "a", at(600)), ("use", 0));
        assert_eq!(cache.status(at(600)).failures, 1);
        assert!(!cache.restored(set(&[]), at(600), at(600)));
    }

    #[test]
    fn a_signature_that_fails_under_a_known_kid_may_mean_a_new_key_under_it() {
        let mut cache = loaded();
        assert!(!cache.suspects_rekeying(at(60)), "too young");
        assert!(cache.suspects_rekeying(at(61)));
        cache.fetch_started(at(61));
        assert!(!cache.suspects_rekeying(at(61)), "under way");
        cache.fetched(set(&["a"]), at(61), at(61));
        assert_eq!(looked_up(&cache, "b", at(61)), ("unknown", 0), "charged as one of an unknown kid");
        assert!(!cache.suspects_rekeying(at(121)));
        assert!(cache.suspects_rekeying(at(122)));
        looked_up(&cache, "b", at(122));
        cache.fetch_started(at(122));
        cache.fetch_failed(at(122), None);
        assert!(!cache.suspects_rekeying(at(151)), "shares the cooldown of unknown kids");
        assert!(cache.suspects_rekeying(at(152)));
        cache.fetch_started(at(722));
        assert!(!cache.suspects_rekeying(at(722)), "a refresh is under way");
        assert!(!KeyCache::new(DEFAULT_HARD_AGE).suspects_rekeying(at(0)), "nothing held");
    }

    #[test]
    fn a_restored_copy_is_used_at_once_and_confirmed_at_once() {
        let mut cache = KeyCache::new(DEFAULT_HARD_AGE);
        assert!(cache.restored(set(&["a"]), at(0), at(HOUR)));
        assert_eq!(cache.status(at(HOUR)).age, Some(Duration::from_secs(HOUR)), "its age came with it");
        assert_eq!(looked_up(&cache, "a", at(HOUR)), ("use and refresh", 0));
        assert_eq!(looked_up(&cache, "a", at(24 * HOUR)), ("fetch", 0));
    }

    #[test]
    fn copies_of_others_do_not_put_off_the_fetch_of_ones_own() {
        let mut cache = loaded();
        assert!(cache.restored(set(&["b"]), at(590), at(591)));
        assert_eq!(looked_up(&cache, "b", at(599)), ("use", 0));
        assert_eq!(looked_up(&cache, "b", at(600)), ("use and refresh", 0));
    }

    #[test]
    fn an_older_copy_never_replaces_a_newer() {
        let mut cache = loaded();
        assert!(!cache.restored(set(&["old"]), at(0).minus(Duration::from_secs(1)), at(10)));
        assert!(!cache.restored(set(&["same"]), at(0), at(10)));
        assert!(cache.restored(set(&["b"]), at(5), at(10)));
        cache.fetched(set(&["slow"]), at(4), at(11));
        assert_eq!(looked_up(&cache, "b", at(11)), ("use", 0), "an answer that was overtaken");
        assert_eq!(looked_up(&cache, "slow", at(11)), ("fetch", 0));
        cache.fetched(set(&["again"]), at(5), at(11));
        assert_eq!(
            looked_up(&cache, "again", at(11)),
            ("use", 0),
            "asked for in the same moment, answered later"
        );
        // Asked for by a clock that was three seconds ahead, then by one that is right.
        cache.fetched(set(&["c"]), at(23), at(23));
        cache.fetched(set(&["d"]), at(20), at(20));
        assert_eq!(looked_up(&cache, "d", at(20)), ("use", 0));
    }

    #[test]
    fn a_copy_past_the_hard_age_is_not_taken() {
        let mut cache = KeyCache::new(DEFAULT_HARD_AGE);
        assert!(!cache.restored(set(&["a"]), at(0), at(24 * HOUR)));
        assert!(cache.restored(set(&["a"]), at(1), at(24 * HOUR)));
    }

    #[test]
    fn a_copy_from_the_future_is_of_unknown_age_and_is_not_taken() {
        let mut cache = KeyCache::new(DEFAULT_HARD_AGE);
        assert!(!cache.restored(set(&["a"]), at(6), at(0)));
        assert_eq!(looked_up(&cache, "a", at(0)), ("fetch", 0));
        assert!(cache.restored(set(&["a"]), at(5), at(0)), "clocks of two machines");
        assert_eq!(cache.status(at(0)).asked_at, Some(at(0)), "but not a second longer");
    }

    #[test]
    fn a_clock_that_is_set_back_never_makes_keys_young_again() {
        let mut cache = loaded();
        assert_eq!(looked_up(&cache, "a", at(10 * HOUR)), ("use and refresh", 0));
        assert_eq!(looked_up(&cache, "a", at(HOUR)), ("fetch", 0));
        assert_eq!(cache.status(at(HOUR)).age, None);
        assert!(!cache.restored(set(&["copy"]), at(HOUR), at(HOUR)), "nor is the age of a copy known");
        assert_eq!(
            looked_up(&cache, "a", at(11 * HOUR)),
            ("fetch", 0),
            "nor later: who knows how late it is"
        );
    }

    #[test]
    fn a_clock_that_was_ahead_does_not_keep_the_next_answer_out() {
        let mut cache = KeyCache::new(DEFAULT_HARD_AGE);
        cache.fetched(set(&["a"]), at(100 * HOUR), at(100 * HOUR));
        assert_eq!(looked_up(&cache, "a", at(0)), ("fetch", 0));
        assert!(
            !cache.restored(set(&["copy"]), at(0), at(0)),
            "only the issuer's own answer is of known age"
        );
        cache.fetched(set(&["b"]), at(0), at(0));
        assert_eq!(looked_up(&cache, "b", at(0)), ("use", 0));
        assert_eq!(looked_up(&cache, "b", at(600)), ("use and refresh", 0));
    }

    #[test]
    fn clocks_of_threads_that_differ_a_little_change_nothing() {
        let cache = loaded();
        assert_eq!(looked_up(&cache, "a", at(100)), ("use", 0));
        assert_eq!(looked_up(&cache, "a", at(95)), ("use", 0));
        assert_eq!(cache.status(at(95)).age, Some(Duration::from_secs(100)));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stretch_a_pause() {
        let mut cache = KeyCache::new(DEFAULT_HARD_AGE);
        cache.fetch_failed(at(10 * HOUR), Some(Duration::from_secs(600)));
        assert_eq!(looked_up(&cache, "a", at(0)), ("fetch", 0));
        assert_eq!(looked_up(&cache, "a", at(10 * HOUR - 600)), ("fetch", 0));
        assert_eq!(looked_up(&cache, "a", at(10 * HOUR - 599)), ("unavailable", 600));
        cache.fetch_started(at(HOUR));
        assert_eq!(looked_up(&cache, "a", at(0)), ("fetch", 0));
    }

    #[test]
    fn a_short_hard_age_is_refreshed_at_half_of_it() {
        let mut cache = KeyCache::new(Duration::from_secs(20));
        cache.fetched(set(&["a"]), at(0), at(0));
        assert_eq!(looked_up(&cache, "a", at(9)), ("use", 0));
        assert_eq!(looked_up(&cache, "a", at(10)), ("use and refresh", 0));
        assert_eq!(looked_up(&cache, "a", at(20)), ("fetch", 0));
        assert_eq!(KeyCache::new(Duration::ZERO).hard_age, Duration::from_secs(1));
    }

    /// An issuer, a wall clock that jumps, true time, and an owner that does what the cache says. True time is what
    /// the cache can't see.
    mod histories {
        use proptest::prelude::*;

        use super::*;

        #[derive(Clone, Debug)]
        enum Event {
            /// So many seconds go by, with a lookup of a key that is published at least once a minute.
            Pass(u64),
            /// The wall clock is set ahead or back by so many seconds.
            SetClock(i64),
            /// A token whose `kid` was made up.
            MadeUpKid(u8),
            /// A token whose key was published so many rotations ago.
            OldKid(u8),
            /// The issuer withdraws its key and publishes another.
            Rotate,
            /// The issuer answers from now on after so many seconds, or not at all.
            Health(Option<u64>),
            /// Somebody's copy of the current set, asked for so many seconds ago by true time.
            Copy(u64),
            /// A copy of the set so many rotations ago that claims to be from so many seconds ahead.
            Forged(u8, u64),
        }

        fn event(clock_jumps: bool) -> impl Strategy<Value = Event> {
            let jump = if clock_jumps { -100_000i64..100_000 } else { 0i64..1 };
            prop_oneof![
                4 => (1u64..100).prop_map(Event::Pass),
                2 => (100u64..5_000).prop_map(Event::Pass),
                1 => jump.prop_map(Event::SetClock),
                4 => any::<u8>().prop_map(Event::MadeUpKid),
                2 => (0u8..3).prop_map(Event::OldKid),
                2 => Just(Event::Rotate),
                2 => prop_oneof![Just(None), (0u64..14).prop_map(Some)].prop_map(Event::Health),
                1 => (0u64..100_000).prop_map(Event::Copy),
                1 => (0u8..3, 6u64..100_000).prop_map(|(ago, ahead)| Event::Forged(ago, ahead)),
            ]
        }

        struct World {
            cache: KeyCache,
            true_secs: u64,
            /// Wall clock less true time.
            offset: i64,
            jumps_back: u64,
            /// True times of rotations: key `n` was published from the `n`th to the next.
            rotations: Vec<u64>,
            health: Option<u64>,
            /// When the fetch under way ends, when it was asked for by the wall clock, and the answer.
            flight: Option<(u64, UnixTime, Option<Arc<KeySet>>)>,
            /// True times of fetches.
            fetches: Vec<u64>,
            made_up_kid_fetches: Vec<u64>,
        }

        const HARD_AGE: u64 = 24 * HOUR;
        /// Far enough from 1970 that the wall clock can be set back.
        const START: u64 = 1_764_000_000;

        impl World {
            fn new() -> World {
                World {
                    cache: KeyCache::new(DEFAULT_HARD_AGE),
                    true_secs: START,
                    offset: 0,
                    jumps_back: 0,
                    rotations: vec![START],
                    health: Some(0),
                    flight: None,
                    fetches: Vec::new(),
                    made_up_kid_fetches: Vec::new(),
                }
            }

            fn now(&self) -> UnixTime {
                UnixTime::from_secs(self.true_secs.saturating_add_signed(self.offset))
            }

            fn key(&self, rotations_ago: u8) -> usize {
                (self.rotations.len() - 1).saturating_sub(usize::from(rotations_ago))
            }

            fn published(&self) -> Arc<KeySet> {
                set(&[&self.key(0).to_string()])
            }

            fn happen(&mut self, event: Event) {
                match event {
                    Event::Pass(secs) => self.pass(secs),
                    Event::SetClock(by) => {
                        self.offset += by;
                        self.jumps_back += u64::from(by < 0);
                    }
                    Event::MadeUpKid(n) => {
                        let (before, usable) = (self.fetches.len(), self.cache.status(self.now()).usable);
                        self.present(&format!("made-up-{n}"));
                        if usable && self.fetches.len() > before {
                            self.made_up_kid_fetches.push(self.true_secs);
                        }
                    }
                    Event::OldKid(ago) => self.present(&self.key(ago).to_string()),
                    Event::Rotate => self.rotations.push(self.true_secs),
                    Event::Health(health) => self.health = health,
                    Event::Copy(ago) => {
                        let then = self.true_secs.saturating_sub(ago).max(*self.rotations.last().unwrap());
                        let asked_at = UnixTime::from_secs(then.saturating_add_signed(self.offset));
                        // A copy's age is only as good as the clock; these are from one that agrees with ours.
                        if self.jumps_back == 0 {
                            self.cache.restored(self.published(), asked_at, self.now());
                        }
                    }
                    Event::Forged(ago, ahead) => {
                        let asked_at = self.now().plus(Duration::from_secs(ahead));
                        let taken =
                            self.cache.restored(set(&[&self.key(ago).to_string()]), asked_at, self.now());
                        assert!(!taken, "a copy from the future was taken");
                    }
                }
            }

            fn pass(&mut self, secs: u64) {
                let end = self.true_secs + secs;
                while self.true_secs < end {
                    let flight_ends = self.flight.as_ref().map_or(end, |flight| flight.0.max(self.true_secs));
                    self.true_secs = end.min(self.true_secs + 60).min(flight_ends.max(self.true_secs + 1));
                    self.land();
                    self.present(&self.key(0).to_string());
                }
            }

            fn land(&mut self) {
                let now = self.now();
                if let Some((_, asked_at, answer)) = self.flight.take_if(|flight| flight.0 <= self.true_secs)
                {
                    match answer {
                        Some(keys) => self.cache.fetched(keys, asked_at, now),
                        None => self.cache.fetch_failed(now, None),
                    }
                }
            }

            /// A request with this `kid`, and what must hold whenever one comes.
            fn present(&mut self, name: &str) {
                let now = self.now();
                let answer = self.cache.lookup(&kid(name), now);
                if let Lookup::Use(keys) | Lookup::UseAndRefresh(keys) = &answer {
                    assert!(keys.contains(&kid(name)), "a set without the key was given");
                    self.check_bound(name);
                }
                if matches!(answer, Lookup::Fetch | Lookup::UseAndRefresh(_)) && self.flight.is_none() {
                    self.cache.fetch_started(now);
                    self.fetches.push(self.true_secs);
                    let answer = self.health.map(|_| self.published());
                    self.flight = Some((self.true_secs + self.health.unwrap_or(5), now, answer));
                    self.land();
                }
            }

            /// A withdrawn key is never used later than the hard age after its withdrawal. What a jump back can add
            /// is what went by since the last lookup, a minute here, and the noise that is granted to clocks.
            fn check_bound(&self, name: &str) {
                let withdrawn = name.parse::<usize>().ok().and_then(|key| self.rotations.get(key + 1));
                if let Some(withdrawn_at) = withdrawn {
                    let slack = self.jumps_back * 65;
                    let bound = withdrawn_at + HARD_AGE + slack;
                    assert!(self.true_secs < bound.max(withdrawn_at + 1), "key {name} outlived its bound");
                }
            }
        }

        proptest! {
            #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

            #[test]
            fn a_withdrawn_key_never_verifies_after_its_bound(events in prop::collection::vec(event(true), 1..120)) {
                let mut world = World::new();
                for event in events {
                    world.happen(event);
                }
            }

            #[test]
            fn made_up_key_ids_lead_to_one_fetch_in_thirty_seconds(
                events in prop::collection::vec(event(false), 1..200),
            ) {
                let mut world = World::new();
                for event in events {
                    world.happen(event);
                }
                for pair in world.made_up_kid_fetches.windows(2) {
                    prop_assert!(pair[1] - pair[0] >= 30, "fetches for unknown kids at {pair:?}");
                }
            }

            #[test]
            fn fetches_are_bounded_whatever_comes(events in prop::collection::vec(event(false), 1..200)) {
                let mut world = World::new();
                for event in events {
                    world.happen(event);
                }
                // Failing from the first: after 0, 1, 3, 7, 15, 31 s and each minute then. Succeeding: one refresh in
                // ten minutes. For unknown kids one in thirty seconds. Any ten minutes hold no more than all of these,
                // and three starts over of the pause that a success or a copy in between can bring.
                for (i, start) in world.fetches.iter().enumerate() {
                    let within = world.fetches[i..].iter().take_while(|at| **at < start + 600).count();
                    prop_assert!(within <= 16 + 1 + 20 + 18, "{within} fetches in ten minutes");
                }
            }

            #[test]
            fn age_only_grows_between_answers(
                asked_at in 0u64..100,
                steps in prop::collection::vec((0u64..5_000, any::<bool>()), 1..40),
            ) {
                let mut cache = KeyCache::new(DEFAULT_HARD_AGE);
                cache.fetched(set(&["a"]), at(asked_at), at(100));
                let (mut secs, mut age, mut was_usable) = (100, Duration::ZERO, true);
                for (step, failed) in steps {
                    secs += step;
                    if failed {
                        cache.fetch_failed(at(secs), None);
                    }
                    let status = cache.status(at(secs));
                    prop_assert!(status.age.unwrap() >= age);
                    prop_assert!(was_usable || !status.usable, "came back to life by itself");
                    (age, was_usable) = (status.age.unwrap(), status.usable);
                }
            }
        }
    }
}
