//! The vectors of `tests/vectors`, or of the folder that `VECTORS_DIR` names, run natively.
//!
//! Their format is described in `tests/vectors/README.md`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that finds what it did not expect fails, and says so"
)]

use std::collections::{BTreeSet, HashMap};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "aws-lc")]
use doorward_verifier::AwsLcRsa;
use doorward_verifier::{
    Algorithm, AuthorizedParties, Check, Code, CookieAuth, Issuer, Jwks, KeyId, KeyMaterial, KeySet, Lookup,
    MissingAzp, OwnRsa, Policy, Principal, PublishableKey, Request, RequestVerifier, Requirement,
    Reverification, ReverificationLevel, Rsa, Scoped, TokenBuffer, UnixTime, Verifier, WebhookHeaders,
    WebhookSecrets,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One file: a family of cases, and what several of them refer to by name.
#[derive(Deserialize)]
struct Family {
    #[serde(default)]
    keys: HashMap<String, StatedKeys>,
    #[serde(default)]
    policies: HashMap<String, StatedPolicy>,
    cases: Vec<Case>,
}

/// A case: what is presented is one of `token`, `request`, `webhook`, `setting`.
#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    why: String,
    token: Option<String>,
    request: Option<StatedRequest>,
    webhook: Option<StatedWebhook>,
    setting: Option<Setting>,
    /// `off`, `on`, or the publishable key whose cookies are taken.
    cookies: Option<String>,
    keys: Option<NamedOr<StatedKeys>>,
    policy: Option<NamedOr<StatedPolicy>>,
    /// Seconds since 1970, with up to three digits of a fraction.
    #[serde(default)]
    now: f64,
    expect: Option<Expected>,
    #[serde(default)]
    checks: Vec<StatedCheck>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NamedOr<T> {
    Name(String),
    Here(T),
}

impl<T> NamedOr<T> {
    fn resolve<'a>(&'a self, named: &'a HashMap<String, T>) -> &'a T {
        match self {
            NamedOr::Name(name) => named.get(name).unwrap_or_else(|| panic!("nothing is named {name}")),
            NamedOr::Here(here) => here,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum StatedKeys {
    /// A JWKS as published: its text, or its value.
    Jwks(Value),
    /// Key material as somebody pasted it into a setting.
    Pasted(String),
}

#[derive(Deserialize)]
struct StatedRequest {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct StatedWebhook {
    headers: Vec<(String, String)>,
    body: String,
    secrets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Setting {
    PublishableKey(String),
    Issuer(String),
    AuthorizedParties(Vec<String>),
    WebhookSecrets(String),
    Policy(StatedPolicy),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StatedPolicy {
    issuer: String,
    #[serde(default)]
    issuer_aliases: Vec<String>,
    authorized_parties: StatedParties,
    #[serde(default)]
    missing_azp: StatedMissingAzp,
    template_audience: Option<String>,
    clock_skew_secs: Option<u64>,
    algorithms: Option<Vec<String>>,
    #[serde(default)]
    accept_pending: bool,
    #[serde(default)]
    deny_kids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum StatedParties {
    Words(String),
    List(Vec<String>),
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StatedMissingAzp {
    #[default]
    Refuse,
    Allow,
}

#[derive(Debug, Deserialize)]
struct Expected {
    code: String,
    reason: Option<String>,
    /// Of a request.
    outcome: Option<String>,
    /// Those of its members that are stated are compared.
    #[serde(default)]
    principal: serde_json::Map<String, Value>,
    /// What a setting is understood as.
    #[serde(default)]
    shown: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
struct StatedCheck {
    ask: Asked,
    allowed: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    role: Option<String>,
    permission: Option<String>,
    feature: Option<String>,
    plan: Option<String>,
    reverification: Option<AskedReverification>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum AskedReverification {
    Preset(String),
    Custom {
        level: String,
        #[serde(rename = "afterMinutes")]
        after_minutes: u64,
    },
}

/// What the engine answered.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    code: &'static str,
    reason: Option<&'static str>,
    outcome: Option<&'static str>,
    principal: Value,
    shown: Value,
    checks: Vec<bool>,
}

impl Answer {
    fn ok() -> Answer {
        Answer { code: "ok", ..Answer::default() }
    }

    fn refused(code: Code) -> Answer {
        Answer { code: code.as_str(), reason: Some(code.reason()), ..Answer::default() }
    }

    /// A setting or a policy that is none. It has no lasting code: it is a message at the start.
    fn stopped() -> Answer {
        Answer { code: "refused", ..Answer::default() }
    }

    fn accepted(principal: &Principal, checks: &[StatedCheck]) -> Answer {
        Answer {
            principal: principal_as_json(principal),
            checks: checks.iter().map(|check| principal.has(&requirement(&check.ask))).collect(),
            ..Answer::ok()
        }
    }
}

#[test]
fn every_vector_gets_its_verdict() {
    let own_folder = std::env::var_os("VECTORS_DIR").map(PathBuf::from);
    let folder = own_folder.clone().unwrap_or_else(vectors_folder);
    let mut faults = Vec::new();
    let mut count = 0;
    for (path, family) in families(&folder) {
        for case in &family.cases {
            count += 1;
            let answer = run(&family, case, &OwnRsa);
            #[cfg(feature = "aws-lc")]
            if answer != run(&family, case, &AwsLcRsa) {
                faults.push(format!("{}: the two RSA implementations differ", case.name));
            }
            if own_folder.is_some() {
                print_line(case, &answer);
            }
            faults.extend(case.expect.as_ref().and_then(|expected| fault(case, expected, &answer)));
        }
        assert!(!family.cases.is_empty(), "no cases in {}", path.display());
    }
    assert!(count > 0, "no vectors in {}", folder.display());
    assert!(faults.is_empty(), "{} of {count} vectors differ:\n{}", faults.len(), faults.join("\n"));
}

fn fault(case: &Case, expected: &Expected, answer: &Answer) -> Option<String> {
    let mut wrong = Vec::new();
    if expected.code != answer.code || expected.reason.as_deref() != answer.reason {
        wrong.push(format!(
            "expected {} ({:?}), got {} ({:?})",
            expected.code, expected.reason, answer.code, answer.reason
        ));
    }
    if expected.outcome.as_deref() != answer.outcome {
        wrong.push(format!("expected {:?}, got {:?}", expected.outcome, answer.outcome));
    }
    let stated = expected.principal.iter().map(|stated| (stated, &answer.principal));
    let stated = stated.chain(expected.shown.iter().map(|stated| (stated, &answer.shown)));
    for ((member, value), answered) in stated {
        let got = answered.get(member).unwrap_or(&Value::Null);
        if answer.code == "ok" && got != value {
            wrong.push(format!("{member}: expected {value}, got {got}"));
        }
    }
    for (check, got) in case.checks.iter().zip(&answer.checks) {
        if check.allowed != *got {
            wrong.push(format!("{:?}: expected {}, got {got}", check.ask, check.allowed));
        }
    }
    if wrong.is_empty() { None } else { Some(format!("{} ({}): {}", case.name, case.why, wrong.join("; "))) }
}

/// One line of JSON for each case and host. Written past the test harness, which holds back what is printed.
fn print_line(case: &Case, answer: &Answer) {
    #[derive(Serialize)]
    struct Line<'a> {
        name: &'a str,
        host: &'a str,
        code: &'a str,
    }
    let line = Line { name: &case.name, host: "native", code: answer.code };
    writeln!(std::io::stdout().lock(), "{}", serde_json::to_string(&line).unwrap()).unwrap();
}

fn run(family: &Family, case: &Case, rsa: &dyn Rsa) -> Answer {
    let now = UnixTime::from_millis((case.now * 1000.0).round() as u64);
    if let Some(setting) = &case.setting {
        return setting.understood();
    }
    if let Some(webhook) = &case.webhook {
        return webhook.verify(now);
    }
    let policy = case.policy.as_ref().unwrap_or_else(|| panic!("{}: no policy", case.name));
    let Some(policy) = policy.resolve(&family.policies).policy() else { return Answer::stopped() };
    let keys = case.keys.as_ref().map(|keys| keys.resolve(&family.keys));
    // A set that can't be had and a document that is none come to the same: nobody can tell.
    let keys = keys.and_then(|keys| keys.key_set(policy.issuer(), rsa));
    let verifier = Verifier::new(policy);
    if let Some(request) = &case.request {
        return request.check(&verifier, case.cookies.as_deref().unwrap_or("off"), keys, now);
    }
    let token = case.token.as_ref().expect("a case presents a token, a request, a webhook or a setting");
    verify(&verifier, token, keys, now)
        .map_or_else(Answer::refused, |principal| Answer::accepted(&principal, &case.checks))
}

fn verify(verifier: &Verifier, token: &str, keys: Option<KeySet>, now: UnixTime) -> Result<Principal, Code> {
    let mut buffer = TokenBuffer::new();
    let screened = verifier.screen(token, &mut buffer).map_err(|error| error.code())?;
    let keys = keys.ok_or(Code::KeysUnavailable)?;
    verifier.verify(&screened, &keys, now).map_err(|error| error.code())
}

impl StatedRequest {
    fn check(&self, verifier: &Verifier, cookies: &str, keys: Option<KeySet>, now: UnixTime) -> Answer {
        let cookies = match cookies {
            "off" => CookieAuth::Off,
            "on" => CookieAuth::On(None),
            key => CookieAuth::On(Some(PublishableKey::parse(key).unwrap())),
        };
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let request = Request::new(&self.method, &self.url, headers);
        let lookup = |_: &KeyId| match keys {
            Some(keys) => Lookup::Use(Arc::new(keys)),
            None => Lookup::Unavailable { retry_after: Duration::from_secs(1) },
        };
        let check = RequestVerifier::new(verifier.clone(), cookies).check(
            &request,
            &mut TokenBuffer::new(),
            lookup,
            now,
        );
        let outcome = Some(check.as_str());
        let answer = match &check {
            Check::Verified(principal) => Answer::accepted(principal, &[]),
            Check::Anonymous => Answer::refused(Code::TokenMissing),
            Check::Stale(error) | Check::Rejected(error) => Answer::refused(error.code()),
            Check::Unavailable { .. } => Answer::refused(Code::KeysUnavailable),
            _ => panic!("an outcome that the vectors do not know"),
        };
        Answer { outcome, ..answer }
    }
}

impl StatedWebhook {
    fn verify(&self, now: UnixTime) -> Answer {
        let secrets = WebhookSecrets::parse(&self.secrets.join(" ")).unwrap();
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let verified = WebhookHeaders::find(headers)
            .and_then(|headers| secrets.verify(&headers, self.body.as_bytes(), now).map(|_| ()));
        verified.map_or_else(|error| Answer::refused(error.code()), |()| Answer::ok())
    }
}

impl Setting {
    fn understood(&self) -> Answer {
        let shown = match self {
            Setting::PublishableKey(text) => PublishableKey::parse(text).ok().map(|key| {
                json!({
                    "issuer": key.issuer().as_str(),
                    "live": key.is_live(),
                    "cookie_suffix": key.cookie_suffix(),
                })
            }),
            Setting::Issuer(text) => {
                Issuer::parse(text).ok().map(|issuer| json!({ "issuer": issuer.as_str() }))
            }
            Setting::AuthorizedParties(parties) => {
                AuthorizedParties::parse(parties.iter().map(String::as_str)).ok().map(|_| Value::Null)
            }
            Setting::WebhookSecrets(text) => WebhookSecrets::parse(text).ok().map(|_| Value::Null),
            Setting::Policy(policy) => policy.policy().map(|_| Value::Null),
        };
        // There is no lasting code: a wrong setting is a message at the start.
        shown
            .map_or(Answer { code: "refused", ..Answer::default() }, |shown| Answer { shown, ..Answer::ok() })
    }
}

impl StatedKeys {
    fn key_set(&self, issuer: &Issuer, rsa: &dyn Rsa) -> Option<KeySet> {
        match self {
            StatedKeys::Jwks(document) => {
                let text = document.as_str().map_or_else(|| document.to_string(), str::to_owned);
                let jwks = Jwks::parse(text.as_bytes()).ok()?;
                Some(KeySet::from_jwks(issuer, &jwks, rsa))
            }
            StatedKeys::Pasted(text) => KeyMaterial::parse(text).ok()?.key_set(issuer, rsa).ok(),
        }
    }
}

impl StatedPolicy {
    fn policy(&self) -> Option<Policy> {
        let parties = match &self.authorized_parties {
            StatedParties::Words(words) => AuthorizedParties::parse([words.as_str()]),
            StatedParties::List(origins) => AuthorizedParties::parse(origins.iter().map(String::as_str)),
        };
        let missing_azp = match self.missing_azp {
            StatedMissingAzp::Refuse => MissingAzp::Refuse,
            StatedMissingAzp::Allow => MissingAzp::Allow,
        };
        let aliases: Result<Vec<_>, _> =
            self.issuer_aliases.iter().map(|alias| Issuer::parse(alias)).collect();
        let denied: Option<Vec<_>> = self.deny_kids.iter().map(|kid| KeyId::parse(kid)).collect();
        let mut policy = Policy::new(Issuer::parse(&self.issuer).ok()?, parties.ok()?, missing_azp)
            .with_issuer_aliases(aliases.ok()?)
            .with_denied_kids(denied?);
        if let Some(audience) = &self.template_audience {
            policy = policy.with_template_audience(audience).ok()?;
        }
        if let Some(skew) = self.clock_skew_secs {
            policy = policy.with_clock_skew(Duration::from_secs(skew)).ok()?;
        }
        if let Some(names) = &self.algorithms {
            let algorithms: Option<Vec<_>> = names.iter().map(|name| Algorithm::from_name(name)).collect();
            policy = policy.with_algorithms(algorithms?).ok()?;
        }
        Some(if self.accept_pending { policy.accept_pending() } else { policy })
    }
}

fn principal_as_json(principal: &Principal) -> Value {
    let organization = principal.organization().map(|organization| {
        json!({
            "id": organization.id,
            "slug": organization.slug,
            "role": organization.role,
            "permissions": organization.permissions,
            "permissions_disputed": organization.permissions_disputed,
        })
    });
    let scoped = |list: &[Scoped]| {
        let slugs = |whose: fn(&Scoped) -> bool| -> Vec<&str> {
            list.iter().filter(|one| whose(one)).map(|one| one.slug.as_str()).collect()
        };
        json!({ "organization": slugs(|one| one.organization), "user": slugs(|one| one.user) })
    };
    let minutes = |age: Option<u64>| age.map_or(-1, |mins| i64::try_from(mins).unwrap());
    json!({
        "key_id": principal.key_id().as_str(),
        "user_id": principal.user_id(),
        "session_id": principal.session_id(),
        "issuer": principal.issuer().as_str(),
        "authorized_party": principal.authorized_party(),
        "expires_at": principal.expires_at().as_secs(),
        "issued_at": principal.issued_at().map(UnixTime::as_secs),
        "organization": organization,
        "features": scoped(principal.features()),
        "plans": scoped(principal.plans()),
        "factor_ages": principal.factor_ages().map(|ages| [minutes(ages.first_mins), minutes(ages.second_mins)]),
        "pending": principal.is_pending(),
        "impersonator": principal.impersonator().map(|actor| json!({
            "user_id": actor.user_id,
            "issuer": actor.issuer,
            "session_id": actor.session_id,
        })),
        "claims": serde_json::from_str::<Value>(principal.claims_json()).ok(),
    })
}

fn requirement(asked: &Asked) -> Requirement<'_> {
    Requirement {
        role: asked.role.as_deref(),
        permission: asked.permission.as_deref(),
        feature: asked.feature.as_deref(),
        plan: asked.plan.as_deref(),
        reverification: asked.reverification.as_ref().map(|asked| match asked {
            AskedReverification::Preset(name) => Reverification::preset(name).unwrap(),
            AskedReverification::Custom { level, after_minutes } => Reverification {
                level: match level.as_str() {
                    "first_factor" => ReverificationLevel::FirstFactor,
                    "second_factor" => ReverificationLevel::SecondFactor,
                    "multi_factor" => ReverificationLevel::MultiFactor,
                    _ => panic!("no level {level}"),
                },
                max_age_mins: *after_minutes,
            },
        }),
    }
}

fn vectors_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors")
}

/// The families of a folder, in the order of their files' names.
fn families(folder: &Path) -> Vec<(PathBuf, Family)> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: PathBuf| {
        let family = serde_json::from_slice(&std::fs::read(&path).unwrap());
        let family = family.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, family)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn the_vectors_are_what_the_generator_writes() {
    let generator = vectors_folder().join("generate.py");
    let output = Command::new("python3").arg(&generator).arg("--check").output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn no_two_vectors_have_one_name() {
    let mut names = BTreeSet::new();
    for (path, family) in families(&vectors_folder()) {
        for case in family.cases {
            assert!(names.insert(case.name.clone()), "{} twice, in {}", case.name, path.display());
        }
    }
    assert!(names.len() >= 400);
}

#[test]
fn the_readme_lists_every_code_in_order() {
    let readme = std::fs::read_to_string(vectors_folder().join("README.md")).unwrap();
    let rows = readme.lines().skip_while(|line| *line != "| code | reason |").skip(2);
    let expected = Code::ALL.iter().map(|code| format!("| `{code}` | `{}` |", code.reason()));
    assert_eq!(rows.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

/// Attack class 37: a pattern that remembers, or goes back.
#[test]
fn a_verdict_is_the_same_a_thousand_times() {
    let [(_, parties), (_, issuers)] = ["parties", "issuer"].map(|name| {
        let family =
            families(&vectors_folder()).into_iter().find(|(path, _)| path.ends_with(format!("{name}.json")));
        family.unwrap()
    });
    let one_of_each = ["parties/several-2", "parties/not-long", "issuer/long", "issuer/trailing-newline"];
    for name in one_of_each {
        let family = if name.starts_with("parties") { &parties } else { &issuers };
        let case = family.cases.iter().find(|case| case.name == name).unwrap();
        let first = run(family, case, &OwnRsa);
        for _ in 0..1000 {
            assert_eq!(run(family, case, &OwnRsa), first, "{name}");
        }
    }
}
