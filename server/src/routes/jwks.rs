//! `GET /.well-known/jwks.json`: the keys in use, for those who verify at the edge.

use std::sync::Arc;

use doorward_verifier::Code;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::{Reply, Response};

use super::{answer, with};
use crate::app::App;
use crate::config::Keys;
use crate::error::ApiError;
use crate::keys::Snapshot;

/// How long a copy is good before it is asked for again: a withdrawn key is gone from the edge soon after.
const MAX_AGE: HeaderValue = HeaderValue::from_static("public, max-age=60");

/// The route.
pub(super) fn get(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    warp::path!(".well-known" / "jwks.json")
        .and(warp::get())
        .and(warp::header::headers_cloned())
        .and(with(app))
        .then(|headers, app| answer(handle(headers, app)))
        .boxed()
}

async fn handle(headers: HeaderMap, app: Arc<App>) -> Result<Response, ApiError> {
    let snapshot = app.keys.snapshot().ok_or_else(|| no_snapshot(&app))?;
    let mut response = if is_known(&headers, &snapshot) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        warp::reply::with_header(snapshot.document.clone(), header::CONTENT_TYPE, "application/json")
            .into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, MAX_AGE);
    headers.insert("x-doorward-asked-at", HeaderValue::from(snapshot.asked_at.as_secs()));
    if let Ok(etag) = HeaderValue::from_str(&snapshot.etag) {
        headers.insert(header::ETAG, etag);
    }
    Ok(response)
}

/// A key in the settings has no name that tokens could call it by.
fn no_snapshot(app: &App) -> ApiError {
    match app.config.clerk.keys {
        Keys::Configured(_) => ApiError::because(Code::NotFound, "the key is configured (CLERK_JWT_KEY)"),
        Keys::Published(_) => ApiError::new(Code::KeysUnavailable),
    }
}

/// RFC 9110 section 13.1.2.
fn is_known(headers: &HeaderMap, snapshot: &Snapshot) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|value| value.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    known.any(|tag| tag == snapshot.etag || tag == "*")
}
