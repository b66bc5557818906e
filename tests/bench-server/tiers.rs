//! `me` by where its user comes from, beside plainer routes and beside what a team would write instead.

use std::fs;

use crate::load::{self, Requests};
use crate::peers;
use crate::setting::{PRESENTED, Setting, USERS};
use crate::table::{self, Row};

const ME: &str = "/api/auth/me";
/// They alternate, so that whatever else the machine does meets all of them.
const ROUNDS: usize = 3;
/// Of those that are a tenth as long.
const SHORT_ROUNDS: usize = 25;

/// Measures, prints the table, and says which claims held.
pub(crate) fn measure(setting: &Setting) -> Vec<bool> {
    let tokens = || load::with_tokens(ME, &setting.tokens(0..USERS));
    let (known, fresh) = (tokens(), [tokens(), tokens(), tokens()]);
    let all = USERS * PRESENTED;

    let folder = setting.folder("doorward");
    let mongo = [
        ("MONGODB_URI", setting.mongo.as_str()),
        ("MONGODB_DB_NAME", &setting.database),
        // mongo-java-server does not say which fields were set: sign-ins would pass for changes.
        ("CHANGE_STREAMS", "off"),
    ];
    let plain = peers::plain(setting);
    let server = setting.serve(&folder, &mongo);
    let mut first_sight = Row::new("me: first sight, the record is made");
    first_sight.measure(&server, &known, USERS);
    let mut plain_route = Row::new("warp, one plain route, no layers");
    let mut health = Row::new("/health");
    let mut memory = Row::new("me: memory");
    let mut unseen = Row::new("me: memory, without the verdict memo");
    for fresh in fresh {
        for _ in 0..ROUNDS {
            plain_route.measure(&plain, &load::of("/plain"), all / ROUNDS);
            health.measure(&server, &load::of("/health"), all / ROUNDS);
            memory.measure(&server, &known, all / ROUNDS);
        }
        // Tokens that nobody has seen yet, of users whom everybody knows.
        unseen.measure(&server, &fresh, USERS);
    }
    let memory_mib = server.resident_mib();
    server.stop();

    let mut sled = Row::new("me: sled, memory being empty");
    let mut mongodb = Row::new("me: MongoDB, both caches being empty");
    for _ in 0..ROUNDS {
        fs::remove_dir_all(folder.join("data")).expect("its data");
        // What the first one has read is on disk for the second, and so new that MongoDB is not asked for it again.
        for row in [&mut mongodb, &mut sled] {
            let server = setting.serve(&folder, &mongo);
            row.measure(&server, &known, USERS);
            server.stop();
        }
    }

    let node = peer("Node: express, jose, mongodb", &peers::node(setting), &known);
    let python = peer("Python: FastAPI, Beanie, python-jose", &peers::python(setting), &known);

    println!("{USERS} users, one token each, each presented {PRESENTED} times; {}", machine());
    table::print(&[&plain_route, &health, &memory, &unseen, &sled, &mongodb, &first_sight, &node, &python]);
    println!("doorward held {memory_mib} MiB after it");
    vec![
        table::compare("me / health", memory.beside(&health), 0.8),
        table::compare("me / Node", memory.per_second() / node.per_second(), 10.0),
        table::compare("me / Python", memory.per_second() / python.per_second(), 15.0),
    ]
}

/// `me` from memory beside `/health` alone, of fewer users in more rounds: for whoever works on what a request costs.
pub(crate) fn measure_memory(setting: &Setting) -> Vec<bool> {
    let known = load::with_tokens(ME, &setting.tokens(0..USERS / 10));
    let (plain, server) =
        (peers::plain(setting), setting.serve(&setting.folder("doorward"), &[("STORE", "embedded")]));
    load::run(server.address, &known, known.len());
    let mut rows = [
        (Row::new("warp, one plain route, no layers"), &plain, load::of("/plain")),
        (Row::new("/health"), &server, load::of("/health")),
        (Row::new("me: memory"), &server, known),
    ];
    for _ in 0..SHORT_ROUNDS {
        for (row, program, requests) in &mut rows {
            row.measure(program, requests, USERS / 10 * PRESENTED);
        }
    }
    let [plain, health, memory] = rows.map(|(row, ..)| row);
    table::print(&[&plain, &health, &memory]);
    vec![table::compare("me / health", memory.beside(&health), 0.8)]
}

/// A first pass makes its users, then each token is presented as often as to doorward.
fn peer(name: &'static str, program: &crate::program::Program, known: &Requests) -> Row {
    load::run(program.address, known, USERS);
    let mut row = Row::new(name);
    row.measure(program, known, USERS * PRESENTED);
    row
}

fn machine() -> String {
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = about.lines().filter(|line| line.starts_with("processor")).count();
    format!(
        "{}, {cores} cores, the server on one, the load and the store on the other",
        model.map_or("", |(_, name)| name)
    )
}
