//! `GET /api/auth/verify`: answers a reverse proxy that asks for a backend in any language.

use std::sync::Arc;

use doorward_verifier::Principal;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::{Reply, Response};

use super::{answer, with};
use crate::app::App;
use crate::auth::{Presented, presented};
use crate::error::ApiError;

/// The route.
pub(super) fn get(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "auth" / "verify")
        .and(warp::get())
        .and(presented())
        .and(with(app))
        .then(|presented, app| answer(handle(presented, app)))
        .boxed()
}

/// The method of the request that is asked about, as Caddy and Traefik name it.
const ORIGINAL_METHOD: &str = "x-forwarded-method";

/// Needs no store. The debug fallback does not reach here: the backend behind the proxy could not see it.
async fn handle(presented: Presented, app: Arc<App>) -> Result<Response, ApiError> {
    let method = original_method(presented.headers());
    let principal = app.authenticate(&presented.with_method(method)).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().extend(identity(&principal));
    Ok(response)
}

/// A proxy that does not say is taken to ask about a write, for which a cookie alone is not enough.
fn original_method(headers: &HeaderMap) -> Method {
    let named = headers.get(ORIGINAL_METHOD).and_then(|method| method.as_bytes().try_into().ok());
    named.unwrap_or(Method::POST)
}

/// All of them, always: one that is missing could leave standing what the client sent under its name.
fn identity(principal: &Principal) -> HeaderMap {
    let organization = principal.organization().map(|organization| organization.id.as_str());
    let values = [
        ("x-auth-user-id", Some(principal.user_id())),
        ("x-auth-session-id", principal.session_id()),
        ("x-auth-org-id", organization),
    ];
    values
        .into_iter()
        .map(|(name, value)| {
            let value = HeaderValue::from_str(value.unwrap_or_default());
            (http::HeaderName::from_static(name), value.unwrap_or(HeaderValue::from_static("")))
        })
        .collect()
}
