//! `doorward doctor`, on servers that are well and on servers that are not.

use std::collections::BTreeMap;
use std::path::Path;

use doorward::clock::{Clock, SystemClock};
use serde_json::{Value, json};
use tempfile::tempdir;
use tests::canned::{self, Asked, Canned};
use tests::command::{Running, run};
use tests::issuer::TestIssuer;

/// What the doctor said.
struct Diagnosis {
    code: i32,
    report: Value,
}

impl Diagnosis {
    async fn of(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Diagnosis {
        let ended = run(folder, environment, &[&["doctor", "--json"], arguments].concat()).await;
        let report = serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
        Diagnosis { code: ended.code.unwrap(), report }
    }

    /// The worst outcome of each topic that was looked into.
    fn outcomes(&self) -> BTreeMap<&str, &str> {
        let mut outcomes = BTreeMap::new();
        for check in self.report["checks"].as_array().unwrap() {
            let (topic, outcome) = (check["topic"].as_str().unwrap(), check["outcome"].as_str().unwrap());
            let worst = outcomes.entry(topic).or_insert(outcome);
            if *worst == "passed" || outcome == "failed" {
                *worst = outcome;
            }
        }
        outcomes
    }

    fn outcome(&self, topic: &str) -> &str {
        self.outcomes().get(topic).copied().unwrap_or("absent")
    }

    fn detail(&self, topic: &str) -> &str {
        let checks = self.report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["topic"] == topic && check["outcome"] != "passed");
        check.map_or("", |check| check["detail"].as_str().unwrap())
    }

    /// The twelve lines' outcomes, in order.
    fn lines(&self) -> Vec<&str> {
        let lines = self.report["checklist"].as_array().unwrap();
        lines.iter().map(|line| line["outcome"].as_str().unwrap()).collect()
    }
}

const PASSED: &str = "passed";
const FAILED: &str = "failed";
const UNSEEN: &str = "not checked";

async fn dev_and_its_doctor(more: &[&str]) -> (Running, tempfile::TempDir, Diagnosis) {
    let folder = tempdir().unwrap();
    let dev = Running::dev(folder.path()).await;
    let url = dev.url();
    let data_dir = folder.path().to_str().unwrap().to_owned();
    let diagnosis =
        Diagnosis::of(folder.path(), &[], &[&["--url", &url, "--data-dir", &data_dir], more].concat()).await;
    (dev, folder, diagnosis)
}

#[tokio::test]
async fn a_healthy_server_passes_whatever_can_be_seen_from_here() {
    let (_dev, _folder, diagnosis) = dev_and_its_doctor(&[]).await;
    assert_eq!(diagnosis.code, 0, "{:#}", diagnosis.report);
    let unseen = ["database", "frontend-token"];
    for (topic, outcome) in diagnosis.outcomes() {
        assert_eq!(outcome, if unseen.contains(&topic) { UNSEEN } else { PASSED }, "{topic}");
    }
    assert_eq!(diagnosis.outcomes().len(), 18, "{:#}", diagnosis.report);
    let lines =
        [PASSED, PASSED, PASSED, PASSED, PASSED, UNSEEN, UNSEEN, PASSED, UNSEEN, PASSED, PASSED, PASSED];
    assert_eq!(diagnosis.lines(), lines);
}

#[tokio::test]
async fn a_token_of_a_browser_shows_that_the_frontend_can_sign_in() {
    let folder = tempdir().unwrap();
    let dev = Running::dev(folder.path()).await;
    let environment = [("DATA_DIR", folder.path().to_str().unwrap())];
    let token = async |more: &[&str]| {
        let ended = run(folder.path(), &environment, &[&["token"], more].concat()).await;
        ended.out.trim().to_owned()
    };
    let diagnose = async |token: &str| {
        Diagnosis::of(folder.path(), &environment, &["--url", &dev.url(), "--token", token]).await
    };
    let good = diagnose(&token(&[]).await).await;
    assert_eq!((good.code, good.outcome("frontend-token"), good.outcome("good-token")), (0, PASSED, PASSED));

    let over = diagnose(&token(&["--expired"]).await).await;
    assert_eq!((over.code, over.outcome("expired-token"), over.outcome("good-token")), (0, PASSED, UNSEEN));
    assert_eq!(over.lines()[9..], [UNSEEN, UNSEEN, PASSED]);

    let forged = diagnose(&token(&["--forged"]).await).await;
    assert_eq!((forged.code, forged.outcome("good-token")), (1, FAILED));
    assert!(forged.detail("good-token").contains("wrong-signature"), "{:#}", forged.report);
    assert_eq!(forged.outcome("frontend-token"), UNSEEN);
}

#[tokio::test]
async fn without_a_token_nobody_is_created_and_nothing_is_said_of_good_ones() {
    let issuer = TestIssuer::start().await;
    let folder = tempdir().unwrap();
    let key = issuer.publishable_key();
    let environment = [
        ("CLERK_PUBLISHABLE_KEY", key.as_str()),
        ("DATA_DIR", folder.path().to_str().unwrap()),
        ("PORT", "0"),
    ];
    let (serving, url) = Running::serve(folder.path(), &environment).await;
    let diagnosis = Diagnosis::of(folder.path(), &environment, &["--url", &url]).await;
    assert_eq!(diagnosis.code, 0, "{:#}", diagnosis.report);
    assert_eq!((diagnosis.outcome("registration"), diagnosis.outcome("bad-token")), (PASSED, PASSED));
    assert_eq!((diagnosis.outcome("good-token"), diagnosis.outcome("secret-key")), (UNSEEN, UNSEEN));
    assert_eq!(diagnosis.lines()[7..], [UNSEEN; 5]);
    let ended = serving.terminate().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.err.contains("Created new user"), "{}", ended.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_away_is_told_from_a_token_that_is_not_good() {
    let folder = tempdir().unwrap();
    let issuer = TestIssuer::start().await;
    let (key, url) = (issuer.publishable_key(), issuer.url());
    let environment = [
        ("CLERK_PUBLISHABLE_KEY", key.as_str()),
        ("CLERK_API_URL", &url),
        ("DATA_DIR", folder.path().to_str().unwrap()),
        // Nobody listens on a port of which the system was never asked for.
        ("MONGODB_URI", "mongodb://127.0.0.1:1/"),
        ("PORT", "0"),
    ];
    let (serving, url) = Running::serve(folder.path(), &environment).await;
    let token = issuer.token_at(SystemClock.now(), json!({}));
    let diagnosis = Diagnosis::of(folder.path(), &environment, &["--url", &url, "--token", &token]).await;
    assert_eq!(diagnosis.code, 1, "{:#}", diagnosis.report);
    assert_eq!((diagnosis.outcome("valid-token"), diagnosis.outcome("good-token")), (PASSED, FAILED));
    assert_eq!(diagnosis.lines()[7..10], [PASSED, FAILED, FAILED]);
    assert_eq!(serving.terminate().await.code, Some(0));
}

#[tokio::test]
async fn a_server_that_is_not_there_fails_and_passes_nothing() {
    let folder = tempdir().unwrap();
    let diagnosis = Diagnosis::of(folder.path(), &[], &["--url", "http://127.0.0.1:1"]).await;
    assert_eq!((diagnosis.code, diagnosis.outcome("health")), (1, FAILED));
    assert!(!diagnosis.lines().contains(&PASSED), "{:#}", diagnosis.report);
}

/// Lets everybody in, and every origin.
fn lax(asked: &Asked) -> Canned {
    let body = match asked.path.as_str() {
        "/health" => json!({ "status": "ok" }),
        "/" => json!({ "status": "healthy" }),
        "/ready" => json!({ "status": "ready", "store": "ready", "keys": { "age_seconds": 1 } }),
        _ => json!({ "id": "1", "clerk_id": "user_anybody" }),
    };
    Canned::json(200, body)
        .with("access-control-allow-origin", "*")
        .with("access-control-allow-credentials", "true")
        .with("access-control-allow-methods", "GET, PATCH")
        .with("access-control-allow-headers", "authorization, content-type")
}

#[tokio::test]
async fn a_server_that_lets_everybody_in_is_found_out() {
    let issuer = TestIssuer::start().await;
    let server = canned::serve(lax).await;
    let folder = tempdir().unwrap();
    let key = issuer.publishable_key();
    let environment = [("CLERK_PUBLISHABLE_KEY", key.as_str())];
    let diagnosis = Diagnosis::of(folder.path(), &environment, &["--url", &server]).await;
    assert_eq!(diagnosis.code, 1);
    for topic in ["cors", "registration", "no-token", "bad-token"] {
        assert_eq!(diagnosis.outcome(topic), FAILED, "{topic}: {:#}", diagnosis.report);
    }
    assert_eq!((diagnosis.lines()[2], diagnosis.lines()[4], diagnosis.lines()[7]), (FAILED, FAILED, FAILED));
}

#[tokio::test]
async fn an_answer_that_says_it_is_unverified_does_not_pass_for_a_good_one() {
    let server = canned::serve(|asked: &Asked| match asked.path.as_str() {
        "/api/auth/me" if asked.head.contains("authorization: bearer good") => {
            Canned::json(200, json!({ "id": null, "clerk_id": "user_anybody", "unverified": true }))
        }
        "/api/auth/me" => {
            Canned::json(401, json!({ "code": "token-missing" })).with("www-authenticate", "Bearer")
        }
        _ => lax(asked),
    })
    .await;
    let folder = tempdir().unwrap();
    let diagnosis = Diagnosis::of(folder.path(), &[], &["--url", &server, "--token", "good.a.b"]).await;
    assert_eq!((diagnosis.code, diagnosis.outcome("good-token")), (1, FAILED));
    assert!(diagnosis.detail("good-token").contains("unverified"), "{:#}", diagnosis.report);
    assert_eq!(diagnosis.lines()[9], FAILED);
}

#[tokio::test]
async fn one_user_answered_for_another_is_noticed() {
    let (_dev, folder, _) = dev_and_its_doctor(&[]).await;
    let server = canned::serve(|asked: &Asked| match asked.head.contains("authorization: bearer") {
        true => Canned::json(200, json!({ "id": "1", "clerk_id": "user_somebody_else" })),
        false => lax(asked),
    })
    .await;
    let data_dir = folder.path().to_str().unwrap();
    let diagnosis = Diagnosis::of(folder.path(), &[], &["--url", &server, "--data-dir", data_dir]).await;
    assert_eq!(diagnosis.outcome("good-token"), FAILED);
    assert!(diagnosis.detail("good-token").contains("user_somebody_else"), "{:#}", diagnosis.report);
}

#[tokio::test]
async fn keys_of_two_instances_are_noticed() {
    let (dev, folder, _) = dev_and_its_doctor(&[]).await;
    let instance: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("issuer/instance.json")).unwrap()).unwrap();
    let other = TestIssuer::start().await;
    let key = other.publishable_key();
    let environment = [
        ("CLERK_PUBLISHABLE_KEY", key.as_str()),
        ("CLERK_SECRET_KEY", instance["secret_key"].as_str().unwrap()),
        ("CLERK_API_URL", instance["issuer"].as_str().unwrap()),
    ];
    let elsewhere = tempdir().unwrap();
    let arguments = ["--url", &dev.url()];
    let diagnosis = Diagnosis::of(elsewhere.path(), &environment, &arguments).await;
    assert_eq!((diagnosis.code, diagnosis.outcome("jwks")), (1, PASSED));
    assert_eq!(diagnosis.outcome("secret-key"), FAILED, "{:#}", diagnosis.report);
    assert_eq!(diagnosis.outcome("server-keys"), FAILED, "the server is of another instance, too");

    let wrong = [environment[0], ("CLERK_SECRET_KEY", "sk_test_wrong"), environment[2]];
    let diagnosis = Diagnosis::of(elsewhere.path(), &wrong, &arguments).await;
    assert!(diagnosis.detail("secret-key").contains("401"), "{:#}", diagnosis.report);
}

/// An issuer whose key endpoint answers so.
async fn with_issuer(answer: impl Fn(&Asked) -> Canned + Send + Sync + 'static) -> Diagnosis {
    let issuer = canned::serve(answer).await;
    let folder = tempdir().unwrap();
    let environment = [("CLERK_FRONTEND_API", issuer.as_str())];
    Diagnosis::of(folder.path(), &environment, &["--url", "http://127.0.0.1:1"]).await
}

#[tokio::test]
async fn a_clock_that_is_off_is_noticed() {
    let jwks = json!({ "keys": [{
        "kty": "RSA", "kid": "ins_1", "alg": "RS256", "use": "sig", "e": "AQAB", "n": format!("{}w", "w".repeat(341)),
    }] });
    let old = jwks.clone();
    let past =
        with_issuer(move |_| Canned::json(200, &old).with("date", "Tue, 24 Nov 2020 10:00:00 GMT")).await;
    assert_eq!(past.outcome("clock"), FAILED);
    assert!(past.detail("clock").contains("ahead of"), "{:#}", past.report);
    let new = jwks.clone();
    let future =
        with_issuer(move |_| Canned::json(200, &new).with("date", "Thu, 24 Nov 2146 10:00:00 GMT")).await;
    assert!(future.detail("clock").contains("behind"), "{:#}", future.report);
    let without = with_issuer(move |_| Canned::json(200, &jwks)).await;
    assert_eq!((without.outcome("clock"), without.outcome("jwks")), (UNSEEN, PASSED), "{:#}", without.report);
}

#[tokio::test]
async fn an_issuer_that_gives_no_keys_is_named() {
    for (answer, words) in [
        (Canned::json(503, "{}"), "503"),
        (Canned::json(302, "{}").with("location", "http://127.0.0.1:1/"), "302"),
        (Canned::json(200, "<html>"), "JSON object"),
        (Canned::json(200, r#"{"keys":[]}"#), "no key"),
    ] {
        let said = std::sync::Mutex::new(Some(answer));
        let diagnosis =
            with_issuer(move |_| said.lock().unwrap().take().unwrap_or(Canned::json(500, "{}"))).await;
        assert_eq!(diagnosis.outcome("jwks"), FAILED, "{words}");
        let detail = diagnosis.detail("jwks").to_lowercase();
        assert!(detail.contains(&words.to_lowercase()), "{words}: {detail}");
        assert_eq!(diagnosis.lines()[1], FAILED);
    }
}

#[tokio::test]
async fn a_server_that_takes_https_alone_is_not_said_to_be_ill() {
    let server = canned::serve(|asked: &Asked| match asked.path.as_str() {
        "/health" | "/ready" => lax(asked),
        _ => Canned::json(403, json!({ "code": "https-required" })),
    })
    .await;
    let folder = tempdir().unwrap();
    let environment = [("CLERK_FRONTEND_API", "http://127.0.0.1:1")];
    let diagnosis = Diagnosis::of(folder.path(), &environment, &["--url", &server]).await;
    for topic in ["public-endpoints", "cors", "registration", "no-token", "bad-token"] {
        assert_eq!(diagnosis.outcome(topic), UNSEEN, "{topic}: {:#}", diagnosis.report);
    }
}

#[tokio::test]
async fn settings_that_are_wrong_are_a_finding_and_the_rest_is_looked_at() {
    let folder = tempdir().unwrap();
    let server = canned::serve(lax).await;
    let environment = [("CLERK_PUBLISHABLE_KEY", "pk_test_%%%"), ("MISSING_AZP", "perhaps")];
    let diagnosis = Diagnosis::of(folder.path(), &environment, &["--url", &server]).await;
    assert_eq!(
        (diagnosis.code, diagnosis.outcome("settings"), diagnosis.outcome("health")),
        (1, FAILED, PASSED)
    );
    let detail = diagnosis.detail("settings");
    assert!(detail.contains("CLERK_PUBLISHABLE_KEY") && detail.contains("MISSING_AZP"), "{detail}");
}

#[tokio::test]
async fn no_secret_is_printed() {
    let (_dev, folder, diagnosis) = dev_and_its_doctor(&[]).await;
    let instance: Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("issuer/instance.json")).unwrap()).unwrap();
    let report = diagnosis.report.to_string();
    assert!(
        !report.contains(instance["secret_key"].as_str().unwrap()) && !report.contains("eyJ"),
        "{report}"
    );
}
