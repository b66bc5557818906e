//! `docker-compose.yml`, `Dockerfile` and `.env.example`: loaded with compose's own loader, compared with the settings,
//! and carried out by hand, with FerretDB in MongoDB's place.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use doorward::config::SETTINGS;
use mongodb::bson::{Document, doc};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tests::command::{Running, run};

/// The image says these, so that the container is the same whatever `.env` holds.
const SAID_BY_THE_IMAGE: [(&str, &str); 3] = [("HOST", "0.0.0.0"), ("PORT", "8000"), ("DATA_DIR", "/data")];

/// The variables that must be set.
const REQUIRED: [&str; 2] = ["CLERK_PUBLISHABLE_KEY", "CLERK_SECRET_KEY"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The Go program that loads the files.
fn loader() -> &'static Path {
    static LOADER: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, program) = LOADER.get_or_init(|| {
        let folder = tempdir().unwrap();
        let program = folder.path().join("compose");
        let mut build = Command::new("go");
        build
            .args(["build", "-buildvcs=false", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(root().join("tests/compose"));
        let built = build.output().expect("go is installed: tests/run --install");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        (folder, program)
    });
    program
}

/// What compose makes of the files with these variables, or its complaint.
fn load(variables: &[(&str, &str)]) -> Result<Value, String> {
    let mut command = Command::new(loader());
    command.args(["docker-compose.yml", "Dockerfile"]).current_dir(root()).env_clear();
    command.args(variables.iter().map(|(name, value)| format!("{name}={value}")));
    let loaded = command.output().unwrap();
    if loaded.status.success() {
        Ok(serde_json::from_slice(&loaded.stdout).unwrap())
    } else {
        Err(String::from_utf8(loaded.stderr).unwrap())
    }
}

fn loaded() -> Value {
    load(&REQUIRED.map(|name| (name, "x"))).unwrap()
}

fn names_of(members: &Value) -> BTreeSet<String> {
    members.as_object().unwrap().keys().cloned().collect()
}

fn settings() -> BTreeSet<String> {
    SETTINGS.iter().map(|setting| setting.name.to_owned()).collect()
}

fn settings_and_other_names() -> BTreeSet<String> {
    SETTINGS.iter().flat_map(|setting| setting.names()).map(str::to_owned).collect()
}

fn difference(of: &BTreeSet<String>, less: &BTreeSet<String>) -> Vec<String> {
    of.difference(less).cloned().collect()
}

#[test]
fn every_setting_reaches_the_container_and_nothing_else_does() {
    let loaded = loaded();
    let mut passed = names_of(&loaded["project"]["services"]["api"]["environment"]);
    assert_eq!(difference(&passed, &settings_and_other_names()), [""; 0], "not settings");
    passed.extend(SAID_BY_THE_IMAGE.map(|(name, _)| name.to_owned()));
    assert_eq!(difference(&settings(), &passed), [""; 0], "settings that do not reach the container");
}

#[test]
fn every_variable_of_the_file_is_a_setting() {
    let variables = names_of(&loaded()["variables"]);
    assert_eq!(difference(&variables, &settings_and_other_names()), [""; 0]);
}

#[test]
fn a_variable_arrives_under_its_own_name() {
    let names = names_of(&loaded()["variables"]);
    let values: Vec<_> = names.iter().map(|name| (name.as_str(), format!("{name} as set"))).collect();
    let mut given: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    given.retain(|(name, _)| *name != "PORT");
    let loaded = load(&given).unwrap();
    let environment = &loaded["project"]["services"]["api"]["environment"];
    for (name, value) in given {
        assert_eq!(environment[name], value);
    }
}

#[test]
fn what_must_be_set_is_asked_for() {
    for missing in REQUIRED {
        let others = REQUIRED.into_iter().filter(|name| *name != missing).map(|name| (name, "x"));
        let complaint = load(&others.collect::<Vec<_>>()).unwrap_err();
        assert!(complaint.contains(missing) && complaint.contains(".env"), "{complaint}");
    }
}

#[test]
fn no_secret_has_a_default() {
    let loaded = loaded();
    for setting in SETTINGS.iter().filter(|setting| setting.is_secret) {
        let value = &loaded["project"]["services"]["api"]["environment"][setting.name];
        let known = ["", "x", "mongodb://mongodb:27017"];
        assert!(known.contains(&value.as_str().unwrap_or_default()), "{}: {value}", setting.name);
    }
    let database = &loaded["project"]["services"]["mongodb"];
    assert_eq!(database.get("environment"), None, "no password: nobody else is on its network");
}

#[test]
fn the_database_is_reached_by_the_server_alone() {
    let project = &loaded()["project"];
    let (api, database) = (&project["services"]["api"], &project["services"]["mongodb"]);
    assert_eq!(database.get("ports"), None);
    assert_eq!(names_of(&database["networks"]), BTreeSet::from(["back".to_owned()]));
    assert_eq!(project["networks"]["back"]["internal"], true);
    assert_eq!(database["image"], "mongo:8");
    assert_eq!(api["depends_on"]["mongodb"]["condition"], "service_healthy");
    for port in api["ports"].as_array().unwrap() {
        assert_eq!(port["host_ip"], "127.0.0.1", "DEBUG_FALLBACK=container relies on it");
    }
    let other_port =
        load(&[("CLERK_PUBLISHABLE_KEY", "x"), ("CLERK_SECRET_KEY", "x"), ("PORT", "9000")]).unwrap();
    let port = &other_port["project"]["services"]["api"]["ports"][0];
    assert_eq!((&port["published"], &port["target"]), (&json!("9000"), &json!(8000)));
}

#[test]
fn data_is_in_named_volumes_and_services_are_watched() {
    let project = &loaded()["project"];
    for (service, folders) in [("api", vec!["/data"]), ("mongodb", vec!["/data/db", "/data/configdb"])] {
        let service = &project["services"][service];
        let volumes = service["volumes"].as_array().unwrap();
        assert!(volumes.iter().all(|volume| volume["type"] == "volume"), "{volumes:?}");
        let targets: Vec<_> = volumes.iter().map(|volume| volume["target"].as_str().unwrap()).collect();
        assert_eq!(targets, folders);
        assert!(
            volumes.iter().all(|volume| project["volumes"].get(volume["source"].as_str().unwrap()).is_some())
        );
        assert_eq!(service["healthcheck"]["test"][0], "CMD");
        assert_eq!(service["restart"], "unless-stopped");
    }
}

#[test]
fn the_image_runs_as_nobody_special_with_certificates_and_a_health_check() {
    let loaded = loaded();
    let stages = loaded["stages"].as_array().unwrap();
    assert!(stages.len() > 1, "what builds is not what runs");
    let commands: Vec<_> = stages.last().unwrap()["commands"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap())
        .collect();
    let one = |start: &str| {
        let found = commands.iter().rev().find_map(|command| command.strip_prefix(start));
        found.unwrap_or_else(|| panic!("no {start} in {commands:?}")).trim().to_owned()
    };
    assert_eq!(one("USER "), "10001:10001");
    assert!(one("RUN ").contains("ca-certificates"));
    assert!(
        one("RUN ").contains("--owner=doorward") && one("RUN ").ends_with("/data"),
        "a new volume is writable"
    );
    assert_eq!((one("ENTRYPOINT "), one("CMD ")), (r#"["doorward"]"#.to_owned(), r#"["serve"]"#.to_owned()));
    let said: BTreeSet<String> = one("ENV ").split_whitespace().map(str::to_owned).collect();
    assert_eq!(said, SAID_BY_THE_IMAGE.map(|(name, value)| format!("{name}={value}")).into());
    let check = loaded["project"]["services"]["api"]["healthcheck"]["test"].as_array().unwrap()[1..].to_vec();
    assert!(one("HEALTHCHECK ").ends_with(&format!("CMD {}", json!(check).to_string().replace(',', ", "))));
}

/// `COPY . .` brings what `.dockerignore` lets through: enough for cargo to know the workspace by its lock file.
#[test]
fn the_image_is_built_from_a_workspace_that_loads() {
    let ignored = std::fs::read_to_string(root().join(".dockerignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "*"), "what is not named stays outside");
    let context = tempdir().unwrap();
    for kept in ignored.lines().filter_map(|line| line.strip_prefix('!')) {
        copy(&root().join(kept), &context.path().join(kept));
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--locked", "--offline", "--format-version", "1"]).current_dir(context.path());
    let loaded = cargo.output().unwrap();
    assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
    assert!(context.path().join("server/src/main.rs").exists());
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    if from.is_file() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    for entry in std::fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name();
        if name != "target" {
            copy(&from.join(&name), &to.join(&name));
        }
    }
}

#[test]
fn the_example_and_the_table_have_every_setting_with_its_meaning() {
    let example = std::fs::read_to_string(root().join(".env.example")).unwrap();
    let mut explained = BTreeSet::new();
    let mut comment = false;
    for line in example.lines() {
        match line.split_once('=') {
            Some((name, value)) if !line.starts_with('#') => {
                assert!(comment, "{name} has no comment above it");
                assert_eq!(value, "", "{name}: an example has nobody's values");
                assert!(explained.insert(name.to_owned()), "{name} twice");
                comment = false;
            }
            _ => comment = line.starts_with("# ") && !line.starts_with("# ---"),
        }
    }
    assert_eq!(explained, settings());

    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let table = readme.split("<!-- settings -->").nth(1).unwrap().split("<!-- /settings -->").next().unwrap();
    let cells = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    let names = cells.flat_map(|cell| cell.split('`').map(str::to_owned).collect::<Vec<_>>());
    let mut named = BTreeSet::new();
    for name in names.filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase())) {
        assert!(named.insert(name.clone()), "{name} twice");
    }
    assert_eq!(named, settings());
}

#[tokio::test]
async fn debug_mode_starts_in_the_container_alone() {
    let folder = tempdir().unwrap();
    let given = [("CLERK_PUBLISHABLE_KEY", TEST_KEY), ("CLERK_SECRET_KEY", "sk_test_x"), ("DEBUG", "true")];
    let mut environment = container_environment(&given);
    let inside = config(folder.path(), &environment).await;
    assert_eq!(inside.0, Some(0), "{}", inside.1);
    environment.retain(|(name, _)| name != "DEBUG_FALLBACK");
    let outside = config(folder.path(), &environment).await;
    assert_eq!(outside.0, Some(2), "{}", outside.1);
    assert!(outside.1.contains("DEBUG"), "{}", outside.1);
}

/// Of clerk.example.com.
const TEST_KEY: &str = "pk_test_Y2xlcmsuZXhhbXBsZS5jb20k";

async fn config(folder: &Path, environment: &[(String, String)]) -> (Option<i32>, String) {
    let pairs: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let ended = run(folder, &pairs, &["config"]).await;
    (ended.code, ended.out + &ended.err)
}

/// The environment of the container: the image's, and what compose adds.
fn container_environment(given: &[(&str, &str)]) -> Vec<(String, String)> {
    let loaded = load(given).unwrap();
    let said = SAID_BY_THE_IMAGE.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment = loaded["project"]["services"]["api"]["environment"].as_object().unwrap().iter();
    let added = environment.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
    said.into_iter().chain(added).collect()
}

/// The two services as processes. Their folders are all that lasts.
struct ByHand {
    /// `/data` of both.
    volumes: TempDir,
    /// A stand-in for Clerk.
    clerk: Running,
    clerk_folder: TempDir,
}

/// One life of the two services.
struct Up {
    database: Running,
    database_uri: String,
    api: Running,
    url: String,
    environment: Vec<(String, String)>,
    _scratch: TempDir,
}

impl ByHand {
    async fn new() -> ByHand {
        let clerk_folder = tempdir().unwrap();
        let clerk = Running::dev(clerk_folder.path()).await;
        ByHand { volumes: tempdir().unwrap(), clerk, clerk_folder }
    }

    /// `docker compose up -d`: everything new but the volumes.
    async fn up(&self) -> Up {
        let scratch = tempdir().unwrap();
        let ferretdb = std::env::var("DOORWARD_TEST_FERRETDB")
            .expect("DOORWARD_TEST_FERRETDB is not set: run this test with tests/run, which builds it");
        let folder = self.volumes.path().join("mongodb");
        let arguments = ["-dir", folder.to_str().unwrap()];
        let mut database = Running::spawn_program(Path::new(&ferretdb), scratch.path(), &[], &arguments);
        let database_uri = database.printed("\n").await.lines().next().unwrap().to_owned();
        let mut environment = self.environment(&database_uri);
        let pairs: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (api, url) = Running::serve(scratch.path(), &pairs).await;
        set(&mut environment, "PORT", url.rsplit(':').next().unwrap());
        Up { database, database_uri, api, url, environment, _scratch: scratch }
    }

    /// What compose gives the container, but for addresses: there is no network of containers here.
    fn environment(&self, database_uri: &str) -> Vec<(String, String)> {
        let instance: Value = serde_json::from_slice(
            &std::fs::read(self.clerk_folder.path().join("issuer/instance.json")).unwrap(),
        )
        .unwrap();
        let member = |name: &str| instance[name].as_str().unwrap().to_owned();
        let (key, secret, api) = (member("publishable_key"), member("secret_key"), member("issuer"));
        let given = [
            ("CLERK_PUBLISHABLE_KEY", key.as_str()),
            ("CLERK_SECRET_KEY", &secret),
            ("CLERK_API_URL", &api),
            ("CORS_ORIGINS", "http://localhost:3000"),
            ("MONGODB_URI", database_uri),
        ];
        let mut environment = container_environment(&given);
        let data = self.volumes.path().join("data").display().to_string();
        for (name, here) in [("HOST", "127.0.0.1"), ("PORT", "0"), ("DATA_DIR", &data)] {
            set(&mut environment, name, here);
        }
        environment
    }

    async fn token(&self, user: &str) -> String {
        let environment = [("DATA_DIR", self.clerk_folder.path().to_str().unwrap())];
        let ended = run(self.clerk_folder.path(), &environment, &["token", "--user", user]).await;
        ended.out.trim().to_owned()
    }
}

impl Up {
    /// `docker compose exec api doorward …`.
    async fn exec(&self, folder: &Path, arguments: &[&str]) -> tests::command::Ended {
        let pairs: Vec<_> =
            self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        run(folder, &pairs, arguments).await
    }

    async fn me(&self, method: Method, token: &str, body: Value) -> Value {
        let client = Client::builder().no_proxy().build().unwrap();
        let request = client.request(method, format!("{}/api/auth/me", self.url)).bearer_auth(token);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{:?}", answer.text().await);
        answer.json().await.unwrap()
    }

    /// `db.users.find()`.
    async fn documents(&self) -> Vec<Document> {
        let client = mongodb::Client::with_uri_str(&self.database_uri).await.unwrap();
        let users = client.database("user_management_db").collection::<Document>("users");
        let mut found = users.find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap();
        let mut documents = Vec::new();
        while found.advance().await.unwrap() {
            documents.push(found.deserialize_current().unwrap());
        }
        documents
    }

    /// `docker compose down`: both are told to stop, and are gone.
    async fn down(self) {
        let ended = self.api.terminate().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        self.database.terminate().await;
    }
}

fn set(environment: &mut [(String, String)], name: &str, value: &str) {
    let found = environment.iter_mut().find(|(other, _)| other == name).unwrap();
    value.clone_into(&mut found.1);
}

/// What must not change: everything but the time of the last request.
fn lasting(mut me: Value) -> Value {
    let members = me.as_object_mut().unwrap();
    members.retain(|name, _| !["last_login_at", "updated_at"].contains(&name.as_str()));
    me
}

#[tokio::test]
async fn everything_but_the_volumes_is_replaced_and_nothing_is_lost() {
    let hand = ByHand::new().await;
    let names = ["user_ada", "user_grace", "user_barbara"];
    let mut tokens = Vec::new();
    for name in names {
        tokens.push(hand.token(name).await);
    }

    let up = hand.up().await;
    let mut before = Vec::new();
    for token in &tokens {
        before.push(lasting(up.me(Method::GET, token, Value::Null).await));
    }
    before[1] = lasting(up.me(Method::PATCH, &tokens[1], json!({ "name": "Amazing Grace" })).await);
    let documents = up.documents().await;
    let ids: Vec<_> = documents.iter().map(|document| document.get_str("clerk_id").unwrap()).collect();
    assert_eq!(ids, ["user_ada", "user_barbara", "user_grace"]);
    up.down().await;

    let up = hand.up().await;
    for (token, before) in tokens.iter().zip(&before) {
        assert_eq!(&lasting(up.me(Method::GET, token, Value::Null).await), before);
    }
    // As when the power goes.
    let Up { api, database, .. } = up;
    api.kill().await;
    database.terminate().await;

    std::fs::remove_dir_all(hand.volumes.path().join("data")).unwrap();
    let up = hand.up().await;
    for (token, before) in tokens.iter().zip(&before) {
        assert_eq!(&lasting(up.me(Method::GET, token, Value::Null).await), before, "without the caches");
    }
    assert_eq!(up.documents().await.len(), documents.len());
    assert!(!up.api.err().contains("Created new user"), "{}", up.api.err());
    up.down().await;
    drop(hand.clerk);
}

#[tokio::test]
async fn the_commands_of_the_container_find_everything_in_order() {
    let hand = ByHand::new().await;
    let mut up = hand.up().await;
    up.api.logged("Database connected and initialized").await;
    up.api.logged("the issuer's keys are new").await;
    let scratch = tempdir().unwrap();
    assert_eq!(up.exec(scratch.path(), &["health"]).await.code, Some(0));
    let token = hand.token("user_ada").await;
    let doctor = up.exec(scratch.path(), &["doctor", "--json", "--token", &token]).await;
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
    let report: Value = serde_json::from_str(&doctor.out).unwrap();
    let lines: Vec<_> = report["checklist"].as_array().unwrap().iter().map(|line| &line["outcome"]).collect();
    // The Authorization header is the browser's to show, and no expired token was given.
    let unseen = [6, 11];
    for (index, outcome) in lines.into_iter().enumerate() {
        let expected = if unseen.contains(&index) { "not checked" } else { "passed" };
        assert_eq!(outcome, expected, "{}", report["checklist"][index]);
    }
    let minted = up.exec(scratch.path(), &["doctor", "--json", "--user", "user_ada"]).await;
    assert_eq!(minted.code, Some(0), "{minted:?}");

    let config = up.exec(scratch.path(), &["config"]).await;
    assert!(config.out.contains("MONGODB_URI=mongodb://…"), "{config:?}");
    let url = up.url.clone();
    up.database.kill().await;
    up.api.terminate().await;
    let pairs: Vec<_> = up.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let ill = run(scratch.path(), &pairs, &["doctor", "--json", "--url", &url]).await;
    assert_eq!(ill.code, Some(1), "{ill:?}");
    let report: Value = serde_json::from_str(&ill.out).unwrap();
    let failed = |topic: &str| {
        let checks = report["checks"].as_array().unwrap();
        checks.iter().any(|check| check["topic"] == topic && check["outcome"] == "failed")
    };
    assert!(failed("health") && failed("database"), "{report:#}");
}
