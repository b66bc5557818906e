//! Tokens to try the server with: given, minted by the local issuer or by Clerk's Backend API, and made up.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward_verifier::{KeySet, UnixTime};
use reqwest::Method;
use serde_json::json;

use super::http::{Asker, ask};
use crate::config::{Config, Secret};
use crate::issuer::{LocalIssuer, first_user};
use crate::mint::{Shape, mint};
use crate::user::UserId;

/// What there is to try.
#[derive(Default)]
pub(super) struct Tokens {
    pub(super) good: Option<String>,
    pub(super) expired: Option<String>,
    /// Why there is no good one.
    pub(super) why_none: String,
}

impl Tokens {
    pub(super) fn given(token: &str) -> Tokens {
        let token = token.trim();
        let token = token.strip_prefix("Bearer ").unwrap_or(token);
        Tokens { good: Some(token.to_owned()), ..Tokens::default() }
    }

    pub(super) fn none(why: impl std::fmt::Display) -> Tokens {
        Tokens { why_none: why.to_string(), ..Tokens::default() }
    }

    pub(super) fn of_local_issuer(issuer: &LocalIssuer, now: UnixTime) -> Tokens {
        let minted = |shape: &Shape| mint(issuer, &first_user()?, shape, now);
        match minted(&Shape::default()) {
            Ok(good) => {
                let expired = minted(&Shape { expired: true, ..Shape::default() }).ok();
                Tokens { good: Some(good), expired, why_none: String::new() }
            }
            Err(error) => Tokens::none(error),
        }
    }

    /// A session of this user and its token, from a development instance: in production it would be a way in.
    pub(super) async fn of_backend_api(config: &Config, user: &UserId) -> Tokens {
        match &config.clerk.secret_key {
            Some(secret) if secret.expose().starts_with("sk_test_") => {
                match session_token(&config.clerk.api_url, secret, user).await {
                    Ok(token) => Tokens { good: Some(token), ..Tokens::default() },
                    Err(why) => Tokens::none(format_args!("no token for {user}: {why}")),
                }
            }
            Some(_) => Tokens::none("--user takes a test key: with live keys, give a token with --token"),
            None => Tokens::none("--user needs CLERK_SECRET_KEY"),
        }
    }
}

async fn session_token(api_url: &str, secret: &Secret, user: &UserId) -> Result<String, String> {
    let asker = Asker::new(api_url)?;
    let post = |path: &str| Ok::<_, String>(asker.request(Method::POST, path)?.bearer_auth(secret.expose()));
    let session = ask(post("/v1/sessions")?.json(&json!({ "user_id": user.as_str() }))).await?;
    let id = session.member("id");
    let id = id.as_str().ok_or_else(|| format!("/v1/sessions answers {}", session.status))?;
    let token = ask(post(&format!("/v1/sessions/{id}/tokens"))?.json(&json!({}))).await?;
    let jwt = token.member("jwt");
    jwt.as_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("/v1/sessions/{id}/tokens answers {}", token.status))
}

/// The good token with another signature, or one that anybody could write.
pub(super) fn forged(
    good: Option<&str>,
    config: Option<&Config>,
    keys: Option<&KeySet>,
    now: UnixTime,
) -> String {
    let signed = good.and_then(|token| token.rsplit_once('.')).map(|(signed, _)| signed.to_owned());
    let signed = signed.unwrap_or_else(|| made_up(config, keys, now));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode([0x5a; 256]))
}

fn made_up(config: Option<&Config>, keys: Option<&KeySet>, now: UnixTime) -> String {
    let kid = keys
        .and_then(|keys| keys.ids().next())
        .map_or_else(|| "ins_doctor".to_owned(), |kid| kid.to_string());
    let issuer = config.map_or("https://clerk.example.com", |config| config.clerk.issuer.as_str());
    let header = json!({ "alg": "RS256", "kid": kid, "typ": "JWT" });
    let claims = json!({
        "iss": issuer, "sub": "user_doctor", "sid": "sess_doctor", "azp": "http://localhost:3000",
        "iat": now.as_secs(), "nbf": now.as_secs(), "exp": now.as_secs() + 60,
    });
    [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".")
}
