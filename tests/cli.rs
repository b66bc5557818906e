//! The command line, as people use it: `dev`, `token`, `inspect`, and the local issuer behind them.

use std::path::Path;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tests::command::{Ended, Running, run, run_with_input};

/// 2026-11-24T10:00:00Z
const NOW: &str = "1795514400";

/// Every shape of token: the arguments that ask for it, and the code of the server's and the inspector's answer.
const SHAPES: [(&[&str], &str); 16] = [
    (&[], "ok"),
    (&["--v1"], "ok"),
    (&["--org"], "ok"),
    (&["--v1", "--org", "acme"], "ok"),
    (&["--impersonated"], "ok"),
    (&["--user", "user_grace"], "ok"),
    (&["--claims", r#"{"plan":{"name":"gold"},"azp":"http://127.0.0.1:5173"}"#], "ok"),
    (&["--expired"], "token-expired"),
    (&["--forged"], "wrong-signature"),
    (&["--pending"], "session-pending"),
    (&["--template"], "template-token"),
    (&["--azp", "https://evil.example.com"], "wrong-azp"),
    (&["--claims", r#"{"azp":null}"#], "missing-azp"),
    (&["--claims", r#"{"sub":null}"#], "missing-sub"),
    (&["--claims", r#"{"iss":"https://clerk.other.example.com"}"#], "wrong-iss"),
    (&["--claims", r#"{"exp":"soon"}"#], "malformed-exp"),
];

/// A `doorward dev` and its folder.
struct Dev {
    folder: TempDir,
    running: Running,
}

impl Dev {
    async fn start() -> Dev {
        let folder = tempdir().unwrap();
        let running = Running::dev(folder.path()).await;
        Dev { folder, running }
    }

    async fn command(&self, arguments: &[&str]) -> Ended {
        command(self.folder.path(), arguments).await
    }

    async fn token(&self, arguments: &[&str]) -> String {
        token(self.folder.path(), arguments).await
    }

    async fn me(&self, token: &str) -> Value {
        get(&format!("{}/api/auth/me", self.running.url()), token).await
    }
}

/// The program with the folder's issuer.
async fn command(folder: &Path, arguments: &[&str]) -> Ended {
    run(folder, &[("DATA_DIR", folder.to_str().unwrap())], arguments).await
}

async fn token(folder: &Path, arguments: &[&str]) -> String {
    let ended = command(folder, &[&["token"], arguments].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.out.strip_suffix('\n').unwrap().to_owned()
}

async fn get(url: &str, token: &str) -> Value {
    send(Method::GET, url, token, Value::Null).await.1
}

async fn send(method: Method, url: &str, bearer: &str, body: Value) -> (u16, Value) {
    let client = Client::builder().no_proxy().build().unwrap();
    let request = client.request(method, url).bearer_auth(bearer);
    let request = if body.is_null() { request } else { request.json(&body) };
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn instance(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("issuer/instance.json")).unwrap()).unwrap()
}

fn verdict(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

#[tokio::test]
async fn dev_prints_its_address_first_and_a_line_that_works_when_pasted() {
    let dev = Dev::start().await;
    let printed = dev.running.out();
    assert!(printed.lines().next().unwrap().ends_with(&dev.running.url()), "{printed}");
    let line = printed.lines().map(str::trim).find(|line| line.starts_with("curl ")).unwrap();
    let (token, url) = line
        .strip_prefix("curl -H \"Authorization: Bearer ")
        .and_then(|rest| rest.split_once("\" "))
        .unwrap_or_else(|| panic!("{line}"));
    assert_eq!(url, format!("{}/api/auth/me", dev.running.url()));
    let me = get(url, token).await;
    assert_eq!(
        (&me["clerk_id"], &me["email"], &me["name"]),
        (&json!("user_ada"), &json!("ada@example.com"), &json!("Ada Lovelace"))
    );
    let secret = instance(dev.folder.path())["secret_key"].as_str().unwrap().to_owned();
    let ended = dev.running.interrupt().await;
    assert!(!ended.out.contains(&secret) && !ended.err.contains(&secret), "a secret was printed");
    assert!(!ended.err.contains(token), "a token was logged");
}

#[tokio::test]
async fn ctrl_c_ends_dev_cleanly_and_the_next_one_goes_on_where_it_was() {
    let Dev { folder, running } = Dev::start().await;
    let first = get(&format!("{}/api/auth/me", running.url()), &token(folder.path(), &[]).await).await;
    let issuer = instance(folder.path());
    let ended = running.interrupt().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let earlier = token(folder.path(), &[]).await;
    let again = Running::dev(folder.path()).await;
    assert_eq!(instance(folder.path()), issuer);
    let second = get(&format!("{}/api/auth/me", again.url()), &earlier).await;
    assert_eq!((&second["id"], &second["created_at"]), (&first["id"], &first["created_at"]));
    assert!(!again.err().contains("Created new user"), "{}", again.err());
}

#[tokio::test]
async fn dev_listens_on_loopback_alone() {
    let folder = tempdir().unwrap();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8000", "nowhere"] {
        let ended = command(folder.path(), &["dev", "--listen", address]).await;
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{address}: {ended:?}");
    }
}

#[tokio::test]
async fn dev_says_what_is_in_its_way() {
    let dev = Dev::start().await;
    let second = dev.command(&["dev", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.err.contains("another `doorward dev` is running"), "{second:?}");

    let other = tempdir().unwrap();
    let taken = dev.running.url().replace("http://", "");
    let ended = command(other.path(), &["dev", "--listen", &taken]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains(&taken) && ended.err.contains("--listen 127.0.0.1:0"), "{ended:?}");

    let me = dev.me(&dev.token(&[]).await).await;
    assert_eq!(me["clerk_id"], "user_ada", "the first one goes on");
}

#[tokio::test]
async fn every_shape_of_token_gets_one_verdict_from_the_server_and_the_inspector() {
    let dev = Dev::start().await;
    for (shape, code) in SHAPES {
        let token = dev.token(shape).await;
        let answer = dev.me(&token).await;
        let served = answer.get("code").map_or("ok", |code| code.as_str().unwrap());
        assert_eq!(served, code, "{shape:?}: {answer}");

        let inspected = dev.command(&["inspect", "--json", &token]).await;
        let verdict = verdict(&inspected);
        assert_eq!(verdict["code"], code, "{shape:?}: {verdict}");
        assert_eq!(inspected.code, Some(i32::from(code != "ok")), "{shape:?}");
        assert_eq!(verdict["hint"].is_string(), code != "ok", "{shape:?}: {verdict}");
    }
}

#[tokio::test]
async fn token_prints_the_token_alone() {
    let dev = Dev::start().await;
    let ended = dev.command(&["token", "--user", "user_new"]).await;
    assert_eq!(ended.out.lines().count(), 1, "{ended:?}");
    assert_eq!(ended.out.matches('.').count(), 2, "{ended:?}");
    assert!(ended.err.contains("user_new"), "that a user was made is a note: {ended:?}");
}

#[tokio::test]
async fn token_without_an_issuer_says_what_to_do() {
    let folder = tempdir().unwrap();
    let ended = command(folder.path(), &["token"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.err.contains("start `doorward dev`"), "{ended:?}");
}

#[tokio::test]
async fn token_refuses_what_it_can_not_understand() {
    let folder = tempdir().unwrap();
    for arguments in
        [["--user", "ada"], ["--user", "user_../x"], ["--claims", "[1]"], ["--claims", "{"], ["--what", "x"]]
    {
        let ended = command(folder.path(), &[&["token"], arguments.as_slice()].concat()).await;
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{arguments:?}: {ended:?}");
    }
}

#[tokio::test]
async fn inspect_reads_standard_input_and_judges_at_another_time() {
    let dev = Dev::start().await;
    let claims = json!({ "iat": 1_795_514_400, "nbf": 1_795_514_390, "exp": 1_795_514_460 }).to_string();
    let token = dev.token(&["--claims", &claims]).await;
    let environment = [("DATA_DIR", dev.folder.path().to_str().unwrap())];
    for (at, code) in [
        (NOW, "ok"),
        ("1795514380", "token-not-active-yet"),
        ("1795514465", "token-expired"),
        ("1795514464", "ok"),
    ] {
        let arguments = ["inspect", "--json", "--at", at, "-"];
        let ended =
            run_with_input(dev.folder.path(), &environment, &arguments, &format!("Bearer {token}\n")).await;
        assert_eq!(verdict(&ended)["code"], code, "{at}");
    }
}

#[tokio::test]
async fn inspect_says_every_step_and_times_as_dates() {
    let dev = Dev::start().await;
    let claims = json!({ "iat": 1_795_514_400, "nbf": 1_795_514_390, "exp": 1_795_514_460 }).to_string();
    let token = dev.token(&["--azp", "https://evil.example.com", "--claims", &claims]).await;
    let said = verdict(&dev.command(&["inspect", "--json", "--at", NOW, &token]).await);
    let outcomes: Vec<_> = said["steps"].as_array().unwrap().iter().map(|step| &step["outcome"]).collect();
    assert_eq!(outcomes, ["passed", "passed", "passed", "passed", "passed", "failed"]);
    assert_eq!(said["times"]["exp"], "2026-11-24T10:01:00.000Z");
    assert_eq!(
        (&said["claims_verified"], &said["claims"]["sub"], &said["reason"]),
        (&json!(true), &json!("user_ada"), &json!("token-invalid-authorized-parties"))
    );

    let forged = dev.token(&["--forged"]).await;
    let text = dev.command(&["inspect", &forged]).await.out;
    assert!(text.starts_with("refused: wrong-signature"), "{text}");
    assert!(text.contains("✗ signature") && text.contains("not reached"), "{text}");
    assert!(text.contains("not verified"), "{text}");
}

#[tokio::test]
async fn inspect_takes_policy_and_keys_from_its_arguments() {
    let dev = Dev::start().await;
    let elsewhere = tempdir().unwrap();
    let jwks = elsewhere.path().join("jwks.json");
    let issuer = instance(dev.folder.path())["issuer"].as_str().unwrap().to_owned();
    let published = get(&format!("{issuer}/.well-known/jwks.json"), "").await;
    std::fs::write(&jwks, published.to_string()).unwrap();
    let token = dev.token(&["--azp", "https://app-7.example.com"]).await;
    let without = dev.token(&["--claims", r#"{"azp":null}"#]).await;
    let base = ["inspect", "--json", "--jwks", jwks.to_str().unwrap(), "--issuer", &issuer];
    let judge = async |more: &[&str]| {
        let ended = run(elsewhere.path(), &[], &[&base, more].concat()).await;
        verdict(&ended)["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(judge(&["--authorized-party", "https://app-*.example.com", &token]).await, "ok");
    assert_eq!(judge(&["--authorized-party", "https://other.example.com", &token]).await, "wrong-azp");
    assert_eq!(judge(&["--missing-azp", "allow", &without]).await, "ok");
    assert_eq!(judge(&["--missing-azp", "refuse", &without]).await, "missing-azp");

    let other =
        ["inspect", "--json", "--jwks", jwks.to_str().unwrap(), "--issuer", "https://clerk.example.com"];
    let ended = run(elsewhere.path(), &[], &[&other[..], &[&token]].concat()).await;
    assert_eq!((ended.code, &verdict(&ended)["code"]), (Some(1), &json!("wrong-iss")));

    std::fs::write(&jwks, json!({ "keys": [] }).to_string()).unwrap();
    assert_eq!(judge(&["--authorized-party", "https://app-*.example.com", &token]).await, "unknown-kid");
}

#[tokio::test]
async fn inspect_that_could_not_tell_exits_with_2() {
    let dev = Dev::start().await;
    let token = dev.token(&[]).await;
    let issuer = instance(dev.folder.path())["issuer"].as_str().unwrap().to_owned();
    let elsewhere = tempdir().unwrap();
    dev.running.interrupt().await;

    let unreachable = run(elsewhere.path(), &[], &["inspect", "--json", "--issuer", &issuer, &token]).await;
    assert_eq!(unreachable.code, Some(2), "{unreachable:?}");
    let said = verdict(&unreachable);
    assert_eq!((&said["code"], &said["kind"]), (&json!("keys-unavailable"), &json!("unavailable")));

    for arguments in [
        &["inspect", &token][..],
        &["inspect", "--jwks", "not-there.json", "--issuer", &issuer, &token],
        &["inspect", "--at", "now", &token],
        &["inspect"],
    ] {
        let ended = run(elsewhere.path(), &[], arguments).await;
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{arguments:?}: {ended:?}");
        assert!(!ended.err.is_empty());
    }
}

#[tokio::test]
async fn what_people_paste_by_mistake_is_named() {
    let dev = Dev::start().await;
    for (pasted, code) in [
        ("null", "token-is-null"),
        ("undefined", "token-is-null"),
        ("sk_test_made_up", "key-instead-of-token"),
        ("pk_test_made_up", "key-instead-of-token"),
        ("", "token-missing"),
        ("abc", "malformed-token"),
        ("a.b.c.d.e", "encrypted-token"),
        ("oat_made_up", "oauth-token"),
    ] {
        let ended = dev.command(&["inspect", "--json", pasted]).await;
        assert_eq!((ended.code, &verdict(&ended)["code"]), (Some(1), &json!(code)), "{pasted}");
    }
}

#[tokio::test]
async fn the_local_issuer_answers_like_clerk_to_its_secret_key_alone() {
    let dev = Dev::start().await;
    let instance = instance(dev.folder.path());
    let (issuer, secret) = (instance["issuer"].as_str().unwrap(), instance["secret_key"].as_str().unwrap());
    let ask = async |method: Method, path: &str, bearer: &str, body: Value| {
        send(method, &format!("{issuer}{path}"), bearer, body).await
    };
    for path in ["/v1/jwks", "/v1/users", "/v1/users/user_ada", "/v1/sessions"] {
        let (status, body) = ask(Method::GET, path, "sk_test_of_another", Value::Null).await;
        assert_eq!((status, &body["errors"][0]["code"]), (401, &json!("clerk_key_invalid")), "{path}");
        assert_eq!(ask(Method::GET, path, secret, Value::Null).await.0, 200, "{path}");
    }
    let published = ask(Method::GET, "/.well-known/jwks.json", "", Value::Null).await.1;
    assert_eq!(ask(Method::GET, "/v1/jwks", secret, Value::Null).await.1, published);

    let (_, users) = ask(Method::GET, "/v1/users?limit=5", secret, Value::Null).await;
    assert_eq!((users.as_array().unwrap().len(), &users[0]["id"]), (1, &json!("user_ada")));
    assert_eq!(ask(Method::GET, "/v1/users?offset=1", secret, Value::Null).await.1, json!([]));
    let (status, body) = ask(Method::GET, "/v1/users/user_nobody", secret, Value::Null).await;
    assert_eq!((status, &body["errors"][0]["code"]), (404, &json!("resource_not_found")));

    let change = json!({ "first_name": "Augusta", "id": "user_other" });
    let (status, edited) = ask(Method::PATCH, "/v1/users/user_ada", secret, change).await;
    assert_eq!((status, &edited["first_name"], &edited["id"]), (200, &json!("Augusta"), &json!("user_ada")));
    let (_, read) = ask(Method::GET, "/v1/users/user_ada", secret, Value::Null).await;
    assert_eq!(read, edited, "the change is kept");

    let (_, session) = ask(Method::POST, "/v1/sessions", secret, json!({ "user_id": "user_ada" })).await;
    let tokens = format!("/v1/sessions/{}/tokens", session["id"].as_str().unwrap());
    let (_, token) = ask(Method::POST, &tokens, secret, json!({})).await;
    assert_eq!(dev.me(token["jwt"].as_str().unwrap()).await["clerk_id"], "user_ada");
}

#[tokio::test]
async fn a_folder_that_somebody_changed_is_named() {
    let folder = tempdir().unwrap();
    Running::dev(folder.path()).await.interrupt().await;
    let issuer = folder.path().join("issuer");
    for (file, text) in [("private-key.pem", "not a key"), ("instance.json", "{}")] {
        let path = issuer.join(file);
        let before = std::fs::read(&path).unwrap();
        std::fs::write(&path, text).unwrap();
        let ended = command(folder.path(), &["token"]).await;
        assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{file}: {ended:?}");
        assert!(ended.err.contains(file) && !ended.err.contains("PRIVATE"), "{ended:?}");
        std::fs::write(&path, before).unwrap();
    }
    assert_eq!(command(folder.path(), &["token"]).await.code, Some(0));
}
