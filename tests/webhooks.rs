//! Clerk's events: genuine, once, in any order; and who is turned away because of them, on every instance.

use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use doorward::clock::Clock;
use doorward_verifier::UnixTime;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use reqwest::Method;
use serde_json::{Value, json};
use tests::NOON;
use tests::issuer::{SESSION, TestIssuer, USER};
use tests::server::{Answer, TestServer};
use tests::stores::{Fixture, Kind};
use tokio::runtime::Runtime;

const KEY: &[u8] = b"a key of at least twenty-four bytes";
const WEBHOOKS: &str = "/api/webhooks/clerk";

pub(crate) fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(KEY))
}

/// An event as Clerk's sender delivers it.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    id: String,
    at: UnixTime,
    body: String,
}

impl Delivery {
    pub(crate) fn new(id: &str, event: &Value) -> Delivery {
        Delivery { id: id.to_owned(), at: NOON, body: event.to_string() }
    }

    fn at(self, at: UnixTime) -> Delivery {
        Delivery { at, ..self }
    }

    fn signature(&self) -> String {
        let signed = format!("{}.{}.{}", self.id, self.at.as_secs(), self.body);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY), signed.as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    }

    pub(crate) async fn to(&self, server: &TestServer) -> Answer {
        let signature = self.signature();
        self.signed_with(&signature, server).await
    }

    async fn signed_with(&self, signature: &str, server: &TestServer) -> Answer {
        let request = server.request(Method::POST, WEBHOOKS).header("content-type", "application/json");
        let request = request.header("svix-id", &self.id).header("svix-timestamp", self.at.as_secs());
        let request = request.header("svix-signature", signature).body(self.body.clone());
        Answer::of(request.send().await.expect("an answer")).await
    }
}

/// `user.updated`, as of `updated_at` seconds.
pub(crate) fn user(id: &str, email: &str, updated_at: u64, banned: bool) -> Value {
    json!({ "type": "user.updated", "object": "event", "timestamp": 1, "data": {
        "id": id, "object": "user", "first_name": "Ada", "last_name": null, "banned": banned,
        "primary_email_address_id": "idn_1", "updated_at": updated_at * 1000, "private_metadata": { "x": 1 },
        "email_addresses": [{ "id": "idn_1", "email_address": email, "verification": { "status": "verified" } }],
    } })
}

pub(crate) fn deleted(id: &str) -> Value {
    json!({ "type": "user.deleted", "object": "event", "data": { "id": id, "object": "user", "deleted": true } })
}

pub(crate) fn session(event: &str, id: &str) -> Value {
    json!({ "type": event, "object": "event", "data": { "id": id, "user_id": USER, "status": "ended" } })
}

async fn server(issuer: &TestIssuer, settings: &[(&str, &str)]) -> TestServer {
    let secret = secret();
    let mut all = vec![("CLERK_WEBHOOK_SIGNING_SECRET", secret.as_str()), ("CLERK_SECRET_KEY", "")];
    all.extend(settings);
    TestServer::start(issuer, &all).await
}

#[tokio::test]
async fn a_genuine_event_makes_and_changes_a_record() {
    let issuer = TestIssuer::start().await;
    let server = server(&issuer, &[]).await;
    let answer = Delivery::new("msg_1", &user(USER, "ada@example.com", 1, false)).to(&server).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    let me = server.get("/api/auth/me", Some(&issuer.token())).await.json();
    assert_eq!(
        (&me["email"], &me["first_name"], &me["name"]),
        (&json!("ada@example.com"), &json!("Ada"), &json!("Ada"))
    );
    Delivery::new("msg_2", &user(USER, "new@example.com", 2, false)).to(&server).await;
    assert_eq!(
        server.get("/api/auth/me", Some(&issuer.token())).await.json()["email"],
        "new@example.com",
        "at once"
    );
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_genuine_or_not_of_now_is_refused_and_changes_nothing() {
    let issuer = TestIssuer::start().await;
    let server = server(&issuer, &[]).await;
    Delivery::new("msg_1", &user(USER, "ada@example.com", 1, false)).to(&server).await;
    let event = Delivery::new("msg_2", &user(USER, "eve@example.com", 2, false));
    let other = Delivery { body: event.body.replace("eve", "bob"), ..event.clone() };
    let late = event.clone().at(NOON.minus(Duration::from_secs(301)));
    let refusals = [
        (event.signed_with(&other.signature(), &server).await, "webhook-signature"),
        (event.signed_with("v1,AAAA", &server).await, "webhook-signature"),
        (event.signed_with("", &server).await, "webhook-headers-missing"),
        (late.to(&server).await, "webhook-timestamp-outside"),
        (Delivery::new("msg_3", &json!({ "type": "user.updated" })).to(&server).await, "webhook-malformed"),
        (Delivery::new("msg_4", &json!([])).to(&server).await, "webhook-malformed"),
        (
            Delivery::new("msg_5", &user("org_1", "x@example.com", 3, false)).to(&server).await,
            "webhook-malformed",
        ),
    ];
    for (answer, code) in refusals {
        assert_eq!((answer.status / 100, answer.code().as_str()), (4, code), "{answer:?}");
    }
    assert_eq!(server.get("/api/auth/me", Some(&issuer.token())).await.json()["email"], "ada@example.com");
    server.stop().await;
}

#[tokio::test]
async fn an_event_is_of_now_by_a_clock_that_is_wrong_and_by_one_that_is_set_right() {
    let issuer = TestIssuer::start().await;
    let server = server(&issuer, &[]).await;
    let event = Delivery::new("msg_1", &user(USER, "ada@example.com", 1, false));
    let hour = Duration::from_secs(3600);
    for wrong in [NOON.plus(hour), NOON.minus(hour)] {
        server.clock.set(wrong);
        assert_eq!(event.to(&server).await.code(), "webhook-timestamp-outside");
    }
    // The sender comes again, with another time and the same id.
    server.clock.set(NOON.plus(hour));
    assert_eq!(event.clone().at(NOON.plus(hour)).to(&server).await.status, 204);
    server.clock.set(NOON);
    assert_eq!(event.to(&server).await.status, 204, "it is known, or does nothing");
    assert_eq!(server.get("/api/auth/me", Some(&issuer.token())).await.json()["email"], "ada@example.com");
    server.stop().await;
}

#[tokio::test]
async fn without_a_secret_there_is_no_such_endpoint() {
    let issuer = TestIssuer::start().await;
    let server = server(&issuer, &[("CLERK_WEBHOOK_SIGNING_SECRET", "")]).await;
    let answer = Delivery::new("msg_1", &deleted(USER)).to(&server).await;
    assert_eq!(answer.status, 404);
    server.stop().await;
}

#[tokio::test]
async fn an_event_that_comes_again_is_taken_and_does_nothing() {
    let issuer = TestIssuer::start().await;
    let server = server(&issuer, &[]).await;
    let ban = Delivery::new("msg_1", &user(USER, "ada@example.com", 1, true));
    assert_eq!(ban.to(&server).await.status, 204);
    assert_eq!(server.get("/api/auth/me", Some(&issuer.token())).await.code(), "user-banned");
    Delivery::new("msg_2", &user(USER, "ada@example.com", 2, false)).to(&server).await;
    server.clock.advance(Duration::from_secs(200));
    assert_eq!(ban.to(&server).await.status, 204, "a captured delivery is genuine for five minutes");
    let token = issuer.token_at(server.clock.now(), json!({}));
    assert_eq!(server.get("/api/auth/me", Some(&token)).await.status, 200, "and has no effect");
    server.stop().await;
}

#[tokio::test]
async fn events_of_other_kinds_are_taken_and_ignored() {
    let issuer = TestIssuer::start().await;
    let server = server(&issuer, &[]).await;
    for (number, kind) in
        ["organization.created", "email.created", "session.created", "made.up"].into_iter().enumerate()
    {
        let event = json!({ "type": kind, "data": { "id": USER, "deleted": true } });
        assert_eq!(Delivery::new(&format!("msg_{number}"), &event).to(&server).await.status, 204);
    }
    assert_eq!(server.get("/api/auth/me", Some(&issuer.token())).await.status, 200);
    server.stop().await;
}

/// An event's number, time, letter, whether it is a ban, and whether it is a deletion.
type Numbered = (usize, (u64, String, bool, bool));

/// Every order of the same events, each delivered up to twice, ends in the same record.
#[test]
fn the_order_of_events_does_not_matter() {
    let runtime = Runtime::new().expect("a runtime");
    let issuer = runtime.block_on(TestIssuer::start());
    let server = runtime.block_on(server(&issuer, &[]));
    let people = std::sync::atomic::AtomicUsize::new(0);
    let events = prop::collection::vec((0..4u64, "[a-c]", any::<bool>(), prop::bool::weighted(0.1)), 1..6);
    let orders = events.prop_flat_map(|events| {
        let twice: Vec<_> = events.iter().chain(&events).cloned().enumerate().collect();
        (Just(twice.clone()).prop_shuffle(), Just(twice).prop_shuffle())
    });
    let end = |order: &[Numbered]| {
        let id = format!("user_{}", people.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        for (number, (time, letter, banned, gone)) in order {
            let event = if *gone {
                deleted(&id)
            } else {
                user(&id, &format!("{letter}@example.com"), *time, *banned)
            };
            let delivery = Delivery::new(&format!("msg_{id}_{}", number % (order.len() / 2)), &event);
            assert_eq!(runtime.block_on(delivery.to(&server)).status, 204);
        }
        let token = issuer.token_with(json!({ "sub": id }));
        let answer = runtime.block_on(server.get("/api/auth/me", Some(&token)));
        if answer.status == 200 { answer.json()["email"].to_string() } else { answer.code() }
    };
    let outcome = TestRunner::new(Config::with_cases(40)).run(&orders, |(one, other)| {
        prop_assert_eq!(end(&one), end(&other));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
    runtime.block_on(server.stop());
}

#[tokio::test]
async fn a_session_that_ended_is_refused_at_once_and_no_other() {
    let issuer = TestIssuer::start().await;
    let server = server(&issuer, &[]).await;
    for (number, event) in ["session.ended", "session.removed", "session.revoked"].into_iter().enumerate() {
        let id = format!("{SESSION}{number}");
        let token = issuer.token_with(json!({ "sid": id }));
        assert_eq!(server.get("/api/auth/verify", Some(&token)).await.status, 204);
        Delivery::new(&format!("msg_{number}"), &session(event, &id)).to(&server).await;
        for path in ["/api/auth/verify", "/api/auth/me"] {
            let answer = server.get(path, Some(&token)).await;
            assert_eq!((answer.status, answer.code().as_str()), (401, "session-revoked"), "{event} {path}");
        }
    }
    assert_eq!(server.get("/api/auth/verify", Some(&issuer.token())).await.status, 204);
    server.stop().await;
}

#[tokio::test]
async fn who_is_turned_away_is_still_so_after_a_restart() {
    let issuer = TestIssuer::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (data_dir, secret) = (folder.path().display().to_string(), secret());
    let settings = [("DATA_DIR", data_dir.as_str()), ("CLERK_WEBHOOK_SIGNING_SECRET", &secret)];
    let server = TestServer::start_in(&issuer, &settings).await;
    Delivery::new("msg_1", &session("session.ended", SESSION)).to(&server).await;
    server.stop().await;
    let server = TestServer::start_in(&issuer, &settings).await;
    assert_eq!(server.get("/api/auth/verify", Some(&issuer.token())).await.code(), "session-revoked");
    server.stop().await;
}

/// Two instances on one store.
struct Fleet {
    fixture: Fixture,
    issuer: TestIssuer,
    one: TestServer,
    other: TestServer,
}

impl Fleet {
    async fn new() -> Fleet {
        let (fixture, issuer) = (Fixture::new(Kind::MongoJava), TestIssuer::start().await);
        let uri = format!("mongodb://{}/", fixture.address());
        let settings = [("MONGODB_URI", uri.as_str()), ("MONGODB_DB_NAME", fixture.database())];
        let one = server(&issuer, &settings).await;
        let other = server(&issuer, &settings).await;
        Fleet { fixture, issuer, one, other }
    }

    /// How long it takes until the other instance answers so.
    async fn other_answers(&self, path: &str, answer: &str) -> Duration {
        let started = Instant::now();
        let token = self.issuer.token();
        loop {
            let got = self.other.get(path, Some(&token)).await;
            if (if got.status < 300 { "yes".to_owned() } else { got.code() }) == answer {
                return started.elapsed();
            }
            assert!(started.elapsed() < Duration::from_secs(10), "{got:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn end(self) {
        self.one.stop().await;
        self.other.stop().await;
        self.fixture.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ban_and_its_end_are_in_force_on_every_instance_within_five_seconds() {
    let fleet = Fleet::new().await;
    let token = fleet.issuer.token();
    for server in [&fleet.one, &fleet.other] {
        assert_eq!(server.get("/api/auth/me", Some(&token)).await.status, 200);
    }
    Delivery::new("msg_1", &user(USER, "ada@example.com", 1, true)).to(&fleet.one).await;
    assert_eq!(fleet.one.get("/api/auth/me", Some(&token)).await.code(), "user-banned", "here at once");
    for path in ["/api/auth/verify", "/api/auth/me"] {
        let took = fleet.other_answers(path, "user-banned").await;
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    Delivery::new("msg_2", &user(USER, "ada@example.com", 2, false)).to(&fleet.one).await;
    assert_eq!(fleet.one.get("/api/auth/me", Some(&token)).await.status, 200);
    for path in ["/api/auth/verify", "/api/auth/me"] {
        let took = fleet.other_answers(path, "yes").await;
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_session_and_a_deleted_user_are_turned_away_everywhere_and_the_cache_forgets() {
    let fleet = Fleet::new().await;
    let token = fleet.issuer.token();
    Delivery::new("msg_1", &user(USER, "ada@example.com", 1, false)).to(&fleet.one).await;
    for server in [&fleet.one, &fleet.other] {
        assert_eq!(server.get("/api/auth/me", Some(&token)).await.json()["email"], "ada@example.com");
    }
    Delivery::new("msg_2", &session("session.revoked", SESSION)).to(&fleet.one).await;
    let took = fleet.other_answers("/api/auth/verify", "session-revoked").await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    Delivery::new("msg_3", &deleted(USER)).to(&fleet.one).await;
    let took = fleet.other_answers("/api/auth/me", "user-deleted").await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    let collection = fleet.fixture.collection().await;
    let document = collection.find_one(mongodb::bson::doc! { "_id": USER }).await.expect("an answer");
    assert!(!format!("{document:?}").contains("ada@example.com"), "{document:?}");
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_away_an_event_is_sent_back_and_then_taken() {
    let (fixture, issuer) = (Fixture::new(Kind::MongoJava), TestIssuer::start().await);
    let proxy = tests::proxy::Proxy::start(&fixture.address(), tests::proxy::Line::Cut).await;
    let uri = format!("mongodb://{}/", proxy.address());
    let server = server(&issuer, &[("MONGODB_URI", &uri), ("MONGODB_DB_NAME", fixture.database())]).await;
    let event = Delivery::new("msg_1", &session("session.revoked", SESSION));
    let answer = event.to(&server).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "store-unavailable"));
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(
        server.get("/api/auth/verify", Some(&issuer.token())).await.status,
        204,
        "nothing was acknowledged"
    );
    proxy.set(tests::proxy::Line::Open);
    let started = Instant::now();
    while event.to(&server).await.status != 204 {
        assert!(started.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(server.get("/api/auth/verify", Some(&issuer.token())).await.code(), "session-revoked");
    server.stop().await;
    fixture.remove().await;
}
