//! The issuer of `doorward dev`: what happens there is seen by its server, and how soon.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use doorward::clock::FixedClock;
use doorward::config::{Config, Settings};
use doorward::issuer::{self, LocalIssuer, first_user};
use doorward::mint::{Shape, mint};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tests::NOON;
use tests::command::{Running, run};
use tests::server::{Answer, TestServer};
use tokio::sync::mpsc;

/// What is told at once takes as long as a busy machine does.
const PATIENCE: Duration = Duration::from_secs(60);

async fn soon<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

async fn me(url: &str, token: &str) -> Answer {
    Answer::of(client().get(format!("{url}/api/auth/me")).bearer_auth(token).send().await.unwrap()).await
}

async fn token(data_dir: &Path) -> String {
    let ended = run(data_dir, &[], &["token", "--data-dir", "."]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.out.trim().to_owned()
}

/// As a person does it who read the folder's files.
async fn at_the_issuer(data_dir: &Path, method: Method, path: &str, body: Value) -> Answer {
    let instance = std::fs::read(data_dir.join("issuer/instance.json")).unwrap();
    let instance: Value = serde_json::from_slice(&instance).unwrap();
    let url = format!("{}{path}", instance["issuer"].as_str().unwrap());
    let request = client().request(method, url).bearer_auth(instance["secret_key"].as_str().unwrap());
    Answer::of(request.json(&body).send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_changed_through_the_issuers_api_is_in_me_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Running::dev(folder.path()).await;
    let (url, token) = (dev.url(), token(folder.path()).await);
    assert_eq!(me(&url, &token).await.json()["first_name"], "Ada");
    let changed = json!({ "first_name": "Augusta" });
    let answer = at_the_issuer(folder.path(), Method::PATCH, "/v1/users/user_ada", changed).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    soon("the change is in me", async || me(&url, &token).await.json()["first_name"] == "Augusta").await;
    let answer = at_the_issuer(folder.path(), Method::DELETE, "/v1/users/user_ada", json!({})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    soon("who is gone is refused", async || me(&url, &token).await.code() == "user-deleted").await;
    assert_eq!(dev.interrupt().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_changed_in_the_issuers_files_is_in_me_after_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::at(NOON));
    let bound = LocalIssuer::bind(folder.path(), NOON).await.unwrap();
    let (issuer, listener, _lock) = bound.into_parts();
    let issuer = Arc::new(issuer);
    let (told, _nobody_listens) = mpsc::unbounded_channel();
    tokio::spawn(issuer::serve(Arc::clone(&issuer), clock, listener, told, std::future::pending()));
    let pairs = [
        ("CLERK_PUBLISHABLE_KEY", issuer.publishable_key().to_owned()),
        ("CLERK_SECRET_KEY", issuer.secret_key().to_owned()),
        ("CLERK_API_URL", issuer.issuer().to_owned()),
        ("DATA_DIR", folder.path().display().to_string()),
    ];
    let settings = Settings::new(pairs.map(|(name, value)| (name.to_owned(), value)), []);
    let server = TestServer::open(Config::read(&settings).unwrap(), doorward::routes::endpoints).await;
    let ada = first_user().unwrap();
    let token = mint(&issuer, &ada, &Shape::default(), NOON).unwrap();
    assert_eq!(server.get("/api/auth/me", Some(&token)).await.json()["first_name"], "Ada");
    let changes = json!({ "first_name": "Augusta" }).as_object().unwrap().clone();
    let account = issuer.account(&ada).unwrap().unwrap().edited(changes, NOON);
    issuer.save_account(&ada, &account).unwrap();
    server.clock.advance(doorward::users::FRESH);
    assert_eq!(server.get("/api/auth/me", Some(&token)).await.json()["first_name"], "Augusta");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_key_and_an_ended_session_end_the_tokens_of_before() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Running::dev(folder.path()).await;
    let (url, before) = (dev.url(), token(folder.path()).await);
    assert_eq!(me(&url, &before).await.status, 200);
    let rotated = run(folder.path(), &[], &["dev", "rotate-key", "--data-dir", "."]).await;
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    let after = token(folder.path()).await;
    // The first token of the new key has the server ask for it, and that set has the old one no more.
    assert_eq!(me(&url, &after).await.status, 200);
    assert_eq!(me(&url, &before).await.code(), "unknown-kid");

    let revoked = run(folder.path(), &[], &["dev", "revoke", "--data-dir", "."]).await;
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    soon("the session has ended", async || me(&url, &after).await.code() == "session-revoked").await;
    let again = token(folder.path()).await;
    assert_eq!(me(&url, &again).await.status, 200, "a new session");
    assert_eq!(dev.interrupt().await.code, Some(0));

    // Without a server that would have to hear of it.
    let revoked = run(folder.path(), &[], &["dev", "revoke", "user_ada", "--data-dir", "."]).await;
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
}
