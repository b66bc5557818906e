//! `Webhooks`: what Clerk tells of its own accord, dealt with once and whatever the order.
//!
//! An event is acknowledged when everything that follows from it is stored. Until then it is refused as unavailable,
//! and Clerk's sender keeps it for about 27 hours. Events come twice, late and in any order: a user's event is as new
//! as its `updated_at`, a deletion is final, and an event that was dealt with is known by its id for a week.

use std::sync::Arc;
use std::time::Duration;

use doorward_verifier::{UnixTime, WebhookError, WebhookHeaders, WebhookSecrets};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;
use tracing::info;

use crate::clerk::ClerkUser;
use crate::clock::Clock;
use crate::store::{Note, NoteKind, Store};
use crate::user::{Change, Identity, UserId};
use crate::users::{UserDirectory, UserError};

/// Clerk's sender tries for about 27 hours, and people send by hand what failed in the days before.
const RECEIPT_LASTS: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Takes the events of one Clerk instance.
#[derive(Debug)]
pub struct Webhooks {
    secrets: WebhookSecrets,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Everything that follows from it is stored.
    Applied,
    /// It had been dealt with before.
    Repeated,
    /// It is about something else.
    Ignored,
}

/// Why an event was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookFailure {
    /// It is not genuine, or not of now.
    #[error(transparent)]
    Refused(#[from] WebhookError),
    /// It is genuine, and not what Clerk sends.
    #[error("a genuine event that can not be read: {detail}")]
    Malformed {
        /// What is wrong with it.
        detail: String,
    },
    /// What follows from it could not be stored. It must be sent again.
    #[error("the store is away")]
    Unavailable {
        /// When to send it again.
        retry_after: Duration,
    },
}

/// The envelope of every event. Its data is read by those who know its type.
#[derive(Deserialize)]
struct Event<'a> {
    r#type: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// What is left of something that is gone, or is only named.
#[derive(Deserialize)]
struct Named {
    id: Option<String>,
}

impl Webhooks {
    /// Takes what is signed with one of these secrets.
    pub fn new(secrets: WebhookSecrets, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Webhooks {
        Webhooks { secrets, store, clock }
    }

    /// Takes one event. Its body is as it came, byte for byte.
    pub async fn receive(
        &self,
        users: &UserDirectory,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Received, WebhookFailure> {
        let now = self.clock.now();
        let named = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()));
        let delivery = self.secrets.verify(&WebhookHeaders::find(named)?, body, now)?;
        let event: Event<'_> = read(body)?;
        if self.is_known(delivery.id()).await? {
            return Ok(Received::Repeated);
        }
        let received = apply(users, &event, delivery.sent_at()).await?;
        self.remember(delivery.id(), &event, now).await?;
        info!(event = event.r#type, ?received, "a webhook was taken");
        Ok(received)
    }

    async fn is_known(&self, id: &str) -> Result<bool, WebhookFailure> {
        let known = self.store.note(NoteKind::Receipt, id).await;
        Ok(known.map_err(|_away| unavailable())?.is_some())
    }

    /// Written last: what is done twice comes to the same, what is not done at all would be lost.
    async fn remember(&self, id: &str, event: &Event<'_>, now: UnixTime) -> Result<(), WebhookFailure> {
        let value = serde_json::json!({ "type": event.r#type }).to_string();
        let expires_at = now.plus(RECEIPT_LASTS);
        let receipt = Note { kind: NoteKind::Receipt, key: id.to_owned(), version: 1, value, expires_at };
        self.store.put_note(&receipt, 0).await.map(drop).map_err(|_away| unavailable())
    }
}

async fn apply(
    users: &UserDirectory,
    event: &Event<'_>,
    sent_at: UnixTime,
) -> Result<Received, WebhookFailure> {
    match event.r#type.as_str() {
        "user.created" | "user.updated" => {
            let user: ClerkUser = read(event.data.get().as_bytes())?;
            let id = user_id(&user.id)?;
            let identity = Identity::from(user).dated(sent_at);
            users.record(&id, Change::Identified(identity)).await?;
        }
        "user.deleted" => {
            let gone: Named = read(event.data.get().as_bytes())?;
            let Some(id) = gone.id else { return Ok(Received::Ignored) };
            users.record(&user_id(&id)?, Change::Deleted).await?;
        }
        "session.ended" | "session.removed" | "session.revoked" => {
            let session: Named = read(event.data.get().as_bytes())?;
            let id = session.id.ok_or_else(|| malformed(&"a session without an id"))?;
            users.end_session(&id).await?;
        }
        _ => return Ok(Received::Ignored),
    }
    Ok(Received::Applied)
}

fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, WebhookFailure> {
    serde_json::from_slice(json).map_err(|error| malformed(&error))
}

fn user_id(text: &str) -> Result<UserId, WebhookFailure> {
    UserId::parse(text).map_err(|error| malformed(&error))
}

fn malformed(detail: &dyn std::fmt::Display) -> WebhookFailure {
    WebhookFailure::Malformed { detail: detail.to_string() }
}

fn unavailable() -> WebhookFailure {
    WebhookFailure::Unavailable { retry_after: RETRY_AFTER }
}

impl From<UserError> for WebhookFailure {
    fn from(error: UserError) -> WebhookFailure {
        let retry_after =
            if let UserError::Unavailable { retry_after } = error { retry_after } else { RETRY_AFTER };
        WebhookFailure::Unavailable { retry_after }
    }
}
