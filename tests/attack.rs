//! Requests that are made to be misread. `tests/run attack` has the ones that need many connections or much time.

use tests::issuer::TestIssuer;
use tests::server::TestServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PRODUCTION: [(&str, &str); 4] = [
    ("ENVIRONMENT", "production"),
    ("ALLOW", "test keys in production, data that is lost with the container"),
    ("CORS_ORIGINS", "https://app.example.com"),
    ("TRUSTED_PROXIES", "192.0.2.1"),
];

/// What the server says to these bytes until it closes the connection, which it does in the end.
async fn ask(server: &TestServer, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).await.unwrap();
    // Refused and closed before all was sent: then what was said counts.
    let _ = stream.write_all(bytes).await;
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    String::from_utf8_lossy(&said).into_owned()
}

/// The statuses of the answers in it.
fn statuses(said: &str) -> Vec<&str> {
    said.split("HTTP/1.1 ").skip(1).map(|answer| answer.get(..3).unwrap_or(answer)).collect()
}

/// What another reader would take for a second request. Alone it is answered, and with 204.
const HIDDEN: &str = "OPTIONS /health HTTP/1.1\r\nhost: a\r\norigin: http://localhost:3000\r\n\
                      access-control-request-method: GET\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn two_readers_of_one_request_never_see_two() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[]).await;
    let post = |headers: &str, body: &str| {
        format!(
            "POST /api/auth/register HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{headers}\r\n{body}"
        )
    };
    let length = HIDDEN.len();
    let cases = [
        // Both ways to say how long it is, in both orders: the rest is nobody's request.
        (
            "length, then chunks",
            post(
                &format!("content-length: {}\r\ntransfer-encoding: chunked\r\n", length + 5),
                &format!("0\r\n\r\n{HIDDEN}"),
            ),
        ),
        (
            "chunks, then length",
            post(
                &format!("transfer-encoding: chunked\r\ncontent-length: {}\r\n", length + 5),
                &format!("0\r\n\r\n{HIDDEN}"),
            ),
        ),
        ("two lengths", post(&format!("content-length: 0\r\ncontent-length: {length}\r\n"), HIDDEN)),
        ("two lengths in one line", post(&format!("content-length: 0, {length}\r\n"), HIDDEN)),
        ("a length with a sign", post("content-length: +0\r\n", HIDDEN)),
        ("a length in hexadecimal", post("content-length: 0x0\r\n", HIDDEN)),
        ("a length beyond all", post("content-length: 18446744073709551616\r\n", HIDDEN)),
        ("an encoding of no name", post("transfer-encoding: xchunked\r\n", &format!("0\r\n\r\n{HIDDEN}"))),
        (
            "chunks and then something",
            post("transfer-encoding: chunked, identity\r\n", &format!("0\r\n\r\n{HIDDEN}")),
        ),
        ("a blank before the colon", post("transfer-encoding : chunked\r\n", &format!("0\r\n\r\n{HIDDEN}"))),
        ("a folded line", post("transfer-encoding:\r\n chunked\r\n", &format!("0\r\n\r\n{HIDDEN}"))),
        (
            "a carriage return alone",
            post("x: a\rtransfer-encoding: chunked\r\n", &format!("0\r\n\r\n{HIDDEN}")),
        ),
        ("NUL in a value", post("x: a\0b\r\n", HIDDEN)),
        ("a size of no number", post("transfer-encoding: chunked\r\n", &format!("0x0\r\n\r\n{HIDDEN}"))),
        ("a size with a sign", post("transfer-encoding: chunked\r\n", &format!("-0\r\n\r\n{HIDDEN}"))),
        (
            "a size beyond all",
            post("transfer-encoding: chunked\r\n", &format!("10000000000000000\r\n\r\n{HIDDEN}")),
        ),
        (
            "a chunk that is longer than it says",
            post("transfer-encoding: chunked\r\n", &format!("1\r\n{{}}\r\n0\r\n\r\n{HIDDEN}")),
        ),
        (
            "a body that a GET says it has",
            format!(
                "GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{HIDDEN}"
            ),
        ),
        (
            "chunks over HTTP/1.0",
            format!(
                "POST /api/auth/register HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}"
            ),
        ),
        ("HTTP/0.9", format!("GET /health\r\n{HIDDEN}")),
        ("the preface of HTTP/2", format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{HIDDEN}")),
        ("a version of the future", format!("GET /health HTTP/9.9\r\n\r\n{HIDDEN}")),
    ];
    for (name, bytes) in cases {
        let said = ask(&server, bytes.as_bytes()).await;
        let statuses = statuses(&said);
        assert!(statuses.len() <= 1, "{name}: {said}");
        assert!(!said.contains("access-control-allow-methods"), "{name}: {said}");
    }
    let said = ask(&server, HIDDEN.as_bytes()).await;
    assert!(said.contains("access-control-allow-methods"), "alone it is answered: {said}");
}

#[tokio::test]
async fn the_same_request_again_and_again_on_one_connection_is_answered_each_time() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[]).await;
    let one = "GET /api/auth/verify HTTP/1.1\r\nhost: a\r\n";
    let good = format!("{one}authorization: Bearer {}\r\n\r\n", issuer.token());
    let bare = format!("{one}\r\n");
    let last = format!("{one}connection: close\r\n\r\n");
    let said = ask(&server, [good.as_str(), &bare, &good, &last].concat().as_bytes()).await;
    assert_eq!(
        statuses(&said),
        ["204", "401", "204", "401"],
        "nobody is signed in by the request before: {said}"
    );
}

/// Spellings of the way to a user that some reader or other takes for it, or for something that is open to all.
const SPELLINGS: [&str; 30] = [
    "/api/auth/me",
    "/api/auth/me/",
    "//api/auth/me",
    "/api//auth/me",
    "/./api/auth/me",
    "/api/./auth/me",
    "/api/auth/me/.",
    "/health/../api/auth/me",
    "/health/..;/api/auth/me",
    "/health/%2e%2e/api/auth/me",
    "/health%2f..%2fapi/auth/me",
    "/health/..%2fapi/auth/me",
    "/health;/../api/auth/me",
    "/health/..\\api\\auth\\me",
    "/health%00/api/auth/me",
    "/api/auth/me%00",
    "/api/auth/me%20",
    "/api/auth/me%2f",
    "/api/auth/me;a=b",
    "/api/auth/%6de",
    "/api/auth/%256de",
    "/%61pi/auth/me",
    "/API/AUTH/ME",
    "/api/auth/me?path=/health",
    "/api/auth/me?x=/health&next=/ready",
    "/api/auth/me.json",
    "/api/auth/me/health",
    "/health?/../api/auth/me",
    "http://localhost/api/auth/me",
    "http://localhost/health/../api/auth/me",
];

#[tokio::test]
async fn no_spelling_of_a_path_gets_around_authentication() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[]).await;
    issuer.clerk.set_user(tests::issuer::USER, "ada@example.com", 1);
    // Known by now: whatever got around would find something.
    assert_eq!(server.get("/api/auth/me", Some(&issuer.token())).await.status, 200);
    for path in SPELLINGS {
        let said =
            ask(&server, format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").as_bytes())
                .await;
        let status = statuses(&said).concat();
        let is_health = said.ends_with(r#"{"status":"ok"}"#) && path.starts_with("/health?");
        assert!(["400", "401", "404"].contains(&status.as_str()) || is_health, "{path}: {said}");
        assert!(!said.contains("ada@example.com"), "{path}: {said}");
    }
}

#[tokio::test]
async fn no_spelling_of_a_path_and_no_header_gets_around_https() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &PRODUCTION).await;
    for path in SPELLINGS {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
            issuer.token()
        );
        let said = ask(&server, request.as_bytes()).await;
        let status = statuses(&said).concat();
        let is_health = said.ends_with(r#"{"status":"ok"}"#) && path.starts_with("/health?");
        assert!(["400", "403", "404"].contains(&status.as_str()) || is_health, "{path}: {said}");
    }
    // From an address that is no trusted proxy (attack classes 53 to 55 name products that believed one of these).
    for header in [
        "x-forwarded-proto: https",
        "x-forwarded-ssl: on",
        "forwarded: proto=https",
        "front-end-https: on",
        "x-forwarded-for: 192.0.2.1\r\nx-forwarded-proto: https",
        "x-forwarded-uri: /health",
        "x-original-url: /health",
        "x-rewrite-url: /health",
        "x-http-method-override: OPTIONS",
        "user-agent: kube-probe/1.30",
        "host: localhost\r\nx-forwarded-host: localhost",
    ] {
        let request = format!(
            "GET /api/auth/me HTTP/1.1\r\nhost: a\r\n{header}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
            issuer.token()
        );
        let said = ask(&server, request.as_bytes()).await;
        assert_eq!(statuses(&said), ["403"], "{header}: {said}");
        assert!(said.contains("https-required"), "{header}: {said}");
    }
}

#[tokio::test]
async fn headers_name_no_other_request_and_no_other_user() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[]).await;
    for header in [
        "x-forwarded-uri: /health",
        "x-original-url: /health",
        "x-rewrite-url: /health",
        "x-http-method-override: OPTIONS",
        "x-auth-user-id: user_ada",
        "x-clerk-user-id: user_ada",
        "x-middleware-subrequest: middleware",
        "x-authorization: Bearer null",
        "proxy-authorization: Bearer null",
        "user-agent: kube-probe/1.30",
        "upgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABkAAQAAP__",
    ] {
        let request =
            format!("GET /api/auth/me HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{header}\r\n\r\n");
        let said = ask(&server, request.as_bytes()).await;
        assert_eq!(statuses(&said), ["401"], "{header}: {said}");
    }
}

#[tokio::test]
async fn whoever_says_nothing_keeps_nobody_waiting() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[]).await;
    let mut idle = Vec::new();
    for beginning in ["", "GET", "GET /health HTTP/1.1\r\nhost: a\r\nx-slow: "].iter().cycle().take(300) {
        let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        idle.push(stream);
    }
    assert_eq!(server.get("/api/auth/me", Some(&issuer.token())).await.status, 200);
}
