//! `GET /api/auth/me`, `GET /api/users/me`: the user of the session.

use std::sync::Arc;

use bytes::Bytes;
use doorward_verifier::Organization;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use uuid::Uuid;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::reply::Response;

use super::{answer, with};
use crate::app::App;
use crate::auth::{Presented, Session, presented};
use crate::clock::rfc3339;
use crate::error::ApiError;
use crate::user::User;
use crate::users::SignedIn;

/// The route, under its two names.
pub(super) fn get(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    let path = warp::path!("api" / "auth" / "me").or(warp::path!("api" / "users" / "me")).unify();
    path.and(warp::get())
        .and(presented())
        .and(with(app))
        .then(|presented, app| answer(handle(presented, app)))
        .boxed()
}

async fn handle(presented: Presented, app: Arc<App>) -> Result<Response, ApiError> {
    match app.session(&presented).await? {
        Session::Verified(principal) => {
            let signed_in = app.users.sign_in(&principal).await?;
            Ok(Me::of(&signed_in, principal.organization()).reply(StatusCode::OK))
        }
        Session::Unverified(claimed) => {
            Ok(Me::unverified(claimed.user_id(), claimed.organization()).reply(StatusCode::OK))
        }
    }
}

/// A user, as the API shows them: the record, then what the session says.
pub(super) struct Me<'a> {
    /// As of a session that says nothing, which most do: such an answer is the same bytes each time.
    record: Bytes,
    session: InSession<'a>,
}

/// A record, as the API shows it. What is not known is null.
#[derive(Default, Serialize)]
struct Record<'a> {
    id: Option<Uuid>,
    clerk_id: &'a str,
    email: Option<&'a str>,
    email_verified: Option<bool>,
    username: Option<&'a str>,
    name: Option<String>,
    first_name: Option<&'a str>,
    last_name: Option<&'a str>,
    image_url: Option<&'a str>,
    is_active: Option<bool>,
    created_at: Option<String>,
    updated_at: Option<String>,
    last_login_at: Option<String>,
    organization: (),
}

/// How a record ends, and where that of a session which has something to say goes on otherwise.
const NOTHING_SAID: &[u8] = br#","organization":null}"#;

#[derive(Default, PartialEq, Serialize)]
struct InSession<'a> {
    organization: Option<ActiveOrganization<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unverified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_seconds: Option<u64>,
}

#[derive(PartialEq, Serialize)]
struct ActiveOrganization<'a> {
    id: &'a str,
    slug: Option<&'a str>,
    role: Option<&'a str>,
}

impl<'a> Me<'a> {
    /// What the record says, and the organization that the session is active in.
    pub(super) fn of(signed_in: &'a SignedIn, organization: Option<&'a Organization>) -> Me<'a> {
        let organization = organization.map(ActiveOrganization::of);
        let stale_seconds = signed_in.stale.map(|stale| stale.as_secs());
        Me {
            record: signed_in.shown(|user| written(&Record::of(user))),
            session: InSession { organization, unverified: None, stale_seconds },
        }
    }

    /// What a token that nobody could check says of itself. The store is not asked: nothing of a user's record goes
    /// out on somebody's mere word.
    fn unverified(clerk_id: &'a str, organization: Option<&'a Organization>) -> Me<'a> {
        let organization = organization.map(ActiveOrganization::of);
        Me {
            record: written(&Record { clerk_id, ..Record::default() }),
            session: InSession { organization, unverified: Some(true), stale_seconds: None },
        }
    }

    pub(super) fn reply(&self, status: StatusCode) -> Response {
        let mut response = Response::new(self.json().into());
        *response.status_mut() = status;
        response.headers_mut().reserve(USUAL_HEADERS);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.session.unverified.is_some() {
            response.headers_mut().insert("x-doorward-unverified", HeaderValue::from_static("1"));
        }
        response
    }

    fn json(&self) -> Bytes {
        if self.session == InSession::default() {
            return self.record.clone();
        }
        let record = self.record.strip_suffix(NOTHING_SAID).unwrap_or_default();
        let mut json = Vec::with_capacity(record.len() + SESSION_BYTES);
        json.extend_from_slice(record);
        // See `written`. One object of two, neither of which is empty.
        let _ = serde_json::to_writer(&mut json, &self.session);
        if let Some(opening) = json.get_mut(record.len()) {
            *opening = b',';
        }
        json.into()
    }
}

/// With those that every answer is given on its way out.
const USUAL_HEADERS: usize = 12;
/// What the session says mostly takes: an organization with its id, slug and role.
const SESSION_BYTES: usize = 128;

/// Nothing that is written so has what JSON can't have: names that are no text, numbers that are none.
fn written(record: &Record<'_>) -> Bytes {
    serde_json::to_vec(record).unwrap_or_default().into_boxed_slice().into()
}

impl<'a> Record<'a> {
    fn of(user: &'a User) -> Record<'a> {
        Record {
            id: Some(user.id),
            clerk_id: user.clerk_id.as_str(),
            email: user.email(),
            email_verified: user.email_verified(),
            username: user.username(),
            name: user.name(),
            first_name: user.first_name(),
            last_name: user.last_name(),
            image_url: user.image_url(),
            is_active: Some(user.is_active),
            created_at: Some(rfc3339(user.created_at)),
            updated_at: Some(rfc3339(user.updated_at)),
            last_login_at: user.last_login_at.map(rfc3339),
            organization: (),
        }
    }
}

impl<'a> ActiveOrganization<'a> {
    fn of(organization: &'a Organization) -> ActiveOrganization<'a> {
        let Organization { id, slug, role, .. } = organization;
        ActiveOrganization { id, slug: slug.as_deref(), role: role.as_deref() }
    }
}
