//! What the server tells its operators.

use std::sync::Arc;

use doorward::shutdown::Shutdown;
use reqwest::Method;
use tests::issuer::TestIssuer;
use tests::logs::Logs;
use tests::server::{Answer, TestServer};
use tokio::net::TcpListener;

/// The metrics of a server, and what else their listener answers.
pub(crate) async fn scrape(server: &TestServer, path: &str) -> Answer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{path}", listener.local_addr().unwrap());
    let (_handle, shutdown) = Shutdown::new();
    tokio::spawn(doorward::serve_metrics(Arc::clone(&server.app), listener, shutdown));
    Answer::of(reqwest::get(url).await.unwrap()).await
}

#[tokio::test]
async fn requests_refusals_keys_and_store_are_counted() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[]).await;
    for token in [Some(issuer.token()), Some(issuer.token()), Some(issuer.forged()), None] {
        server.get("/api/auth/me", token.as_deref()).await;
    }
    server.get("/user_secret/path", None).await;
    server.request(Method::from_bytes(b"BREW").unwrap(), "/health").send().await.unwrap();
    server.clock.advance(std::time::Duration::from_secs(7));
    let metrics = scrape(&server, "/metrics").await;
    assert_eq!(
        (metrics.status, metrics.header("content-type")),
        (200, "text/plain; version=0.0.4; charset=utf-8")
    );
    for line in [
        r#"doorward_request_duration_seconds_count{route="/api/auth/me",method="GET",status="200"} 2"#,
        r#"doorward_request_duration_seconds_count{route="/api/auth/me",method="GET",status="401"} 2"#,
        r#"doorward_request_duration_seconds_bucket{route="/api/auth/me",method="GET",status="200",le="+Inf"} 2"#,
        r#"doorward_request_duration_seconds_count{route="other",method="GET",status="404"} 1"#,
        r#"doorward_request_duration_seconds_count{route="/health",method="other",status="405"} 1"#,
        r#"doorward_problems_total{code="wrong-signature"} 1"#,
        r#"doorward_problems_total{code="token-missing"} 1"#,
        "doorward_keys_usable 1",
        "doorward_keys_age_seconds 7",
        "doorward_keys_stale 0",
        "doorward_keys_withdrawn 0",
        r#"doorward_keys_fetches_total{outcome="answered"} 1"#,
        r#"doorward_keys_fetches_total{outcome="failed"} 0"#,
        "doorward_cache_evictions_total 0",
        "doorward_store_up 1",
        "doorward_change_streams 0",
        "doorward_cache_up 1",
        "doorward_denials 0",
    ] {
        assert!(metrics.text.lines().any(|known| known == line), "{line}: {}", metrics.text);
    }
    assert!(!metrics.text.contains("user_secret") && !metrics.text.contains("BREW"));
    assert_eq!(scrape(&server, "/").await.status, 404);
}

#[tokio::test]
async fn metrics_are_told_on_their_own_listener_alone() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[]).await;
    assert_eq!(server.get("/metrics", None).await.status, 404);
}

#[tokio::test]
async fn a_trace_is_in_the_log_and_goes_on_to_clerk() {
    let issuer = TestIssuer::start().await;
    let logs = Logs::capture();
    let server = TestServer::start(&issuer, &[]).await;
    server.get("/api/auth/verify", Some(&issuer.token())).await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request = server.request(Method::GET, "/api/auth/me").bearer_auth(issuer.token());
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    request.header("traceparent", &parent).header("tracestate", "team=1").send().await.unwrap();
    let asked = issuer.clerk.last_head();
    assert!(asked.starts_with("GET /v1/users/"), "{asked}");
    assert!(asked.contains(&format!("traceparent: 00-{trace}-")) && !asked.contains(&parent), "{asked}");
    assert!(asked.contains("tracestate: team=1"), "{asked}");
    let created =
        logs.text().lines().find(|line| line.contains("Created new user from Clerk")).unwrap().to_owned();
    assert!(created.contains(&format!("trace=\"{trace}\"")), "{created}");
}
