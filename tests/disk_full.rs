//! The disk is full: what is stored stays, what can't be is refused, and what only makes things quicker is done without.
//!
//! The disk is a small one in memory, mounted where only the programs of one test see it. Nobody but root may mount,
//! or whoever has a user namespace of their own (user_namespaces(7)), which is what others than root get here.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use doorward::clock::{Clock, SystemClock};
use reqwest::{Client, Method, Response};
use serde_json::json;
use tests::clerk::SECRET_KEY;
use tests::command::{Running, program};
use tests::issuer::TestIssuer;
use tests::stores::{Fixture, Kind};
use tokio::time::{Instant, sleep};

const MEGABYTES: u32 = 8;
const SOON: Duration = Duration::from_secs(60);
const EMBEDDED: [(&str, &str); 1] = [("STORE", "embedded")];

/// A small disk, and the process for which it is mounted.
struct SmallDisk {
    holder: Running,
    folder: tempfile::TempDir,
    path: String,
}

impl SmallDisk {
    async fn mount() -> SmallDisk {
        let folder = tempfile::tempdir().expect("a folder");
        // It ends with the test, whose end its input is.
        let script = format!(r#"mount -t tmpfs -o size={MEGABYTES}m tmpfs "$0" && echo mounted && exec cat"#);
        let point = folder.path().to_str().expect("a plain path");
        let path = std::env::var("PATH").expect("a PATH");
        let mut arguments = if is_root() { Vec::new() } else { vec!["--user", "--map-root-user"] };
        arguments.extend(["--mount", "sh", "-c", &script, point]);
        let mut holder =
            Running::spawn_program(Path::new("unshare"), Path::new("/"), &[("PATH", &path)], &arguments);
        holder.printed("mounted").await;
        SmallDisk { holder, folder, path }
    }

    /// The server, with its data on this disk.
    fn serve(&self, environment: &[(&str, &str)]) -> Running {
        let (holder, data) = (self.holder.pid().to_string(), self.folder.path().join("data"));
        let (program, data) = (program(), data.to_str().expect("a plain path"));
        let user: &[&str] = if is_root() { &[] } else { &["--user", "--preserve-credentials"] };
        let arguments: Vec<&str> = ["--target", &holder, "--mount"]
            .iter()
            .chain(user)
            .chain(&["--", program.to_str().expect("a plain path"), "serve"])
            .copied()
            .collect();
        let usual = [("PATH", self.path.as_str()), ("DATA_DIR", data), ("PORT", "0")];
        let environment: Vec<_> = usual.iter().chain(environment).copied().collect();
        Running::spawn_program(Path::new("nsenter"), Path::new("/"), &environment, &arguments)
    }

    /// Where a file of the disk is seen from outside.
    fn seen(&self, name: &str) -> PathBuf {
        let point = self.folder.path().strip_prefix("/").expect("an absolute path");
        Path::new("/proc").join(self.holder.pid().to_string()).join("root").join(point).join(name)
    }

    /// Takes all the room that there is.
    fn fill(&self) {
        let mut filler = File::create(self.seen("filler")).expect("a file");
        let mut size = 1024 * 1024;
        while size > 0 {
            if filler.write_all(&vec![0x5A; size]).is_err() {
                size /= 2;
            }
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.seen("filler")).expect("it is there");
    }
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    status.lines().any(|line| line.starts_with("Uid:\t0\t0\t"))
}

/// A server, and whoever asks it.
struct Server {
    running: Running,
    url: String,
    issuer: TestIssuer,
    client: Client,
}

impl Server {
    async fn start(disk: &SmallDisk, issuer: TestIssuer, settings: &[(&str, &str)]) -> Server {
        let (key, api) = (issuer.publishable_key(), issuer.url());
        let usual = [
            ("CLERK_PUBLISHABLE_KEY", key.as_str()),
            ("CLERK_API_URL", &api),
            ("CLERK_SECRET_KEY", SECRET_KEY),
        ];
        let environment: Vec<_> = usual.iter().chain(settings).copied().collect();
        let mut running = disk.serve(&environment);
        let log = running.logged("listening on http://").await;
        let (_, url) = log.split_once("listening on ").expect("just seen");
        let url = url.split_whitespace().next().expect("a URL").to_owned();
        let client = Client::builder().no_proxy().build().expect("a client");
        Server { running, url, issuer, client }
    }

    async fn ask(&self, method: Method, path: &str, user: &str) -> Response {
        let token =
            self.issuer.token_at(SystemClock.now(), json!({"sub": user, "sid": format!("sess_{user}")}));
        let request = self.client.request(method.clone(), format!("{}{path}", self.url)).bearer_auth(token);
        let request = if method == Method::GET { request } else { request.json(&json!({"name": "Ada"})) };
        request.send().await.expect("an answer")
    }

    /// The status; 503 says when to ask again.
    async fn status(&self, method: Method, path: &str, user: &str) -> u16 {
        let answer = self.ask(method, path, user).await;
        let status = answer.status().as_u16();
        assert_eq!(status == 503, answer.headers().contains_key("retry-after"), "{path}: {answer:?}");
        status
    }

    async fn me(&self, user: &str) -> u16 {
        self.status(Method::GET, "/api/auth/me", user).await
    }

    /// New users come until one can't be stored; who was let in before.
    async fn users_until_full(&self) -> Vec<String> {
        let mut let_in = Vec::new();
        loop {
            assert!(let_in.len() < 20_000, "the disk does not fill");
            let user = format!("user_{}", let_in.len());
            match self.me(&user).await {
                200 => let_in.push(user),
                503 => return let_in,
                other => panic!("{other} for {user}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_what_it_can_not_store_and_loses_nothing_that_it_did() {
    let disk = SmallDisk::mount().await;
    let server = Server::start(&disk, TestIssuer::start().await, &EMBEDDED).await;
    assert_eq!(server.me("user_early").await, 200);
    disk.fill();
    let mut let_in = server.users_until_full().await;
    let_in.push("user_early".to_owned());
    assert_eq!(server.me("user_early").await, 200, "known");
    assert_eq!(server.status(Method::PATCH, "/api/auth/me", "user_early").await, 503);
    assert_eq!(server.status(Method::POST, "/api/auth/register", "user_new").await, 503);
    assert_eq!(server.status(Method::GET, "/api/auth/verify", "user_new").await, 204, "needs no store");
    assert_eq!(
        server.client.get(format!("{}/health", server.url)).send().await.expect("an answer").status(),
        200
    );
    assert_eq!(
        server.client.get(format!("{}/ready", server.url)).send().await.expect("an answer").status(),
        503
    );
    disk.make_room();
    let began = Instant::now();
    while server.me("user_late").await != 200 {
        assert!(began.elapsed() < SOON, "it does not come back");
        sleep(Duration::from_millis(100)).await;
    }
    let_in.push("user_late".to_owned());
    let Server { running, issuer, .. } = server;
    let ended = running.terminate().await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(!ended.err.contains("a panic"), "{}", ended.err);
    let server = Server::start(&disk, issuer, &EMBEDDED).await;
    for user in &let_in {
        let answer = server.ask(Method::POST, "/api/auth/register", user).await;
        assert_eq!(answer.status(), 200, "{user} was there before");
    }
    println!(
        "damage: disk full, embedded store: {} users let in before it, all there after it",
        let_in.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_while_its_disk_is_full_starts_again_with_everything() {
    let disk = SmallDisk::mount().await;
    let server = Server::start(&disk, TestIssuer::start().await, &EMBEDDED).await;
    disk.fill();
    let let_in = server.users_until_full().await;
    let Server { running, issuer, .. } = server;
    running.kill().await;
    disk.make_room();
    let server = Server::start(&disk, issuer, &EMBEDDED).await;
    for user in &let_in {
        let answer = server.ask(Method::POST, "/api/auth/register", user).await;
        assert_eq!(answer.status(), 200, "{user} was there before");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cache_without_room_is_done_without() {
    let disk = SmallDisk::mount().await;
    let fixture = Fixture::new(Kind::MongoJava);
    let uri = format!("mongodb://{}/", fixture.address());
    let settings = [("MONGODB_URI", uri.as_str()), ("MONGODB_DB_NAME", fixture.database())];
    let server = Server::start(&disk, TestIssuer::start().await, &settings).await;
    assert_eq!(server.me("user_early").await, 200);
    disk.fill();
    for number in 0..500 {
        assert_eq!(server.me(&format!("user_{number}")).await, 200, "after {number}");
    }
    assert_eq!(
        server.client.get(format!("{}/ready", server.url)).send().await.expect("an answer").status(),
        200
    );
    let Server { running, issuer, .. } = server;
    running.kill().await;
    // A start finds no room either.
    let server = Server::start(&disk, issuer, &settings).await;
    assert_eq!(server.me("user_early").await, 200);
    assert_eq!(server.me("user_new").await, 200);
    let ended = server.running.terminate().await;
    assert!(!ended.err.contains("a panic"), "{}", ended.err);
    fixture.remove().await;
}
