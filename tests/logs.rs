//! The guide's log lines: each is written when it is true, and is not when it is false.

use doorward::config::Log;
use serde_json::{Value, json};
use tests::NOON;
use tests::clerk::Mood;
use tests::issuer::{TestIssuer, USER};
use tests::keys::TestKey;
use tests::logs::Logs;
use tests::server::{TestServer, config};

const ME: &str = "/api/auth/me";

/// What a server logs for this token, after what it logs for its start.
async fn logged_for(issuer: &TestIssuer, token: Option<&str>) -> String {
    let logs = Logs::capture();
    let server = TestServer::start(issuer, &[]).await;
    server.get("/health", None).await;
    let before = logs.text().len();
    server.get(ME, token).await;
    logs.text()[before..].to_owned()
}

#[tokio::test]
async fn a_server_that_starts_says_with_what() {
    let issuer = TestIssuer::start().await;
    let logs = Logs::capture();
    assert!(config(&issuer, &[("PORT", "none")]).is_err());
    assert_eq!(logs.text(), "", "a server that does not start says neither");
    let server = TestServer::start(&issuer, &[]).await;
    server.get("/health", None).await;
    assert_eq!(logs.count("INFO ✅ Using Clerk authentication"), 1);
    assert_eq!(logs.count("INFO ✅ Database connected and initialized"), 1);
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_not_said_to_be_connected() {
    let issuer = TestIssuer::start().await;
    let logs = Logs::capture();
    let server = TestServer::start(&issuer, &[("MONGODB_URI", "mongodb://127.0.0.1:1/")]).await;
    assert_eq!(server.get(ME, Some(&issuer.token())).await.status, 503);
    assert_eq!(logs.count("Database connected and initialized"), 0);
    assert_eq!(logs.count("Created new user from Clerk"), 0);
    assert_eq!(logs.count("✅ Clerk token verified for user"), 1, "{}", logs.text());
}

#[tokio::test]
async fn a_good_token_is_said_to_be_verified_and_its_user_to_be_created_once() {
    let issuer = TestIssuer::start().await;
    let logs = Logs::capture();
    let server = TestServer::start(&issuer, &[]).await;
    for _ in 0..2 {
        server.get(ME, Some(&issuer.token())).await;
    }
    assert_eq!(logs.count(&format!("INFO ✅ Clerk token verified for user: {USER}")), 2);
    assert_eq!(logs.count("INFO ✅ Authenticated via Authorization header (Clerk JWT)"), 2);
    assert_eq!(logs.count("INFO ✅ Created new user from Clerk"), 1);
    assert_eq!(logs.count("Could not validate credentials"), 0);
}

#[tokio::test]
async fn a_cookie_is_not_said_to_be_a_header() {
    let issuer = TestIssuer::start().await;
    let logs = Logs::capture();
    let server = TestServer::start(&issuer, &[("COOKIE_AUTH", "on")]).await;
    let cookie = format!("__session={}; __client_uat=1", issuer.token());
    let answer = server.request(reqwest::Method::GET, ME).header("cookie", cookie).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(logs.count("✅ Clerk token verified for user"), 1);
    assert_eq!(logs.count("Authenticated via Authorization header"), 0);
}

#[tokio::test]
async fn each_refusal_says_why_in_the_guides_words() {
    let issuer = TestIssuer::start().await;
    let unknown = TestKey::new("ins_unknown", 1);
    let unknown =
        unknown.sign(&json!({"alg": "RS256", "kid": "ins_unknown"}), &issuer.claims(NOON, json!({})));
    let cases = [
        (issuer.token_with(json!({"sub": null})), "❌ Token missing 'sub' claim", "missing-sub"),
        (
            issuer.token_with(json!({"iss": "https://x.example"})),
            "❌ Invalid issuer: https://x.example",
            "wrong-iss",
        ),
        (unknown, "❌ No matching key found in JWKS for kid: ins_unknown", "unknown-kid"),
        (issuer.forged(), "❌ JWT verification error: the signature does not verify", "wrong-signature"),
        (
            issuer.token_with(json!({"exp": 1})),
            "❌ JWT verification error: expired at 1, now",
            "token-expired",
        ),
        ("hello".to_owned(), "❌ JWT verification error: the token is not of three parts", "malformed-token"),
    ];
    let all = [
        "Token missing 'sub' claim",
        "Invalid issuer",
        "No matching key found in JWKS for kid",
        "JWT verification error",
        "Clerk token verified for user",
        "Authenticated via",
        "Created new user from Clerk",
        "JWKS verification failed",
        "Using unverified token in debug mode",
    ];
    for (token, line, code) in cases {
        let text = logged_for(&issuer, Some(&token)).await;
        assert!(text.contains(line), "{line}: {text}");
        assert!(text.contains(&format!("❌ Could not validate credentials code={code}")), "{text}");
        for other in all.iter().filter(|other| !line.contains(*other)) {
            assert!(!text.contains(other), "{other}: {text}");
        }
        assert!(!text.contains(&token), "no token is ever logged: {text}");
    }
}

#[tokio::test]
async fn every_401_is_logged_with_its_code_and_nothing_else_is() {
    let issuer = TestIssuer::start().await;
    let text = logged_for(&issuer, None).await;
    assert!(text.contains("❌ Could not validate credentials code=token-missing"), "{text}");
    let logs = Logs::capture();
    let server = TestServer::start(&issuer, &[]).await;
    server.get("/nowhere", None).await;
    server.send(reqwest::Method::PATCH, ME, &issuer.token(), json!({"role": "admin"})).await;
    assert_eq!(logs.count("Could not validate credentials"), 0);
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_are_a_warning_with_the_reason() {
    let issuer = TestIssuer::start().await;
    issuer.clerk.be(Mood::Status(500, ""));
    let text = logged_for(&issuer, Some(&issuer.token())).await;
    let url = issuer.url();
    let logs = Logs::capture();
    let server = TestServer::start(&issuer, &[]).await;
    server.get(ME, Some(&issuer.token())).await;
    let line = format!("INFO ⚠️ JWKS verification failed: {url}/.well-known/jwks.json answers 500");
    assert!(logs.count(&line) >= 1, "{}", logs.text());
    assert!(!text.contains("Could not validate credentials"), "nobody was refused: {text}");
}

#[tokio::test]
async fn json_has_the_same_text_without_the_mark() {
    let issuer = TestIssuer::start().await;
    let logs = Logs::capture_as(&Log { json: true, filter: "info".to_owned(), hash_user_ids: false });
    let server = TestServer::start(&issuer, &[]).await;
    server.get(ME, Some(&issuer.token())).await;
    let answer = server.get(ME, None).await;
    let text = logs.text();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let find = |message: &str| {
        lines.iter().find(|line| line["message"] == message).unwrap_or_else(|| panic!("{text}"))
    };
    assert_eq!(find("Using Clerk authentication")["kind"], "ok");
    assert_eq!(find(&format!("Clerk token verified for user: {USER}"))["level"], "INFO");
    let refused = find("Could not validate credentials");
    assert_eq!((&refused["code"], &refused["kind"]), (&json!("token-missing"), &json!("error")));
    assert_eq!(refused["span"]["id"], answer.header("x-request-id"));
    assert_eq!(refused["span"]["path"], ME);
    assert!(!text.contains('✅') && !text.contains('❌'));
}

#[tokio::test]
async fn text_from_outside_stays_on_its_line() {
    let issuer = TestIssuer::start().await;
    let token = issuer.token_with(json!({"iss": "https://x\n2026 INFO ✅ forged \u{1b}[31m"}));
    let text = logged_for(&issuer, Some(&token)).await;
    assert!(text.lines().all(|line| line.starts_with("20") && line.contains("Z ")), "{text}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[tokio::test]
async fn neither_tokens_nor_queries_are_logged_at_any_level() {
    let issuer = TestIssuer::start().await;
    let logs = Logs::capture_as(&Log { json: false, filter: "trace".to_owned(), hash_user_ids: false });
    let server = TestServer::start(&issuer, &[]).await;
    let (good, forged) = (issuer.token(), issuer.forged());
    for token in [&good, &forged] {
        let request = server.request(reqwest::Method::GET, &format!("{ME}?token={token}"));
        request.bearer_auth(token).header("cookie", format!("__session={token}")).send().await.unwrap();
    }
    server.get(&format!("/{good}"), None).await;
    let text = logs.text();
    assert!(text.contains("answered"), "the level is on: {text}");
    for secret in [good.as_str(), &forged, tests::clerk::SECRET_KEY] {
        assert!(!text.contains(secret));
    }
    let signature = good.rsplit('.').next().unwrap();
    assert!(!text.contains(signature));
}
