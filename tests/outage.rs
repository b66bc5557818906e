//! MongoDB or Clerk away: at the start, later, all at once or in silence.

use std::sync::Arc;
use std::time::{Duration, Instant};

use doorward::clock::Clock;
use doorward::identities::LOCAL_RATE;
use doorward::store::{self, OpenError, Store, StoreStatus};
use doorward::user::{ProfileChange, UserId};
use doorward::users::{ASK_AGAIN, DirectorySettings, SignedIn, UserDirectory, UserError};
use futures_util::future::join_all;
use mongodb::bson::doc;
use reqwest::Method;
use serde_json::json;
use tests::clerk::Mood;
use tests::issuer::TestIssuer;
use tests::proxy::{Line, Proxy};
use tests::server::TestServer;
use tests::stores::{Fixture, Kind};

use crate::webhooks::{Delivery, secret, user};

/// A directory over MongoDB, with a proxy between them.
struct Setup {
    fixture: Fixture,
    proxy: Proxy,
    store: Arc<dyn Store>,
    users: UserDirectory,
}

impl Setup {
    async fn new(line: Line) -> Setup {
        let fixture = Fixture::new(Kind::MongoJava);
        let proxy = Proxy::start(&fixture.address(), line).await;
        let clock: Arc<dyn Clock> = Arc::clone(&fixture.clock) as _;
        let settings = fixture.settings_through(&proxy.address().to_string());
        let store = store::open(settings, Arc::clone(&clock)).await.expect("it opens, whoever answers");
        let settings = DirectorySettings {
            issuer: "https://clerk.example.com".to_owned(),
            stale: Duration::from_secs(3600),
            asking_rate: LOCAL_RATE,
            ask_again: ASK_AGAIN,
        };
        let users = UserDirectory::open(settings, Arc::clone(&store), None, None, clock);
        Setup { fixture, proxy, store, users }
    }

    async fn sign_in(&self, id: &str) -> Result<SignedIn, UserError> {
        self.users.find_or_create(&UserId::parse(id).expect("a user id")).await
    }

    /// Signs in, and says how long it took.
    async fn timed(&self, id: &str) -> (Result<SignedIn, UserError>, Duration) {
        let started = Instant::now();
        (self.sign_in(id).await, started.elapsed())
    }

    async fn becomes(&self, status: StoreStatus) -> Duration {
        let started = Instant::now();
        while self.store.status() != status {
            assert!(started.elapsed() < Duration::from_secs(20), "it does not become {status:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        started.elapsed()
    }

    async fn end(self) {
        self.users.close().await.ok();
        self.fixture.remove().await;
    }
}

fn unavailable(outcome: &Result<SignedIn, UserError>) -> bool {
    matches!(outcome, Err(UserError::Unavailable { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_starts_without_mongodb_and_finds_it_when_it_comes() {
    let started = Instant::now();
    let setup = Setup::new(Line::Cut).await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(setup.store.status(), StoreStatus::Away);
    let (outcome, took) = setup.timed("user_1").await;
    assert!(unavailable(&outcome) && took < Duration::from_millis(100), "{outcome:?} after {took:?}");
    setup.proxy.set(Line::Open);
    let took = setup.becomes(StoreStatus::Ready).await;
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert!(setup.sign_in("user_1").await.expect("a user").created);
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_end_are_noticed_at_once_and_known_users_go_on() {
    let setup = Setup::new(Line::Open).await;
    let known = setup.sign_in("user_1").await.expect("a user");
    setup.proxy.set(Line::Cut);
    let (outcome, took) = setup.timed("user_2").await;
    assert!(unavailable(&outcome) && took < Duration::from_millis(2500), "{outcome:?} after {took:?}");
    assert_eq!(setup.store.status(), StoreStatus::Away);
    for number in 3..53 {
        let (outcome, took) = setup.timed(&format!("user_{number}")).await;
        assert!(unavailable(&outcome) && took < Duration::from_millis(100), "{outcome:?} after {took:?}");
    }
    setup.fixture.clock.advance(Duration::from_secs(600));
    let (outcome, took) = setup.timed("user_1").await;
    let shown = outcome.expect("known");
    assert_eq!((shown.user(), shown.stale), (known.user(), Some(Duration::from_secs(600))));
    assert!(took < Duration::from_millis(100), "{took:?}");
    setup.proxy.set(Line::Open);
    let took = setup.becomes(StoreStatus::Ready).await;
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert!(setup.sign_in("user_2").await.expect("a user").created, "nothing was half made");
    assert_eq!(setup.sign_in("user_1").await.expect("a user").stale, None);
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_costs_each_request_two_seconds_at_most_and_later_ones_nothing() {
    let setup = Setup::new(Line::Open).await;
    setup.sign_in("user_1").await.expect("a user");
    setup.proxy.set(Line::Silent);
    let waiting: Vec<_> = (0..100).map(|number| format!("user_9{number}")).collect();
    let outcomes = join_all(waiting.iter().map(|id| setup.timed(id))).await;
    for (outcome, took) in outcomes {
        assert!(unavailable(&outcome) && took < Duration::from_millis(2500), "{outcome:?} after {took:?}");
    }
    let (outcome, took) = setup.timed("user_2").await;
    assert!(unavailable(&outcome) && took < Duration::from_millis(100), "{outcome:?} after {took:?}");
    setup.proxy.set(Line::Open);
    let took = setup.becomes(StoreStatus::Ready).await;
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert!(setup.sign_in("user_2").await.expect("a user").created, "no connection is lost to the hung ones");
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_server_is_no_outage() {
    let setup = Setup::new(Line::Open).await;
    setup.proxy.set(Line::Slow(Duration::from_millis(200)));
    for number in 0..5 {
        assert!(setup.sign_in(&format!("user_{number}")).await.expect("a user").created);
    }
    assert_eq!(setup.store.status(), StoreStatus::Ready);
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_that_no_request_meets_is_noticed_too() {
    let setup = Setup::new(Line::Open).await;
    setup.proxy.set(Line::Cut);
    setup.becomes(StoreStatus::Away).await;
    setup.proxy.set(Line::Open);
    setup.becomes(StoreStatus::Ready).await;
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_acknowledged_that_is_not_stored_while_the_line_comes_and_goes() {
    let setup = Setup::new(Line::Open).await;
    let id = UserId::parse("user_1").expect("a user id");
    let mut acknowledged = None;
    for number in 0..60 {
        if number % 12 == 4 {
            setup.proxy.set(Line::Cut);
        }
        if number % 12 == 9 {
            setup.proxy.set(Line::Open);
            setup.becomes(StoreStatus::Ready).await;
        }
        let name = format!("name {number}");
        let change = ProfileChange { username: None, name: Some(name.clone()) };
        if let Ok(changed) = setup.users.change(&id, change).await {
            assert_eq!(changed.user().profile.name.as_deref(), Some(name.as_str()));
            acknowledged = Some(number);
        }
    }
    let collection = setup.fixture.collection().await;
    let stored =
        collection.find_one(doc! { "_id": "user_1" }).await.expect("an answer").expect("it is there");
    let stored: u32 =
        stored.get_str("name").expect("a name").trim_start_matches("name ").parse().expect("a number");
    assert!(Some(stored) >= acknowledged, "stored {stored}, acknowledged {acknowledged:?}");
    setup.end().await;
}

#[tokio::test]
async fn a_connection_string_that_is_none_is_refused_without_being_quoted() {
    let fixture = Fixture::new(Kind::Memory);
    let uris = [
        "",
        "localhost:27017",
        "http://user:hunter2@localhost/",
        "mongodb://user:hunter2@localhost:port/",
        "mongodb://user:hunter2@@localhost/",
        "mongodb://user:hunter2@localhost/?socketTimeoutMS=1000",
        "mongodb://user:hunter2@localhost/?maxPoolSize=many",
    ];
    for uri in uris {
        let uri_setting = doorward::config::Secret::new(uri);
        let settings = doorward::store::MongoSettings {
            uri: uri_setting,
            database: "d".to_owned(),
            change_streams: true,
        };
        let clock: Arc<dyn Clock> = Arc::clone(&fixture.clock) as _;
        let refused = store::open(doorward::store::StoreSettings::Mongo(settings), clock).await;
        let refused = refused.err().unwrap_or_else(|| panic!("{uri} is taken"));
        assert!(matches!(refused, OpenError::Uri { .. }), "{uri}: {refused}");
        assert!(!refused.to_string().contains("hunter2"), "{refused}");
    }
}

/// Which parts are away.
#[derive(Clone, Debug)]
struct Away {
    name: &'static str,
    mongodb: Line,
    clerk: Mood,
    /// From before the server's start, so that it has never had keys.
    at_the_start: bool,
}

const REQUESTS: [&str; 9] = [
    "/health",
    "/ready",
    "verify",
    "verify, new key",
    "me, known",
    "me, new",
    "PATCH me",
    "register",
    "webhook",
];

/// A server over MongoDB, with whatever is away away, and what it answers.
async fn answers_while(away: &Away) -> [u16; 9] {
    let (issuer, fixture) = (TestIssuer::start().await, Fixture::new(Kind::MongoJava));
    let proxy = Proxy::start(&fixture.address(), Line::Open).await;
    let (uri, secret) = (format!("mongodb://{}/", proxy.address()), secret());
    let settings = [
        ("MONGODB_URI", uri.as_str()),
        ("MONGODB_DB_NAME", fixture.database()),
        ("CLERK_WEBHOOK_SIGNING_SECRET", &secret),
    ];
    if away.at_the_start {
        issuer.clerk.be(away.clerk.clone());
    }
    let server = TestServer::start(&issuer, &settings).await;
    let known = issuer.token();
    if !away.at_the_start {
        assert_eq!(server.get("/api/auth/me", Some(&known)).await.status, 200);
    }
    issuer.clerk.be(away.clerk.clone());
    proxy.set(away.mongodb);
    let began = Instant::now();
    let gone = matches!(away.mongodb, Line::Cut | Line::Silent);
    while gone && server.get("/ready", None).await.json()["store"] == "ready" {
        assert!(began.elapsed() < Duration::from_secs(20), "{away:?}: nobody notices");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let of = |id: &str| issuer.token_with(json!({"sub": id, "sid": format!("sess_{id}")}));
    let (new, newer, body) = (of("user_new"), of("user_newer"), json!({"name": "Ada"}));
    let mut answers = vec![
        server.get("/health", None).await,
        server.get("/ready", None).await,
        server.get("/api/auth/verify", Some(&known)).await,
        server.get("/api/auth/me", Some(&known)).await,
        server.get("/api/auth/me", Some(&new)).await,
        server.send(Method::PATCH, "/api/auth/me", &known, body.clone()).await,
        server.send(Method::POST, "/api/auth/register", &newer, body).await,
        Delivery::new("msg_1", &user("user_told", "ada@example.com", 1, false)).to(&server).await,
    ];
    issuer.rotate();
    // Whoever fetched at the start leads the other instances no more.
    server.clock.advance(Duration::from_secs(10));
    answers.insert(3, server.get("/api/auth/verify", Some(&issuer.token())).await);
    for (request, answer) in REQUESTS.iter().zip(&answers) {
        let says_when = answer.headers.contains_key("retry-after");
        assert!(answer.status != 503 || says_when || *request == "/ready", "{away:?}: {request}: {answer:?}");
    }
    proxy.set(Line::Open);
    issuer.clerk.be(Mood::Well);
    server.stop().await;
    fixture.remove().await;
    answers.iter().map(|answer| answer.status).collect::<Vec<_>>().try_into().expect("one each")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_request_is_answered_as_it_can_be_whatever_is_away() {
    let away = |name, mongodb, clerk| Away { name, mongodb, clerk, at_the_start: false };
    let all_well = [200, 200, 204, 204, 200, 200, 200, 201, 204];
    let no_store = [200, 503, 204, 204, 200, 503, 503, 503, 503];
    let no_clerk = [200, 200, 204, 503, 200, 200, 200, 201, 204];
    let expected = [
        (away("nothing", Line::Open, Mood::Well), all_well),
        (away("MongoDB: connections end", Line::Cut, Mood::Well), no_store),
        (away("MongoDB: silent", Line::Silent, Mood::Well), no_store),
        (away("MongoDB: slow by 100 ms", Line::Slow(Duration::from_millis(100)), Mood::Well), all_well),
        (away("Clerk: connections end", Line::Open, Mood::HangsUp), no_clerk),
        (away("Clerk: silent", Line::Open, Mood::Hangs), no_clerk),
        (away("Clerk: answers 500", Line::Open, Mood::Status(500, "")), no_clerk),
        (away("Clerk: answers nonsense", Line::Open, Mood::Says("<html>")), no_clerk),
        (
            Away { at_the_start: true, ..away("Clerk: since before the start", Line::Open, Mood::HangsUp) },
            [200, 503, 503, 503, 503, 503, 503, 503, 204],
        ),
        (away("both", Line::Cut, Mood::HangsUp), [200, 503, 204, 503, 200, 503, 503, 503, 503]),
    ];
    let answered = join_all(expected.iter().map(|(away, _)| answers_while(away))).await;
    let row = |name: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!(" {cell:>15}")).collect();
        format!("outage: {name:<30}{cells}")
    };
    let mut table = vec![row("away", REQUESTS.map(str::to_owned).to_vec())];
    for ((away, _), answers) in expected.iter().zip(&answered) {
        table.push(row(away.name, answers.map(|status| status.to_string()).to_vec()));
    }
    println!("{}", table.join("\n"));
    for ((away, expected), answers) in expected.iter().zip(&answered) {
        assert_eq!(answers, expected, "{away:?}");
    }
}
