//! What is in force: every setting with its value and where that came from, secrets masked.

use std::fmt;

use doorward_verifier::{AuthorizedParties, Issuer, MissingAzp, PublishableKey};
use serde::Serialize;

use super::settings::{Found, SETTINGS, Setting, Settings};
use super::{Config, Keys, StoreKind};

/// Every setting, in the order in which they are explained, and what follows from them.
#[derive(Debug, Serialize)]
pub struct InForce {
    settings: Vec<Line>,
    derived: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
}

impl InForce {
    /// What `config`, read from `settings`, has in force.
    pub fn new(config: &Config, settings: &Settings) -> InForce {
        let settings = SETTINGS.iter().map(|setting| line(setting, config, settings)).collect();
        InForce { settings, derived: derived(config) }
    }
}

fn line(setting: &Setting, config: &Config, settings: &Settings) -> Line {
    let found = find(setting, settings);
    let value = match &found {
        Some(found) if setting.is_secret => Some(masked(&found.value)),
        _ => value(setting.name, config).or_else(|| found.as_ref().map(|found| found.value.clone())),
    };
    let source = found.map_or("default", |found| found.source.as_str());
    Line { name: setting.name, source: value.is_some().then_some(source), value }
}

fn find(setting: &Setting, settings: &Settings) -> Option<Found> {
    let in_file = |name| if setting.is_secret { settings.secret_file(name).ok().flatten() } else { None };
    setting.names().find_map(|name| in_file(name).or_else(|| settings.get(name)))
}

/// What a secret begins with, when that says what it is and no more.
fn masked(secret: &str) -> String {
    let known = ["sk_test_", "sk_live_", "whsec_", "mongodb+srv://", "mongodb://"];
    let start = known.into_iter().find(|start| secret.starts_with(start)).unwrap_or_default();
    format!("{start}…")
}

/// The value in force, where the configuration holds one that could differ from what was written.
fn value(name: &str, config: &Config) -> Option<String> {
    let Config { clerk, tokens, storage, http, log, .. } = config;
    Some(match name {
        "CLERK_PUBLISHABLE_KEY" => clerk.publishable_key.as_ref().map(PublishableKey::as_str)?.to_owned(),
        "CLERK_API_URL" => clerk.api_url.clone(),
        "AUTHORIZED_PARTIES" => parties(&tokens.authorized_parties),
        "MISSING_AZP" => if tokens.missing_azp == MissingAzp::Allow { "allow" } else { "refuse" }.to_owned(),
        "MONGODB_DB_NAME" => storage.database.clone(),
        "CHANGE_STREAMS" => if storage.change_streams { "auto" } else { "off" }.to_owned(),
        "DATA_DIR" => storage.data_dir.display().to_string(),
        "STORE" => if storage.store == StoreKind::Embedded { "embedded" } else { "mongodb" }.to_owned(),
        "STORE_STALE_SECS" => storage.stale_for.as_secs().to_string(),
        "JWKS_HARD_AGE_SECS" => storage.keys_hard_age.as_secs().to_string(),
        "HOST" => http.host.clone(),
        "PORT" => http.port.to_string(),
        "CORS_ORIGINS" => http.cors_origins.join(","),
        "ENVIRONMENT" => if config.production { "production" } else { "development" }.to_owned(),
        "DEBUG_FALLBACK" => config.debug_fallback.to_string(),
        "COOKIE_AUTH" => if http.cookie_auth { "on" } else { "off" }.to_owned(),
        "LOG_FORMAT" => if log.json { "json" } else { "human" }.to_owned(),
        "RUST_LOG" => log.filter.clone(),
        "LOG_USER_ID" => if log.hash_user_ids { "hash" } else { "plain" }.to_owned(),
        _ => return None,
    })
}

fn parties(parties: &AuthorizedParties) -> String {
    match parties {
        AuthorizedParties::AnyParty => AuthorizedParties::ANY_PARTY.to_owned(),
        AuthorizedParties::Only(origins) => {
            origins.iter().map(|origin| origin.as_str()).collect::<Vec<_>>().join(",")
        }
    }
}

fn derived(config: &Config) -> Vec<Line> {
    let clerk = &config.clerk;
    let keys = match &clerk.keys {
        Keys::Configured(_) => "CLERK_JWT_KEY".to_owned(),
        Keys::Published(url) => url.clone(),
    };
    let issuers =
        std::iter::once(&clerk.issuer).chain(&clerk.aliases).map(Issuer::as_str).collect::<Vec<_>>();
    let derived = |name, value| Line { name, value: Some(value), source: None };
    vec![
        derived("issuer", issuers.join(",")),
        derived("keys", keys),
        derived("https only", config.production.to_string()),
    ]
}

impl fmt::Display for InForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.settings {
            match (&line.value, line.source) {
                (Some(value), Some(source)) => writeln!(f, "{}={value}  ({source})", line.name)?,
                _ => writeln!(f, "{} is not set", line.name)?,
            }
        }
        self.derived.iter().try_for_each(|line| {
            writeln!(f, "# {}: {}", line.name, line.value.as_deref().unwrap_or_default())
        })
    }
}
