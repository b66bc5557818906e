//! `POST /api/auth/register`: completes the profile.

use std::sync::Arc;

use bytes::Buf;
use futures_util::Stream;
use http::StatusCode;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::me::Me;
use super::profile::change_profile;
use super::{answer, with};
use crate::app::App;
use crate::auth::{Presented, presented};
use crate::error::ApiError;

/// The route.
pub(super) fn post(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "auth" / "register")
        .and(warp::post())
        .and(presented())
        .and(warp::body::stream())
        .and(with(app))
        .then(|presented, body, app| answer(handle(presented, body, app)))
        .boxed()
}

/// 201 if this call made the record. Authenticating for it makes none.
async fn handle(
    presented: Presented,
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
    app: Arc<App>,
) -> Result<Response, ApiError> {
    let (principal, signed_in) = change_profile(&presented, body, &app).await?;
    let status = if signed_in.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Me::of(&signed_in, principal.organization()).reply(status))
}
