//! The document of the endpoints: it agrees with what the server answers.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::Value;
use tests::issuer::TestIssuer;
use tests::server::{Answer, TestServer};

/// The documented methods of each path.
fn documented(document: &Value) -> BTreeMap<String, Vec<String>> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .map(|(path, operations)| {
            (
                path.clone(),
                operations.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect(),
            )
        })
        .collect()
}

#[tokio::test]
async fn the_document_has_the_paths_and_the_methods_that_the_server_has() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[]).await;
    let document = server.get("/openapi.json", None).await.json();
    assert_eq!(document["openapi"], "3.1.0");
    for (path, methods) in documented(&document) {
        let answer = Answer::of(server.request(Method::TRACE, &path).send().await.unwrap()).await;
        assert_eq!(answer.status, 405, "{path}");
        let allowed =
            answer.header("allow").split(", ").filter(|method| !["HEAD", "OPTIONS"].contains(method));
        assert_eq!(allowed.collect::<Vec<_>>(), methods, "{path}");
    }
}

#[tokio::test]
async fn the_page_is_for_development_alone() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[]).await;
    let page = server.get("/docs", None).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text.contains("<code>PATCH /api/auth/me</code>"), "{}", page.text);
    assert!(page.header("content-security-policy").contains("style-src 'sha256-"));
    let settings = [
        ("ENVIRONMENT", "production"),
        ("ALLOW", "test keys in production, data that is lost with the container"),
        ("CORS_ORIGINS", "https://app.example.com"),
        ("TRUSTED_PROXIES", "private"),
    ];
    let server = TestServer::start(&issuer, &settings).await;
    let request = server.request(Method::GET, "/docs").header("x-forwarded-proto", "https");
    assert_eq!(request.send().await.unwrap().status(), 404);
}
