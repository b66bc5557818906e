//! The server's clock is set forward and back, as after a suspension or by a time server that was wrong for a while.

use std::time::Duration;

use doorward_verifier::UnixTime;
use serde_json::json;
use tests::NOON;
use tests::clerk::Mood;
use tests::issuer::{SESSION, TestIssuer, USER};
use tests::server::TestServer;

const ME: &str = "/api/auth/me";
const VERIFY: &str = "/api/auth/verify";
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn start() -> (TestIssuer, TestServer) {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[]).await;
    (issuer, server)
}

/// The status, and the code where it is a refusal.
async fn outcome(server: &TestServer, path: &str, token: &str) -> (u16, String) {
    let answer = server.get(path, Some(token)).await;
    let code = if answer.status < 300 { String::new() } else { answer.code() };
    (answer.status, code)
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn good() -> (u16, String) {
    (200, String::new())
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_ends_old_tokens_and_takes_new_ones() {
    for ahead in [HOUR, 2 * DAY, 3650 * DAY] {
        let (issuer, server) = start().await;
        let old = issuer.token();
        assert_eq!(outcome(&server, ME, &old).await, good());
        server.clock.set(NOON.plus(ahead));
        assert_eq!(outcome(&server, ME, &old).await, refused(401, "token-expired"), "{ahead:?}");
        let new = issuer.token_at(NOON.plus(ahead), json!({}));
        assert_eq!(outcome(&server, ME, &new).await, good(), "{ahead:?}");
        // It was wrong, and is set right.
        server.clock.set(NOON);
        assert_eq!(outcome(&server, ME, &old).await, good(), "{ahead:?}");
        assert_eq!(outcome(&server, ME, &new).await.0, 401, "{ahead:?}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_token_that_was_accepted_is_judged_anew_when_the_clock_goes_back() {
    for back in [Duration::from_secs(60), HOUR, 3650 * DAY] {
        let (issuer, server) = start().await;
        let token = issuer.token_at(NOON, json!({"nbf": null}));
        assert_eq!(outcome(&server, ME, &token).await, good());
        server.clock.set(NOON.minus(back));
        let judged = outcome(&server, ME, &token).await;
        assert_eq!(judged, refused(401, "token-iat-in-the-future"), "{back:?}");
        let of_then = issuer.token_at(NOON.minus(back), json!({}));
        assert_eq!(outcome(&server, ME, &of_then).await, good(), "{back:?}");
        server.stop().await;
    }
}

#[tokio::test]
async fn keys_of_unknown_age_are_fetched_and_are_an_outage_where_they_can_not_be() {
    let (issuer, server) = start().await;
    assert_eq!(outcome(&server, VERIFY, &issuer.token()).await.0, 204);
    let fetched = issuer.clerk.jwks_requests();
    server.clock.set(NOON.minus(HOUR));
    let then = issuer.token_at(NOON.minus(HOUR), json!({}));
    assert_eq!(outcome(&server, VERIFY, &then).await.0, 204);
    assert!(issuer.clerk.jwks_requests() > fetched, "how old they are is not known");
    issuer.clerk.be(Mood::HangsUp);
    server.clock.set(NOON.minus(2 * HOUR));
    let before = issuer.token_at(NOON.minus(2 * HOUR), json!({}));
    assert_eq!(outcome(&server, VERIFY, &before).await, refused(503, "keys-unavailable"));
    issuer.clerk.be(Mood::Well);
    server.clock.advance(Duration::from_secs(5));
    assert_eq!(outcome(&server, VERIFY, &before).await.0, 204, "and back at once when the issuer answers");
    server.stop().await;
}

#[tokio::test]
async fn a_session_that_was_ended_stays_ended_through_a_clock_that_is_wrong_for_a_while() {
    let (issuer, server) = start().await;
    let token = issuer.token();
    assert_eq!(outcome(&server, VERIFY, &token).await.0, 204);
    server.app.users.end_session(SESSION).await.expect("stored");
    assert_eq!(outcome(&server, VERIFY, &token).await, refused(401, "session-revoked"));
    for wrong in [NOON.plus(2 * HOUR), NOON.plus(3650 * DAY), NOON.minus(DAY), UnixTime::from_secs(0)] {
        server.clock.set(wrong);
        // As every two seconds.
        server.app.users.load_denials().await.expect("an answer");
        server.clock.set(NOON.plus(Duration::from_secs(10)));
        assert_eq!(
            outcome(&server, VERIFY, &token).await,
            refused(401, "session-revoked"),
            "after {wrong:?}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_banned_user_stays_out_through_a_clock_that_is_wrong_for_a_while() {
    let (issuer, server) = start().await;
    issuer.clerk.set_user(USER, "ada@example.com", 1);
    let token = issuer.token();
    assert_eq!(outcome(&server, ME, &token).await, good());
    let id = doorward::user::UserId::parse(USER).expect("a user id");
    server.app.users.record(&id, doorward::user::Change::Deleted).await.expect("stored");
    for wrong in [NOON.plus(2 * HOUR), NOON.minus(DAY)] {
        server.clock.set(wrong);
        server.app.users.load_denials().await.expect("an answer");
        server.clock.set(NOON.plus(Duration::from_secs(10)));
        for path in [ME, VERIFY] {
            assert_eq!(outcome(&server, path, &token).await, refused(403, "user-deleted"), "after {wrong:?}");
        }
    }
    server.stop().await;
}
