//! `POST /api/webhooks/clerk`: what Clerk tells of its own accord.

use std::sync::Arc;

use bytes::Buf;
use doorward_verifier::Code;
use futures_util::Stream;
use http::{HeaderMap, StatusCode};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::{Reply, Response};

use super::{answer, with};
use crate::app::App;
use crate::body::read_all;
use crate::error::ApiError;
use crate::webhooks::WebhookFailure;

/// The route.
pub(super) fn post(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "webhooks" / "clerk")
        .and(warp::post())
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .and(with(app))
        .then(|headers, body, app| answer(handle(headers, body, app)))
        .boxed()
}

/// 204 once everything that follows from it is stored; 503 has Clerk send it again. Without a secret there is no such
/// endpoint.
async fn handle(
    headers: HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
    app: Arc<App>,
) -> Result<Response, ApiError> {
    let Some(webhooks) = &app.webhooks else {
        return Err(ApiError::because(Code::NotFound, "CLERK_WEBHOOK_SIGNING_SECRET is not set"));
    };
    let body = read_all(body).await?;
    webhooks.receive(&app.users, &headers, &body).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl From<WebhookFailure> for ApiError {
    fn from(failure: WebhookFailure) -> ApiError {
        match failure {
            WebhookFailure::Refused(error) => ApiError::because(error.code(), error),
            WebhookFailure::Malformed { .. } => ApiError::because(Code::WebhookMalformed, failure),
            WebhookFailure::Unavailable { retry_after } => {
                ApiError::new(Code::StoreUnavailable).retry_after(retry_after)
            }
        }
    }
}
