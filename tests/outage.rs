//! MongoDB away: at the start, later, all at once or in silence.

use std::sync::Arc;
use std::time::{Duration, Instant};

use doorward::clock::Clock;
use doorward::identities::LOCAL_RATE;
use doorward::store::{self, OpenError, Store, StoreStatus};
use doorward::user::{ProfileChange, UserId};
use doorward::users::{ASK_AGAIN, DirectorySettings, SignedIn, UserDirectory, UserError};
use futures_util::future::join_all;
use mongodb::bson::doc;
use tests::proxy::{Line, Proxy};
use tests::stores::{Fixture, Kind};

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
    let known = setup.sign_in("user_1").await.expect("a user").user;
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
    assert_eq!((shown.user, shown.stale), (known, Some(Duration::from_secs(600))));
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
            assert_eq!(changed.user.profile.name.as_deref(), Some(name.as_str()));
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
        let settings = doorward::store::MongoSettings { uri: uri_setting, database: "d".to_owned() };
        let clock: Arc<dyn Clock> = Arc::clone(&fixture.clock) as _;
        let refused = store::open(doorward::store::StoreSettings::Mongo(settings), clock).await;
        let refused = refused.err().unwrap_or_else(|| panic!("{uri} is taken"));
        assert!(matches!(refused, OpenError::Uri { .. }), "{uri}: {refused}");
        assert!(!refused.to_string().contains("hunter2"), "{refused}");
    }
}
