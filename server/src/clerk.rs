//! `ClerkApi`: HTTP to Clerk, bounded in time and size.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use doorward_verifier::UnixTime;
use reqwest::header::{ACCEPT, ETAG, HeaderMap, IF_NONE_MATCH, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;

use crate::config::Secret;
use crate::trace_context;
use crate::user::{Identity, UserId};

/// No answer of Clerk's that is used here comes near it.
pub const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// The version of the Backend API that this was written against.
const API_VERSION: &str = "2026-05-12";
const USER_AGENT: &str = concat!("doorward/", env!("CARGO_PKG_VERSION"));

/// Names and addresses of the instance.
#[derive(Clone, Debug)]
pub struct ClerkSettings {
    /// Where the keys are published.
    pub jwks_url: String,
    /// Sent with the request for the keys, where the Backend API publishes them.
    pub jwks_needs_secret: bool,
    /// The Backend API, `https://api.clerk.com`.
    pub api_url: String,
    /// Its secret key; without one, users can not be asked for.
    pub secret_key: Option<Secret>,
    /// How long an answer may take, from the first byte sent to the last received.
    pub timeout: Duration,
}

/// HTTP to one Clerk instance. Clones share their connections.
#[derive(Clone, Debug)]
pub struct ClerkApi(Arc<Instance>);

#[derive(Debug)]
struct Instance {
    client: Client,
    jwks_url: Url,
    jwks_secret: Option<Secret>,
    users_url: Url,
    secret_key: Option<Secret>,
}

/// What came of a request for the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchedKeys {
    /// They are what they were.
    NotModified,
    /// A document, not looked into.
    Document {
        /// Its bytes.
        body: Vec<u8>,
        /// Its name, to ask again with.
        etag: Option<String>,
    },
}

/// Why Clerk gave no answer that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClerkError {
    /// No connection, or no answer in time.
    #[error("{url} does not answer: {detail}")]
    Away {
        /// Who was asked.
        url: String,
        /// What went wrong.
        detail: String,
    },
    /// An answer with a status other than 200.
    #[error("{url} answers {status}")]
    Status {
        /// Who was asked.
        url: String,
        /// The status.
        status: u16,
        /// How long to stay away, where the answer says.
        retry_after: Option<Duration>,
    },
    /// An answer over the limit; the rest was not read.
    #[error("{url} answers with more than {limit} bytes")]
    TooLarge {
        /// Who was asked.
        url: String,
        /// How many were read.
        limit: usize,
    },
    /// An answer that is not what was asked for.
    #[error("{url} answers with something else: {detail}")]
    Unexpected {
        /// Who was asked.
        url: String,
        /// What is wrong with it.
        detail: String,
    },
    /// There is no secret key.
    #[error("CLERK_SECRET_KEY is not set")]
    NoSecret,
}

impl ClerkError {
    /// How long the answer says to stay away.
    pub fn retry_after(&self) -> Option<Duration> {
        if let ClerkError::Status { retry_after, .. } = self { *retry_after } else { None }
    }
}

/// Why there can be no HTTP to Clerk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClerkSettingsError {
    /// An address that is none, or over which secrets and keys must not travel.
    #[error("{name} is {value:?}: expected https://, or http:// on a loopback address")]
    Address {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// The TLS client can not be had; most often there are no CA files.
    #[error("no TLS client: {detail}; are the CA files installed (ca-certificates)?")]
    Tls {
        /// What it said.
        detail: String,
    },
}

impl ClerkApi {
    /// Connects to nothing yet.
    pub fn new(settings: ClerkSettings) -> Result<ClerkApi, ClerkSettingsError> {
        let jwks_url = address("CLERK_JWKS_URL", &settings.jwks_url)?;
        let users_url = address("CLERK_API_URL", &settings.api_url)?;
        let users_url = users_url.join("/v1/users/").map_err(|_| ClerkSettingsError::Address {
            name: "CLERK_API_URL",
            value: settings.api_url.clone(),
        })?;
        let local = [&jwks_url, &users_url].iter().all(|url| url.scheme() == "http");
        let jwks_secret = if settings.jwks_needs_secret { settings.secret_key.clone() } else { None };
        let client = client(settings.timeout, local)?;
        let secret_key = settings.secret_key;
        Ok(ClerkApi(Arc::new(Instance { client, jwks_url, jwks_secret, users_url, secret_key })))
    }

    /// Where the keys are published.
    pub fn jwks_url(&self) -> &str {
        self.0.jwks_url.as_str()
    }

    /// Whether users can be asked for.
    pub fn knows_users(&self) -> bool {
        self.0.secret_key.is_some()
    }

    /// The keys as published, unless they are still those that `known_etag` names.
    pub async fn fetch_jwks(&self, known_etag: Option<&str>) -> Result<FetchedKeys, ClerkError> {
        let mut request = self.0.client.get(self.0.jwks_url.clone()).header(ACCEPT, "application/json");
        if let Some(secret) = &self.0.jwks_secret {
            request = request.bearer_auth(secret.expose()).header("Clerk-API-Version", API_VERSION);
        }
        if let Some(etag) = known_etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let response = send(&self.0.jwks_url, request).await?;
        if response.status() == StatusCode::NOT_MODIFIED && known_etag.is_some() {
            return Ok(FetchedKeys::NotModified);
        }
        let response = expect_ok(&self.0.jwks_url, response)?;
        let etag = header(response.headers(), &ETAG).map(str::to_owned);
        let body = read(&self.0.jwks_url, response).await?;
        Ok(FetchedKeys::Document { body, etag })
    }

    /// Who the user is; none where Clerk knows no such user.
    pub async fn user(&self, id: &UserId) -> Result<Option<Identity>, ClerkError> {
        let secret = self.0.secret_key.as_ref().ok_or(ClerkError::NoSecret)?;
        let mut url = self.0.users_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(id.as_str());
        }
        let request = self.0.client.get(url.clone()).bearer_auth(secret.expose());
        let response = send(&url, request.header("Clerk-API-Version", API_VERSION)).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let body = read(&url, expect_ok(&url, response)?).await?;
        let user: ClerkUser = serde_json::from_slice(&body)
            .map_err(|error| ClerkError::Unexpected { url: url.to_string(), detail: error.to_string() })?;
        if user.id != id.as_str() {
            return Err(ClerkError::Unexpected { url: url.to_string(), detail: "another user".to_owned() });
        }
        Ok(Some(user.into()))
    }
}

/// Some of the users whom Clerk knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Those that can be read.
    pub users: Vec<(UserId, Identity)>,
    /// How many came, readable or not.
    pub count: usize,
}

/// Users in one list: Clerk takes up to as many ids or addresses in one request.
pub const MAX_LISTED: usize = 100;
/// A user has up to three kinds of metadata, of several KB each.
const MAX_LIST_BYTES: usize = 16 * 1024 * 1024;

impl ClerkApi {
    /// Up to [`MAX_LISTED`] users in the order in which they came to Clerk, after the first `offset` of them.
    pub async fn users_from(&self, offset: u64) -> Result<Listed, ClerkError> {
        let order = [("order_by", "+created_at".to_owned()), ("offset", offset.to_string())];
        self.list(order).await
    }

    /// Those of these users whom Clerk knows, at most [`MAX_LISTED`].
    pub async fn users_of_ids(&self, ids: &[UserId]) -> Result<Listed, ClerkError> {
        self.list(ids.iter().map(|id| ("user_id", id.to_string()))).await
    }

    /// The users who have one of these addresses, at most [`MAX_LISTED`].
    pub async fn users_of_addresses(&self, addresses: &[String]) -> Result<Listed, ClerkError> {
        self.list(addresses.iter().map(|address| ("email_address", address.clone()))).await
    }

    /// How many users there are.
    pub async fn user_count(&self) -> Result<u64, ClerkError> {
        let mut url = self.0.users_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("count");
        }
        let body = self.ask_backend(&url, MAX_ANSWER_BYTES).await?;
        let count: Count = serde_json::from_slice(&body).map_err(|error| unexpected(&url, &error))?;
        Ok(count.total_count)
    }

    async fn list(
        &self,
        query: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Listed, ClerkError> {
        let mut url = self.0.users_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty();
        }
        url.query_pairs_mut().extend_pairs(query).append_pair("limit", &MAX_LISTED.to_string());
        let body = self.ask_backend(&url, MAX_LIST_BYTES).await?;
        let came: Vec<serde_json::Value> =
            serde_json::from_slice(&body).map_err(|error| unexpected(&url, &error))?;
        let count = came.len();
        let readable = came.into_iter().filter_map(|user| {
            let user: ClerkUser = serde_json::from_value(user).ok()?;
            Some((UserId::parse(&user.id).ok()?, user.into()))
        });
        Ok(Listed { users: readable.collect(), count })
    }

    async fn ask_backend(&self, url: &Url, max_bytes: usize) -> Result<Vec<u8>, ClerkError> {
        let secret = self.0.secret_key.as_ref().ok_or(ClerkError::NoSecret)?;
        let request = self.0.client.get(url.clone()).bearer_auth(secret.expose());
        let response = send(url, request.header("Clerk-API-Version", API_VERSION)).await?;
        read_up_to(url, expect_ok(url, response)?, max_bytes).await
    }
}

#[derive(Deserialize)]
struct Count {
    total_count: u64,
}

/// A query can hold addresses of people: it stays out of errors.
fn unexpected(url: &Url, error: &dyn std::error::Error) -> ClerkError {
    ClerkError::Unexpected { url: shown(url), detail: error.to_string() }
}

fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

/// A user as the Backend API and webhooks send it. Samples omit many members, and new ones come: only `id` is needed.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ClerkUser {
    pub(crate) id: String,
    #[serde(default)]
    updated_at: Option<f64>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    first_name: Option<String>,
    #[serde(default)]
    last_name: Option<String>,
    #[serde(default)]
    image_url: Option<String>,
    #[serde(default)]
    primary_email_address_id: Option<String>,
    #[serde(default)]
    email_addresses: Option<Vec<EmailAddress>>,
    #[serde(default)]
    banned: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
struct EmailAddress {
    id: Option<String>,
    email_address: Option<String>,
    verification: Option<Verification>,
}

#[derive(Clone, Debug, Deserialize)]
struct Verification {
    status: Option<String>,
}

impl From<ClerkUser> for Identity {
    fn from(user: ClerkUser) -> Identity {
        let addresses = user.email_addresses.unwrap_or_default();
        let primary_id = user.primary_email_address_id;
        let primary = addresses.into_iter().find(|address| primary_id.is_some() && address.id == primary_id);
        let verified = primary.as_ref().and_then(|address| address.verification.as_ref()?.status.as_deref());
        Identity {
            // Milliseconds; a fraction or a sign would be no time of Clerk's, and `as` saturates.
            updated_at: UnixTime::from_millis(user.updated_at.unwrap_or_default() as u64),
            email_verified: verified == Some("verified"),
            email: text(primary.and_then(|address| address.email_address), MAX_EMAIL_BYTES),
            username: text(user.username, MAX_NAME_BYTES),
            first_name: text(user.first_name, MAX_NAME_BYTES),
            last_name: text(user.last_name, MAX_NAME_BYTES),
            image_url: text(user.image_url, MAX_IMAGE_URL_BYTES),
            banned: user.banned.unwrap_or_default(),
        }
    }
}

impl Identity {
    /// The same, as of `at` where it does not say of when it is.
    pub(crate) fn dated(self, at: UnixTime) -> Identity {
        if self.updated_at == UnixTime::default() { Identity { updated_at: at, ..self } } else { self }
    }
}

/// RFC 5321 section 4.5.3.1: 64 for the local part, 255 for the domain.
const MAX_EMAIL_BYTES: usize = 320;
/// Clerk allows 256 characters; four bytes each at most.
const MAX_NAME_BYTES: usize = 1024;
/// What browsers and proxies let pass.
const MAX_IMAGE_URL_BYTES: usize = 2048;

/// Empty is unknown, and so is what does not fit a record: half an address would be another one.
fn text(value: Option<String>, max_bytes: usize) -> Option<String> {
    value.filter(|text| !text.is_empty() && text.len() <= max_bytes)
}

fn client(timeout: Duration, local: bool) -> Result<Client, ClerkSettingsError> {
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .timeout(timeout)
        .connect_timeout(timeout)
        .redirect(reqwest::redirect::Policy::none());
    if local {
        // A local issuer needs no CA files, and no proxy stands in front of it.
        builder = builder.tls_certs_only([]).no_proxy();
    }
    builder.build().map_err(|error| ClerkSettingsError::Tls { detail: with_causes(&error) })
}

fn address(name: &'static str, value: &str) -> Result<Url, ClerkSettingsError> {
    let refused = || ClerkSettingsError::Address { name, value: value.to_owned() };
    let url = Url::parse(value).map_err(|_| refused())?;
    let secure =
        url.scheme() == "https" || (url.scheme() == "http" && url.host_str().is_some_and(is_loopback));
    let plain = url.username().is_empty() && url.password().is_none();
    if secure && plain { Ok(url) } else { Err(refused()) }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip == Ipv6Addr::LOCALHOST)
}

async fn send(url: &Url, request: RequestBuilder) -> Result<Response, ClerkError> {
    request.headers(trace_context::to_pass_on()).send().await.map_err(|error| away(url, error))
}

fn expect_ok(url: &Url, response: Response) -> Result<Response, ClerkError> {
    if response.status() == StatusCode::OK {
        return Ok(response);
    }
    let retry_after = header(response.headers(), &RETRY_AFTER).and_then(|text| text.trim().parse().ok());
    Err(ClerkError::Status {
        url: shown(url),
        status: response.status().as_u16(),
        retry_after: retry_after.map(Duration::from_secs),
    })
}

/// The limit holds while reading: a body that says nothing of its length, or lies about it, is cut off there.
async fn read(url: &Url, response: Response) -> Result<Vec<u8>, ClerkError> {
    read_up_to(url, response, MAX_ANSWER_BYTES).await
}

async fn read_up_to(url: &Url, mut response: Response, max_bytes: usize) -> Result<Vec<u8>, ClerkError> {
    let too_large = || ClerkError::TooLarge { url: shown(url), limit: max_bytes };
    if response.content_length().is_some_and(|length| length > max_bytes as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| away(url, error))? {
        if body.len() + chunk.len() > max_bytes {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn away(url: &Url, error: reqwest::Error) -> ClerkError {
    ClerkError::Away { url: shown(url), detail: with_causes(&error.without_url()) }
}

/// reqwest's own text stops before what matters: "connection refused", "certificate expired".
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn header<'a>(headers: &'a HeaderMap, name: &reqwest::header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
