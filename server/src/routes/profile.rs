//! `PATCH /api/auth/me`: changes the profile.

use std::sync::Arc;

use bytes::Buf;
use doorward_verifier::{Code, Principal};
use futures_util::Stream;
use http::StatusCode;
use serde::Deserialize;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::me::Me;
use super::{answer, with};
use crate::app::App;
use crate::auth::{Presented, presented};
use crate::body::read_json;
use crate::error::ApiError;
use crate::user::ProfileChange;
use crate::users::SignedIn;

/// In characters, as the members of the origin's API.
const MAX_USERNAME_CHARS: usize = 50;
const MAX_NAME_CHARS: usize = 100;

/// The route.
pub(super) fn patch(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    warp::path!("api" / "auth" / "me")
        .and(warp::patch())
        .and(presented())
        .and(warp::body::stream())
        .and(with(app))
        .then(|presented, body, app| answer(handle(presented, body, app)))
        .boxed()
}

async fn handle(
    presented: Presented,
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
    app: Arc<App>,
) -> Result<Response, ApiError> {
    let (principal, signed_in) = change_profile(&presented, body, &app).await?;
    Ok(Me::of(&signed_in, principal.organization()).reply(StatusCode::OK))
}

/// Does what the body says to the profile of whoever the request comes from. What it returns is stored.
pub(super) async fn change_profile(
    presented: &Presented,
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
    app: &App,
) -> Result<(Arc<Principal>, SignedIn), ApiError> {
    let principal = app.session(presented).await?.verified()?;
    let change = read_json::<ProfileMembers, _>(presented.headers(), body).await?.into_change()?;
    let signed_in = app.users.change_profile(&principal, change).await?;
    Ok((principal, signed_in))
}

/// What a request may say about a profile. Role and activity are not among it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileMembers {
    username: Option<String>,
    name: Option<String>,
}

impl ProfileMembers {
    fn into_change(self) -> Result<ProfileChange, ApiError> {
        Ok(ProfileChange {
            username: bounded("username", self.username, MAX_USERNAME_CHARS)?,
            name: bounded("name", self.name, MAX_NAME_CHARS)?,
        })
    }
}

fn bounded(member: &str, text: Option<String>, most: usize) -> Result<Option<String>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let text = text.trim();
    let chars = text.chars().count();
    if (1..=most).contains(&chars) && !text.chars().any(char::is_control) {
        return Ok(Some(text.to_owned()));
    }
    let what =
        format!("`{member}` has {chars} characters, expected 1 to {most}, none of them a control character");
    Err(ApiError::because(Code::MalformedBody, what))
}
