//! The HTTP API, from outside: a server on a port, and requests to it.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde_json::{Value, json};
use tests::clerk::Mood;
use tests::issuer::{ORIGIN, SESSION, TestIssuer, USER};
use tests::keys::TestKey;
use tests::logs::Logs;
use tests::server::{Answer, TestServer};
use tests::{NOON, base64url};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ME: &str = "/api/auth/me";
const REGISTER: &str = "/api/auth/register";
const VERIFY: &str = "/api/auth/verify";
const JWKS: &str = "/.well-known/jwks.json";

async fn start() -> (TestIssuer, TestServer) {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[]).await;
    (issuer, server)
}

#[tokio::test]
async fn a_good_token_gets_its_user() {
    let (issuer, server) = start().await;
    issuer.clerk.set_user(USER, "ada@example.com", 1);
    let token = issuer.token_with(json!({"o": {"id": "org_1", "slg": "acme", "rol": "admin"}}));
    for path in [ME, "/api/users/me"] {
        let me = server.get(path, Some(&token)).await;
        assert_eq!(me.status, 200, "{me:?}");
        let mut me = me.json();
        assert!(me["id"].as_str().unwrap().len() == 36, "{me}");
        me["id"].take();
        assert_eq!(
            me,
            json!({
                "id": null, "clerk_id": USER, "email": "ada@example.com", "email_verified": true, "username": null,
                "name": "Ada Lovelace", "first_name": "Ada", "last_name": "Lovelace",
                "image_url": "https://img.example.com/a.png", "is_active": true,
                "created_at": "2026-11-24T12:00:00.000Z", "updated_at": "2026-11-24T12:00:00.000Z",
                "last_login_at": "2026-11-24T12:00:00.000Z", "organization": {"id": "org_1", "slug": "acme", "role": "org:admin"},
            }),
        );
    }
}

#[tokio::test]
async fn what_is_not_known_of_a_user_is_null() {
    let (issuer, server) = start().await;
    let me = server.get(ME, Some(&issuer.token())).await.json();
    for member in [
        "email",
        "email_verified",
        "username",
        "name",
        "first_name",
        "last_name",
        "image_url",
        "organization",
    ] {
        assert_eq!(me[member], Value::Null, "{member}");
    }
    assert!(me.get("unverified").is_none() && me.get("stale_seconds").is_none(), "{me}");
}

#[tokio::test]
async fn each_bad_token_is_refused_by_its_code() {
    let (issuer, server) = start().await;
    let now = NOON.as_secs();
    let unknown = TestKey::new("ins_unknown", 1);
    let no_kid =
        TestKey::new("", 0).sign(&json!({"alg": "RS256", "typ": "JWT"}), &issuer.claims(NOON, json!({})));
    let none = format!("{}.{}.", base64url(br#"{"alg":"none"}"#), base64url(b"{}"));
    let claims = [
        ("token-expired", json!({"exp": now - 5})),
        ("token-not-active-yet", json!({"nbf": now + 6})),
        ("wrong-iss", json!({"iss": "https://clerk.example.com"})),
        ("missing-iss", json!({"iss": null})),
        ("wrong-azp", json!({"azp": "https://evil.example.com"})),
        ("missing-azp", json!({"azp": null})),
        ("missing-sub", json!({"sub": null})),
        ("machine-token", json!({"sub": "mch_1"})),
        ("missing-sid", json!({"sid": null})),
        ("session-pending", json!({"sts": "pending"})),
        ("lifetime-too-long", json!({"exp": now + 3601})),
    ];
    let mut cases: Vec<(&str, String)> =
        claims.into_iter().map(|(code, claims)| (code, issuer.token_with(claims))).collect();
    cases.extend([
        ("wrong-signature", issuer.forged()),
        (
            "unknown-kid",
            unknown.sign(&json!({"alg": "RS256", "kid": "ins_unknown"}), &issuer.claims(NOON, json!({}))),
        ),
        ("missing-kid", no_kid),
        ("unsupported-algorithm", none + "AA"),
        ("malformed-token", "hello".to_owned()),
        ("token-is-null", "null".to_owned()),
        ("token-is-null", "undefined".to_owned()),
        ("key-instead-of-token", "sk_test_something".to_owned()),
        ("token-too-large", "a".repeat(33 * 1024)),
    ]);
    for (code, token) in cases {
        let refused = server.get(ME, Some(&token)).await;
        assert_eq!((refused.status, refused.code().as_str()), (401, code), "{refused:?}");
        assert!(token.len() < 20 || !refused.text.contains(&token), "{code}");
    }
}

#[tokio::test]
async fn a_request_without_one_bearer_header_is_refused_by_its_code() {
    let (issuer, server) = start().await;
    let missing = server.get(ME, None).await;
    assert_eq!((missing.status, missing.code().as_str()), (401, "token-missing"));
    let token = issuer.token();
    for (code, values) in [
        ("authorization-malformed", vec!["Basic abc".to_owned()]),
        ("authorization-malformed", vec![token.clone()]),
        ("token-missing", vec!["Bearer".to_owned()]),
        ("authorization-malformed", vec![format!("Bearer {token}"), format!("Bearer {token}")]),
        ("authorization-malformed", vec![format!("Bearer {token}, Bearer {token}")]),
        ("malformed-base64url", vec![format!("Bearer é{token}")]),
    ] {
        let mut request = server.request(Method::GET, ME);
        for value in values {
            request = request.header(AUTHORIZATION, value);
        }
        let refused = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((refused.status, refused.code().as_str()), (401, code));
    }
    let no_text = [b"Bearer \xff".as_slice(), token.as_bytes()].concat();
    let request =
        server.request(Method::GET, ME).header(AUTHORIZATION, HeaderValue::from_bytes(&no_text).unwrap());
    let refused = Answer::of(request.send().await.unwrap()).await;
    assert_eq!((refused.status, refused.code().as_str()), (401, "authorization-malformed"));
    let lower = server.request(Method::GET, ME).header(AUTHORIZATION, format!("bEARER {token}"));
    assert_eq!(lower.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_refusal_is_a_problem_of_rfc_9457() {
    let (issuer, server) = start().await;
    let refused = server.get(ME, Some(&issuer.token_with(json!({"exp": NOON.as_secs() - 60})))).await;
    assert_eq!(refused.header("content-type"), "application/problem+json");
    assert_eq!(
        refused.header("www-authenticate"),
        r#"Bearer error="invalid_token", error_description="token-expired""#
    );
    let problem = refused.json();
    let members: Vec<&String> = problem.as_object().unwrap().keys().collect();
    assert_eq!(members, ["code", "detail", "instance", "reason", "status", "title", "type"]);
    assert!(problem["type"].as_str().unwrap().ends_with("README.md#token-expired"), "{problem}");
    assert_eq!(problem["title"], "Token expired");
    assert_eq!(problem["status"], 401);
    assert_eq!(problem["reason"], "token-expired");
    assert_eq!(problem["instance"], refused.header("x-request-id"));
    assert!(
        problem["detail"].as_str().unwrap().starts_with("expired at 1795521540, now 1795521600; get a new")
    );
}

#[tokio::test]
async fn a_request_keeps_a_plain_id_and_loses_an_odd_one() {
    let (_issuer, server) = start().await;
    let asked = |id: &'static str| {
        let request =
            server.request(Method::GET, "/health").header("x-request-id", HeaderValue::from_static(id));
        async move { Answer::of(request.send().await.unwrap()).await.header("x-request-id").to_owned() }
    };
    assert_eq!(asked("trace-1.2_3").await, "trace-1.2_3");
    assert_eq!(asked("two words").await.len(), 36);
    assert_eq!(asked("").await.len(), 36);
    let long: &'static str = Box::leak("a".repeat(65).into_boxed_str());
    assert_eq!(asked(long).await.len(), 36);
}

#[tokio::test]
async fn registering_makes_the_record_once_and_completes_the_profile() {
    let (issuer, server) = start().await;
    let token = issuer.token();
    let first =
        server.send(Method::POST, REGISTER, &token, json!({"username": "ada", "name": "Ada L."})).await;
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!((&first.json()["username"], &first.json()["name"]), (&json!("ada"), &json!("Ada L.")));
    let again = server.send(Method::POST, REGISTER, &token, json!({"username": "countess"})).await;
    assert_eq!(again.status, 200);
    assert_eq!(again.json()["id"], first.json()["id"]);
    assert_eq!((&again.json()["username"], &again.json()["name"]), (&json!("countess"), &json!("Ada L.")));
}

#[tokio::test]
async fn a_record_that_was_there_before_registering_is_no_new_one() {
    let (issuer, server) = start().await;
    server.get(ME, Some(&issuer.token())).await;
    let registered = server.send(Method::POST, REGISTER, &issuer.token(), json!({})).await;
    assert_eq!(registered.status, 200);
}

#[tokio::test]
async fn the_profiles_name_wins_over_clerks() {
    let (issuer, server) = start().await;
    issuer.clerk.set_user(USER, "ada@example.com", 1);
    assert_eq!(server.get(ME, Some(&issuer.token())).await.json()["name"], "Ada Lovelace");
    let changed = server.send(Method::PATCH, ME, &issuer.token(), json!({"name": " The Countess "})).await;
    assert_eq!((changed.status, &changed.json()["name"]), (200, &json!("The Countess")));
    assert_eq!(server.get(ME, Some(&issuer.token())).await.json()["name"], "The Countess");
}

#[tokio::test]
async fn a_profile_takes_its_own_members_alone() {
    let (issuer, server) = start().await;
    let token = issuer.token();
    for body in [
        json!({"role": "admin"}),
        json!({"is_active": true, "name": "Ada"}),
        json!({"name": ""}),
        json!({"name": "a".repeat(101)}),
        json!({"username": "a".repeat(51)}),
        json!({"name": "a\nb"}),
        json!({"name": 1}),
        json!([]),
    ] {
        for (method, path) in [(Method::POST, REGISTER), (Method::PATCH, ME)] {
            let refused = server.send(method, path, &token, body.clone()).await;
            assert_eq!((refused.status, refused.code().as_str()), (400, "malformed-body"), "{body}");
        }
    }
    let me = server.get(ME, Some(&token)).await.json();
    assert_eq!((&me["name"], &me["username"]), (&Value::Null, &Value::Null));
    let longest = json!({"name": "é".repeat(100), "username": "é".repeat(50)});
    assert_eq!(server.send(Method::PATCH, ME, &token, longest).await.status, 200);
}

#[tokio::test]
async fn broken_bodies_have_their_own_answers() {
    let (issuer, server) = start().await;
    let post = |kind: &'static str, body: Vec<u8>| {
        let request = server.request(Method::POST, REGISTER).bearer_auth(issuer.token());
        let request = request.header("content-type", kind).body(body);
        async move { Answer::of(request.send().await.unwrap()).await }
    };
    let answers = [
        (post("application/json", b"{\"name\":".to_vec()).await, 400, "malformed-body"),
        (post("application/json", b"{\"name\":\"a\",\"name\":\"b\"}".to_vec()).await, 400, "malformed-body"),
        (post("application/json", b"{\"name\":\"\xff\"}".to_vec()).await, 400, "malformed-body"),
        (post("application/json", Vec::new()).await, 400, "malformed-body"),
        (post("text/plain", b"{}".to_vec()).await, 415, "unsupported-media-type"),
        (post("application/x-www-form-urlencoded", b"name=a".to_vec()).await, 415, "unsupported-media-type"),
        (post("application/json", vec![b' '; 64 * 1024 + 1]).await, 413, "body-too-large"),
    ];
    for (answer, status, code) in answers {
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{answer:?}");
    }
    assert_eq!(post("Application/JSON; charset=utf-8", b"{}".to_vec()).await.status, 201);
}

#[tokio::test]
async fn a_body_without_a_length_is_bounded_all_the_same() {
    let (issuer, server) = start().await;
    let head = format!(
        "POST {REGISTER} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n",
        issuer.token()
    );
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    let answer = raw(&server, &[head.as_str(), &chunk.repeat(5)].concat()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("body-too-large"), "{answer}");
}

#[tokio::test]
async fn headers_beyond_the_limit_are_refused() {
    let (_issuer, server) = start().await;
    let with = |bytes: usize| {
        let request = server.request(Method::GET, "/health").header("cookie", "a".repeat(bytes));
        async move { Answer::of(request.send().await.unwrap()).await }
    };
    assert_eq!(with(39 * 1024).await.status, 200);
    let refused = with(41 * 1024).await;
    assert_eq!((refused.status, refused.code().as_str()), (431, "headers-too-large"));
    assert_eq!(with(70 * 1024).await.status, 431);
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let answer = raw(&server, &format!("GET /health HTTP/1.1\r\nhost: a\r\n{many}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431 ") && answer.contains("headers-too-large"), "{answer}");
}

#[tokio::test]
async fn each_path_names_the_methods_that_it_has() {
    let (_issuer, server) = start().await;
    for (path, methods) in [
        ("/", "GET, HEAD, OPTIONS"),
        ("/health", "GET, HEAD, OPTIONS"),
        ("/ready", "GET, HEAD, OPTIONS"),
        (ME, "GET, HEAD, PATCH, OPTIONS"),
        ("/api/users/me", "GET, HEAD, OPTIONS"),
        (REGISTER, "POST, OPTIONS"),
        (VERIFY, "GET, HEAD, OPTIONS"),
        (JWKS, "GET, HEAD, OPTIONS"),
    ] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = Answer::of(server.request(method.clone(), path).send().await.unwrap()).await;
            if methods.split(", ").any(|known| known == method.as_str()) {
                assert_ne!(answer.status, 405, "{method} {path}");
            } else {
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (405, "method-not-allowed"),
                    "{method} {path}"
                );
                assert_eq!(answer.header("allow"), methods, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() {
    let (issuer, server) = start().await;
    assert_eq!(server.get("/api/auth/me/", Some(&issuer.token())).await.status, 200);
    let answer = Answer::of(server.request(Method::DELETE, "/api/auth/me/").send().await.unwrap()).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD, PATCH, OPTIONS"));
}

#[tokio::test]
async fn an_unknown_path_is_not_found_whatever_it_looks_like() {
    let (issuer, server) = start().await;
    for path in [
        "/api",
        "/api/auth",
        "/api/auth/me/x",
        "/API/auth/me",
        "/api//auth/me",
        "/api/auth/%6de",
        "/api/auth/me;x",
        "/x",
    ] {
        let answer = server.get(path, Some(&issuer.token())).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not-found"), "{path}");
    }
}

/// Attack classes 48, 52, 53, 54: what is public is so by its path alone, whatever a query or a header says.
#[tokio::test]
async fn no_query_and_no_header_makes_a_protected_path_public() {
    let (_issuer, server) = start().await;
    let plain = [("accept", "*/*")];
    let magic = [
        ("user-agent", "kube-probe/1.31"),
        ("user-agent", "GoogleHC/1.0"),
        ("x-forwarded-uri", "/health"),
        ("x-original-url", "/health"),
        ("x-rewrite-url", "/health"),
        ("x-http-method-override", "OPTIONS"),
        ("x-middleware-subrequest", "middleware:middleware:middleware:middleware:middleware"),
    ];
    for path in
        [ME, "/api/auth/me?/health", "/api/auth/me?x=/.well-known/jwks.json", "/api/auth/me?a=1;/health"]
    {
        for (name, value) in plain.into_iter().chain(magic) {
            let request = server.request(Method::GET, path).header(name, value);
            let answer = Answer::of(request.send().await.unwrap()).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (401, "token-missing"),
                "{path} {name}: {value}"
            );
        }
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let (issuer, server) = start().await;
    for path in ["/", "/health", ME] {
        let got = server.get(path, Some(&issuer.token())).await;
        let request = server.request(Method::HEAD, path).bearer_auth(issuer.token());
        let head = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((head.status, head.text.as_str()), (got.status, ""));
        assert_eq!(head.header("content-length"), got.header("content-length"));
    }
}

#[tokio::test]
async fn health_and_root_say_what_they_always_say() {
    let (_issuer, server) = start().await;
    assert_eq!(server.get("/health", None).await.json(), json!({"status": "ok"}));
    assert_eq!(server.get("/", None).await.json(), json!({"message": "doorward", "status": "healthy"}));
}

#[tokio::test]
async fn every_answer_has_the_headers_that_protect_it() {
    let (issuer, server) = start().await;
    for answer in [
        server.get("/health", None).await,
        server.get(ME, None).await,
        server.get(ME, Some(&issuer.token())).await,
    ] {
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
        assert_eq!(answer.header("strict-transport-security"), "", "never over http");
        assert_eq!(answer.header("server"), "");
    }
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_503_and_never_401() {
    let (issuer, server) = start().await;
    issuer.clerk.be(Mood::Status(500, ""));
    for path in [ME, VERIFY] {
        let answer = server.get(path, Some(&issuer.token())).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "keys-unavailable"), "{answer:?}");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
        assert_eq!(answer.header("www-authenticate"), "");
    }
    // What can be told without a key still is.
    assert_eq!(
        server.get(ME, Some(&issuer.token_with(json!({"iss": "https://x.example"})))).await.status,
        401
    );
}

#[tokio::test]
async fn ready_says_whether_keys_and_store_can_be_had() {
    let (issuer, server) = start().await;
    server.get(ME, Some(&issuer.token())).await;
    server.clock.advance(Duration::from_secs(7));
    let ready = server.get("/ready", None).await;
    assert_eq!(ready.status, 200);
    assert_eq!(
        ready.json(),
        json!({"status": "ready", "store": "ready", "keys": {"age_seconds": 7, "stale": false}, "cache": "ready"})
    );
}

#[tokio::test]
async fn a_server_without_keys_is_not_ready_and_alive() {
    let issuer = TestIssuer::start().await;
    issuer.clerk.be(Mood::HangsUp);
    let server = TestServer::start(&issuer, &[]).await;
    let ready = server.get("/ready", None).await;
    assert_eq!((ready.status, &ready.json()["status"]), (503, &json!("unavailable")));
    assert_eq!(ready.json()["keys"]["age_seconds"], Value::Null);
    assert_eq!(server.get("/health", None).await.status, 200);
}

#[tokio::test]
async fn verify_names_the_principal_and_needs_no_user() {
    let (issuer, server) = start().await;
    let verified = server.get(VERIFY, Some(&issuer.token_with(json!({"o": {"id": "org_1"}})))).await;
    assert_eq!((verified.status, verified.text.as_str()), (204, ""));
    assert_eq!(verified.header("x-auth-user-id"), USER);
    assert_eq!(verified.header("x-auth-session-id"), SESSION);
    assert_eq!(verified.header("x-auth-org-id"), "org_1");
    let without = server.get(VERIFY, Some(&issuer.token())).await;
    assert_eq!(
        without.headers.get("x-auth-org-id").unwrap(),
        "",
        "present, so that it overwrites the client's own"
    );
    assert_eq!(issuer.clerk.user_requests(), 0);
    assert_eq!(server.get(VERIFY, None).await.status, 401);
    assert_eq!(server.get(VERIFY, Some(&issuer.forged())).await.status, 401);
}

#[tokio::test]
async fn the_key_snapshot_has_a_name_and_the_time_of_asking() {
    let (issuer, server) = start().await;
    server.get(ME, Some(&issuer.token())).await;
    server.clock.advance(Duration::from_secs(60));
    let keys = server.get(JWKS, None).await;
    assert_eq!(keys.status, 200);
    assert_eq!(keys.json()["keys"][0]["kid"], "ins_tests_one");
    assert_eq!(keys.header("content-type"), "application/json");
    assert_eq!(keys.header("cache-control"), "public, max-age=60");
    assert_eq!(keys.header("x-doorward-asked-at"), NOON.as_secs().to_string());
    let request = server.request(Method::GET, JWKS).header("if-none-match", keys.header("etag"));
    let same = Answer::of(request.send().await.unwrap()).await;
    assert_eq!((same.status, same.text.as_str()), (304, ""));
    assert_eq!(same.header("x-doorward-asked-at"), NOON.as_secs().to_string());
}

#[tokio::test]
async fn there_is_no_snapshot_of_keys_that_are_not_there() {
    let issuer = TestIssuer::start().await;
    issuer.clerk.be(Mood::HangsUp);
    let server = TestServer::start(&issuer, &[]).await;
    let keys = server.get(JWKS, None).await;
    assert_eq!((keys.status, keys.code().as_str()), (503, "keys-unavailable"));
}

#[tokio::test]
async fn a_rotation_and_a_rekeying_are_followed() {
    let (issuer, server) = start().await;
    assert_eq!(server.get(VERIFY, Some(&issuer.token())).await.status, 204);
    server.clock.advance(Duration::from_secs(120));
    let later = NOON.plus(Duration::from_secs(120));
    issuer.rekey();
    assert_eq!(server.get(VERIFY, Some(&issuer.token_at(later, json!({})))).await.status, 204);
    server.clock.advance(Duration::from_secs(120));
    let later = NOON.plus(Duration::from_secs(240));
    issuer.rotate();
    assert_eq!(server.get(VERIFY, Some(&issuer.token_at(later, json!({})))).await.status, 204);
}

const PRODUCTION: [(&str, &str); 4] = [
    ("ENVIRONMENT", "production"),
    ("ALLOW", "test keys in production, data that is lost with the container"),
    ("CORS_ORIGINS", "https://app.example.com"),
    ("AUTHORIZED_PARTIES", "any party"),
];

#[tokio::test]
async fn production_answers_https_alone() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &PRODUCTION).await;
    for path in ["/", ME, VERIFY, JWKS, "/nowhere"] {
        let request = server.request(Method::GET, path).bearer_auth(issuer.token());
        let refused = Answer::of(request.header("x-forwarded-proto", "https").send().await.unwrap()).await;
        assert_eq!((refused.status, refused.code().as_str()), (403, "https-required"), "{path}");
        assert_eq!(refused.header("location"), "");
    }
    assert_eq!(server.get("/health", None).await.status, 200);
    assert_ne!(server.get("/ready", None).await.status, 403);
}

#[tokio::test]
async fn a_trusted_proxy_says_that_it_was_https() {
    let issuer = TestIssuer::start().await;
    let trusting = [&PRODUCTION[..], &[("TRUSTED_PROXIES", "private")]].concat();
    let server = TestServer::start(&issuer, &trusting).await;
    for (proto, status) in [("https", 200), ("http", 403), ("https, http", 403), ("http, https", 403)] {
        let request = server.request(Method::GET, ME).bearer_auth(issuer.token());
        let answer = Answer::of(request.header("x-forwarded-proto", proto).send().await.unwrap()).await;
        assert_eq!(answer.status, status, "{proto}: {answer:?}");
        assert_eq!(answer.header("strict-transport-security").is_empty(), status != 200);
    }
    assert_eq!(server.get(ME, Some(&issuer.token())).await.status, 403, "without the header");
}

#[tokio::test]
async fn a_cookie_is_taken_only_where_that_is_said() {
    let (issuer, server) = start().await;
    let asked = |server: &TestServer, method: Method, origin: Option<&str>, cookie: String| {
        let mut request = server.request(method, ME).header("cookie", cookie).json(&json!({}));
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        async move { Answer::of(request.send().await.unwrap()).await }
    };
    let cookie = || format!("__session={}; __client_uat=1", issuer.token());
    let off = asked(&server, Method::GET, None, cookie()).await;
    assert_eq!((off.status, off.code().as_str()), (401, "cookie-auth-off"));

    let server = TestServer::start(&issuer, &[("COOKIE_AUTH", "on")]).await;
    assert_eq!(asked(&server, Method::GET, None, cookie()).await.status, 200);
    assert_eq!(asked(&server, Method::PATCH, Some(ORIGIN), cookie()).await.status, 200);
    let elsewhere = asked(&server, Method::PATCH, Some("https://evil.example.com"), cookie()).await;
    assert_eq!((elsewhere.status, elsewhere.code().as_str()), (403, "origin-refused"));
    let nowhere = asked(&server, Method::PATCH, None, cookie()).await;
    assert_eq!((nowhere.status, nowhere.code().as_str()), (403, "origin-refused"));
    let rescued = server.request(Method::GET, ME).header("cookie", cookie()).bearer_auth("null");
    assert_eq!(rescued.send().await.unwrap().status(), 401, "a header that fails is not rescued by a cookie");
}

#[tokio::test]
async fn a_write_behind_a_proxy_is_none_the_less_a_write() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[("COOKIE_AUTH", "on")]).await;
    let asked = |method: Option<&'static str>| {
        let mut request = server.request(Method::GET, VERIFY);
        request = request.header("cookie", format!("__session={}; __client_uat=1", issuer.token()));
        if let Some(method) = method {
            request = request.header("x-forwarded-method", method);
        }
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(asked(Some("GET")).await, 204);
    assert_eq!(asked(Some("POST")).await, 403);
    assert_eq!(asked(None).await, 403);
}

#[tokio::test]
async fn an_address_that_is_refused_all_the_time_is_told_to_wait_and_good_tokens_still_pass() {
    let logs = Logs::capture();
    let (issuer, server) = start().await;
    let mut statuses = Vec::new();
    for _ in 0..302 {
        statuses.push(server.get(VERIFY, Some("hello")).await.status);
    }
    assert_eq!((statuses[299], statuses[300]), (401, 429));
    let told = server.get(VERIFY, Some(&issuer.forged())).await;
    assert_eq!((told.code().as_str(), told.header("retry-after")), ("too-many-requests", "1"));
    assert_eq!(server.get(VERIFY, Some(&issuer.token())).await.status, 204);
    let expired = issuer.token_with(json!({"exp": NOON.as_secs() - 60}));
    assert_eq!(
        server.get(VERIFY, Some(&expired)).await.code(),
        "token-expired",
        "a genuine token hears what it needs"
    );
    assert_eq!(logs.count("Could not validate credentials"), 301);
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(server.get(VERIFY, Some("hello")).await.status, 401);
}

/// Sends text, and reads what comes until the server closes the connection.
async fn raw(server: &TestServer, text: &str) -> String {
    let address = server.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut some = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut some).await {
        answer.extend_from_slice(&some[..read]);
        if text.contains("transfer-encoding") {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_profile_is_an_object_and_never_a_list_of_its_members() {
    let (issuer, server) = start().await;
    for body in [r#"["hacker","Positional"]"#, "[]", "null", "\"x\"", "1"] {
        let request = server.request(Method::PATCH, ME).bearer_auth(issuer.token());
        let request = request.header("content-type", "application/json").body(body);
        let refused = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "malformed-body"), "{body}");
    }
}

#[tokio::test]
async fn a_slash_at_the_end_keeps_the_allowed_methods() {
    let (_issuer, server) = start().await;
    let answer = server.request(Method::DELETE, "/api/auth/me/").send().await.unwrap();
    assert_eq!(answer.status(), 405);
    assert!(answer.headers().contains_key("allow"));
}

#[tokio::test]
async fn a_request_for_a_tunnel_is_answered_and_causes_no_panic() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let (_issuer, server) = start().await;
    let address = server.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    socket.write_all(b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}
