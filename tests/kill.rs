//! The embedded store is killed, copied while it writes, and watched by the system: what it acknowledged is there.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use doorward::clock::SystemClock;
use doorward::store::embedded::EmbeddedStore;
use doorward::store::{EmbeddedSettings, OnLoss, OpenError, Store};
use doorward::user::UserId;

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
    let settings = EmbeddedSettings {
        folder: folder.to_owned(),
        lock_wait: Duration::from_secs(10),
        on_loss: OnLoss::Refuse,
    };
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
        let lines = BufReader::new(writer.stdout.take().expect("its output")).lines();
        // Now and then before it has opened the folder.
        let moment = Duration::from_micros(random(&mut seed) % 300_000);
        let killing = thread::spawn(move || {
            thread::sleep(moment);
            writer.kill().expect("it runs");
            writer.wait().expect("it ends")
        });
        lines.map_while(Result::ok).for_each(|line| acknowledged.hear(&line));
        killing.join().expect("no panic");
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
        for _ in 0..200 + random(&mut seed) % 800 {
            acknowledged.hear(&lines.next().expect("it writes").expect("a line"));
        }
        let image = folder.path().join("image");
        copy(&folder.path().join("store"), &image);
        writer.kill().expect("it runs");
        lines.map_while(Result::ok).for_each(drop);
        writer.wait().expect("it ends");
        damage(&image, &mut seed);
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

/// Every other image is damaged further: a tail cut off, a tail that is stale, a bit flipped.
fn damage(image: &Path, seed: &mut u64) {
    let databases = fs::read_dir(image).expect("a folder").flatten().map(|entry| entry.path().join("db"));
    // A compaction may just be moving from one to another.
    let Some(db) = databases.filter(|db| db.exists()).max() else { return };
    let mut bytes = fs::read(&db).expect("read");
    let at = usize::try_from(random(seed)).expect("an index") % bytes.len().max(1);
    match random(seed) % 6 {
        0 => bytes.truncate(at),
        1 => bytes[at..].fill(0),
        2 if at < bytes.len() => bytes[at] ^= 1 << (at % 8),
        _ => return,
    }
    fs::write(db, bytes).expect("written");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            // A snapshot may just have been replaced.
            fs::copy(entry.path(), to.join(entry.file_name())).ok();
        }
    }
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
        let (arguments, result) = rest.rsplit_once(") = ").unwrap_or((rest, ""));
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
