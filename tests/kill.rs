//! The embedded store is killed, copied while it writes, and watched by the system: what it acknowledged is there.
//! The cache is copied and damaged, too: what it gives back is what it was given.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use doorward::cache::{Cache, CacheSettings, CacheStatus, KnownKeys};
use doorward::clock::{FixedClock, SystemClock};
use doorward::store::embedded::EmbeddedStore;
use doorward::store::{EmbeddedSettings, OnLoss, OpenError, Store};
use doorward::user::{Change, ProfileChange, User, UserId};
use doorward_verifier::UnixTime;
use tests::stores::{LOCK_WAIT, NOON};

const WRITER: &str = env!("CARGO_BIN_EXE_store-writer");

/// What a writer said of each user: the last that was acknowledged, by its revision and its token.
#[derive(Debug, Default)]
struct Acknowledged {
    last: HashMap<String, (u64, String)>,
    writes: usize,
}

impl Acknowledged {
    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        if let ["done", user, revision, token] = words[..] {
            let revision = revision.parse().expect("a number");
            let known = self.last.entry(user.to_owned()).or_default();
            if known.0 < revision {
                *known = (revision, token.to_owned());
            }
            self.writes += 1;
        }
    }

    /// Whether the store has all of it: the same, or something newer.
    async fn lost_in(&self, store: &EmbeddedStore) -> Vec<String> {
        let mut lost = Vec::new();
        for (user, (revision, token)) in &self.last {
            let id = UserId::parse(user).expect("a user id");
            let found = store.load(&id).await.expect("what is there can be read");
            let found = found.map(|found| (found.revision, found.profile.name.unwrap_or_default()));
            let kept = found
                .as_ref()
                .is_some_and(|(there, name)| there > revision || (there == revision && name == token));
            if !kept {
                lost.push(format!("{user}: acknowledged {revision} {token}, found {found:?}"));
            }
        }
        lost
    }
}

fn start(folder: &Path, seed: u64) -> Child {
    let seed = seed.to_string();
    Command::new(WRITER).arg(folder).arg(seed).stdout(Stdio::piped()).spawn().expect("it starts")
}

async fn open(folder: &Path) -> Result<EmbeddedStore, OpenError> {
    let settings =
        EmbeddedSettings { folder: folder.to_owned(), lock_wait: LOCK_WAIT, on_loss: OnLoss::Refuse };
    EmbeddedStore::open(settings, Arc::new(SystemClock)).await
}

fn rounds(default: u64) -> u64 {
    std::env::var("KILL_ROUNDS").map_or(default, |text| text.parse().expect("KILL_ROUNDS is a number"))
}

/// Moments that differ from run to run; the seed is printed with every failure.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

fn first_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    std::env::var("KILL_SEED")
        .map_or_else(|_| RandomState::new().hash_one(()), |text| text.parse().expect("a number"))
}

#[tokio::test]
async fn what_was_acknowledged_survives_every_kill() {
    let (rounds, first_seed) = (rounds(20), first_seed());
    let (mut seed, mut writes) = (first_seed, 0);
    let mut folder = tempfile::tempdir().expect("a folder");
    let mut acknowledged = Acknowledged::default();
    for round in 0..rounds {
        if round % 50 == 49 {
            writes += acknowledged.writes;
            (folder, acknowledged) = (tempfile::tempdir().expect("a folder"), Acknowledged::default());
        }
        let mut writer = start(folder.path(), first_seed.wrapping_add(round) & (u64::MAX >> 1));
        let mut lines =
            BufReader::new(writer.stdout.take().expect("its output")).lines().map_while(Result::ok);
        // Now and then before it has opened the folder, or while it does; else in the middle of its writes, however
        // quick the machine is.
        let writes_before =
            if round % 5 == 4 { 0 } else { acknowledged.writes + random(&mut seed) as usize % 150 };
        while acknowledged.writes < writes_before {
            acknowledged.hear(&lines.next().expect("it goes on"));
        }
        thread::sleep(Duration::from_micros(random(&mut seed) % if round % 5 == 4 { 50_000 } else { 5_000 }));
        writer.kill().expect("it runs");
        lines.for_each(|line| acknowledged.hear(&line));
        writer.wait().expect("it ends");
        let context = format!("KILL_SEED={first_seed}, round {round}");
        let store = open(folder.path()).await.unwrap_or_else(|error| panic!("{context}: {error}"));
        let lost = acknowledged.lost_in(&store).await;
        assert!(lost.is_empty(), "{context}: {lost:#?}");
        store.close().await.expect("it closes");
    }
    writes += acknowledged.writes;
    assert!(writes > usize::try_from(rounds).expect("few"), "it wrote something");
    println!("{rounds} kills, {writes} acknowledged writes, 0 lost");
}

/// As a backup takes it that knows nothing of databases, and as a disk leaves it that lost its last writes.
#[tokio::test]
async fn an_image_taken_while_it_writes_is_whole_or_said_not_to_be() {
    let (rounds, first_seed) = (rounds(20), first_seed());
    let (mut seed, mut reported, mut whole) = (first_seed, 0, 0);
    for round in 0..rounds {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer =
            start(&folder.path().join("store"), first_seed.wrapping_add(round) & (u64::MAX >> 1));
        let mut lines = BufReader::new(writer.stdout.take().expect("its output")).lines();
        let mut acknowledged = Acknowledged::default();
        let (earlier, image) = (folder.path().join("earlier"), folder.path().join("image"));
        let count = 200 + random(&mut seed) % 800;
        for number in 0..count {
            if number == count / 2 {
                copy(&folder.path().join("store"), &earlier);
            }
            acknowledged.hear(&lines.next().expect("it writes").expect("a line"));
        }
        copy(&folder.path().join("store"), &image);
        writer.kill().expect("it runs");
        lines.map_while(Result::ok).for_each(drop);
        writer.wait().expect("it ends");
        damage(&image, &earlier, &mut seed);
        let context = format!("KILL_SEED={first_seed}, round {round}");
        match open(&image).await {
            Ok(store) => {
                let lost = acknowledged.lost_in(&store).await;
                assert!(lost.is_empty(), "{context}: {lost:#?}");
                whole += 1;
            }
            Err(OpenError::Damaged { .. }) => reported += 1,
            Err(error) => panic!("{context}: {error}"),
        }
    }
    println!("{rounds} images: {whole} whole, {reported} reported, 0 lost in silence");
}

/// Two of three images are damaged further: a tail cut off, never written, or of an earlier time, or a bit flipped.
fn damage(image: &Path, earlier: &Path, seed: &mut u64) {
    let databases = fs::read_dir(image).expect("a folder").flatten().map(|entry| entry.path().join("db"));
    // A compaction may just be moving from one to another.
    let Some(db) = databases.filter(|db| db.exists()).max() else { return };
    let mut bytes = fs::read(&db).expect("read");
    let at = usize::try_from(random(seed)).expect("an index") % bytes.len().max(1);
    match random(seed) % 6 {
        0 => bytes.truncate(at),
        1 => bytes[at..].fill(0),
        2 if at < bytes.len() => bytes[at] ^= 1 << (at % 8),
        3 => {
            let earlier = earlier.join(db.strip_prefix(image).expect("it is in it"));
            // Nothing of then where a compaction has begun another database.
            let stale = fs::read(earlier).unwrap_or_default();
            let length = stale.len().min(bytes.len());
            bytes[at.min(length)..length].copy_from_slice(&stale[at.min(length)..length]);
        }
        _ => return,
    }
    fs::write(db, bytes).expect("written");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    // A compaction may just have removed it.
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            // A snapshot may just have been replaced.
            fs::copy(entry.path(), to.join(entry.file_name())).ok();
        }
    }
}

/// The cache's images: what it gives back, it was given once, with the time of then. It may also give back nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_of_the_cache_gives_back_what_was_kept_with_its_time_or_nothing() {
    const SOURCE: &str = "https://clerk.example.com/.well-known/jwks.json";
    let (rounds, first_seed) = (rounds(20), first_seed());
    let (mut seed, mut found, mut lost) = (first_seed, 0, 0);
    for round in 0..rounds {
        let folder = tempfile::tempdir().expect("a folder");
        let writing = folder.path().join("cache");
        let cache = cache(&writing).await;
        let stop = Arc::new(AtomicBool::new(false));
        let (saving, stopped) = (Arc::clone(&cache), Arc::clone(&stop));
        let writer = thread::spawn(move || {
            let mut numbers = (1..).take_while(|_| !stopped.load(Ordering::Relaxed));
            numbers.by_ref().for_each(|number| {
                saving.save_user("https://clerk.example.com", &cached_user(number), second(number));
                if number % 50 == 0 {
                    saving.save_keys(SOURCE, &cached_keys(number));
                }
            });
        });
        let (earlier, image) = (folder.path().join("earlier"), folder.path().join("image"));
        thread::sleep(Duration::from_micros(random(&mut seed) % 100_000));
        copy(&writing, &earlier);
        thread::sleep(Duration::from_micros(random(&mut seed) % 100_000));
        copy(&writing, &image);
        stop.store(true, Ordering::Relaxed);
        writer.join().expect("no panic");
        cache.close().await;
        damage(&image, &earlier, &mut seed);
        let context = format!("KILL_SEED={first_seed}, round {round}");
        let cache = self::cache(&image).await;
        assert_eq!(cache.status(), CacheStatus::Ready, "{context}");
        for number in 0..CACHED_USERS {
            let Some(known) = cache.user("https://clerk.example.com", &format!("user_{number}")) else {
                lost += 1;
                continue;
            };
            let of: u64 = known.user.name().expect("a name").parse().expect("a number");
            assert_eq!(known.user, cached_user(of), "{context}");
            assert_eq!(known.confirmed_at, second(of), "{context}");
            found += 1;
        }
        if let Some(keys) = cache.keys(SOURCE) {
            assert_eq!(keys, cached_keys((keys.asked_at - NOON.as_millis()) / 1000), "{context}");
        }
        cache.close().await;
    }
    println!(
        "{rounds} images of the cache: {found} users found as they were kept, {lost} not kept, none otherwise"
    );
}

const CACHED_USERS: u64 = 50;

async fn cache(folder: &Path) -> Arc<Cache> {
    let stale = Duration::from_secs(1 << 30);
    let settings = CacheSettings { folder: folder.to_owned(), lock_wait: LOCK_WAIT, stale };
    Cache::open(settings, Arc::new(FixedClock::at(NOON))).await.expect("it opens")
}

fn second(number: u64) -> UnixTime {
    NOON.plus(Duration::from_secs(number))
}

fn cached_user(number: u64) -> User {
    let id = UserId::parse(&format!("user_{}", number % CACHED_USERS)).expect("a user id");
    let change =
        ProfileChange { username: Some("x".repeat((number % 400) as usize)), name: Some(number.to_string()) };
    let user = User::new(id, "https://clerk.example.com", NOON).after(&[Change::Profile(change)], NOON);
    user.expect("a change")
}

/// Longer than one value may be, and recognizable in each of its parts.
fn cached_keys(number: u64) -> KnownKeys {
    let document = format!("{number} ").repeat(4000);
    KnownKeys { document, etag: None, asked_at: second(number).as_millis() }
}

/// A kill does not show it: what a process wrote survives it in the system's memory. So the system is asked.
#[test]
fn every_acknowledgement_follows_a_sync_made_after_its_write() {
    const WRITES: &str = "400";
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let calls = "trace=openat,close,write,pwrite64,fsync,fdatasync";
    let strace = Command::new("strace")
        .args(["-f", "-qq", "-s", "1000000", "-e", calls, "-e", "signal=none", "-o"])
        .arg(&trace)
        .arg(WRITER)
        .arg(folder.path().join("store"))
        .args(["1", WRITES])
        .stdout(Stdio::null())
        .status();
    let status =
        strace.expect("strace is installed: apt-get install strace, or run this test with tests/run");
    assert!(status.success(), "{status}");
    let trace = fs::read_to_string(trace).expect("a trace");
    let checked = check_trace(&trace);
    assert_eq!(checked.to_string(), WRITES);
    println!(
        "{checked} acknowledgements, each after a sync of the log and of the manifest made after its write"
    );
}

/// Where each write was put into the log, and which syncs began after that. Says how many acknowledgements were made.
fn check_trace(trace: &str) -> usize {
    let calls = completed_calls(trace);
    let (mut files, mut written): (HashMap<String, String>, HashMap<String, usize>) = Default::default();
    let mut syncs: Vec<(usize, usize, String)> = Vec::new();
    let mut acknowledged = 0;
    for call in &calls {
        let descriptor = call.arguments.split([',', ')']).next().unwrap_or_default().to_owned();
        match call.name.as_str() {
            "openat" => drop(files.insert(call.result.clone(), call.arguments.clone())),
            "pwrite64" => {
                for token in tokens(&call.arguments) {
                    // Later on sled writes it again, with others of its page.
                    written.entry(token).or_insert(call.ended);
                }
            }
            "fsync" | "fdatasync" => {
                let file = files.get(&descriptor).cloned().unwrap_or_default();
                syncs.push((call.began, call.ended, file));
            }
            "write" if descriptor == "1" && call.arguments.contains("\"done ") => {
                let token = tokens(&call.arguments).pop().expect("a token");
                let in_log = *written
                    .get(&token)
                    .unwrap_or_else(|| panic!("{token} is acknowledged, and not in the log"));
                for file in ["/db\"", "/manifest."] {
                    let synced = syncs.iter().any(|(began, ended, name)| {
                        *began > in_log && *ended < call.began && name.contains(file)
                    });
                    assert!(synced, "{token} is acknowledged before a sync of {file}");
                }
                acknowledged += 1;
            }
            _ => {}
        }
    }
    acknowledged
}

/// A call to the system: at which lines of the trace it began and ended.
struct Call {
    name: String,
    arguments: String,
    result: String,
    began: usize,
    ended: usize,
}

/// strace writes a call that another thread interrupts in two lines.
fn completed_calls(trace: &str) -> Vec<Call> {
    let mut pending: HashMap<&str, (usize, String)> = HashMap::new();
    let mut calls = Vec::new();
    for (number, line) in trace.lines().enumerate() {
        let (thread, line) = line.split_once(' ').unwrap_or(("", line));
        let line = line.trim_start();
        let (began, text) = if let Some(begun) = line.strip_suffix(" <unfinished ...>") {
            pending.insert(thread, (number, begun.to_owned()));
            continue;
        } else if let Some(rest) = line.strip_prefix("<... ") {
            let (began, begun) = pending.remove(thread).unwrap_or_default();
            (began, begun + rest.split_once(" resumed>").map_or("", |(_, rest)| rest))
        } else {
            (number, line.to_owned())
        };
        let Some((name, rest)) = text.split_once('(') else { continue };
        // What strace writes of the end of an interrupted call has the result further to the right.
        let (arguments, result) = rest.rsplit_once(" = ").unwrap_or((rest, ""));
        let arguments = arguments.trim_end();
        let arguments = arguments.strip_suffix(')').unwrap_or(arguments);
        let result = result.split(' ').next().unwrap_or_default();
        let (name, arguments, result) = (name.to_owned(), arguments.to_owned(), result.to_owned());
        calls.push(Call { name, arguments, result, began, ended: number });
    }
    calls
}

fn tokens(text: &str) -> Vec<String> {
    let pieces = text.split("tok-").skip(1);
    pieces.filter_map(|piece| piece.split_once("-end").map(|(token, _)| token.to_owned())).collect()
}
