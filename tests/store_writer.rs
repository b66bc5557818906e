//! Writes to an embedded store until it is killed, and says on standard output what was acknowledged.
//!
//! `store-writer FOLDER SEED [WRITES]`: each line is `begin USER TOKEN` before a write, and `done USER REVISION TOKEN`
//! after it; TOKEN is what the write put into the record, and no other write did.
#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "what it does not expect ends it, and its output is what it is for"
)]

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use doorward::clock::SystemClock;
use doorward::store::embedded::EmbeddedStore;
use doorward::store::{EmbeddedSettings, OnLoss, Saved, Store};
use doorward::user::{Change, ProfileChange, User, UserId};
use doorward_verifier::UnixTime;

/// Few enough for writers to meet, and for records to be overwritten many times.
const USERS: u64 = 100;
const WRITERS: u64 = 16;
/// Kills meet compactions, too.
const COMPACTS_EVERY: u64 = 150;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("a folder"));
    let seed: u64 = arguments.next().expect("a seed").parse().expect("a number");
    let writes: u64 = arguments.next().map_or(u64::MAX, |text| text.parse().expect("a number"));
    let settings = EmbeddedSettings { folder, lock_wait: Duration::from_secs(10), on_loss: OnLoss::Refuse };
    let store = EmbeddedStore::open(settings, Arc::new(SystemClock)).await.expect("it opens");
    let store = Arc::new(store);
    say("open");
    let numbers = Arc::new(AtomicU64::new(0));
    let writers = (0..WRITERS).map(|writer| {
        let (store, numbers) = (Arc::clone(&store), Arc::clone(&numbers));
        tokio::spawn(async move {
            let mut state = seed ^ (writer << 32);
            loop {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                if number >= writes {
                    return;
                }
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if number % COMPACTS_EVERY == COMPACTS_EVERY - 1 {
                    store.compact().await.expect("it has room");
                }
                write(&store, state >> 33, &format!("tok-{seed}-{number}-end")).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("no panic");
    }
    store.close().await.expect("it closes");
    say("closed");
}

/// One write, tried until nobody was quicker.
async fn write(store: &EmbeddedStore, random: u64, token: &str) {
    let id = UserId::parse(&format!("user_{}", random % USERS)).expect("a user id");
    // Records of different sizes move about in sled's log.
    let username = "x".repeat(usize::try_from(random % 400).expect("small"));
    let change = Change::Profile(ProfileChange { username: Some(username), name: Some(token.to_owned()) });
    say(&format!("begin {id} {token}"));
    loop {
        let before = store.load(&id).await.expect("it answers");
        let now = UnixTime::from_secs(1_795_521_600); // 2026-11-24T12:00:00Z
        let base = before.clone().unwrap_or_else(|| User::new(id.clone(), "https://clerk.example.com", now));
        let after = base.after(std::slice::from_ref(&change), now).expect("a change");
        if store.save(before.as_ref(), &after).await.expect("it answers") == Saved::Written {
            return say(&format!("done {id} {} {token}", after.revision));
        }
    }
}

/// In one call to the system, so that a line is there whole or not at all.
fn say(line: &str) {
    let line = format!("{line}\n");
    std::io::stdout().lock().write_all(line.as_bytes()).expect("standard output");
}
