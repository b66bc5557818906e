//! `doorward users`: backups and back, what Clerk knows, and older records.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use doorward::record::Record;
use doorward::store::{Saved, Store, StoreError};
use doorward::user::{Change, Identity, ProfileChange, User, UserId};
use doorward_verifier::UnixTime;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{DateTime, Document, doc};
use serde_json::{Value, json};
use tests::clerk::{Mood, SECRET_KEY};
use tests::command::{Ended, Running, run};
use tests::issuer::{TestIssuer, USER};
use tests::stores::{Fixture, Kind, NOON};

/// Those that a command can open.
const LASTING: [Kind; 3] = [Kind::Embedded, Kind::Ferretdb, Kind::MongoJava];

/// One issuer, and the settings of servers and commands for it.
struct Setup {
    issuer: TestIssuer,
}

impl Setup {
    async fn new() -> Setup {
        Setup { issuer: TestIssuer::start().await }
    }

    fn environment(&self, fixture: &Fixture) -> Vec<(&'static str, String)> {
        let mut environment = fixture.environment();
        environment.extend([
            ("CLERK_PUBLISHABLE_KEY", self.issuer.publishable_key()),
            ("CLERK_API_URL", self.issuer.url()),
            ("CLERK_SECRET_KEY", SECRET_KEY.to_owned()),
            ("PORT", "0".to_owned()),
        ]);
        environment
    }

    async fn users(&self, fixture: &Fixture, arguments: &[&str]) -> Ended {
        let environment = self.environment(fixture);
        let all = [&["users"], arguments].concat();
        run(fixture.folder(), &borrowed(&environment), &all).await
    }

    fn user(&self, number: usize) -> User {
        let identity = Identity {
            updated_at: UnixTime::from_millis(1_700_000_000_000),
            email: Some(format!("person-{number}@example.com")),
            email_verified: number.is_multiple_of(2),
            first_name: Some("Ada 🦉".to_owned()),
            ..Identity::default()
        };
        let named = ProfileChange { username: None, name: Some(format!("\"{number}\"\n")) };
        let mut changes = vec![Change::Seen, Change::Identified(identity), Change::Profile(named)];
        if number == 7 {
            changes.push(Change::Deleted);
        }
        User::new(id(number), &self.issuer.url(), NOON).after(&changes, NOON).unwrap()
    }
}

fn borrowed<'e>(environment: &'e [(&'static str, String)]) -> Vec<(&'e str, &'e str)> {
    environment.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

fn id(number: usize) -> UserId {
    UserId::parse(&format!("user_{number:04}")).unwrap()
}

/// On a machine with much to do a database does not always answer in time.
async fn patiently<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> T {
    let began = std::time::Instant::now();
    loop {
        match ask().await {
            Err(StoreError::Away { .. } | StoreError::Busy) if began.elapsed() < Duration::from_secs(60) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            outcome => return outcome.unwrap(),
        }
    }
}

async fn all(store: &dyn Store) -> Vec<Record> {
    let (mut records, mut after) = (Vec::new(), None);
    loop {
        let page = patiently(async || store.page(after.as_ref(), 100).await).await;
        records.extend(page.records);
        match page.last {
            Some(last) => after = Some(last),
            None => return records,
        }
    }
}

/// A store with 120 users, closed.
async fn filled(setup: &Setup, kind: Kind) -> Fixture {
    let fixture = Fixture::new(kind);
    let store = fixture.open().await;
    for number in 0..120 {
        // Overtaken by itself, where an answer did not come in time.
        patiently(async || store.save(None, &setup.user(number)).await).await;
    }
    store.close().await.unwrap();
    fixture
}

fn succeeded(ended: &Ended) -> &str {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    &ended.out
}

/// The number before these words.
fn counted(out: &str, words: &str) -> u64 {
    let counts = |line: &&str| line.trim_start().starts_with(|c: char| c.is_ascii_digit());
    let line = out.lines().filter(counts).find(|line| line.contains(words));
    let line = line.unwrap_or_else(|| panic!("no {words:?} in {out}"));
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_imported_again_into_every_store() {
    let setup = Setup::new().await;
    for kind in LASTING {
        let from = filled(&setup, kind).await;
        let file = from.folder().join("backup.ndjson");
        let path = file.to_str().unwrap();
        let ended = setup.users(&from, &["export", path]).await;
        succeeded(&ended);
        assert!(ended.err.contains("120 records were written"), "{ended:?}");
        for other in LASTING {
            let to = Fixture::new(other);
            let dry = setup.users(&to, &["import", path, "--dry-run"]).await;
            assert_eq!(counted(succeeded(&dry), "to be written"), 120, "{kind:?} to {other:?}");
            let ended = setup.users(&to, &["import", path]).await;
            // What was written before a database did not answer in time is there when it is asked again.
            let written = counted(succeeded(&ended), "written") + counted(&ended.out, "there already");
            assert_eq!(written, 120, "{kind:?} to {other:?}: {ended:?}");
            let (one, two) = (from.open().await, to.open().await);
            assert_eq!(all(&*two).await, all(&*one).await, "{kind:?} to {other:?}");
            one.close().await.unwrap();
            two.close().await.unwrap();
            let again = setup.users(&to, &["import", path]).await;
            assert_eq!(counted(succeeded(&again), "there already"), 120, "{kind:?} to {other:?}");
            to.remove().await;
        }
        from.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_not_whole_writes_nothing() {
    let setup = Setup::new().await;
    let from = filled(&setup, Kind::Embedded).await;
    let ended = setup.users(&from, &["export"]).await;
    let whole = succeeded(&ended);
    let lines: Vec<&str> = whole.lines().collect();
    let without = |gone: usize| {
        let left: Vec<&str> =
            lines.iter().enumerate().filter(|(index, _)| *index != gone).map(|(_, line)| *line).collect();
        left.join("\n") + "\n"
    };
    let damaged = [
        (whole[..whole.len() / 2].to_owned(), "it ends before its last line"),
        (without(lines.len() - 1), "it ends before its last line"),
        (without(17), "not those that were written"),
        (whole.replacen("person-9@", "person-8@", 1), "not those that were written"),
        (whole.replacen("\"doorward_users\":1", "\"doorward_users\":2", 1), "its format is 2"),
        (without(0), "it is no export"),
        (String::new(), "it ends before"),
        ("{\"a\":1}\n".to_owned(), "it is no export"),
        (whole.replacen(&setup.issuer.url(), "https://clerk.example.com", 1), "its users are those of"),
    ];
    let to = Fixture::new(Kind::Embedded);
    let file = to.folder().join("damaged.ndjson");
    for (text, words) in damaged {
        std::fs::write(&file, text).unwrap();
        let ended = setup.users(&to, &["import", file.to_str().unwrap()]).await;
        assert_eq!(ended.code, Some(1), "{words}: {ended:?}");
        assert!(ended.err.contains(words), "{words}: {ended:?}");
    }
    assert!(!to.folder().join("store").exists(), "nothing was opened for any of them");
    let nothing = setup.users(&to, &["export"]).await;
    assert!(nothing.code == Some(1) && nothing.err.contains("there is no store in"), "{nothing:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_server_answers_for_the_folder_that_it_holds() {
    let setup = Setup::new().await;
    let fixture = filled(&setup, Kind::Embedded).await;
    let environment = setup.environment(&fixture);
    let (server, url) = Running::serve(fixture.folder(), &borrowed(&environment)).await;
    let file = fixture.folder().join("backup.ndjson");
    let path = file.to_str().unwrap();
    succeeded(&setup.users(&fixture, &["export", path]).await);
    setup.issuer.clerk.set_user(USER, "ada@example.com", 1_800_000_000_000);
    let import = setup.users(&fixture, &["import"]).await;
    assert_eq!(counted(succeeded(&import), "new here"), 1);
    assert_eq!(counted(succeeded(&import), "not at Clerk any more"), 119, "one of them is erased");
    let restored = setup.users(&fixture, &["import", path]).await;
    assert_eq!(counted(succeeded(&restored), "there already"), 120);
    let token = setup.issuer.token_at(now(), json!({}));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let me: Value = client
        .get(format!("{url}/api/auth/me"))
        .bearer_auth(token)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(me["email"], "ada@example.com", "{me}");
    let ended = server.terminate().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(&fixture.folder().join("control"))), (0o600, 0o700));
}

fn now() -> UnixTime {
    doorward::clock::Clock::now(&doorward::clock::SystemClock)
}

/// So many users at Clerk.
fn fill_clerk(setup: &Setup, count: usize) {
    for number in 0..count {
        setup.issuer.clerk.set_user(
            id(number).as_str(),
            &format!("person-{number}@example.com"),
            1_700_000_000_000,
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_that_was_killed_goes_on_where_it_was() {
    let setup = Setup::new().await;
    fill_clerk(&setup, 250);
    for kind in LASTING {
        let fixture = Fixture::new(kind);
        let environment = setup.environment(&fixture);
        setup.issuer.clerk.be(Mood::HangsAfterLists(setup.issuer.clerk.lists().len() + 1));
        let running = Running::spawn(fixture.folder(), &borrowed(&environment), &["users", "import"]);
        let began = std::time::Instant::now();
        let state = fixture.folder().join("import.json");
        while !state.exists() {
            assert!(began.elapsed() < Duration::from_secs(60), "{:?}", running.err());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        running.kill().await;
        let listed = serde_json::from_slice::<Value>(&std::fs::read(&state).unwrap()).unwrap()["listed"]
            .as_u64()
            .unwrap();
        assert_eq!(listed, 100);
        setup.issuer.clerk.be(Mood::Well);
        let ended = setup.users(&fixture, &["import"]).await;
        assert!(ended.err.contains(&format!("going on after {listed} users")), "{ended:?}");
        assert!(
            !ended.err.contains('\r') && !ended.err.contains("from Clerk ["),
            "quiet in a pipe: {ended:?}"
        );
        assert_eq!(counted(succeeded(&ended), "users at Clerk"), 250, "{kind:?}");
        // Those of the page in which it was killed were new, and are found again.
        let (new, same) = (counted(&ended.out, "new here"), counted(&ended.out, "the same"));
        assert!(new + same == 250 && same <= 100, "{kind:?}: counted over both runs: {ended:?}");
        assert!(!state.exists());
        let store = fixture.open().await;
        assert_eq!(all(&*store).await.len(), 250, "{kind:?}");
        store.close().await.unwrap();
        fixture.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_store_and_clerk_do_not_agree_on_is_told_and_put_right() {
    let setup = Setup::new().await;
    fill_clerk(&setup, 3);
    for kind in LASTING {
        let fixture = Fixture::new(kind);
        succeeded(&setup.users(&fixture, &["import"]).await);
        setup.issuer.clerk.set_user("user_0001", "new@example.com", 1_700_000_000_001);
        setup.issuer.clerk.remove_user("user_0002");
        let dry = setup.users(&fixture, &["import", "--dry-run", "--erase-missing"]).await;
        let told = succeeded(&dry);
        assert!(told.contains("changed at Clerk: user_0001: email"), "{told}");
        assert!(told.contains("missing at Clerk: user_0002"), "{told}");
        assert!(!told.contains("example.com"), "what people are called is nobody's here: {told}");
        let store = fixture.open().await;
        let email = patiently(async || store.load(&id(1)).await).await.unwrap().email().map(str::to_owned);
        assert_eq!(email.as_deref(), Some("person-1@example.com"), "a dry run");
        store.close().await.unwrap();
        let kept = setup.users(&fixture, &["import"]).await;
        assert_eq!(counted(succeeded(&kept), "changed") + counted(&kept.out, "the same"), 2);
        assert!(kept.err.contains("--erase-missing"), "{kept:?}");
        let erased = setup.users(&fixture, &["import", "--erase-missing"]).await;
        assert_eq!(counted(succeeded(&erased), "of them erased"), 1);
        let store = fixture.open().await;
        let gone = patiently(async || store.load(&id(2)).await).await.unwrap();
        assert!(gone.deleted_at.is_some() && gone.email().is_none(), "{gone:?}");
        store.close().await.unwrap();
        let again = setup.users(&fixture, &["import"]).await;
        assert_eq!(
            (counted(succeeded(&again), "the same"), counted(&again.out, "not at Clerk any more")),
            (2, 0)
        );
        setup.issuer.clerk.set_user("user_0001", "person-1@example.com", 1_700_000_000_000);
        fill_clerk(&setup, 3);
        fixture.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clerk_that_says_wait_is_waited_for_and_one_that_refuses_the_key_is_not() {
    let setup = Setup::new().await;
    fill_clerk(&setup, 1);
    let fixture = Fixture::new(Kind::Embedded);
    let environment = setup.environment(&fixture);
    setup.issuer.clerk.be(Mood::StatusUntil(2, 429, "retry-after: 1\r\n"));
    let ended = run(fixture.folder(), &borrowed(&environment), &["users", "import"]).await;
    assert_eq!(counted(succeeded(&ended), "users at Clerk"), 1);
    assert_eq!(ended.err.matches("answers 429; asking again in 1 s").count(), 2, "{ended:?}");
    for (mood, words) in
        [(Mood::Status(401, ""), "answers 401"), (Mood::Says("{}"), "answers with something else")]
    {
        setup.issuer.clerk.be(mood);
        let refused = setup.users(&fixture, &["import"]).await;
        assert!(refused.code == Some(1) && refused.err.contains(words), "{refused:?}");
        assert!(!refused.err.contains(SECRET_KEY), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_is_drawn_on_a_terminal() {
    let setup = Setup::new().await;
    fill_clerk(&setup, 3);
    let fixture = Fixture::new(Kind::Embedded);
    let mut environment = setup.environment(&fixture);
    environment.push(("TERM", "xterm".to_owned()));
    let command = format!("{} users import", tests::command::program().display());
    let script = Path::new("/usr/bin/script");
    let mut terminal = Running::spawn_program(
        script,
        fixture.folder(),
        &borrowed(&environment),
        &["--quiet", "--return", "--command", &command, "/dev/null"],
    );
    let out = terminal.printed("users at Clerk").await;
    assert!(out.contains("from Clerk ["), "{out:?}");
}

/// What the guide's backend left.
fn older(email: &str, more: Document) -> Document {
    let mut document = doc! {
        "_id": ObjectId::new(), "email": email, "password_hash": "made up", "name": "Old Name", "role": "admin",
        "subscription": "pro", "tokens_remaining": 17, "is_active": true,
        "created_at": DateTime::from_millis(1_600_000_000_000),
    };
    document.extend(more);
    document
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_records_are_linked_by_verified_address_after_a_dry_run() {
    for kind in [Kind::Ferretdb, Kind::MongoJava] {
        let setup = Setup::new().await;
        let fixture = Fixture::new(kind);
        let users = fixture.collection().await;
        let documents = [
            older("Person-0@Example.com", doc! {}),
            older("person-1@example.com", doc! { "is_active": false }),
            older("twice@example.com", doc! {}),
            older("TWICE@example.com", doc! {}),
            older("nobody@example.com", doc! {}),
            older("other@example.com", doc! {}),
            // The sign for a kelvin looks like a K, and is none.
            older("\u{212a}ate@example.com", doc! {}),
            doc! { "_id": ObjectId::new(), "name": "nameless" },
        ];
        users.insert_many(&documents).await.unwrap();
        fill_clerk(&setup, 2);
        setup.issuer.clerk.set_user("user_kate", "kate@example.com", 1);
        setup.issuer.clerk.set_user("user_twice", "twice@example.com", 1);
        let store = fixture.open().await;
        // One of them has signed in already.
        let signed_in = User::new(id(1), &setup.issuer.url(), NOON).after(&[Change::Seen], NOON).unwrap();
        patiently(async || store.save(None, &signed_in).await).await;

        let dry = setup.users(&fixture, &["adopt"]).await;
        assert_eq!(counted(succeeded(&dry), "to be linked"), 2, "{dry:?}");
        assert_eq!(users.count_documents(doc! {}).await.unwrap(), 9, "a dry run writes nothing");
        assert!(!dry.out.contains('@'), "{dry:?}");

        let adopted = setup.users(&fixture, &["adopt", "--write"]).await;
        assert_eq!(counted(succeeded(&adopted), "linked"), 2, "{adopted:?}");
        assert_eq!(counted(&adopted.out, "not linked"), 6, "{adopted:?}");
        let first = users.find_one(doc! { "_id": "user_0000" }).await.unwrap().unwrap();
        assert_eq!(first.get_str("role").unwrap(), "admin");
        assert_eq!(first.get_i32("tokens_remaining").unwrap(), 17);
        assert_eq!(first.get_datetime("created_at").unwrap().timestamp_millis(), 1_600_000_000_000);
        assert_eq!(first.get_str("name").unwrap(), "Ada Lovelace", "what Clerk says wins");
        assert!(!first.contains_key("password_hash"));
        let second = patiently(async || store.load(&id(1)).await).await.unwrap();
        assert!(!second.is_active, "whoever was deactivated stays so");
        assert_eq!(second.last_login_at, signed_in.last_login_at);
        let old = users.find_one(doc! { "_id": documents[0].get_object_id("_id").unwrap() }).await.unwrap();
        let old = old.expect("the older record stays");
        assert_eq!(old.get_document("doorward").unwrap().get_str("adopted_as").unwrap(), "user_0000");

        let again = setup.users(&fixture, &["adopt", "--write"]).await;
        assert_eq!((counted(succeeded(&again), "linked before"), counted(&again.out, "not linked")), (2, 6));
        // The record is one of ours: requests and webhooks go on from it.
        let before = patiently(async || store.load(&id(0)).await).await.unwrap();
        let named = ProfileChange { username: None, name: Some("Countess".to_owned()) };
        let after = before.after(&[Change::Profile(named)], NOON).unwrap();
        assert_eq!(store.save(Some(&before), &after).await.unwrap(), Saved::Written);
        let first = users.find_one(doc! { "_id": "user_0000" }).await.unwrap().unwrap();
        assert_eq!((first.get_str("name").unwrap(), first.get_str("role").unwrap()), ("Countess", "admin"));
        store.close().await.unwrap();
        fixture.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_store_has_no_older_records() {
    let setup = Setup::new().await;
    let fixture = Arc::new(Fixture::new(Kind::Embedded));
    let refused = setup.users(&fixture, &["adopt"]).await;
    assert!(refused.code == Some(1) && refused.err.contains("set MONGODB_URI"), "{refused:?}");
}
