//! The local issuer's HTTP side: the paths, shapes and refusals of Clerk's Frontend and Backend API.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use warp::filters::BoxedFilter;
use warp::reply::{Reply, Response};
use warp::{Filter, Rejection};

use super::clients::Clients;
use super::{Account, IssuerError, LocalIssuer, frontend};
use crate::clock::Clock;
use crate::mint::{Shape, mint};
use crate::user::{Identity, UserId};

/// No request to this API has a reason to be larger.
pub(super) const MAX_BODY_BYTES: u64 = 256 * 1024;

/// What every endpoint needs.
#[derive(Clone)]
pub(super) struct Instance {
    pub(super) issuer: Arc<LocalIssuer>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) clients: Arc<Clients>,
    told: mpsc::UnboundedSender<Event>,
}

/// What Clerk would send a webhook about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An account was edited.
    Changed(UserId, Identity),
    /// An account was removed.
    Deleted(UserId),
    /// A session was revoked.
    Ended(String),
}

/// An answer that is not the thing asked for, in Clerk's shape.
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// The field of a form that is wrong.
    field: Option<&'static str>,
}

pub(super) type Answer = Result<Value, Refusal>;

/// Answers like Clerk on this listener until `stop` comes to pass, and tells of what was changed through it.
pub async fn serve(
    issuer: Arc<LocalIssuer>,
    clock: Arc<dyn Clock>,
    listener: TcpListener,
    told: mpsc::UnboundedSender<Event>,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let routes = routes(Instance { issuer, clock, clients: Arc::default(), told });
    warp::serve(routes).incoming(listener).graceful(stop).run().await;
}

fn routes(instance: Instance) -> BoxedFilter<(Response,)> {
    let first = published_jwks(&instance);
    let others = [
        jwks(&instance),
        list_users(&instance),
        count_users(&instance),
        user(&instance),
        edit_user(&instance),
        remove_user(&instance),
        list_sessions(&instance),
        create_session(&instance),
        session_token(&instance),
        revoke_session(&instance),
        frontend::routes(&instance),
    ];
    let all = others.into_iter().fold(first, |routes, route| routes.or(route).unify().boxed());
    all.recover(nothing_here).unify().boxed()
}

/// `GET /.well-known/jwks.json`, which browsers may read.
fn published_jwks(instance: &Instance) -> BoxedFilter<(Response,)> {
    warp::path!(".well-known" / "jwks.json")
        .and(warp::get())
        .and(with(instance))
        .map(|instance: Instance| {
            let body = answer(Ok(instance), Instance::jwks);
            warp::reply::with_header(body, "access-control-allow-origin", "*").into_response()
        })
        .boxed()
}

fn jwks(instance: &Instance) -> BoxedFilter<(Response,)> {
    warp::path!("v1" / "jwks")
        .and(warp::get())
        .and(authorized(instance))
        .map(|instance| answer(instance, Instance::jwks))
        .boxed()
}

/// As many as Clerk gives at once, and as many as it gives unasked.
const MAX_PAGE: usize = 500;
const PAGE: usize = 10;

/// Which users are asked for: a name can come several times.
#[derive(Default)]
struct Query {
    limit: Option<usize>,
    offset: usize,
    ids: Vec<String>,
    addresses: Vec<String>,
}

impl Query {
    fn read(pairs: Vec<(String, String)>) -> Query {
        let mut query = Query::default();
        for (name, value) in pairs {
            match name.as_str() {
                "limit" => query.limit = value.parse().ok(),
                "offset" => query.offset = value.parse().unwrap_or_default(),
                "user_id" => query.ids.push(value),
                "email_address" => query.addresses.push(value),
                _ => {}
            }
        }
        query
    }

    fn asks_for(&self, id: &UserId, account: &Account) -> bool {
        (self.ids.is_empty() || self.ids.iter().any(|asked| asked == id.as_str()))
            && (self.addresses.is_empty() || account.has_address(&self.addresses))
    }
}

fn list_users(instance: &Instance) -> BoxedFilter<(Response,)> {
    warp::path!("v1" / "users")
        .and(warp::get())
        .and(authorized(instance))
        .and(warp::query())
        .map(|instance, pairs| answer(instance, |instance| instance.users(&Query::read(pairs))))
        .boxed()
}

fn count_users(instance: &Instance) -> BoxedFilter<(Response,)> {
    warp::path!("v1" / "users" / "count")
        .and(warp::get())
        .and(authorized(instance))
        .map(|instance| answer(instance, Instance::user_count))
        .boxed()
}

fn user(instance: &Instance) -> BoxedFilter<(Response,)> {
    warp::path!("v1" / "users" / String)
        .and(warp::get())
        .and(authorized(instance))
        .map(|id: String, instance| answer(instance, |instance| instance.user(&id)))
        .boxed()
}

fn edit_user(instance: &Instance) -> BoxedFilter<(Response,)> {
    warp::path!("v1" / "users" / String)
        .and(warp::patch())
        .and(authorized(instance))
        .and(json_body())
        .map(|id: String, instance, changes| answer(instance, |instance| instance.edit_user(&id, changes)))
        .boxed()
}

fn remove_user(instance: &Instance) -> BoxedFilter<(Response,)> {
    warp::path!("v1" / "users" / String)
        .and(warp::delete())
        .and(authorized(instance))
        .map(|id: String, instance| answer(instance, |instance| instance.remove_user(&id)))
        .boxed()
}

#[derive(Deserialize)]
struct OfUser {
    user_id: Option<String>,
}

fn list_sessions(instance: &Instance) -> BoxedFilter<(Response,)> {
    warp::path!("v1" / "sessions")
        .and(warp::get())
        .and(authorized(instance))
        .and(warp::query())
        .map(|instance, of: OfUser| answer(instance, |instance| instance.sessions(of)))
        .boxed()
}

fn create_session(instance: &Instance) -> BoxedFilter<(Response,)> {
    warp::path!("v1" / "sessions")
        .and(warp::post())
        .and(authorized(instance))
        .and(json_body())
        .map(|instance, body| answer(instance, |instance| instance.create_session(&body)))
        .boxed()
}

fn session_token(instance: &Instance) -> BoxedFilter<(Response,)> {
    warp::path!("v1" / "sessions" / String / "tokens")
        .and(warp::post())
        .and(authorized(instance))
        .map(|session: String, instance| answer(instance, |instance| instance.session_token(&session)))
        .boxed()
}

fn revoke_session(instance: &Instance) -> BoxedFilter<(Response,)> {
    warp::path!("v1" / "sessions" / String / "revoke")
        .and(warp::post())
        .and(authorized(instance))
        .map(|session: String, instance| answer(instance, |instance| instance.revoke_session(&session)))
        .boxed()
}

impl Instance {
    fn jwks(&self) -> Answer {
        Ok(self.issuer.reopened()?.jwks())
    }

    /// Always the ones that came first: what Clerk calls `+created_at`.
    fn users(&self, query: &Query) -> Answer {
        let mut accounts = self.issuer.accounts()?;
        accounts.retain(|(id, account)| query.asks_for(id, account));
        accounts.sort_by_key(|(_, account)| account.created_at());
        let page = accounts.iter().skip(query.offset).take(query.limit.unwrap_or(PAGE).min(MAX_PAGE));
        Ok(page.map(|(_, account)| account.to_json()).collect())
    }

    fn user_count(&self) -> Answer {
        Ok(json!({ "object": "total_count", "total_count": self.issuer.accounts()?.len() }))
    }

    fn user(&self, id: &str) -> Answer {
        let account = UserId::parse(id).ok().map(|id| self.issuer.account(&id)).transpose()?.flatten();
        Ok(account.ok_or_else(|| Refusal::no_such("user", id))?.to_json())
    }

    fn edit_user(&self, id: &str, changes: Map<String, Value>) -> Answer {
        let id = UserId::parse(id).map_err(|_| Refusal::no_such("user", id))?;
        let account = self.issuer.account(&id)?.ok_or_else(|| Refusal::no_such("user", id.as_str()))?;
        let account = account.edited(changes, self.clock.now());
        self.issuer.save_account(&id, &account)?;
        if let Some(identity) = account.identity() {
            self.tell(Event::Changed(id, identity));
        }
        Ok(account.to_json())
    }

    fn remove_user(&self, id: &str) -> Answer {
        let user = UserId::parse(id).map_err(|_| Refusal::no_such("user", id))?;
        if !self.issuer.remove_account(&user)? {
            return Err(Refusal::no_such("user", id));
        }
        self.tell(Event::Deleted(user));
        Ok(json!({ "object": "user", "id": id, "deleted": true }))
    }

    fn revoke_session(&self, session: &str) -> Answer {
        let owner = self.owner(session)?;
        let revoked = json!({ "status": "revoked" });
        let mut answer = self.session(&owner)?;
        if let (Some(answer), Some(revoked)) = (answer.as_object_mut(), revoked.as_object()) {
            answer.extend(revoked.clone());
        }
        self.tell(Event::Ended(self.issuer.end_session(&owner)?));
        Ok(answer)
    }

    /// Nobody may be left to hear it.
    fn tell(&self, event: Event) {
        let _nobody_listens = self.told.send(event);
    }

    /// Whose session it is, if it is one of now.
    fn owner(&self, session: &str) -> Result<UserId, Refusal> {
        for (id, _) in self.issuer.accounts()? {
            if self.issuer.session_id(&id)? == session {
                return Ok(id);
            }
        }
        Err(Refusal::no_such("session", session))
    }

    fn sessions(&self, of: OfUser) -> Answer {
        let accounts = self.issuer.accounts()?;
        let ids = accounts.iter().map(|(id, _)| id);
        let wanted = ids.filter(|id| of.user_id.as_deref().is_none_or(|user| user == id.as_str()));
        wanted.map(|id| self.session(id)).collect()
    }

    fn create_session(&self, body: &Map<String, Value>) -> Answer {
        let user = body.get("user_id").and_then(Value::as_str).unwrap_or_default();
        self.user(user)?;
        let id = UserId::parse(user).map_err(|_| Refusal::no_such("user", user))?;
        self.session(&id)
    }

    fn session_token(&self, session: &str) -> Answer {
        let owner = self.owner(session)?;
        let jwt = mint(&self.issuer.reopened()?, &owner, &Shape::default(), self.clock.now())?;
        Ok(json!({ "object": "token", "jwt": jwt }))
    }

    pub(super) fn session(&self, id: &UserId) -> Answer {
        let now = self.clock.now();
        let end = now.plus(Duration::from_secs(7 * 24 * 3600)).as_millis();
        Ok(json!({
            "object": "session", "id": self.issuer.session_id(id)?, "user_id": id.as_str(),
            "client_id": format!("client_{}", id.as_str().trim_start_matches("user_")),
            "status": "active", "last_active_at": now.as_millis(), "expire_at": end, "abandon_at": end,
            "created_at": now.as_millis(), "updated_at": now.as_millis(),
        }))
    }

    fn admits(&self, authorization: Option<&str>) -> bool {
        let presented = authorization.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        presented.as_bytes().ct_eq(self.issuer.secret_key().as_bytes()).into()
    }
}

pub(super) fn with(
    instance: &Instance,
) -> impl Filter<Extract = (Instance,), Error = Infallible> + Clone + use<> {
    let instance = instance.clone();
    warp::any().map(move || instance.clone())
}

/// The instance, or the refusal of a request without its secret key. Never rejects: the path has matched.
fn authorized(
    instance: &Instance,
) -> impl Filter<Extract = (Result<Instance, Refusal>,), Error = Rejection> + Clone + use<> {
    let bearer = warp::header::optional::<String>("authorization");
    bearer.and(with(instance)).map(|bearer: Option<String>, instance: Instance| {
        if instance.admits(bearer.as_deref()) { Ok(instance) } else { Err(Refusal::secret_key()) }
    })
}

fn json_body() -> impl Filter<Extract = (Map<String, Value>,), Error = Rejection> + Clone {
    warp::body::content_length_limit(MAX_BODY_BYTES).and(warp::body::json())
}

fn answer(instance: Result<Instance, Refusal>, ask: impl FnOnce(&Instance) -> Answer) -> Response {
    match instance.and_then(|instance| ask(&instance)) {
        Ok(value) => warp::reply::json(&value).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn nothing_here(_: Rejection) -> Result<Response, Infallible> {
    Ok(Refusal::nothing_here().into_response())
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, code, message: message.into(), field: None }
    }

    pub(super) fn nothing_here() -> Refusal {
        let message = "this path, method or body is none that the local issuer has";
        Refusal::new(StatusCode::NOT_FOUND, "resource_not_found", message)
    }

    pub(super) fn no_such(what: &str, id: &str) -> Refusal {
        let message = format!("no {what} was found with id {id}");
        Refusal::new(StatusCode::NOT_FOUND, "resource_not_found", message)
    }

    fn secret_key() -> Refusal {
        let message = "the secret key is not this instance's";
        Refusal::new(StatusCode::UNAUTHORIZED, "clerk_key_invalid", message)
    }

    pub(super) fn signed_out() -> Refusal {
        Refusal::new(StatusCode::UNAUTHORIZED, "signed_out", "this browser has no such session")
    }

    pub(super) fn forbidden(message: &str) -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, "origin_invalid", message)
    }

    /// Shown beside the field.
    pub(super) fn of_field(code: &'static str, field: &'static str, message: &str) -> Refusal {
        Refusal { field: Some(field), ..Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, code, message) }
    }
}

impl From<IssuerError> for Refusal {
    fn from(error: IssuerError) -> Refusal {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_clerk_error", error.to_string())
    }
}

impl Reply for Refusal {
    fn into_response(self) -> Response {
        let mut error = json!({ "code": self.code, "message": self.message, "long_message": self.message });
        if let Some(field) = self.field {
            error["meta"] = json!({ "param_name": field });
        }
        let body = warp::reply::json(&json!({ "errors": [error] }));
        warp::reply::with_status(body, self.status).into_response()
    }
}
