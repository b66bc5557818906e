//! Several servers on one store: how soon a change through one is seen by the others.

use std::time::{Duration, Instant};

use doorward::users::FRESH;
use reqwest::Method;
use serde_json::json;
use tests::NOON;
use tests::issuer::{TestIssuer, USER};
use tests::server::{Answer, TestServer};
use tests::stores::{Fixture, Kind};

/// On a machine with much to do a database does not always answer in time.
async fn patiently(ask: impl AsyncFn() -> Answer) -> Answer {
    let began = Instant::now();
    loop {
        match ask().await {
            Answer { status: 503, .. } if began.elapsed() < Duration::from_secs(60) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            answer => return answer,
        }
    }
}

async fn me(server: &TestServer, token: &str) -> Answer {
    patiently(async || server.get("/api/auth/me", Some(token)).await).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_through_one_of_three_instances_is_seen_by_the_others_within_a_minute() {
    let issuer = TestIssuer::start().await;
    issuer.clerk.set_user(USER, "ada@example.com", 1);
    for kind in [Kind::Ferretdb, Kind::MongoJava] {
        let fixture = Fixture::new(kind);
        let address = format!("mongodb://{}/", fixture.address());
        let settings = [("MONGODB_URI", address.as_str()), ("MONGODB_DB_NAME", fixture.database())];
        let mut servers = Vec::new();
        for _ in 0..3 {
            servers.push(TestServer::start(&issuer, &settings).await);
        }
        // All of them know the user, and go on without asking for a minute.
        for server in &servers {
            let me = me(server, &issuer.token()).await;
            assert_eq!(me.json()["name"], "Ada Lovelace", "{kind:?}: {me:?}");
        }
        let changed = patiently(async || {
            let change = json!({ "name": "Countess" });
            servers[0].send(Method::PATCH, "/api/auth/me", &issuer.token(), change).await
        })
        .await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let own = me(&servers[0], &issuer.token()).await;
        assert_eq!(own.json()["name"], "Countess", "whoever writes reads it at once");
        let later = issuer.token_at(NOON.plus(FRESH), json!({}));
        for server in &servers {
            server.clock.advance(FRESH);
            let me = me(server, &later).await;
            assert_eq!(me.json()["name"], "Countess", "{kind:?}: {me:?}");
        }
        for server in servers {
            server.stop().await;
        }
        fixture.remove().await;
    }
}
