//! The local issuer's Frontend API: what Clerk's own code asks for in a browser, to sign people in and out.
//!
//! As Clerk's does for a development instance, it signs in whoever enters the test code. So it answers to pages of this
//! machine alone: by the `Host` that it is asked under, by the `Origin` of the page that asks, by where it sends back to.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use doorward_verifier::PublishableKey;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use reqwest::Url;
use serde_json::{Map, Value, json};
use uuid::Uuid;
use warp::filters::BoxedFilter;
use warp::filters::path::FullPath;
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

use super::api::{Answer, Instance, MAX_BODY_BYTES, Refusal, with};
use super::clients::{Attempt, Client};
use super::{Account, environment};
use crate::mint::{SESSION_CATEGORY, Shape, mint};
use crate::user::UserId;

/// The code that Clerk itself takes for addresses that are for tests.
const TEST_CODE: &str = "424242";

/// The cookie that knows a browser. It never reaches the application's script.
const CLIENT_COOKIE: &str = "__client";

/// Of a query, or of a form.
type Fields = HashMap<String, String>;

/// A call that was read.
struct Call {
    method: Method,
    path: String,
    query: Fields,
    form: Fields,
    headers: HeaderMap,
}

/// Who is signed in, and what is answered.
struct Outcome {
    client: Option<Client>,
    response: Value,
}

/// `/v1/environment` and everything at `/v1/client`.
pub(super) fn routes(instance: &Instance) -> BoxedFilter<(Response,)> {
    let paths = warp::path!("v1" / "client" / ..).or(warp::path!("v1" / "environment" / ..)).unify();
    paths
        .and(warp::path::full())
        .and(warp::method())
        .and(warp::header::headers_cloned())
        .and(warp::query())
        .and(warp::body::content_length_limit(MAX_BODY_BYTES).and(warp::body::form()).or(no_form()).unify())
        .and(with(instance))
        .map(|path: FullPath, method, headers, query: Fields, form, instance: Instance| {
            instance.serve(&Call::new(method, &path, query, form, headers))
        })
        .boxed()
}

fn no_form() -> impl Filter<Extract = (Fields,), Error = Rejection> + Clone {
    warp::header::optional::<u64>("content-length").and_then(|length: Option<u64>| async move {
        if length.is_none() { Ok(Fields::new()) } else { Err(warp::reject()) }
    })
}

impl Call {
    /// clerk-js writes forms, and `_method` beside `POST` for the methods that would need a preflight.
    fn new(method: Method, path: &FullPath, query: Fields, form: Fields, headers: HeaderMap) -> Call {
        let meant = query.get("_method").and_then(|name| name.parse().ok());
        let method = if method == Method::POST { meant.unwrap_or(method) } else { method };
        let path = path.as_str().trim_start_matches("/v1/").to_owned();
        Call { method, path, query, form, headers }
    }

    fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn origin(&self) -> Option<&str> {
        self.header(header::ORIGIN)
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.form.get(name).map(String::as_str)
    }

    fn client_cookie(&self) -> Option<&str> {
        let pairs = self.header(header::COOKIE)?.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(name, _)| *name == CLIENT_COOKIE).map(|(_, value)| value).next()
    }
}

impl Instance {
    fn serve(&self, call: &Call) -> Response {
        let mut response = match self.admit(call) {
            Err(refusal) => return refusal.into_response(),
            Ok(()) if call.method == Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
            Ok(()) if call.path == "client/handshake" => {
                self.handshake(call).unwrap_or_else(Reply::into_response)
            }
            Ok(()) => self.ask(call).unwrap_or_else(Reply::into_response),
        };
        allow(call.origin(), response.headers_mut());
        response
    }

    /// A page of another machine must not sign anybody in here, and neither must one whose name was made to lead here.
    fn admit(&self, call: &Call) -> Result<(), Refusal> {
        let own = self.issuer.port();
        let is_own =
            |host: &str| ["127.0.0.1", "localhost"].iter().any(|name| host == format!("{name}:{own}"));
        if !call.header(header::HOST).is_some_and(is_own) {
            return Err(Refusal::forbidden("the Host is not this issuer's"));
        }
        let from_here =
            !call.headers.contains_key(header::ORIGIN) || call.origin().is_some_and(is_loopback_page);
        if from_here { Ok(()) } else { Err(Refusal::forbidden("the page that asks is not on this machine")) }
    }

    fn ask(&self, call: &Call) -> Result<Response, Refusal> {
        let known = self.known(call)?;
        let is_new = known.is_none();
        let Outcome { client, response } = self.outcome(call, known)?;
        let body = match &client {
            _ if call.path == "environment" || call.path.ends_with("/tokens") => response,
            Some(client) => json!({ "response": response, "client": self.client_json(client, call)? }),
            None => json!({ "response": response, "client": null }),
        };
        let mut reply = warp::reply::json(&body).into_response();
        if let Some(client) = client.filter(|_| is_new) {
            let cookie = format!("{CLIENT_COOKIE}={}; Path=/; HttpOnly; SameSite=Lax", client.id);
            set(reply.headers_mut(), header::SET_COOKIE, &cookie);
        }
        Ok(reply)
    }

    /// The browser that asks. A session that was ended meanwhile is none, nor is that of a removed account.
    fn known(&self, call: &Call) -> Result<Option<Client>, Refusal> {
        let Some(mut client) = call.client_cookie().and_then(|cookie| self.clients.get(cookie)) else {
            return Ok(None);
        };
        if let Some((user, session)) = &client.session
            && (self.issuer.account(user)?.is_none() || self.issuer.session_id(user)? != *session)
        {
            client = self.changed(Client { session: None, ..client });
        }
        Ok(Some(client))
    }

    fn outcome(&self, call: &Call, client: Option<Client>) -> Result<Outcome, Refusal> {
        let segments: Vec<&str> = call.path.split('/').collect();
        let begun = |id: &str| {
            let client = client.clone().ok_or_else(|| Refusal::no_such("attempt", id))?;
            let attempt = client.attempt.clone().filter(|attempt| attempt.id == id);
            Ok::<_, Refusal>((client, attempt.ok_or_else(|| Refusal::no_such("attempt", id))?))
        };
        let signed_in = |session: &str| {
            let signed_in = client.as_ref().and_then(|client| client.session.clone());
            let (user, _) = signed_in.filter(|(_, id)| id == session).ok_or_else(Refusal::signed_out)?;
            Ok::<_, Refusal>(user)
        };
        match (call.method.as_str(), segments.as_slice()) {
            ("GET" | "PATCH", ["environment"]) => Ok(Outcome { client, response: environment::json() }),
            ("GET", ["client"]) => {
                let response = match &client {
                    Some(client) => self.client_json(client, call)?,
                    None => Value::Null,
                };
                Ok(Outcome { client, response })
            }
            ("POST", ["client", "sign_ins"]) => self.begin_sign_in(client, call),
            ("POST", ["client", "sign_ups"]) => self.begin_sign_up(client, call),
            ("POST", ["client", "sign_ins", id, "prepare_first_factor"]) => {
                let (client, attempt) = begun(id)?;
                Ok(Outcome { client: Some(client), response: attempt.sign_in(self.now_ms()) })
            }
            ("POST", ["client", "sign_ups", id, "prepare_verification"]) => {
                let (client, attempt) = begun(id)?;
                Ok(Outcome { client: Some(client), response: attempt.sign_up(self.now_ms()) })
            }
            ("POST", ["client", "sign_ins", id, "attempt_first_factor"]) => {
                let (client, attempt) = begun(id)?;
                let user = attempt.user.clone().ok_or_else(|| Refusal::no_such("sign-in", id))?;
                check_code(call)?;
                self.signed_in(client, user, attempt.sign_in(self.now_ms()))
            }
            ("POST", ["client", "sign_ups", id, "attempt_verification"]) => {
                let (client, attempt) = begun(id)?;
                check_code(call)?;
                let user = self.sign_up(&attempt.email)?;
                self.signed_in(client, user, attempt.sign_up(self.now_ms()))
            }
            ("POST", ["client", "sessions", session, "touch"]) => {
                let response = self.session_json(&signed_in(session)?, call)?;
                Ok(Outcome { client, response })
            }
            ("POST", ["client", "sessions", session, "tokens"]) => {
                let response = self.token(&signed_in(session)?, call.origin())?;
                Ok(Outcome { client, response })
            }
            ("DELETE", ["client", "sessions"]) => self.sign_out(client, call),
            ("POST", ["client", "sessions", session, "remove"]) => {
                signed_in(session)?;
                self.sign_out(client, call)
            }
            _ => Err(Refusal::nothing_here()),
        }
    }

    fn begin_sign_in(&self, client: Option<Client>, call: &Call) -> Result<Outcome, Refusal> {
        let email = call.field("identifier").unwrap_or_default();
        let user = self.user_of(email)?.ok_or_else(|| {
            let message = "no account of this local issuer has this address: ada@example.com has one";
            Refusal::of_field("form_identifier_not_found", "identifier", message)
        })?;
        let attempt = Attempt {
            id: format!("sia_{}", Uuid::new_v4().simple()),
            email: email.to_owned(),
            user: Some(user),
        };
        let response = attempt.sign_in(self.now_ms());
        Ok(Outcome { client: Some(self.begin(client, attempt)), response })
    }

    fn begin_sign_up(&self, client: Option<Client>, call: &Call) -> Result<Outcome, Refusal> {
        let email = call.field("email_address").unwrap_or_default();
        if !email.contains('@') || email.len() > 254 {
            let message = "this is no email address";
            return Err(Refusal::of_field("form_param_format_invalid", "email_address", message));
        }
        if self.user_of(email)?.is_some() {
            let message = "an account has this address: sign in";
            return Err(Refusal::of_field("form_identifier_exists", "email_address", message));
        }
        let attempt =
            Attempt { id: format!("sua_{}", Uuid::new_v4().simple()), email: email.to_owned(), user: None };
        let response = attempt.sign_up(self.now_ms());
        Ok(Outcome { client: Some(self.begin(client, attempt)), response })
    }

    fn begin(&self, client: Option<Client>, attempt: Attempt) -> Client {
        let client =
            Client { attempt: Some(attempt), ..client.unwrap_or_else(|| Client::new(self.clock.now())) };
        self.clients.keep(client.clone());
        client
    }

    fn signed_in(&self, client: Client, user: UserId, attempt: Value) -> Result<Outcome, Refusal> {
        let session = self.issuer.session_id(&user)?;
        let response = completed(attempt, &user, &session);
        let client = self.changed(Client { session: Some((user, session)), attempt: None, ..client });
        Ok(Outcome { client: Some(client), response })
    }

    fn sign_out(&self, client: Option<Client>, call: &Call) -> Result<Outcome, Refusal> {
        let client = client.map(|client| self.changed(Client { session: None, attempt: None, ..client }));
        let response = client.as_ref().map(|client| self.client_json(client, call)).transpose()?;
        Ok(Outcome { client, response: response.unwrap_or_default() })
    }

    fn changed(&self, client: Client) -> Client {
        let client = Client { changed_at: self.clock.now(), ..client };
        self.clients.keep(client.clone());
        client
    }

    fn sign_up(&self, email: &str) -> Result<UserId, Refusal> {
        let id =
            UserId::parse(&format!("user_{}", Uuid::new_v4().simple())).map_err(super::IssuerError::from)?;
        self.issuer.save_account(&id, &Account::signed_up(&id, email, self.clock.now()))?;
        Ok(id)
    }

    fn user_of(&self, email: &str) -> Result<Option<UserId>, Refusal> {
        let accounts = self.issuer.accounts()?;
        Ok(accounts
            .into_iter()
            .find(|(_, account)| account.has_address(&[email.to_owned()]))
            .map(|(id, _)| id))
    }

    /// As Clerk has it: `azp` is the page that asked, and is missing where no page did.
    fn token(&self, user: &UserId, origin: Option<&str>) -> Answer {
        let mut shape = Shape { authorized_party: origin.map(str::to_owned), ..Shape::default() };
        if origin.is_none() {
            shape.claims.insert("azp".to_owned(), Value::Null);
        }
        Ok(
            json!({ "object": "token", "jwt": mint(&self.issuer.reopened()?, user, &shape, self.clock.now())? }),
        )
    }

    fn client_json(&self, client: &Client, call: &Call) -> Answer {
        let sessions: Vec<Value> =
            client.user().into_iter().map(|user| self.session_json(user, call)).collect::<Result<_, _>>()?;
        let attempt =
            |is_sign_in: bool| client.attempt.as_ref().filter(|attempt| attempt.user.is_some() == is_sign_in);
        Ok(json!({
            "object": "client", "id": client.id, "sessions": sessions,
            "sign_in": attempt(true).map(|attempt| attempt.sign_in(self.now_ms())),
            "sign_up": attempt(false).map(|attempt| attempt.sign_up(self.now_ms())),
            "last_active_session_id": client.session.as_ref().map(|(_, session)| session),
            "last_authentication_strategy": null, "cookie_expires_at": null, "captcha_bypass": false,
            "created_at": client.created_at.as_millis(), "updated_at": client.changed_at.as_millis(),
        }))
    }

    fn session_json(&self, user: &UserId, call: &Call) -> Answer {
        let account = self.issuer.account(user)?.ok_or_else(|| Refusal::no_such("user", user.as_str()))?;
        let mut account = account.to_json();
        if let Some(members) = account.as_object_mut() {
            // Not for browsers.
            members.remove("private_metadata");
        }
        let public = json!({
            "user_id": user.as_str(), "identifier": account["email_addresses"][0]["email_address"],
            "first_name": account["first_name"], "last_name": account["last_name"],
            "image_url": account["image_url"], "has_image": account["has_image"],
        });
        let mut session = self.session(user)?;
        if let Some(session) = session.as_object_mut() {
            session.insert("user".to_owned(), account);
            session.insert("public_user_data".to_owned(), public);
            session.insert("factor_verification_age".to_owned(), json!([0, -1]));
            session.insert("last_active_token".to_owned(), self.token(user, call.origin())?);
            for name in ["actor", "tasks", "last_active_organization_id"] {
                session.insert(name.to_owned(), Value::Null);
            }
        }
        Ok(session)
    }

    /// Sends a navigation back to the page that it came from, with the cookies that `clerkMiddleware` is to set there.
    fn handshake(&self, call: &Call) -> Result<Response, Refusal> {
        let asked = call.query.get("redirect_url").map(String::as_str).unwrap_or_default();
        let back = Url::parse(asked).ok().filter(|url| is_loopback_page(&url.origin().ascii_serialization()));
        let mut back = back.ok_or_else(|| Refusal::forbidden("redirect_url is not on this machine"))?;
        let client = self.known(call)?;
        let claims = Map::from_iter([("handshake".to_owned(), json!(self.cookies(client.as_ref())?))]);
        let key = self.issuer.reopened()?.signing_key(false)?;
        let header = json!({ "alg": "RS256", "cat": SESSION_CATEGORY, "kid": key.kid(), "typ": "JWT" });
        let token = key.sign_odd(&header, &claims)?;
        back.query_pairs_mut().append_pair("__clerk_handshake", &token);
        let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
        set(response.headers_mut(), header::LOCATION, back.as_str());
        set(response.headers_mut(), header::CACHE_CONTROL, "no-store");
        Ok(response)
    }

    /// The application's cookies: under plain names, and under those of this instance.
    fn cookies(&self, client: Option<&Client>) -> Result<Vec<String>, Refusal> {
        let user = client.and_then(Client::user);
        let token = user.map(|user| self.token(user, None)).transpose()?;
        let session = match token.as_ref().and_then(|token| token["jwt"].as_str()) {
            Some(jwt) => format!("{jwt}; Path=/; SameSite=Lax"),
            None => "; Path=/; SameSite=Lax; Expires=Thu, 01 Jan 1970 00:00:00 GMT".to_owned(),
        };
        let client_uat = client.filter(|_| user.is_some()).map_or(0, |client| client.changed_at.as_secs());
        let browser = client.map_or("dvb_local", |client| &client.id);
        let suffix = PublishableKey::parse(self.issuer.publishable_key())
            .map(|key| format!("_{}", key.cookie_suffix()));
        let suffixes = [Some(String::new()), suffix.ok()];
        Ok(suffixes
            .iter()
            .flatten()
            .flat_map(|suffix| {
                [
                    format!("__session{suffix}={session}"),
                    format!("__client_uat{suffix}={client_uat}; Path=/; SameSite=Lax"),
                    // `clerkMiddleware` looks whether it is there; nothing is asked by its value.
                    format!("__clerk_db_jwt{suffix}={browser}; Path=/; SameSite=Lax"),
                ]
            })
            .collect())
    }

    fn now_ms(&self) -> u64 {
        self.clock.now().as_millis()
    }
}

impl Attempt {
    fn sign_in(&self, now_ms: u64) -> Value {
        json!({
            "object": "sign_in", "id": self.id, "status": "needs_first_factor", "identifier": self.email,
            "supported_identifiers": ["email_address"],
            "supported_first_factors": [{
                "strategy": "email_code", "email_address_id": "idn_address", "safe_identifier": self.email, "primary": true,
            }],
            "first_factor_verification": verification("unverified", now_ms),
            "supported_second_factors": null, "second_factor_verification": null,
            "user_data": null, "created_session_id": null,
        })
    }

    fn sign_up(&self, now_ms: u64) -> Value {
        json!({
            "object": "sign_up", "id": self.id, "status": "missing_requirements", "email_address": self.email,
            "required_fields": ["email_address"], "optional_fields": [], "missing_fields": [],
            "unverified_fields": ["email_address"],
            "verifications": {
                "email_address": verification("unverified", now_ms), "phone_number": null, "web3_wallet": null,
                "external_account": null,
            },
            "username": null, "first_name": null, "last_name": null, "phone_number": null, "web3_wallet": null,
            "has_password": false, "unsafe_metadata": {}, "external_account": null, "legal_accepted_at": null,
            "created_session_id": null, "created_user_id": null, "abandon_at": null,
        })
    }
}

fn verification(status: &str, now_ms: u64) -> Value {
    json!({
        "status": status, "strategy": "email_code", "attempts": 0, "expire_at": now_ms + 10 * 60 * 1000,
        "next_action": "needs_attempt", "supported_strategies": ["email_code"],
    })
}

fn completed(mut attempt: Value, user: &UserId, session: &str) -> Value {
    attempt["status"] = "complete".into();
    attempt["created_session_id"] = session.into();
    match attempt["object"].as_str() {
        Some("sign_up") => {
            attempt["created_user_id"] = user.as_str().into();
            attempt["unverified_fields"] = json!([]);
            attempt["verifications"]["email_address"]["status"] = "verified".into();
        }
        _ => attempt["first_factor_verification"]["status"] = "verified".into(),
    }
    attempt
}

fn check_code(call: &Call) -> Result<(), Refusal> {
    if call.field("code") == Some(TEST_CODE) {
        return Ok(());
    }
    Err(Refusal::of_field(
        "form_code_incorrect",
        "code",
        "the local issuer sends no mail: its code is 424242",
    ))
}

/// Whether the origin is that of a page that this machine serves.
fn is_loopback_page(origin: &str) -> bool {
    let Ok(url) = Url::parse(origin) else { return false };
    let is_loopback = |host: &str| {
        host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
    };
    url.scheme() == "http" && url.host_str().is_some_and(is_loopback)
}

/// Lets the page that asked read the answer (it was admitted before).
fn allow(origin: Option<&str>, headers: &mut HeaderMap) {
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = origin else { return };
    set(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    set(headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    set(headers, header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PATCH, DELETE");
    set(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type");
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.append(name, value);
    }
}
