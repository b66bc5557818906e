//! `Cache`: sled in front of the store and of Clerk. Everything in it may be gone at any time.
//!
//! Damage on disk makes sled give back nothing, or something older. Nothing is as if it had not been cached, and what
//! is older says of itself from when it is. So all that this does about damage is to begin again.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use doorward_verifier::UnixTime;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::clock::{Clock, Stopwatch};
use crate::envelope::{Envelope, MAX_VALUE_BYTES};
use crate::record::Record;
use crate::sled_folder::{HeldFolder, SledError, SledFolder};
use crate::store::OpenError;
use crate::user::User;

/// More users than are seen in the time for which a record may be shown.
const MAX_USERS: usize = 200_000;
/// When there are more, the one of these many that ends first makes room.
const EVICTION_SAMPLE: usize = 5;
/// Keys are not used for longer than this, whatever their hard age is set to.
const MAX_KEYS_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// sled never gives space back. A cache that takes more than this at start begins again.
const MAX_DISK_BYTES: u64 = 512 * 1024 * 1024;
/// After an error of the disk it is opened again after this long.
const REOPEN_AFTER: Duration = Duration::from_secs(60);
/// People who were erased are gone from sled's log after this long.
const COMPACT_EVERY: Duration = Duration::from_secs(60 * 60);
/// sled's own folder in that of the cache, and the one that follows it.
const DATABASE: &str = "sled";
const NEXT_DATABASE: &str = "sled.next";
/// Says that sled's log holds somebody who was erased.
const ERASED: &[u8] = b"erased";
/// The layout of what is kept. Another one is not read.
const FORMAT: &[u8] = b"doorward cache 1";

/// The cache's settings.
#[derive(Clone, Debug)]
pub struct CacheSettings {
    /// Its folder, made where it is missing.
    pub folder: PathBuf,
    /// How long to wait for another process to let go of it: a restart meets its predecessor.
    pub lock_wait: Duration,
    /// How long a user may be shown after the store confirmed it: `STORE_STALE_SECS`.
    pub stale: Duration,
}

/// sled, typed.
#[derive(Debug)]
pub struct Cache {
    settings: CacheSettings,
    clock: Arc<dyn Clock>,
    /// None while the disk does not take anything: the server goes on without.
    trees: ArcSwapOption<Trees>,
    max_users: usize,
    count: AtomicUsize,
    evictions: AtomicU64,
    closed: AtomicBool,
}

struct Trees {
    users: sled::Tree,
    keys: sled::Tree,
    /// How many users there were at the start.
    count: usize,
    folder: SledFolder,
}

/// sled would print everything that it holds.
impl fmt::Debug for Trees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trees").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// A user as the store had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownUser {
    /// The record.
    pub user: User,
    /// When the store last said so.
    pub confirmed_at: UnixTime,
}

/// An issuer's keys as they were published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownKeys {
    /// The JWKS, of what is fit for use.
    pub document: String,
    /// The issuer's name for it.
    pub etag: Option<String>,
    /// When the issuer was asked, in milliseconds.
    pub asked_at: u64,
}

/// How the cache is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheStatus {
    /// It keeps what it is given.
    Ready,
    /// The disk does not take anything; the server goes on without it.
    Bypassed,
}

impl Cache {
    /// Opens it. A damaged one begins again; one that can not be had at all is done without. Only a folder that
    /// another process holds is an error: two servers in one folder is a mistake to be told of.
    pub async fn open(settings: CacheSettings, clock: Arc<dyn Clock>) -> Result<Arc<Cache>, OpenError> {
        Cache::open_bounded(settings, clock, MAX_USERS).await
    }

    async fn open_bounded(
        settings: CacheSettings,
        clock: Arc<dyn Clock>,
        max_users: usize,
    ) -> Result<Arc<Cache>, OpenError> {
        let opened = open_or_begin_again(&settings).await;
        let trees = match opened {
            Err(locked @ OpenError::Locked { .. }) => return Err(locked),
            Err(error) => {
                warn!(%error, "the cache is done without");
                None
            }
            Ok(trees) => Some(Arc::new(trees)),
        };
        let count = trees.as_ref().map_or(0, |trees| trees.count);
        let cache = Cache {
            settings,
            clock,
            trees: ArcSwapOption::new(trees),
            max_users,
            count: count.into(),
            evictions: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        };
        let cache = Arc::new(cache);
        tokio::spawn(reopen_for_ever(Arc::downgrade(&cache)));
        Ok(cache)
    }

    /// The user `id` of `issuer`, unless it is too long ago.
    pub fn user(&self, issuer: &str, id: &str) -> Option<KnownUser> {
        let trees = self.trees.load_full()?;
        let key = user_key(issuer, id);
        let bytes = self.noting_errors(trees.users.get(&key))??;
        let envelope = Envelope::open(&key, &bytes).ok().filter(|envelope| self.is_current(envelope))?;
        let user = Record::from_json(envelope.payload).ok()?.user().ok()?;
        Some(KnownUser { user, confirmed_at: envelope.stored_at })
    }

    /// Keeps `user`, which the store had at `confirmed_at`.
    pub fn save_user(&self, issuer: &str, user: &User, confirmed_at: UnixTime) {
        let Some(trees) = self.trees.load_full() else { return };
        let Ok(payload) = Record::new(user, None).to_json() else { return };
        let key = user_key(issuer, user.clerk_id.as_str());
        let expires_at = confirmed_at.plus(self.settings.stale);
        let sealed = Envelope { stored_at: confirmed_at, expires_at, payload: &payload }.seal(&key);
        if sealed.len() > MAX_VALUE_BYTES {
            return;
        }
        if user.deleted_at.is_some() {
            self.note_erasure(&trees);
        }
        if let Some(None) = self.noting_errors(trees.users.insert(&key, sealed)) {
            self.count.fetch_add(1, Ordering::Relaxed);
            self.evict(&trees, &key);
        }
    }

    /// Forgets the user.
    pub fn forget_user(&self, issuer: &str, id: &str) {
        let Some(trees) = self.trees.load_full() else { return };
        if let Some(Some(_)) = self.noting_errors(trees.users.remove(user_key(issuer, id))) {
            self.count.fetch_sub(1, Ordering::Relaxed);
            self.note_erasure(&trees);
        }
    }

    /// sled's log keeps what was overwritten and removed, until a compaction. Written down, so that a start knows it.
    fn note_erasure(&self, trees: &Trees) {
        self.noting_errors(trees.folder.db.insert(ERASED, b""));
    }

    /// Begins a new database with everything that this one holds, if its log has somebody who was erased. Requests go
    /// on without the cache meanwhile.
    async fn compact(&self) {
        let erased = |trees: &Trees| trees.folder.db.contains_key(ERASED).unwrap_or_default();
        if !self.trees.load_full().is_some_and(|trees| erased(&trees)) {
            return;
        }
        let Some(trees) = self.trees.swap(None) else { return };
        match spawn_blocking(move || move_to_another(trees)).await {
            Ok(Ok(trees)) => {
                self.count.store(trees.count, Ordering::Relaxed);
                if !self.closed.load(Ordering::SeqCst) {
                    self.trees.store(Some(Arc::new(trees)));
                }
            }
            Ok(Err(reason)) => {
                warn!(%reason, "the cache could not be compacted; it is opened again in a minute")
            }
            Err(_panicked) => {}
        }
    }

    /// The keys that `source` published.
    pub fn keys(&self, source: &str) -> Option<KnownKeys> {
        let trees = self.trees.load_full()?;
        let (mut json, mut asked_at) = (Vec::new(), None);
        for part in 0.. {
            let key = part_key(source, part);
            let Some(bytes) = self.noting_errors(trees.keys.get(&key))? else { break };
            let envelope = Envelope::open(&key, &bytes).ok().filter(|envelope| self.is_current(envelope))?;
            // Parts of different sets make none.
            if *asked_at.get_or_insert(envelope.stored_at) != envelope.stored_at {
                return None;
            }
            json.extend_from_slice(envelope.payload);
        }
        let keys: KnownKeys = serde_json::from_slice(&json).ok()?;
        (asked_at == Some(UnixTime::from_millis(keys.asked_at))).then_some(keys)
    }

    /// Keeps the keys that `source` published, in parts that sled keeps in its log.
    pub fn save_keys(&self, source: &str, keys: &KnownKeys) {
        let Some(trees) = self.trees.load_full() else { return };
        let Ok(json) = serde_json::to_vec(keys) else { return };
        let asked_at = UnixTime::from_millis(keys.asked_at);
        let mut batch = sled::Batch::default();
        let mut parts = 0;
        for payload in json.chunks(MAX_VALUE_BYTES / 2) {
            let key = part_key(source, parts);
            let envelope = Envelope { stored_at: asked_at, expires_at: asked_at.plus(MAX_KEYS_AGE), payload };
            batch.insert(key.as_slice(), envelope.seal(&key));
            parts += 1;
        }
        batch.remove(part_key(source, parts));
        // Keys matter at the next start, and change seldom: they go to the disk at once.
        self.noting_errors(trees.keys.apply_batch(batch).and_then(|()| trees.keys.flush()));
    }

    /// How it is.
    pub fn status(&self) -> CacheStatus {
        if self.trees.load().is_some() { CacheStatus::Ready } else { CacheStatus::Bypassed }
    }

    /// How many users made room for others.
    pub fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    /// Writes out what it has, and gives the folder back.
    pub async fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        if let Some(trees) = self.trees.swap(None) {
            // What is lost is only cached.
            let _flushed = trees.folder.db.flush_async().await;
        }
    }

    fn is_current(&self, envelope: &Envelope<'_>) -> bool {
        self.clock.now() < envelope.expires_at
    }

    /// Redis's way: of a few that stand next to each other, the one goes that would end first.
    fn evict(&self, trees: &Trees, newest: &[u8]) {
        if self.count.load(Ordering::Relaxed) <= self.max_users {
            return;
        }
        let after = trees.users.range(newest..).skip(1).chain(trees.users.iter());
        let sample = after.take(EVICTION_SAMPLE).flatten().filter(|(key, _)| key != newest);
        let ends_first =
            sample.min_by_key(|(key, bytes)| Envelope::open(key, bytes).ok().map(|value| value.expires_at));
        let removed = ends_first.and_then(|(key, _)| self.noting_errors(trees.users.remove(key)));
        if let Some(Some(_)) = removed {
            self.count.fetch_sub(1, Ordering::Relaxed);
            self.evictions.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// An error of the disk is not the request's business: from here on the cache is done without.
    fn noting_errors<T>(&self, outcome: Result<T, sled::Error>) -> Option<T> {
        let error = match outcome {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        if self.trees.swap(None).is_some() {
            warn!(folder = %self.settings.folder.display(), %error, "the cache is done without, and opened again in a minute");
        }
        None
    }

    async fn reopen(self: Arc<Self>) {
        if let Ok(trees) = open_or_begin_again(&self.settings).await {
            info!(folder = %self.settings.folder.display(), "the cache is back");
            self.count.store(trees.count, Ordering::Relaxed);
            self.trees.store(Some(Arc::new(trees)));
        }
    }
}

async fn reopen_for_ever(cache: Weak<Cache>) {
    let mut compacted: Option<Stopwatch> = None;
    loop {
        let Some(open) = cache.upgrade().filter(|cache| !cache.closed.load(Ordering::SeqCst)) else {
            return;
        };
        if compacted.is_none_or(|compacted| compacted.elapsed() >= COMPACT_EVERY) {
            compacted = Some(Stopwatch::start());
            open.compact().await;
        }
        drop(open);
        sleep(REOPEN_AFTER).await;
        let Some(cache) = cache.upgrade().filter(|cache| !cache.closed.load(Ordering::SeqCst)) else {
            return;
        };
        if cache.status() == CacheStatus::Bypassed {
            cache.reopen().await;
        }
    }
}

async fn open_or_begin_again(settings: &CacheSettings) -> Result<Trees, OpenError> {
    let held = HeldFolder::hold(&settings.folder, settings.lock_wait).await?;
    let folder = settings.folder.clone();
    let opened = spawn_blocking(move || open_held(&held)).await;
    opened.map_err(|panic| OpenError::Folder { folder, detail: panic.to_string() })?
}

fn open_held(held: &HeldFolder) -> Result<Trees, OpenError> {
    let failed = |detail: String| OpenError::Folder { folder: held.path().to_owned(), detail };
    let reason = match open_trees(held) {
        Ok(trees) => return Ok(trees),
        Err(unusable) => unusable,
    };
    warn!(folder = %held.path().display(), %reason, "the cache begins again");
    held.wipe(DATABASE).map_err(|error| failed(error.to_string()))?;
    open_trees(held).map_err(|reason| failed(reason.to_string()))
}

/// Why a cache is not gone on with.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Sled(#[from] SledError),
    #[error("it is of another version")]
    Format,
    #[error("it takes {0} bytes on disk")]
    TooLarge(u64),
}

/// Blocks until everybody has let go of the old database.
fn move_to_another(mut old: Arc<Trees>) -> Result<Trees, Unusable> {
    let sled = |error: sled::Error| Unusable::Sled(error.into());
    let io = |error: std::io::Error| sled(error.into());
    let old = loop {
        match Arc::try_unwrap(old) {
            Ok(alone) => break alone,
            Err(held) => old = held,
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let held = old.folder.held().clone();
    held.wipe(NEXT_DATABASE).map_err(io)?;
    let next = held.open(NEXT_DATABASE)?;
    let (users, keys) = trees(&next)?;
    for (from, to) in [(&old.users, &users), (&old.keys, &keys)] {
        for entry in from.iter() {
            let (key, value) = entry.map_err(sled)?;
            to.insert(key, value).map_err(sled)?;
        }
    }
    next.db.flush().map_err(sled)?;
    drop((old, users, keys, next));
    held.wipe(DATABASE).map_err(io)?;
    std::fs::rename(held.path().join(NEXT_DATABASE), held.path().join(DATABASE)).map_err(io)?;
    info!(folder = %held.path().display(), "the cache was compacted");
    open_trees(&held)
}

fn open_trees(held: &HeldFolder) -> Result<Trees, Unusable> {
    let folder = held.open(DATABASE)?;
    let (users, keys) = trees(&folder)?;
    Ok(Trees { count: users.len(), users, keys, folder })
}

fn trees(folder: &SledFolder) -> Result<(sled::Tree, sled::Tree), Unusable> {
    let sled = |error: sled::Error| Unusable::Sled(error.into());
    let db = &folder.db;
    let bytes = db.size_on_disk().map_err(sled)?;
    if bytes > MAX_DISK_BYTES {
        return Err(Unusable::TooLarge(bytes));
    }
    let format = db.get("format").map_err(sled)?;
    if format.is_none() && db.was_recovered() || format.as_ref().is_some_and(|format| format != FORMAT) {
        return Err(Unusable::Format);
    }
    db.insert("format", FORMAT).map_err(sled)?;
    Ok((db.open_tree("users").map_err(sled)?, db.open_tree("keys").map_err(sled)?))
}

fn user_key(issuer: &str, id: &str) -> Vec<u8> {
    [issuer.as_bytes(), b"|", id.as_bytes()].concat()
}

fn part_key(source: &str, part: u32) -> Vec<u8> {
    [source.as_bytes(), &part.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::clock::FixedClock;
    use crate::user::{Change, Identity, UserId};

    const NOON: UnixTime = UnixTime::from_secs(1_795_521_600); // 2026-11-24T12:00:00Z
    const ISSUER: &str = "https://clerk.example.com";
    const HOUR: Duration = Duration::from_secs(60 * 60);

    async fn cache(folder: &Path, max_users: usize) -> Arc<Cache> {
        let settings = CacheSettings { folder: folder.to_owned(), lock_wait: Duration::ZERO, stale: HOUR };
        Cache::open_bounded(settings, Arc::new(FixedClock::at(NOON)), max_users).await.unwrap()
    }

    fn id(number: usize) -> UserId {
        UserId::parse(&format!("user_{number:03}")).unwrap()
    }

    fn user(number: usize) -> User {
        let email = Some(format!("person-{number:03}@example.com"));
        let identity = Identity { updated_at: NOON, email, ..Identity::default() };
        User::new(id(number), ISSUER, NOON).after(&[Change::Identified(identity)], NOON).unwrap()
    }

    fn holds(folder: &Path, text: &str) -> bool {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
            if path.is_dir() {
                return holds(&path, text);
            }
            let bytes = std::fs::read(path).unwrap();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        })
    }

    #[tokio::test]
    async fn beyond_its_bound_whoever_ends_first_of_a_few_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path(), 50).await;
        for number in 0..300 {
            let confirmed_at = NOON.plus(Duration::from_secs(number as u64));
            cache.save_user(ISSUER, &user(number), confirmed_at);
            assert!(cache.user(ISSUER, id(number).as_str()).is_some(), "the newest stays");
        }
        let kept = |numbers: std::ops::Range<usize>| {
            numbers.filter(|number| cache.user(ISSUER, id(*number).as_str()).is_some()).count()
        };
        assert_eq!((kept(0..300), cache.evictions()), (50, 250));
        assert!(kept(200..300) > kept(0..200), "later ones more than earlier ones");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_compaction_leaves_nothing_of_who_was_erased_and_everything_of_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path(), 50).await;
        let keys = KnownKeys { document: "{}".to_owned(), etag: None, asked_at: NOON.as_millis() };
        cache.save_keys(ISSUER, &keys);
        for number in 0..20 {
            cache.save_user(ISSUER, &user(number), NOON);
        }
        cache.trees.load_full().unwrap().folder.db.flush().unwrap();
        cache.compact().await;
        assert!(holds(folder.path(), "person-007@example.com"), "there is no reason to compact");
        let erased = user(7).after(&[Change::Deleted], NOON).unwrap();
        cache.save_user(ISSUER, &erased, NOON);
        cache.forget_user(ISSUER, id(8).as_str());
        cache.compact().await;
        for (number, there) in [(6, true), (7, false), (8, false)] {
            assert_eq!(holds(folder.path(), &format!("person-{number:03}@example.com")), there, "{number}");
        }
        assert_eq!(cache.user(ISSUER, id(6).as_str()).unwrap().user, user(6));
        assert_eq!(cache.user(ISSUER, id(7).as_str()).unwrap().user, erased, "the tombstone stays");
        assert_eq!((cache.keys(ISSUER), cache.status()), (Some(keys), CacheStatus::Ready));
        cache.close().await;
    }
}
