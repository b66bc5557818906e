//! Several servers on one store: how soon a change through one is seen by the others.

use std::time::{Duration, Instant};

use doorward::store::StoreStatus;
use doorward::users::FRESH;
use reqwest::Method;
use serde_json::json;
use tests::NOON;
use tests::faulty_mongo::{Fault, FaultyMongo};
use tests::issuer::{SESSION, TestIssuer, USER};
use tests::logs::Logs;
use tests::server::{Answer, TestServer};
use tests::stores::{Fixture, Kind};

use crate::metrics::scrape;
use crate::webhooks::{Delivery, deleted, secret, session, user};

/// How often each instance reads who is turned away, without being told.
const READ_EVERY: Duration = Duration::from_secs(2);
const THERE: &str = "MongoDB has change streams";
const NOT_THERE: &str = "MongoDB has no change streams";
const BROKEN_OFF: &str = "MongoDB's change streams broke off";

/// On a machine with much to do a database does not always answer in time.
async fn patiently(ask: impl AsyncFn() -> Answer) -> Answer {
    let began = Instant::now();
    loop {
        match ask().await {
            Answer { status: 503, .. } if began.elapsed() < Duration::from_secs(60) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            answer => return answer,
        }
    }
}

/// Asks until it is so, for as long as a machine with much to do may take.
async fn soon(ask: impl AsyncFn() -> bool) -> Duration {
    let began = Instant::now();
    while !ask().await {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not come about");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

async fn me(server: &TestServer, token: &str) -> Answer {
    patiently(async || server.get("/api/auth/me", Some(token)).await).await
}

/// One over this MongoDB.
async fn server(issuer: &TestIssuer, fixture: &Fixture, address: &str, more: &[(&str, &str)]) -> TestServer {
    let (address, secret) = (format!("mongodb://{address}/"), secret());
    let mut settings = vec![
        ("MONGODB_URI", address.as_str()),
        ("MONGODB_DB_NAME", fixture.database()),
        ("CLERK_WEBHOOK_SIGNING_SECRET", secret.as_str()),
        // What Clerk would say, its webhooks say.
        ("CLERK_SECRET_KEY", ""),
    ];
    settings.extend(more);
    TestServer::start(issuer, &settings).await
}

/// Gives the user another name.
async fn rename(one: &TestServer, token: &str, name: &str) {
    let change = json!({ "name": name });
    let changed =
        patiently(async || one.send(Method::PATCH, "/api/auth/me", token, change.clone()).await).await;
    assert_eq!(changed.status, 200, "{changed:?}");
}

/// Whether it says that MongoDB tells it of changes.
async fn is_told(server: &TestServer) -> bool {
    scrape(server, "/metrics").await.text.lines().any(|line| line == "doorward_change_streams 1")
}

async fn is_named(server: &TestServer, token: &str, name: &str) -> bool {
    me(server, token).await.json()["name"] == name
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_through_one_of_three_instances_is_seen_by_the_others_within_a_minute() {
    let issuer = TestIssuer::start().await;
    issuer.clerk.set_user(USER, "ada@example.com", 1);
    for kind in [Kind::Ferretdb, Kind::MongoJava] {
        let fixture = Fixture::new(kind);
        let address = format!("mongodb://{}/", fixture.address());
        let settings = [("MONGODB_URI", address.as_str()), ("MONGODB_DB_NAME", fixture.database())];
        let mut servers = Vec::new();
        for _ in 0..3 {
            servers.push(TestServer::start(&issuer, &settings).await);
        }
        // All of them know the user, and go on without asking for a minute.
        for server in &servers {
            let me = me(server, &issuer.token()).await;
            assert_eq!(me.json()["name"], "Ada Lovelace", "{kind:?}: {me:?}");
        }
        rename(&servers[0], &issuer.token(), "Countess").await;
        let own = me(&servers[0], &issuer.token()).await;
        assert_eq!(own.json()["name"], "Countess", "whoever writes reads it at once");
        let later = issuer.token_at(NOON.plus(FRESH), json!({}));
        for server in &servers {
            server.clock.advance(FRESH);
            let me = me(server, &later).await;
            assert_eq!(me.json()["name"], "Countess", "{kind:?}: {me:?}");
        }
        for server in servers {
            server.stop().await;
        }
        fixture.remove().await;
    }
}

/// The clocks stand: a minute is never over, and only the stream can tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_change_streams_a_change_through_one_instance_is_seen_by_the_others_at_once() {
    let issuer = TestIssuer::start().await;
    let fixture = Fixture::new(Kind::MongoJava);
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(server(&issuer, &fixture, &fixture.address(), &[]).await);
    }
    let token = issuer.token();
    for server in &servers {
        me(server, &token).await;
    }
    rename(&servers[0], &token, "Countess").await;
    for server in &servers {
        soon(async || is_named(server, &token, "Countess").await).await;
    }
    // What another program writes is seen, too.
    let set = mongodb::bson::doc! { "$set": { "is_active": false } };
    let users = fixture.collection().await;
    users.update_one(mongodb::bson::doc! { "_id": USER }, set).await.expect("written");
    for server in &servers {
        soon(async || me(server, &token).await.code() == "user-inactive").await;
    }
    let others = ["user_banned", "user_deleted"];
    let tokens = others.map(|id| issuer.token_with(json!({ "sub": id })));
    for server in &servers {
        for token in &tokens {
            assert_eq!(me(server, token).await.status, 200);
        }
    }
    for (id, event) in [user(others[0], "a@example.com", 1, true), deleted(others[1])].iter().enumerate() {
        let told = Delivery::new(&format!("msg_{id}"), event);
        patiently(async || told.to(&servers[0]).await).await;
    }
    for server in &servers {
        for (token, code) in tokens.iter().zip(["user-banned", "user-deleted"]) {
            soon(async || me(server, token).await.code() == code).await;
        }
    }
    for server in servers {
        server.stop().await;
    }
    fixture.remove().await;
}

/// `verify` asks no store: only what was read of denials tells. Without hints, each round would begin right after a
/// read, and end with the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_change_streams_an_ended_session_is_refused_by_the_others_before_they_would_have_read_of_it() {
    let issuer = TestIssuer::start().await;
    let fixture = Fixture::new(Kind::MongoJava);
    let one = server(&issuer, &fixture, &fixture.address(), &[]).await;
    let other = server(&issuer, &fixture, &fixture.address(), &[]).await;
    let mut quickest = Duration::MAX;
    for round in 0..5 {
        let id = format!("{SESSION}{round}");
        let token = issuer.token_with(json!({ "sid": id }));
        assert_eq!(other.get("/api/auth/verify", Some(&token)).await.status, 204);
        let told = Delivery::new(&format!("msg_{round}"), &session("session.ended", &id));
        patiently(async || told.to(&one).await).await;
        let took = soon(async || other.get("/api/auth/verify", Some(&token)).await.status == 401).await;
        if round > 0 {
            quickest = quickest.min(took);
        }
    }
    assert!(quickest < READ_EVERY / 2, "{quickest:?}");
    one.stop().await;
    other.stop().await;
    fixture.remove().await;
}

#[tokio::test]
async fn a_server_without_change_streams_is_asked_once_and_changes_are_seen_in_time() {
    let issuer = TestIssuer::start().await;
    let fixture = Fixture::new(Kind::Ferretdb);
    let mongo = FaultyMongo::start(&fixture.address()).await;
    if std::env::var_os("MONGODB_TEST_URI").is_some() {
        // It has them, and says here what a single server says.
        mongo.next("aggregate", usize::MAX, Fault::Refused(40573, "Location40573"));
    }
    let one = server(&issuer, &fixture, &fixture.address(), &[("CHANGE_STREAMS", "off")]).await;
    let logs = Logs::capture();
    let other = server(&issuer, &fixture, &mongo.address(), &[]).await;
    soon(async || logs.count(NOT_THERE) == 1).await;
    let token = issuer.token();
    me(&other, &token).await;
    rename(&one, &token, "Countess").await;
    tokio::time::sleep(READ_EVERY).await;
    assert!(!is_named(&other, &token, "Countess").await, "a minute is not over");
    other.clock.advance(FRESH);
    assert!(is_named(&other, &issuer.token_at(NOON.plus(FRESH), json!({})), "Countess").await);
    assert_eq!((logs.count(NOT_THERE), logs.count(THERE), logs.count(BROKEN_OFF)), (1, 0, 0));
    assert!(!is_told(&other).await);
    // One for the users, one for the notes.
    assert!(mongo.seen("aggregate") <= 2, "{}", mongo.seen("aggregate"));
    assert_eq!(other.app.users.store_status(), StoreStatus::Ready);
    one.stop().await;
    other.stop().await;
    fixture.remove().await;
}

#[tokio::test]
async fn change_streams_that_break_off_are_opened_again_and_the_store_goes_on() {
    let issuer = TestIssuer::start().await;
    let fixture = Fixture::new(Kind::MongoJava);
    let mongo = FaultyMongo::start(&fixture.address()).await;
    let one = server(&issuer, &fixture, &fixture.address(), &[]).await;
    let logs = Logs::capture();
    let other = server(&issuer, &fixture, &mongo.address(), &[]).await;
    let token = issuer.token();
    me(&other, &token).await;
    soon(async || logs.count(THERE) == 1).await;
    // The driver opens one again by itself where the server says that it may. Here it says that it may not.
    mongo.next("getMore", 1, Fault::Refused(286, "ChangeStreamHistoryLost"));
    soon(async || logs.count(THERE) == 2).await;
    assert_eq!(logs.count(BROKEN_OFF), 1, "{}", logs.text());
    assert!(is_told(&other).await);
    rename(&one, &token, "Countess").await;
    soon(async || is_named(&other, &token, "Countess").await).await;
    // A connection that ends, and one that falls silent.
    for (fault, name) in [(Fault::Dropped, "Ada"), (Fault::Stalled, "Augusta")] {
        mongo.next("getMore", 2, fault);
        let asked = mongo.seen("aggregate");
        soon(async || mongo.seen("aggregate") >= asked + 2).await;
        let began = Instant::now();
        soon(async || {
            // What is written while none is open is seen in time, and not before.
            rename(&one, &token, &format!("{name} {}", began.elapsed().as_millis())).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            me(&other, &token).await.json()["name"].as_str().is_some_and(|shown| shown.starts_with(name))
        })
        .await;
    }
    assert_eq!(logs.count("MongoDB is away"), 0, "{}", logs.text());
    assert_eq!(other.app.users.store_status(), StoreStatus::Ready);
    one.stop().await;
    other.stop().await;
    fixture.remove().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_server_that_waits_for_something_to_tell() {
    let issuer = TestIssuer::start().await;
    let fixture = Fixture::new(Kind::MongoJava);
    let mongo = FaultyMongo::start(&fixture.address()).await;
    let logs = Logs::capture();
    let server = server(&issuer, &fixture, &mongo.address(), &[]).await;
    soon(async || logs.count(THERE) == 1).await;
    mongo.next("getMore", 2, Fault::Stalled);
    let asked = mongo.seen("getMore");
    soon(async || mongo.seen("getMore") >= asked + 2).await;
    server.stop().await;
    assert_eq!(logs.count("did not end in time"), 0, "{}", logs.text());
    fixture.remove().await;
}

#[tokio::test]
async fn change_streams_that_are_off_are_not_opened() {
    let issuer = TestIssuer::start().await;
    let fixture = Fixture::new(Kind::MongoJava);
    let mongo = FaultyMongo::start(&fixture.address()).await;
    let logs = Logs::capture();
    let server = server(&issuer, &fixture, &mongo.address(), &[("CHANGE_STREAMS", "off")]).await;
    me(&server, &issuer.token()).await;
    // By then one that is on has opened them.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((mongo.seen("aggregate"), mongo.seen("getMore")), (0, 0));
    assert_eq!((logs.count(THERE), logs.count(NOT_THERE)), (0, 0));
    server.stop().await;
    fixture.remove().await;
}
