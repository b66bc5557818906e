//! What people on call do: keys that they withdraw, servers that meet in one folder, settings that are wrong.

use doorward_verifier::UnixTime;
use serde_json::{Value, json};
use tests::clerk::SECRET_KEY;
use tests::command::{Running, run};
use tests::issuer::TestIssuer;
use tests::server::TestServer;
use tests::stores::{Fixture, Kind};

fn now() -> UnixTime {
    doorward::clock::Clock::now(&doorward::clock::SystemClock)
}

async fn status(url: &str, token: &str) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("{url}/api/auth/verify")).bearer_auth(token).send().await.unwrap();
    answer.status().as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_listed_refreshed_and_withdrawn_by_way_of_the_running_server_and_without_one() {
    let issuer = TestIssuer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (key, url) = (issuer.publishable_key(), issuer.url());
    let environment = [
        ("CLERK_PUBLISHABLE_KEY", key.as_str()),
        ("CLERK_API_URL", &url),
        ("CLERK_SECRET_KEY", SECRET_KEY),
        ("DATA_DIR", "."),
        ("PORT", "0"),
    ];
    let keys = async |arguments: &[&str]| {
        let ended = run(folder.path(), &environment, &[&["keys", "--json"], arguments].concat()).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        serde_json::from_str::<Value>(&ended.out).unwrap()
    };
    let (server, server_url) = Running::serve(folder.path(), &environment).await;
    let token = issuer.token_at(now(), json!({}));
    assert_eq!(status(&server_url, &token).await, 204);
    assert_eq!(keys(&["list"]).await["kids"], json!(["ins_tests_one"]));
    let asked = issuer.clerk.jwks_requests();
    keys(&["refresh"]).await;
    assert_eq!(issuer.clerk.jwks_requests(), asked + 1);

    assert_eq!(keys(&["drop", "ins_tests_one"]).await["withdrawn"], json!(["ins_tests_one"]));
    assert_eq!(status(&server_url, &token).await, 401);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let published = client.get(format!("{server_url}/.well-known/jwks.json")).send().await.unwrap();
    assert!(!published.text().await.unwrap().contains("ins_tests_one"), "nor is it passed on");
    assert_eq!(server.terminate().await.code, Some(0));

    // It is stored: the next server knows it from its first request on, and so does a command.
    assert_eq!(keys(&["list"]).await["withdrawn"], json!(["ins_tests_one"]));
    let (server, server_url) = Running::serve(folder.path(), &environment).await;
    assert_eq!(status(&server_url, &token).await, 401);
    keys(&["drop", "--undo", "ins_tests_one"]).await;
    assert_eq!(status(&server_url, &token).await, 204);
    let people = run(folder.path(), &environment, &["keys", "list"]).await;
    assert!(people.out.contains("key        ins_tests_one\n1 keys in use"), "{people:?}");
    let misspelled = run(folder.path(), &environment, &["keys", "drop", "ins_test_one"]).await;
    assert!(misspelled.err.contains("is it the right one?"), "{misspelled:?}");
    let refused = run(folder.path(), &environment, &["keys", "drop", ""]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(server.terminate().await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawn_key_is_out_of_use_on_every_instance_within_five_seconds() {
    let issuer = TestIssuer::start().await;
    let fixture = Fixture::new(Kind::MongoJava);
    let address = format!("mongodb://{}/", fixture.address());
    let settings = [("MONGODB_URI", address.as_str()), ("MONGODB_DB_NAME", fixture.database())];
    let one = TestServer::start(&issuer, &settings).await;
    let other = TestServer::start(&issuer, &settings).await;
    let token = issuer.token();
    assert_eq!(one.get("/api/auth/verify", Some(&token)).await.status, 204);
    assert_eq!(other.get("/api/auth/verify", Some(&token)).await.status, 204);
    let kid = doorward_verifier::KeyId::parse("ins_tests_one").unwrap();
    one.app.keys.withdraw(&kid, true).await.unwrap();
    assert_eq!(one.get("/api/auth/verify", Some(&token)).await.code(), "denied-kid");
    let began = std::time::Instant::now();
    while other.get("/api/auth/verify", Some(&token)).await.status == 204 {
        // Two looks of two seconds each, on a machine with other things to do.
        assert!(began.elapsed() < std::time::Duration::from_secs(60));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    println!("operations: a withdrawn key was out of use elsewhere after {:?}", began.elapsed());
    assert_eq!(other.get("/api/auth/verify", Some(&token)).await.code(), "denied-kid");
    one.stop().await;
    other.stop().await;
    fixture.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_waits_for_a_folder_says_so_and_can_be_stopped() {
    let issuer = TestIssuer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (key, url) = (issuer.publishable_key(), issuer.url());
    let environment =
        [("CLERK_PUBLISHABLE_KEY", key.as_str()), ("CLERK_API_URL", &url), ("DATA_DIR", "."), ("PORT", "0")];
    let (first, _) = Running::serve(folder.path(), &environment).await;
    let mut second = Running::spawn(folder.path(), &environment, &["serve"]);
    let log = second.logged("waiting for it for up to 10 s").await;
    assert!(log.contains("is in use by another process"), "{log}");
    assert_eq!(second.terminate().await.code, Some(0));
    assert_eq!(first.terminate().await.code, Some(0));
}

#[tokio::test]
async fn mistakes_about_mongodb_are_told_with_the_others_and_quote_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    for uri in [
        "mongodb://root:hunter2hunter2@",
        "mongodb://root:hunter2hunter2@host:port/",
        "mongodb://root:hunter2hunter2@host/?tls=maybe",
        "mongodb://root:hunter2@hunter2@host/",
        "mongodb://root:hunter2hunter2@host/?socketTimeoutMS=5",
    ] {
        let environment = [("MONGODB_URI", uri), ("MONGODB_DB_NAME", "a.b"), ("PORT", "high")];
        let ended = run(folder.path(), &environment, &["serve"]).await;
        assert_eq!(ended.code, Some(2), "{uri}: {ended:?}");
        for setting in
            ["\n  MONGODB_URI: ", "\n  MONGODB_DB_NAME: ", "\n  PORT: ", "\n  CLERK_PUBLISHABLE_KEY: "]
        {
            assert!(ended.err.contains(setting), "{uri}: {}", ended.err);
        }
        assert!(!ended.err.contains("hunter2") && !ended.err.contains("root"), "{uri}: {}", ended.err);
        assert!(!ended.err.contains("Error {") && !ended.err.contains("kind:"), "{uri}: {}", ended.err);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_token_of_any_instance_is_told_without_one() {
    let folder = tempfile::tempdir().unwrap();
    for (token, code) in
        [("null", "token-is-null"), ("sk_test_abcdefgh", "key-instead-of-token"), ("a.b", "malformed-token")]
    {
        let ended = run(folder.path(), &[], &["inspect", token]).await;
        assert!(ended.code == Some(1) && ended.out.contains(code), "{token}: {ended:?}");
    }
    let good = TestIssuer::start().await.token();
    let ended = run(folder.path(), &[], &["inspect", &good]).await;
    assert!(ended.code == Some(2) && ended.err.contains("CLERK_PUBLISHABLE_KEY"), "{ended:?}");
}
