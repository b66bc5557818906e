//! Whether a request costs the same however many users there are, and what the server holds in memory for it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use doorward::clock::{Clock, SystemClock};
use doorward::store::embedded::EmbeddedStore;
use doorward::store::{EmbeddedSettings, OnLoss, Saved, Store};
use doorward::user::{Change, User, UserId};
use futures_util::future::join_all;
use mongodb::Client;
use mongodb::bson::{Document, doc};
use tokio::runtime::Runtime;

use crate::load;
use crate::program::Program;
use crate::setting::{Setting, user};
use crate::table::Row;

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Whose requests are measured: spread over all of them.
const SAMPLE: usize = 1_000;
/// How often each of them comes.
const PRESENTED: usize = 50;
/// More than memory has room for.
const SEEN: usize = 100_000;
/// Users 64 MiB, accepted tokens 64 MiB, sled's pages 32 MiB for the store and as much for the cache; as much again
/// for the program, what is under way, and what the allocator keeps.
const MOST_MIB: u64 = 2 * (64 + 64 + 32 + 32);
/// Users who are written at once.
const AT_ONCE: usize = 1_000;

/// What was measured with so many users.
struct Measured {
    users: usize,
    /// What the store by itself takes for a user, where it is another program.
    bare: Option<Duration>,
    start: Duration,
    stored: Row,
    memory: Row,
    resident_mib: u64,
}

/// Measures, prints the tables, and says which claims held.
pub(crate) fn measure(setting: &Setting) -> Vec<bool> {
    let runtime = Runtime::new().expect("a runtime");
    let embedded = SIZES.map(|users| {
        let folder = setting.folder(&format!("embedded-{users}"));
        runtime.block_on(fill_embedded(setting, &folder.join("data/store"), users));
        let measured = of(setting, users, || setting.serve(&folder, &[("STORE", "embedded")]));
        fs::remove_dir_all(folder).expect("its data");
        measured
    });
    print("embedded store", &embedded);
    // FerretDB on SQLite reads all of a collection for one `_id`: with 50 000 users, a second. This one has an index, as
    // MongoDB has, but uses it only where nothing but the `_id` is asked for: reads are measured, and no writes.
    let database = format!("{}_scale", setting.database);
    let settings = [("MONGODB_URI", setting.mongo.as_str()), ("MONGODB_DB_NAME", &database)];
    let mut there = 0;
    let mongodb = SIZES.map(|users| {
        let folder = setting.folder(&format!("mongodb-{users}"));
        if there == 0 {
            // The server makes the first one, of which the others are copies.
            let server = setting.serve(&folder, &settings);
            load::run(server.address, &me(&setting.tokens(0..1)), 1);
            server.stop();
            fs::remove_dir_all(folder.join("data")).expect("its data");
            there = 1;
        }
        runtime.block_on(fill_mongodb(&setting.mongo, &database, there..users));
        there = users;
        let bare = runtime.block_on(bare_query(&setting.mongo, &database, users));
        let measured = of(setting, users, || setting.serve(&folder, &settings));
        Measured { bare: Some(bare), ..measured }
    });
    print("MongoDB (mongo-java-server)", &mongodb);
    let database = format!("{}_seen", setting.database);
    let settings = [("MONGODB_URI", setting.mongo.as_str()), ("MONGODB_DB_NAME", &database)];
    let server = setting.serve(&setting.folder("seen"), &settings);
    let before = server.resident_mib();
    load::run(server.address, &me(&setting.tokens(0..SEEN)), SEEN);
    let after = server.resident_mib();
    println!(
        "{SEEN} users seen: {after} MiB held, {before} MiB before, at most {MOST_MIB} MiB whoever comes"
    );
    let flat = |sizes: &[Measured; 4]| {
        let [first, .., last] = sizes;
        last.memory.cpu() < first.memory.cpu() * 3 / 2 && last.stored.cpu() < first.stored.cpu() * 2
    };
    vec![flat(&embedded), flat(&mongodb), after <= MOST_MIB]
}

fn of(setting: &Setting, users: usize, serve: impl FnOnce() -> Program) -> Measured {
    let began = Instant::now();
    let server = serve();
    let start = began.elapsed();
    let tokens = me(&setting.tokens((0..SAMPLE).map(|number| number * (users / SAMPLE))));
    let (mut stored, mut memory) = (Row::new("from the store"), Row::new("from memory"));
    stored.measure(&server, &tokens, SAMPLE);
    memory.measure(&server, &tokens, SAMPLE * PRESENTED);
    let resident_mib = server.resident_mib();
    server.stop();
    Measured { users, bare: None, start, stored, memory, resident_mib }
}

fn me(tokens: &[String]) -> load::Requests {
    load::with_tokens("/api/auth/me", tokens)
}

fn print(store: &str, sizes: &[Measured]) {
    println!(
        "{store:<28} {:>8} {:>18} {:>18} {:>10} {:>14}",
        "start s", "first: CPU us each", "then: CPU us each", "held MiB", "bare query us"
    );
    for Measured { users, bare, start, stored, memory, resident_mib } in sizes {
        let micros = |span: Duration| span.as_secs_f64() * 1e6;
        let (stored, memory, start) = (micros(stored.cpu()), micros(memory.cpu()), start.as_secs_f64());
        let bare = bare.map_or_else(String::new, |bare| format!("{:.0}", micros(bare)));
        println!(
            "{users:>22} users {start:>8.1} {stored:>18.1} {memory:>18.1} {resident_mib:>10} {bare:>14}"
        );
    }
}

/// What the driver alone takes to find a user, one after the other.
async fn bare_query(uri: &str, database: &str, users: usize) -> Duration {
    let client = Client::with_uri_str(uri).await.expect("a client");
    let collection = client.database(database).collection::<Document>("users");
    let began = Instant::now();
    for number in 0..SAMPLE {
        let found = collection.find_one(doc! { "_id": user(number * (users / SAMPLE)) }).await;
        assert!(found.is_ok_and(|found| found.is_some()), "everybody is there");
    }
    began.elapsed() / u32::try_from(SAMPLE).expect("few")
}

async fn fill_embedded(setting: &Setting, folder: &Path, users: usize) {
    let settings =
        EmbeddedSettings { folder: folder.to_owned(), lock_wait: Duration::ZERO, on_loss: OnLoss::Refuse };
    let store = EmbeddedStore::open(settings, Arc::new(SystemClock)).await.expect("it opens");
    let (issuer, now) = (setting.issuer.url(), SystemClock.now());
    let numbers: Vec<usize> = (0..users).collect();
    for chunk in numbers.chunks(AT_ONCE) {
        let made = chunk.iter().map(|number| {
            let id = UserId::parse(&user(*number)).expect("a user id");
            User::new(id, &issuer, now).after(&[Change::Seen], now).expect("a new record")
        });
        let made: Vec<User> = made.collect();
        let saved = join_all(made.iter().map(|user| store.save(None, user))).await;
        assert!(saved.into_iter().all(|saved| saved.is_ok_and(|saved| saved == Saved::Written)));
    }
    store.close().await.expect("it closes");
}

async fn fill_mongodb(uri: &str, database: &str, users: std::ops::Range<usize>) {
    let client = Client::with_uri_str(uri).await.expect("a client");
    let collection = client.database(database).collection::<Document>("users");
    let first =
        collection.find_one(doc! { "_id": user(0) }).await.expect("an answer").expect("the first one");
    let numbers: Vec<usize> = users.collect();
    for chunk in numbers.chunks(AT_ONCE) {
        let copies = chunk.iter().map(|number| {
            let mut copy = first.clone();
            copy.insert("_id", user(*number));
            copy.insert("clerk_id", user(*number));
            copy
        });
        collection.insert_many(copies).await.expect("they are stored");
    }
}
