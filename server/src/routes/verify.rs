//! `GET /api/auth/verify`: answers a reverse proxy that asks for a backend in any language.

use std::sync::Arc;

use doorward_verifier::Principal;
use http::{HeaderMap, HeaderValue, StatusCode};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::{Reply, Response};

use super::{answer, with};
use crate::app::App;
use crate::auth::presented;
use crate::error::ApiError;

/// The route.
pub(super) fn get(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "auth" / "verify")
        .and(warp::get())
        .and(presented())
        .and(with(app))
        .then(|headers, app| answer(handle(headers, app)))
        .boxed()
}

/// Needs no store. The debug fallback does not reach here: the backend behind the proxy could not see it.
async fn handle(headers: HeaderMap, app: Arc<App>) -> Result<Response, ApiError> {
    let principal = app.authenticate(&headers).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().extend(identity(&principal));
    Ok(response)
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
