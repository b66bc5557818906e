//! CORS: the frontend's origins may read every answer, and no other may.

use reqwest::Method;
use serde_json::json;
use tests::clerk::Mood;
use tests::issuer::{ORIGIN, TestIssuer};
use tests::server::{Answer, TestServer};

const ME: &str = "/api/auth/me";

async fn preflight(server: &TestServer, origin: &str, path: &str) -> Answer {
    let request = server
        .request(Method::OPTIONS, path)
        .header("origin", origin)
        .header("access-control-request-method", "PATCH")
        .header("access-control-request-headers", "authorization,content-type");
    Answer::of(request.send().await.unwrap()).await
}

/// A set of words in a header, whatever their order and case.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text.split(',').map(|word| word.trim().to_ascii_lowercase()).collect();
    words.sort();
    words
}

#[tokio::test]
async fn a_preflight_from_a_listed_origin_is_answered_in_full() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[]).await;
    for origin in
        ["http://localhost:3000", "http://127.0.0.1:3000", "http://localhost:5173", "http://127.0.0.1:8080"]
    {
        let answer = preflight(&server, origin, ME).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
        assert_eq!(answer.header("access-control-max-age"), "3600");
        assert_eq!(
            words(answer.header("access-control-allow-methods")),
            ["delete", "get", "head", "options", "patch", "post", "put"]
        );
        assert_eq!(
            words(answer.header("access-control-allow-headers")),
            ["authorization", "content-type", "x-request-id"]
        );
        assert!(answer.header("vary").to_ascii_lowercase().contains("origin"));
    }
}

#[tokio::test]
async fn another_origin_is_told_nothing() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[]).await;
    for origin in
        ["http://localhost:3000.evil.example", "http://localhost:3002", "https://localhost:3000", "null"]
    {
        let answer = preflight(&server, origin, ME).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
        let request = server.request(Method::GET, ME).header("origin", origin).bearer_auth(issuer.token());
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
        assert_eq!(answer.status, 200, "the browser decides who may read it");
        assert!(answer.header("vary").to_ascii_lowercase().contains("origin"));
    }
}

#[tokio::test]
async fn refusals_and_failures_can_be_read_by_the_frontend_too() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[]).await;
    let ask = |method: Method, path: &str, body: Vec<u8>, token: Option<String>| {
        let request = server.request(method, path).header("origin", ORIGIN).body(body);
        let request = request.header("content-type", "application/json");
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        async move { Answer::of(request.send().await.unwrap()).await }
    };
    let token = || Some(issuer.token());
    let mut answers = vec![
        (401, ask(Method::GET, ME, Vec::new(), None).await),
        (400, ask(Method::PATCH, ME, b"{".to_vec(), token()).await),
        (404, ask(Method::GET, "/nowhere", Vec::new(), None).await),
        (405, ask(Method::DELETE, ME, Vec::new(), None).await),
        (413, ask(Method::PATCH, ME, vec![b' '; 65 * 1024], token()).await),
    ];
    issuer.clerk.be(Mood::HangsUp);
    let without_keys = TestServer::start(&issuer, &[]).await;
    let request = without_keys.request(Method::GET, ME).header("origin", ORIGIN).bearer_auth(issuer.token());
    answers.push((503, Answer::of(request.send().await.unwrap()).await));
    for (status, answer) in answers {
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("access-control-allow-origin"), ORIGIN, "{status}");
        assert_eq!(answer.header("access-control-allow-credentials"), "true", "{status}");
        assert_eq!(
            words(answer.header("access-control-expose-headers")),
            ["retry-after", "www-authenticate", "x-request-id"],
            "{status}"
        );
        assert!(answer.header("vary").to_ascii_lowercase().contains("origin"), "{status}");
    }
}

#[tokio::test]
async fn a_user_who_may_not_come_in_is_told_so_across_origins() {
    let issuer = TestIssuer::start().await;
    issuer.clerk.be(Mood::HangsUp);
    let server = TestServer::start(&issuer, &[("DEBUG", "true")]).await;
    let request = server.request(Method::PATCH, ME).header("origin", ORIGIN);
    let refused =
        Answer::of(request.bearer_auth(issuer.token()).json(&json!({})).send().await.unwrap()).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (403, ORIGIN));
}

#[tokio::test]
async fn production_has_no_origins_but_its_own() {
    let issuer = TestIssuer::start().await;
    let settings = [
        ("ENVIRONMENT", "production"),
        ("ALLOW", "test keys in production, data that is lost with the container"),
        ("CORS_ORIGINS", r#"["https://app.example.com"]"#),
        ("CORS_EXTRA_ORIGINS", "https://admin.example.com"),
    ];
    let server = TestServer::start(&issuer, &settings).await;
    for (origin, allowed) in [
        ("https://app.example.com", true),
        ("https://admin.example.com", true),
        ("https://www.app.example.com", false),
        ("http://app.example.com", false),
        ("http://localhost:3000", false),
    ] {
        let answer = preflight(&server, origin, ME).await;
        assert_eq!(!answer.header("access-control-allow-origin").is_empty(), allowed, "{origin}");
    }
}
