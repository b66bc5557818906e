//! The HTTP API, from outside: a server on a port, and requests to it.

use tests::issuer::{TestIssuer, USER};
use tests::server::TestServer;

#[tokio::test]
async fn a_good_token_gets_its_user() {
    let issuer = TestIssuer::start().await;
    let server = TestServer::start(&issuer, &[]).await;
    let me = server.get("/api/auth/me", Some(&issuer.token())).await;
    assert_eq!(me.status, 200, "{me:?}");
    assert_eq!(me.json()["clerk_id"], USER);
}
