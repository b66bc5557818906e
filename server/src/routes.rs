//! Every endpoint.

mod docs;
mod health;
mod inspect;
mod jwks;
mod me;
mod openapi;
mod profile;
mod ready;
mod register;
mod root;
mod verify;
mod webhook;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use doorward_verifier::Code;
use warp::filters::BoxedFilter;
use warp::path::FullPath;
use warp::reject::Rejection;
use warp::reply::{Reply, Response};
use warp::{Filter, body, reject};

use crate::app::App;
use crate::error::ApiError;

/// Where Clerk sends its events.
pub(crate) const WEBHOOK: &str = "/api/webhooks/clerk";

/// The paths that there are, and the methods that each has.
const ENDPOINTS: &[(&str, &str)] = &[
    ("/", "GET, HEAD, OPTIONS"),
    ("/health", "GET, HEAD, OPTIONS"),
    ("/ready", "GET, HEAD, OPTIONS"),
    ("/api/auth/me", "GET, HEAD, PATCH, OPTIONS"),
    ("/api/users/me", "GET, HEAD, OPTIONS"),
    ("/api/auth/register", "POST, OPTIONS"),
    ("/api/auth/verify", "GET, HEAD, OPTIONS"),
    (WEBHOOK, "POST, OPTIONS"),
    ("/.well-known/jwks.json", "GET, HEAD, OPTIONS"),
    ("/openapi.json", "GET, HEAD, OPTIONS"),
    ("/docs", "GET, HEAD, OPTIONS"),
    ("/inspect", "GET, HEAD, OPTIONS"),
];

/// The endpoints of this server, without an answer for what is none of them.
pub fn endpoints(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    // They are tried in this order: first the two that are asked all the time.
    let routes = me::get(app)
        .or(verify::get(app))
        .unify()
        .or(root::get())
        .unify()
        .or(health::get())
        .unify()
        .or(ready::get(app))
        .unify()
        .or(profile::patch(app))
        .unify()
        .or(register::post(app))
        .unify()
        .or(webhook::post(app))
        .unify()
        .or(jwks::get(app))
        .unify()
        .or(openapi::get())
        .unify()
        .or(docs::get(app))
        .unify()
        .or(inspect::get(app))
        .unify();
    routes.boxed()
}

/// `routes`, and an answer for whatever they are not: problems, as of every other endpoint.
pub fn answering_all(routes: BoxedFilter<(Response,)>) -> BoxedFilter<(Response,)> {
    routes.or(wrong_method()).unify().recover(|rejection| async move { rejected(&rejection) }).unify().boxed()
}

/// The endpoint of a path, and its methods. A slash at the end matches as well: see `warp::path::end`.
fn endpoint(path: &str) -> Option<(&'static str, &'static str)> {
    let path = path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path);
    ENDPOINTS.iter().copied().find(|(known, _)| *known == path)
}

/// The endpoint of a path, for the log and for metrics: what is asked for beside them is anybody's text.
pub(crate) fn template(path: &str) -> &'static str {
    endpoint(path).map_or("other", |(known, _)| known)
}

/// Those who look after the server ask without TLS.
pub(crate) fn on_plain_http(template: &str) -> bool {
    matches!(template, "/health" | "/ready")
}

/// Whatever a handler came to, as an answer.
pub(crate) async fn answer(outcome: impl Future<Output = Result<Response, ApiError>>) -> Response {
    outcome.await.unwrap_or_else(ApiError::into_response)
}

/// Hands the app to a handler.
fn with(app: &Arc<App>) -> impl Filter<Extract = (Arc<App>,), Error = Infallible> + Clone + use<> {
    let app = Arc::clone(app);
    warp::any().map(move || Arc::clone(&app))
}

/// A known path with a method that it has not.
fn wrong_method() -> BoxedFilter<(Response,)> {
    let find = |path: FullPath| {
        let answer =
            endpoint(path.as_str()).map(|(_, methods)| ApiError::method_not_allowed(methods).into_response());
        std::future::ready(answer.ok_or_else(reject::not_found))
    };
    warp::path::full().and_then(find).boxed()
}

/// What warp and a team's own routes reject, as a problem. Whoever wrote the rejection wrote it for its log.
fn rejected(rejection: &Rejection) -> Result<Response, Rejection> {
    let code = if rejection.is_not_found() {
        Code::NotFound
    } else if rejection.find::<reject::MethodNotAllowed>().is_some() {
        Code::MethodNotAllowed
    } else if rejection.find::<reject::PayloadTooLarge>().is_some() {
        Code::BodyTooLarge
    } else if rejection.find::<reject::UnsupportedMediaType>().is_some() {
        Code::UnsupportedMediaType
    } else if is_malformed(rejection) {
        Code::MalformedBody
    } else {
        tracing::error!(?rejection, "a route rejected a request and nothing answers for it");
        Code::InternalError
    };
    Ok(ApiError::new(code).into_response())
}

fn is_malformed(rejection: &Rejection) -> bool {
    rejection.find::<body::BodyDeserializeError>().is_some()
        || rejection.find::<reject::InvalidQuery>().is_some()
        || rejection.find::<reject::InvalidHeader>().is_some()
        || rejection.find::<reject::MissingHeader>().is_some()
        || rejection.find::<reject::LengthRequired>().is_some()
}
