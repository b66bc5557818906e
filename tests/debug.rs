//! The debug fallback: a token passes unverified only while there are no keys at all, and writes nothing.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tests::NOON;
use tests::clerk::Mood;
use tests::issuer::{TestIssuer, USER};
use tests::keys::TestKey;
use tests::logs::Logs;
use tests::server::{TestServer, config};

const ME: &str = "/api/auth/me";

async fn without_keys() -> (TestIssuer, TestServer) {
    let issuer = TestIssuer::start().await;
    issuer.clerk.be(Mood::Status(500, ""));
    let server = TestServer::start(&issuer, &[("DEBUG", "True")]).await;
    (issuer, server)
}

#[tokio::test]
async fn without_any_keys_a_token_passes_unverified_and_says_so() {
    let logs = Logs::capture();
    let (issuer, server) = without_keys().await;
    let me = server.get(ME, Some(&issuer.forged())).await;
    assert_eq!(me.status, 200, "{me:?}");
    assert_eq!(me.header("x-doorward-unverified"), "1");
    let me = me.json();
    assert_eq!((&me["unverified"], &me["clerk_id"], &me["id"]), (&json!(true), &json!(USER), &Value::Null));
    let text = logs.text();
    let failed = text.rfind("⚠️ JWKS verification failed: ").unwrap();
    assert!(failed < text.find("⚠️ Using unverified token in debug mode").unwrap(), "{text}");
}

#[tokio::test]
async fn nothing_is_made_or_changed_for_whom_nobody_verified() {
    let (issuer, server) = without_keys().await;
    server.get(ME, Some(&issuer.token())).await;
    for (method, path) in [(Method::PATCH, ME), (Method::POST, "/api/auth/register")] {
        let refused = server.send(method, path, &issuer.token(), json!({"name": "Mallory"})).await;
        assert_eq!((refused.status, refused.code().as_str()), (403, "unverified-principal"));
    }
    issuer.clerk.be(Mood::Well);
    server.clock.advance(Duration::from_secs(3));
    let registered = server.send(Method::POST, "/api/auth/register", &issuer.token(), json!({})).await;
    assert_eq!(
        (registered.status, &registered.json()["name"]),
        (201, &Value::Null),
        "the record is only made now"
    );
}

#[tokio::test]
async fn what_can_be_told_without_keys_is_refused_all_the_same() {
    let (issuer, server) = without_keys().await;
    let now = NOON.as_secs();
    for (code, claims) in [
        ("token-expired", json!({"exp": now - 60})),
        ("wrong-iss", json!({"iss": "https://clerk.example.com"})),
        ("wrong-azp", json!({"azp": "https://evil.example.com"})),
        ("missing-sub", json!({"sub": null})),
        ("session-pending", json!({"sts": "pending"})),
    ] {
        let refused = server.get(ME, Some(&issuer.token_with(claims))).await;
        assert_eq!((refused.status, refused.code().as_str()), (401, code));
    }
}

#[tokio::test]
async fn with_keys_at_hand_nothing_passes_unverified() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[("DEBUG", "true")]).await;
    server.get(ME, Some(&issuer.token())).await;
    issuer.clerk.be(Mood::Status(500, ""));
    let forged = server.get(ME, Some(&issuer.forged())).await;
    assert_eq!((forged.status, forged.code().as_str()), (401, "wrong-signature"));
    let key = TestKey::new("ins_unknown", 1);
    let unknown = key.sign(&json!({"alg": "RS256", "kid": "ins_unknown"}), &issuer.claims(NOON, json!({})));
    server.clock.advance(Duration::from_secs(31));
    for _ in 0..2 {
        let answer = server.get(ME, Some(&unknown)).await;
        assert_ne!(
            answer.status, 200,
            "an unknown kid, while the issuer can't be asked and in the cooldown: {answer:?}"
        );
        assert_eq!(answer.header("x-doorward-unverified"), "");
    }
}

#[tokio::test]
async fn keys_past_their_hard_age_are_none() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[("DEBUG", "true"), ("JWKS_HARD_AGE_SECS", "3600")]).await;
    server.get(ME, Some(&issuer.token())).await;
    issuer.clerk.be(Mood::Status(500, ""));
    server.clock.advance(Duration::from_secs(3599));
    let old = issuer.token_at(NOON.plus(Duration::from_secs(3599)), json!({}));
    assert_eq!(server.get(ME, Some(&old)).await.header("x-doorward-unverified"), "");
    server.clock.advance(Duration::from_secs(2));
    let later = issuer.token_at(NOON.plus(Duration::from_secs(3601)), json!({}));
    let me = server.get(ME, Some(&later)).await;
    assert_eq!((me.status, me.header("x-doorward-unverified")), (200, "1"), "{me:?}");
}

#[tokio::test]
async fn without_debug_there_is_no_fallback() {
    let logs = Logs::capture();
    let issuer = TestIssuer::start().await;
    issuer.clerk.be(Mood::Status(500, ""));
    for settings in [&[][..], &[("DEBUG", "false")], &[("DEBUG", "true"), ("DEBUG_FALLBACK", "false")]] {
        let server = TestServer::start(&issuer, settings).await;
        assert_eq!(server.get(ME, Some(&issuer.token())).await.status, 503, "{settings:?}");
    }
    assert_eq!(logs.count("Using unverified token in debug mode"), 0);
}

#[tokio::test]
async fn other_routes_do_not_know_the_fallback() {
    let (issuer, server) = without_keys().await;
    let answer = server.get("/api/auth/verify", Some(&issuer.token())).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "keys-unavailable"));
}

#[tokio::test]
async fn it_does_not_start_where_others_could_reach_it() {
    let issuer = TestIssuer::start().await;
    let refused = |settings: &[(&str, &str)]| config(&issuer, settings).unwrap_err().to_string();
    assert!(refused(&[("DEBUG", "true"), ("HOST", "0.0.0.0")]).contains("DEBUG_FALLBACK=container"));
    assert!(
        refused(&[("DEBUG", "1"), ("ENVIRONMENT", "production")])
            .contains("DEBUG: expected false in production")
    );
    let live = format!("pk_live_{}", tests::base64_padded(b"clerk.example.com$"));
    let refusal =
        refused(&[("DEBUG", "true"), ("CLERK_PUBLISHABLE_KEY", &live), ("CLERK_SECRET_KEY", "sk_live_x")]);
    assert!(refusal.contains("DEBUG: expected false in production and with live keys"), "{refusal}");
    let contained = [("DEBUG", "true"), ("HOST", "0.0.0.0"), ("DEBUG_FALLBACK", "container")];
    assert!(config(&issuer, &contained).unwrap().debug_fallback);
}
