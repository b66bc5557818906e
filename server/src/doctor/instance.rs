//! What the Clerk instance answers: its keys, its clock, and whether the keys of the settings are all its own.

use std::time::Duration;

use doorward_verifier::{AwsLcRsa, DEFAULT_CLOCK_SKEW, Jwks, KeySet, UnixTime};
use reqwest::Method;

use super::date::parse_http_date;
use super::http::{Answer, Asker, ask};
use super::report::{Check, Topic};
use crate::app::clerk_settings;
use crate::clock::Clock;
use crate::config::{Config, Keys};

/// What was found, and the keys to judge tokens with.
pub(super) struct Findings {
    pub(super) checks: Vec<Check>,
    pub(super) keys: Option<KeySet>,
}

pub(super) async fn examine(config: &Config, clock: &dyn Clock) -> Findings {
    let mut findings = match &config.clerk.keys {
        Keys::Published(url) => published(config, url, clock).await,
        Keys::Configured(material) => {
            let why = "the key is in CLERK_JWT_KEY: nothing is fetched";
            let keys = material.key_set(&config.clerk.issuer, &AwsLcRsa).ok();
            let unseen = |topic| Check::not_checked(topic, why);
            Findings { checks: vec![unseen(Topic::Jwks), unseen(Topic::Clock)], keys }
        }
    };
    let secret_key = secret_key(config, findings.keys.as_ref()).await;
    findings.checks.push(secret_key);
    findings
}

async fn published(config: &Config, url: &str, clock: &dyn Clock) -> Findings {
    let answer = fetch(config, url).await.and_then(|answer| match answer.status {
        200 => Ok(answer),
        _ => Err(format!("{url} answers {}", answer.in_words())),
    });
    let (answer, jwks) = match answer.and_then(|answer| parse(url, answer)) {
        Ok(read) => read,
        Err(error) => {
            let hint = "outgoing HTTPS must be open from where the server runs; compare the publishable key with the dashboard";
            let clock = Check::not_checked(Topic::Clock, "the issuer did not answer");
            return Findings { checks: vec![Check::failed(Topic::Jwks, error, hint), clock], keys: None };
        }
    };
    let keys = KeySet::from_jwks(&config.clerk.issuer, &jwks, &AwsLcRsa);
    Findings { checks: vec![usable_keys(url, &keys), clock_skew(&answer, clock.now())], keys: Some(keys) }
}

async fn fetch(config: &Config, url: &str) -> Result<Answer, String> {
    let settings = clerk_settings(config);
    let request = Asker::new(url)?.request(Method::GET, "")?;
    match settings.secret_key.filter(|_| settings.jwks_needs_secret) {
        Some(secret) => ask(request.bearer_auth(secret.expose())).await,
        None => ask(request).await,
    }
    .map_err(|error| format!("{url}: {error}"))
}

fn parse(url: &str, answer: Answer) -> Result<(Answer, Jwks), String> {
    match Jwks::parse(&answer.body) {
        Ok(jwks) => Ok((answer, jwks)),
        Err(error) => Err(format!("{url}: {error}")),
    }
}

fn usable_keys(url: &str, keys: &KeySet) -> Check {
    let refused: Vec<_> = keys.refused().iter().map(|refused| refused.error.to_string()).collect();
    let refused =
        if refused.is_empty() { String::new() } else { format!("; not fit for use: {}", refused.join(", ")) };
    if keys.is_empty() {
        let detail = format!("{url} has no key that is fit for use{refused}");
        return Check::failed(Topic::Jwks, detail, "is this a Clerk instance? compare the publishable key");
    }
    let kids: Vec<_> = keys.ids().map(|kid| kid.to_string()).collect();
    Check::passed(Topic::Jwks, format_args!("{url} publishes {}{refused}", kids.join(", ")))
}

/// `Date` tells whole seconds, and the answer took its time: one second more than the skew that tokens are given.
fn clock_skew(answer: &Answer, now: UnixTime) -> Check {
    let Some(theirs) = answer.header("date").and_then(parse_http_date) else {
        return Check::not_checked(Topic::Clock, "the issuer's answer has no Date");
    };
    let allowed = DEFAULT_CLOCK_SKEW + Duration::from_secs(1);
    let (ahead, behind) = (now.since(theirs), theirs.since(now));
    if ahead <= allowed && behind <= allowed {
        return Check::passed(Topic::Clock, "this machine and the issuer agree");
    }
    let (span, word) = if ahead > behind { (ahead, "ahead of") } else { (behind, "behind") };
    let detail = format!("this machine is {} s {word} the issuer", span.as_secs());
    Check::failed(Topic::Clock, detail, "synchronise the clock (NTP): tokens live a minute")
}

/// Nothing in a secret key says whose it is: the Backend API is asked for its keys with it.
async fn secret_key(config: &Config, published: Option<&KeySet>) -> Check {
    let Some(secret) = &config.clerk.secret_key else {
        let why = "CLERK_SECRET_KEY is not set: email and names can't be filled from Clerk";
        return Check::not_checked(Topic::SecretKey, why);
    };
    let request = Asker::new(&config.clerk.api_url).and_then(|asker| asker.request(Method::GET, "/v1/jwks"));
    let answer = match request {
        Ok(request) => ask(request.bearer_auth(secret.expose())).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(answer) if answer.status == 200 => of_one_instance(&answer, published),
        Ok(answer) => {
            let detail = format!("{} answers {}", config.clerk.api_url, answer.status);
            Check::failed(Topic::SecretKey, detail, "copy CLERK_SECRET_KEY from the dashboard again")
        }
        Err(error) => {
            Check::failed(Topic::SecretKey, error, "outgoing HTTPS to the Backend API must be open")
        }
    }
}

fn of_one_instance(answer: &Answer, published: Option<&KeySet>) -> Check {
    let Some(published) = published.filter(|keys| !keys.is_empty()) else {
        return Check::passed(Topic::SecretKey, "the Backend API takes it");
    };
    let theirs = Jwks::parse(&answer.body);
    let shared = theirs.is_ok_and(|jwks| jwks.keys().iter().any(|key| published.contains(key.kid())));
    if shared || published.ids().next().is_none() {
        return Check::passed(Topic::SecretKey, "it is of the instance that the publishable key names");
    }
    let detail = "it is of another instance than the publishable key";
    Check::failed(Topic::SecretKey, detail, "take both keys from one page of the dashboard")
}
