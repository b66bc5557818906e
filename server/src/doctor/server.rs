//! What the server answers to strangers, to browsers, and to bearers of good and bad tokens.

use doorward_verifier::{Code, KeySet, Principal};
use http::header::{ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, ORIGIN};
use reqwest::Method;
use serde_json::Value;

use super::http::{Answer, Asker, ask};
use super::report::{Check, Topic};

const ME: &str = "/api/auth/me";
const VERIFY: &str = "/api/auth/verify";
const REGISTER: &str = "/api/auth/register";
/// An origin that nobody has (RFC 2606), so that nobody lists it.
const STRANGER: &str = "https://doorward-doctor.invalid";

/// The server that is examined.
pub(super) struct Server {
    asker: Asker,
}

/// Why an answer says nothing about what was asked.
enum Nothing {
    Away(String),
    /// HTTPS alone is taken, and this was not.
    HttpsOnly,
}

impl Server {
    pub(super) fn new(asker: Asker) -> Server {
        Server { asker }
    }

    pub(super) async fn health(&self) -> Check {
        match self.asker.get("/health").await {
            Ok(answer) if answer.status == 200 && answer.member("status") == "ok" => {
                Check::passed(Topic::Health, "200 {\"status\":\"ok\"}")
            }
            Ok(answer) => {
                Check::failed(Topic::Health, answer.in_words(), "something else answers at this address")
            }
            Err(error) => {
                Check::failed(Topic::Health, error, "start the server, or name its address with --url")
            }
        }
    }

    pub(super) async fn ready(&self) -> Check {
        let Ok(answer) = self.asker.get("/ready").await else { return unseen(Topic::Ready, "no answer") };
        let keys = answer.member("keys");
        let keys = match keys.get("age_seconds").and_then(Value::as_u64) {
            Some(age) => format!("the keys are {age} s old"),
            None => "there are no keys from the issuer".to_owned(),
        };
        let detail = format!("{}; the store is {}; {keys}", answer.status, word(&answer.member("store")));
        if answer.status == 200 {
            return Check::passed(Topic::Ready, detail);
        }
        Check::failed(Topic::Ready, detail, "see the server's log; it goes on by itself when both can be had")
    }

    pub(super) async fn public_endpoints(&self) -> Check {
        match self.get("/", None).await {
            Ok(answer) if answer.status == 200 && answer.member("status") == "healthy" => {
                Check::passed(Topic::PublicEndpoints, "/, /health and /ready answer without a token")
            }
            Ok(answer) => {
                Check::failed(Topic::PublicEndpoints, answer.in_words(), "look at / in the server's log")
            }
            Err(nothing) => nothing.check(Topic::PublicEndpoints),
        }
    }

    /// A preflight as a browser sends it before a request of ours.
    pub(super) async fn cors(&self, origin: &str) -> Check {
        let answer = match self.preflight(origin).await {
            Ok(answer) => answer,
            Err(nothing) => return nothing.check(Topic::Cors),
        };
        let faults = cors_faults(&answer, origin);
        if faults.is_empty() {
            return Check::passed(Topic::Cors, format_args!("{origin} may send requests"));
        }
        let hint = "set CORS_ORIGINS to the frontend's origins and start the server again; \
                    a proxy in front must pass OPTIONS and these headers on";
        Check::failed(Topic::Cors, format_args!("{origin}: {}", faults.join(", ")), hint)
    }

    pub(super) async fn cors_of_a_stranger(&self) -> Check {
        match self.preflight(STRANGER).await {
            Ok(answer) if answer.header("access-control-allow-origin").is_none() => {
                Check::passed(Topic::Cors, "an origin that is not listed may not")
            }
            Ok(_) => Check::failed(
                Topic::Cors,
                format_args!("{STRANGER}, which is not listed, may send requests"),
                "something in front of the server adds CORS headers: have it add none",
            ),
            Err(nothing) => nothing.check(Topic::Cors),
        }
    }

    /// Asked as a stranger, so that nobody is created.
    pub(super) async fn registration(&self) -> Check {
        let request = self.asker.request(Method::POST, REGISTER);
        let request = request.map(|request| request.header("content-type", "application/json").body("{}"));
        let answer = match request {
            Ok(request) => judged(ask(request).await),
            Err(error) => Err(Nothing::Away(error)),
        };
        Server::refusal(Topic::Registration, answer, &[Code::TokenMissing])
    }

    pub(super) async fn no_token(&self) -> Check {
        let answer = self.get(ME, None).await;
        if answer
            .as_ref()
            .is_ok_and(|answer| answer.status == 401 && answer.header("www-authenticate").is_none())
        {
            let detail = "401 without WWW-Authenticate";
            return Check::failed(
                Topic::NoToken,
                detail,
                "something in front of the server takes headers away",
            );
        }
        Server::refusal(Topic::NoToken, answer, &[Code::TokenMissing])
    }

    /// Whatever is wrong with it: it must not be let in.
    pub(super) async fn bad_token(&self, token: &str) -> Check {
        let answer = self.get(ME, Some(token)).await;
        Server::refusal(Topic::BadToken, answer, &[])
    }

    pub(super) async fn expired_token(&self, token: &str) -> Check {
        let answer = self.get(ME, Some(token)).await;
        Server::refusal(Topic::ExpiredToken, answer, &[Code::TokenExpired])
    }

    /// The user that the server says the token is of. `principal` is what the engine makes of it here.
    pub(super) async fn good_token(&self, token: &str, principal: Option<&Principal>) -> Vec<Check> {
        let mut checks = self.user_data(token, principal).await;
        // Where the token itself was over, nothing was seen of a good one.
        if checks.iter().any(|check| check.is(Topic::ExpiredToken)) {
            checks.push(unseen(Topic::ValidToken, "the token that was given is over"));
        } else {
            checks.insert(0, self.valid_token(token).await);
        }
        checks
    }

    /// Whether the server takes the token, wherever its users are: this endpoint needs no store.
    async fn valid_token(&self, token: &str) -> Check {
        match self.get(VERIFY, Some(token)).await {
            Ok(answer) if answer.status == 204 => Check::passed(Topic::ValidToken, "204, the token is good"),
            Ok(answer) => {
                let code = answer.code().and_then(|code| Code::from_name(&code));
                let hint = code.map_or("see the server's log", Code::hint);
                Check::failed(Topic::ValidToken, answer.in_words(), hint)
            }
            Err(nothing) => nothing.check(Topic::ValidToken),
        }
    }

    async fn user_data(&self, token: &str, principal: Option<&Principal>) -> Vec<Check> {
        let first = match self.get(ME, Some(token)).await {
            Ok(answer) => answer,
            Err(nothing) => return vec![nothing.check(Topic::GoodToken)],
        };
        if first.code().as_deref() == Some(Code::TokenExpired.as_str()) {
            let detail = format!("the token that was given is over: {}", first.in_words());
            let why = "the token that was given is over: a fresh one lives a minute";
            return vec![Check::passed(Topic::ExpiredToken, detail), unseen(Topic::GoodToken, why)];
        }
        let accepted = acceptance(&first, principal);
        if !accepted.has_passed() {
            return vec![accepted];
        }
        vec![accepted, self.same_token_again(token, &first.member("id")).await]
    }

    async fn same_token_again(&self, token: &str, id: &Value) -> Check {
        match self.get(ME, Some(token)).await {
            Ok(answer) if answer.status == 200 && answer.member("id") == *id => {
                Check::passed(Topic::SameTokenAgain, "the same user again")
            }
            Ok(answer) if answer.status == 200 => {
                Check::failed(Topic::SameTokenAgain, "another user", "report this: it must not happen")
            }
            Ok(answer) => Check::failed(Topic::SameTokenAgain, answer.in_words(), "see the server's log"),
            Err(nothing) => nothing.check(Topic::SameTokenAgain),
        }
    }

    /// Whether the server holds the keys that the issuer publishes.
    pub(super) async fn keys(&self, published: &KeySet) -> Check {
        let answer = match self.get("/.well-known/jwks.json", None).await {
            Ok(answer) if answer.status == 200 => answer,
            Ok(answer) => return Check::failed(Topic::ServerKeys, answer.in_words(), "see the server's log"),
            Err(nothing) => return nothing.check(Topic::ServerKeys),
        };
        let keys = answer.member("keys");
        let held = |kid: &str| keys.as_array().into_iter().flatten().any(|key| key["kid"] == kid);
        let mut published = published.ids().map(|kid| kid.as_str()).peekable();
        if published.peek().is_none() {
            return unseen(Topic::ServerKeys, "the key is in CLERK_JWT_KEY");
        }
        match published.find(|kid| held(kid)) {
            Some(kid) => {
                Check::passed(Topic::ServerKeys, format_args!("it holds {kid}, which the issuer publishes"))
            }
            None => Check::failed(
                Topic::ServerKeys,
                "none of them is published by the issuer of these settings",
                "the server runs with the settings of another instance: compare `doorward config` there and here",
            ),
        }
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Result<Answer, Nothing> {
        let request = self.asker.request(Method::GET, path).map_err(Nothing::Away)?;
        let request = match token {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        };
        judged(ask(request).await)
    }

    async fn preflight(&self, origin: &str) -> Result<Answer, Nothing> {
        let request = self.asker.request(Method::OPTIONS, ME).map_err(Nothing::Away)?;
        let request = request
            .header(ORIGIN, origin)
            .header(ACCESS_CONTROL_REQUEST_METHOD, "PATCH")
            .header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization,content-type");
        judged(ask(request).await)
    }

    /// 401 is right, and one of `codes` where it matters which.
    fn refusal(topic: Topic, answer: Result<Answer, Nothing>, codes: &[Code]) -> Check {
        let answer = match answer {
            Ok(answer) => answer,
            Err(nothing) => return nothing.check(topic),
        };
        let code = answer.code().and_then(|code| Code::from_name(&code));
        let right_code = codes.is_empty() || code.is_some_and(|code| codes.contains(&code));
        match (answer.status, right_code) {
            (401, true) => Check::passed(topic, format_args!("401 {}", code.map_or("", Code::as_str))),
            (200..300, _) => {
                let detail = format!("let in: {}", answer.status);
                Check::failed(
                    topic,
                    detail,
                    "stop the server: it takes what it must refuse; see DEBUG and `doorward config`",
                )
            }
            _ => Check::failed(topic, answer.in_words(), "expected 401 with a code: see the server's log"),
        }
    }
}

impl Nothing {
    fn check(self, topic: Topic) -> Check {
        match self {
            Nothing::Away(error) => Check::failed(topic, error, "see the server's log"),
            Nothing::HttpsOnly => {
                unseen(topic, "the server takes HTTPS alone: give its public address with --url")
            }
        }
    }
}

fn judged(answer: Result<Answer, String>) -> Result<Answer, Nothing> {
    match answer {
        Err(error) => Err(Nothing::Away(error)),
        Ok(answer) if answer.code().as_deref() == Some(Code::HttpsRequired.as_str()) => {
            Err(Nothing::HttpsOnly)
        }
        Ok(answer) => Ok(answer),
    }
}

fn unseen(topic: Topic, why: &str) -> Check {
    Check::not_checked(topic, why)
}

fn acceptance(answer: &Answer, principal: Option<&Principal>) -> Check {
    let user = answer.member("clerk_id");
    let user = word(&user);
    if answer.status != 200 {
        let code = answer.code().and_then(|code| Code::from_name(&code));
        return Check::failed(
            Topic::GoodToken,
            answer.in_words(),
            code.map_or("see the server's log", Code::hint),
        );
    }
    if answer.member("unverified") == true {
        let detail = format!("let in unverified, as {user}");
        return Check::failed(
            Topic::GoodToken,
            detail,
            "the server can't reach the issuer's keys, and DEBUG is on",
        );
    }
    match principal {
        Some(principal) if principal.user_id() != user => Check::failed(
            Topic::GoodToken,
            format_args!("the server says {user}, the token is of {}", principal.user_id()),
            "something between here and the server changes requests or answers",
        ),
        _ => Check::passed(Topic::GoodToken, format_args!("200, the data of {user}")),
    }
}

fn cors_faults(answer: &Answer, origin: &str) -> Vec<String> {
    let mut faults = Vec::new();
    match answer.header("access-control-allow-origin") {
        Some(allowed) if allowed == origin => {}
        Some(allowed) => faults.push(format!("Access-Control-Allow-Origin is {allowed}")),
        None => faults.push(format!("no Access-Control-Allow-Origin, status {}", answer.status)),
    }
    if answer.header("access-control-allow-credentials") != Some("true") {
        faults.push("credentials are not allowed".to_owned());
    }
    let needed = [
        ("access-control-allow-methods", "PATCH"),
        ("access-control-allow-headers", "authorization"),
        ("access-control-allow-headers", "content-type"),
        ("vary", "origin"),
    ];
    faults.extend(
        needed
            .iter()
            .filter(|(name, member)| !answer.lists(name, member))
            .map(|(name, member)| format!("{name} lacks {member}")),
    );
    faults
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("unknown")
}
