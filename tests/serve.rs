//! `doorward serve`, `config` and `health` as programs: exit codes, what they print, how they stop.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use doorward_verifier::UnixTime;
use reqwest::Client;
use serde_json::{Value, json};
use tests::clerk::SECRET_KEY;
use tests::command::{self, Ended, Running};
use tests::issuer::{TestIssuer, USER};

/// A program tells the time by itself.
fn now() -> UnixTime {
    UnixTime::default().plus(SystemTime::now().duration_since(UNIX_EPOCH).unwrap())
}

async fn serve(issuer: &TestIssuer, folder: &Path, more: &[(&str, &str)]) -> (Running, String) {
    let (key, api) = (issuer.publishable_key(), issuer.url());
    let usual = [
        ("CLERK_PUBLISHABLE_KEY", key.as_str()),
        ("CLERK_API_URL", &api),
        ("CLERK_SECRET_KEY", SECRET_KEY),
        ("PORT", "0"),
    ];
    Running::serve(folder, &[&usual, more].concat()).await
}

async fn me(url: &str, token: &str) -> (u16, Value) {
    let client = Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("{url}/api/auth/me")).bearer_auth(token).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_server_says_what_it_does_from_its_start_to_its_end() {
    let (issuer, folder) = (TestIssuer::start().await, tempfile::tempdir().unwrap());
    let (server, url) = serve(&issuer, folder.path(), &[]).await;
    assert_eq!(me(&url, &issuer.token_at(now(), json!({}))).await.0, 200);
    assert_eq!(me(&url, &issuer.token()).await.1["code"], "token-expired");
    let Ended { code, out, err } = server.terminate().await;
    assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
    for line in [
        "WARN Using test Clerk keys",
        "INFO ✅ Database connected and initialized",
        "INFO ✅ Using Clerk authentication",
        &format!("INFO ✅ Clerk token verified for user: {USER}"),
        "INFO ✅ Created new user from Clerk",
        "INFO ❌ JWT verification error: expired at ",
        "INFO ❌ Could not validate credentials code=token-expired",
        "INFO stopped",
    ] {
        assert_eq!(err.matches(line).count(), 1, "{line}: {err}");
    }
    assert!(!err.contains(SECRET_KEY));
}

#[tokio::test]
async fn a_log_in_json_hides_users_where_that_is_said() {
    let (issuer, folder) = (TestIssuer::start().await, tempfile::tempdir().unwrap());
    let settings = [("LOG_FORMAT", "json"), ("LOG_USER_ID", "hash")];
    let (server, url) = serve(&issuer, folder.path(), &settings).await;
    let (_, user) = me(&url, &issuer.token_at(now(), json!({}))).await;
    assert_eq!(user["clerk_id"], USER);
    let Ended { err, .. } = server.terminate().await;
    let lines: Vec<Value> = err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verified =
        |line: &&Value| line["message"].as_str().unwrap().starts_with("Clerk token verified for user: ");
    assert_eq!(lines.iter().filter(verified).count(), 1);
    assert!(!err.contains(USER), "{err}");
}

#[tokio::test]
async fn the_dotenv_file_of_the_folder_is_read() {
    let (issuer, folder) = (TestIssuer::start().await, tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join(".env"), "LOG_FORMAT='json'\r\nPORT=1\r\n").unwrap();
    let (server, _) = serve(&issuer, folder.path(), &[]).await;
    assert!(server.err().starts_with('{'), "{}", server.err());
    server.terminate().await;
    assert!(folder.path().join(".doorward").is_dir(), "the default data folder");
}

#[tokio::test]
async fn bad_settings_end_every_command_that_needs_them_with_2() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["serve"][..], &[], &["config"], &["config", "--json"]] {
        let settings = [("PORT", "http"), ("DEBUG", "maybe"), ("CLERK_SECRET_KEY", "pk_live_canary")];
        let ended = command::run(folder.path(), &settings, arguments).await;
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{arguments:?}: {ended:?}");
        for name in ["PORT", "DEBUG", "CLERK_SECRET_KEY", "CLERK_PUBLISHABLE_KEY"] {
            assert!(ended.err.contains(&format!("  {name}: expected ")), "{name}: {}", ended.err);
        }
        assert!(!ended.err.contains("canary"));
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let (issuer, folder) = (TestIssuer::start().await, tempfile::tempdir().unwrap());
    let (key, port) = (issuer.publishable_key(), issuer.url());
    let port = port.rsplit(':').next().unwrap();
    let ended =
        command::run(folder.path(), &[("CLERK_PUBLISHABLE_KEY", &key), ("PORT", port)], &["serve"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains(&format!("127.0.0.1:{port} can't be listened on")), "{}", ended.err);
}

#[tokio::test]
async fn config_prints_what_is_in_force_for_people_and_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("CLERK_ISSUER", "https://clerk.example.com"), ("CLERK_SECRET_KEY", "sk_test_canary")];
    let text = command::run(folder.path(), &settings, &["config"]).await;
    assert_eq!(text.code, Some(0));
    assert!(text.out.contains("CLERK_SECRET_KEY=sk_test_…  (environment)\n"), "{}", text.out);
    assert!(text.out.contains("# keys: https://clerk.example.com/.well-known/jwks.json\n"), "{}", text.out);
    let json = command::run(folder.path(), &settings, &["config", "--json"]).await;
    let json: Value = serde_json::from_str(&json.out).unwrap();
    let port = json["settings"].as_array().unwrap().iter().find(|setting| setting["name"] == "PORT").unwrap();
    assert_eq!(*port, json!({"name": "PORT", "value": "8000", "source": "default"}));
    assert!(!text.out.contains("canary"));
}

#[tokio::test]
async fn health_asks_the_server_that_the_settings_start() {
    let (issuer, folder) = (TestIssuer::start().await, tempfile::tempdir().unwrap());
    let (server, url) = serve(&issuer, folder.path(), &[]).await;
    let port = url.rsplit(':').next().unwrap();
    for host in ["127.0.0.1", "0.0.0.0"] {
        let well = command::run(folder.path(), &[("HOST", host), ("PORT", port)], &["health"]).await;
        assert_eq!((well.code, well.err.as_str()), (Some(0), ""));
    }
    server.terminate().await;
    let gone = command::run(folder.path(), &[("PORT", port)], &["health"]).await;
    assert_eq!(gone.code, Some(1));
    assert!(gone.err.starts_with(&format!("127.0.0.1:{port}/health: ")), "{}", gone.err);
}

#[tokio::test]
async fn health_speaks_tls_to_a_server_that_does() {
    let (issuer, folder) = (TestIssuer::start().await, tempfile::tempdir().unwrap());
    let pair = rcgen::generate_simple_self_signed(["api.example.com".to_owned()]).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    std::fs::write(&certificate, pair.cert.pem()).unwrap();
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let tls = [("TLS_CERTIFICATE", certificate.as_str()), ("TLS_PRIVATE_KEY", &key)];
    let environment = [("CLERK_PUBLISHABLE_KEY", issuer.publishable_key()), ("PORT", "0".to_owned())];
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| (*name, value.as_str())).chain(tls).collect();
    let mut server = Running::spawn(folder.path(), &environment, &["serve"]);
    let log = server.logged("listening on https://").await;
    let port =
        log.split("listening on https://127.0.0.1:").nth(1).unwrap().split_whitespace().next().unwrap();
    let well = command::run(folder.path(), &[&[("PORT", port)], &tls[..]].concat(), &["health"]).await;
    assert_eq!((well.code, well.err.as_str()), (Some(0), ""));
    let plain = command::run(folder.path(), &[("PORT", port)], &["health"]).await;
    assert_eq!(plain.code, Some(1));
}
