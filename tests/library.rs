//! A team's own routes, beside doorward's and behind its filters.

use reqwest::Method;
use serde_json::json;
use tests::issuer::{TestIssuer, USER};
use tests::server::{Answer, TestServer};

async fn start() -> (TestIssuer, TestServer) {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start_with(&issuer, &[], team_server::routes).await;
    (issuer, server)
}

#[tokio::test]
async fn a_protected_route_wants_a_principal() {
    let (issuer, server) = start().await;
    let orders = server.get("/api/orders", Some(&issuer.token())).await;
    assert_eq!((orders.status, orders.text), (200, format!("the orders of {USER}")));
    for (token, code) in [(None, "token-missing"), (Some(issuer.forged()), "wrong-signature")] {
        let refused = server.get("/api/orders", token.as_deref()).await;
        assert_eq!((refused.status, refused.code().as_str()), (401, code));
        assert_eq!(refused.header("content-type"), "application/problem+json");
        assert!(refused.header("www-authenticate").starts_with("Bearer error="));
        assert_eq!(refused.json()["instance"], refused.header("x-request-id"));
    }
}

#[tokio::test]
async fn an_optional_principal_may_be_missing_and_not_bad() {
    let (issuer, server) = start().await;
    assert_eq!(server.get("/api/greeting", None).await.text, "Welcome, stranger");
    assert_eq!(server.get("/api/greeting", Some(&issuer.token())).await.text, format!("Welcome, {USER}"));
    for bad in [issuer.forged(), "null".to_owned()] {
        assert_eq!(server.get("/api/greeting", Some(&bad)).await.status, 401, "{bad}");
    }
}

#[tokio::test]
async fn what_a_route_requires_is_asked_for_by_name() {
    let (issuer, server) = start().await;
    let ask = |role: &str, fva: serde_json::Value| {
        let token = issuer.token_with(json!({"o": {"id": "org_1", "rol": role}, "fva": fva}));
        let request = server.request(Method::POST, "/api/orders/7/refund").bearer_auth(token);
        async move { Answer::of(request.send().await.unwrap()).await }
    };
    assert_eq!(ask("admin", json!([0, 5])).await.text, format!("order 7 is refunded by {USER}"));
    let stale = ask("admin", json!([0, 20])).await;
    assert_eq!((stale.status, stale.code().as_str()), (403, "reverification-required"));
    let member = ask("member", json!([0, 5])).await;
    assert_eq!((member.status, member.code().as_str()), (403, "not-allowed"));
}

#[tokio::test]
async fn a_route_may_have_the_user_too() {
    let (issuer, server) = start().await;
    issuer.clerk.set_user(USER, "ada@example.com", 1);
    let card = server.get("/api/card", Some(&issuer.token())).await;
    assert_eq!((card.status, card.text), (200, format!("Ada Lovelace ({USER})")));
}

#[tokio::test]
async fn no_route_fails_on_anothers_authentication() {
    let (_issuer, server) = start().await;
    for (method, path, status) in [
        (Method::GET, "/api/nowhere", 404),
        (Method::GET, "/api/orders/7", 404),
        (Method::DELETE, "/api/orders", 405),
        (Method::GET, "/api/orders/seven/refund", 404),
        (Method::DELETE, "/api/auth/me", 405),
        (Method::GET, "/health", 200),
        (Method::GET, "/api/auth/me", 401),
    ] {
        let answer = server.request(method.clone(), path).send().await.unwrap();
        assert_eq!(answer.status(), status, "{method} {path}");
    }
}

#[tokio::test]
async fn a_panic_is_500_and_says_nothing_of_itself() {
    use warp::Filter;
    let issuer = TestIssuer::start().await;
    let panics = warp::path!("panic").map(|| -> warp::reply::Response { panic!("the secret") }).boxed();
    let server = TestServer::start_with(&issuer, &[], |_| panics).await;
    let request = server.request(Method::GET, "/panic").header("origin", "http://localhost:3000");
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "internal-error"));
    assert!(!answer.text.contains("secret"));
    assert_eq!(answer.header("access-control-allow-origin"), "http://localhost:3000");
    assert_eq!(answer.json()["instance"], answer.header("x-request-id"));
}

#[tokio::test]
async fn what_a_teams_route_rejects_is_a_problem_and_never_its_debug_text() {
    use warp::{Filter, reject};
    #[derive(Debug)]
    #[expect(dead_code, reason = "read by Debug, which must not come out")]
    struct Secret(&'static str);
    impl reject::Reject for Secret {}
    let issuer = TestIssuer::start().await;
    let rejects = warp::path!("custom").and_then(async || Err::<String, _>(reject::custom(Secret("canary"))));
    let takes = warp::path!("json").and(warp::body::json()).map(|body: serde_json::Value| body.to_string());
    let routes = rejects.or(takes).map(warp::Reply::into_response).boxed();
    let server = TestServer::start_with(&issuer, &[], |_| routes).await;
    let custom = server.get("/custom", None).await;
    assert_eq!((custom.status, custom.code().as_str()), (500, "internal-error"));
    assert!(!custom.text.contains("canary"));
    for (body, status, code) in [("{", 400, "malformed-body"), (&*" ".repeat(70_000), 413, "body-too-large")]
    {
        let request = server.request(Method::POST, "/json").header("content-type", "application/json");
        let answer = Answer::of(request.body(body.to_owned()).send().await.unwrap()).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code));
    }
}
