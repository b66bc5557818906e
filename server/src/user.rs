//! `User`: the record of one person, in parts that each have one source.

use std::borrow::Borrow;
use std::fmt;

use doorward_verifier::{Principal, UnixTime};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// As long as the subject of a token may be.
const MAX_USER_ID_BYTES: usize = doorward_verifier::MAX_ID_BYTES;

/// A Clerk user id: `user_` and what follows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(Box<str>);

/// A text that is no Clerk user id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a Clerk user id: {} bytes, expected `user_` and 1 to 123 letters, digits, `_` or `-`", .bytes)]
pub struct InvalidUserId {
    /// How long the text is. The text itself could be anything.
    pub bytes: usize,
}

impl UserId {
    /// Takes `text` if it is one.
    pub fn parse(text: &str) -> Result<UserId, InvalidUserId> {
        let named = text.strip_prefix("user_").is_some_and(|rest| !rest.is_empty());
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if named && plain && text.len() <= MAX_USER_ID_BYTES {
            Ok(UserId(text.into()))
        } else {
            Err(InvalidUserId { bytes: text.len() })
        }
    }

    /// The id as Clerk writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// It is found by its text.
impl Borrow<str> for UserId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserId {
    type Error = InvalidUserId;

    fn try_from(text: String) -> Result<UserId, InvalidUserId> {
        UserId::parse(&text)
    }
}

impl From<UserId> for String {
    fn from(id: UserId) -> String {
        id.0.into()
    }
}

/// The engine accepts no other subject.
impl From<&Principal> for UserId {
    fn from(principal: &Principal) -> UserId {
        UserId(principal.user_id().into())
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The record of one person. Clerk's part, the profile and `is_active` have different owners, and no change to one
/// touches another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Ours, and lasting: set once, at creation.
    pub id: Uuid,
    /// Storage's key.
    pub clerk_id: UserId,
    /// The Clerk instance that knows the person.
    pub issuer: String,
    /// What Clerk's Backend API or a webhook said last; none before either did.
    pub identity: Option<Identity>,
    /// What the person set here.
    pub profile: Profile,
    /// Operators own it: never set by a request or by Clerk, other than at creation and deletion.
    pub is_active: bool,
    /// When the record was made.
    pub created_at: UnixTime,
    /// When something in it last changed, sign-ins apart.
    pub updated_at: UnixTime,
    /// The last sign-in that was written down; sign-ins are collected, so it lags by up to the flush interval.
    pub last_login_at: Option<UnixTime>,
    /// Set when Clerk says that the person is gone. Final: nothing is ever written over it.
    pub deleted_at: Option<UnixTime>,
    /// Counts the writes; 0 for a record that another program made.
    pub revision: u64,
}

/// Clerk's part of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// When it last changed at Clerk. Of two, the later is kept, whatever the order in which they come.
    pub updated_at: UnixTime,
    /// The primary address. It is shown, and never finds a record.
    pub email: Option<String>,
    /// Whether Clerk has verified that address.
    pub email_verified: bool,
    /// Clerk's user name.
    pub username: Option<String>,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Where the picture is.
    pub image_url: Option<String>,
    /// Clerk lets the person in no more.
    pub banned: bool,
}

/// The profile's part of a record. Where it says something, that wins over Clerk's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// User name.
    pub username: Option<String>,
    /// Full name.
    pub name: Option<String>,
}

/// What a request may set. Role and activity are not among it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// The new user name, where the request has one.
    pub username: Option<String>,
    /// The new full name, where the request has one.
    pub name: Option<String>,
}

/// Something that happened to a person, from whatever source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A verified token named them.
    Seen,
    /// Clerk said who they are.
    Identified(Identity),
    /// They changed their profile.
    Profile(ProfileChange),
    /// Clerk says that they are gone.
    Deleted,
}

impl User {
    /// The record of a person of whom nothing is known but the id.
    pub fn new(clerk_id: UserId, issuer: &str, now: UnixTime) -> User {
        User {
            id: lasting_id(issuer, &clerk_id),
            clerk_id,
            issuer: issuer.to_owned(),
            identity: None,
            profile: Profile::default(),
            is_active: true,
            created_at: now,
            updated_at: now,
            last_login_at: None,
            deleted_at: None,
            revision: 0,
        }
    }

    /// The record after these changes, or none where there is nothing to write. However requests, webhooks and
    /// imports are ordered, the outcome is the same; changes of the profile alone are taken in the order in which
    /// they come.
    pub fn after(&self, changes: &[Change], now: UnixTime) -> Option<User> {
        let mut user = self.clone();
        for change in changes {
            user.apply(change, now);
        }
        let made_elsewhere = self.revision == 0;
        if user == *self && !made_elsewhere {
            return None;
        }
        user.updated_at = now.max(self.updated_at);
        user.revision = self.revision + 1;
        Some(user)
    }

    fn apply(&mut self, change: &Change, now: UnixTime) {
        match change {
            _ if self.deleted_at.is_some() => {}
            Change::Seen => self.last_login_at = self.last_login_at.or(Some(now)),
            Change::Identified(identity) => self.identify(identity),
            Change::Profile(change) => self.profile.apply(change),
            Change::Deleted => self.erase(now),
        }
    }

    /// Sign-ins have their own way into a record, which no other write undoes.
    pub(crate) fn keeping_login_of(mut self, stored: Option<&User>) -> User {
        if self.deleted_at.is_none() {
            self.last_login_at = self.last_login_at.max(stored.and_then(|user| user.last_login_at));
        }
        self
    }

    /// Of two that say they are of one time, the greater is taken, so that every order ends in the same.
    fn identify(&mut self, identity: &Identity) {
        if self.identity.as_ref().is_none_or(|known| known < identity) {
            self.identity = Some(identity.clone());
        }
    }

    fn erase(&mut self, now: UnixTime) {
        self.identity = None;
        self.profile = Profile::default();
        self.last_login_at = None;
        self.is_active = false;
        self.deleted_at = Some(now);
    }

    /// The profile's user name, or else Clerk's.
    pub fn username(&self) -> Option<&str> {
        self.profile.username.as_deref().or_else(|| self.identity.as_ref()?.username.as_deref())
    }

    /// The profile's name, or else Clerk's first and last.
    pub fn name(&self) -> Option<String> {
        self.profile.name.clone().or_else(|| self.identity.as_ref()?.full_name())
    }

    /// The primary address.
    pub fn email(&self) -> Option<&str> {
        self.identity.as_ref()?.email.as_deref()
    }

    /// Whether Clerk has verified that address; unknown before Clerk said anything.
    pub fn email_verified(&self) -> Option<bool> {
        Some(self.identity.as_ref()?.email_verified)
    }

    /// First name.
    pub fn first_name(&self) -> Option<&str> {
        self.identity.as_ref()?.first_name.as_deref()
    }

    /// Last name.
    pub fn last_name(&self) -> Option<&str> {
        self.identity.as_ref()?.last_name.as_deref()
    }

    /// Where the picture is.
    pub fn image_url(&self) -> Option<&str> {
        self.identity.as_ref()?.image_url.as_deref()
    }

    /// Whether Clerk lets the person in no more.
    pub fn banned(&self) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.banned)
    }
}

impl Identity {
    fn full_name(&self) -> Option<String> {
        let parts: Vec<&str> =
            [&self.first_name, &self.last_name].into_iter().flatten().map(String::as_str).collect();
        if parts.is_empty() { None } else { Some(parts.join(" ")) }
    }
}

impl Profile {
    fn apply(&mut self, change: &ProfileChange) {
        let ProfileChange { username, name } = change;
        self.username = username.clone().or(self.username.take());
        self.name = name.clone().or(self.name.take());
    }
}

/// UUIDv5 of the issuer's host and the Clerk id: whoever makes the record first, it is the same.
fn lasting_id(issuer: &str, clerk_id: &UserId) -> Uuid {
    let host = issuer.split_once("://").map_or(issuer, |(_, host)| host);
    let instance = Uuid::new_v5(&Uuid::NAMESPACE_DNS, host.as_bytes());
    Uuid::new_v5(&instance, clerk_id.as_str().as_bytes())
}
