//! `Record`: a user as JSON, in the embedded store, in the cache and in exports. The names are those of the
//! collection that other programs read.

use doorward_verifier::UnixTime;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::user::{Identity, InvalidUserId, Profile, User, UserId};

/// A user, and what else was in its record: the form of backups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    clerk_id: String,
    id: Uuid,
    issuer: String,
    is_active: bool,
    created_at: u64,
    updated_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_login_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<u64>,
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    clerk: Option<ClerkPart>,
    #[serde(default, skip_serializing_if = "ProfilePart::is_empty")]
    profile: ProfilePart,
    /// Members of other programs, and of later versions of this one.
    #[serde(flatten)]
    foreign: serde_json::Map<String, serde_json::Value>,
}

/// What Clerk said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClerkPart {
    updated_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    email_verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<String>,
    banned: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct ProfilePart {
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl Record {
    /// The record of `user`, with the foreign members of the one that it replaces.
    pub fn new(user: &User, replaces: Option<Record>) -> Record {
        Record {
            clerk_id: user.clerk_id.as_str().to_owned(),
            id: user.id,
            issuer: user.issuer.clone(),
            is_active: user.is_active,
            created_at: user.created_at.as_millis(),
            updated_at: user.updated_at.as_millis(),
            last_login_at: user.last_login_at.map(UnixTime::as_millis),
            deleted_at: user.deleted_at.map(UnixTime::as_millis),
            revision: user.revision,
            clerk: user.identity.clone().map(ClerkPart::from),
            profile: ProfilePart { username: user.profile.username.clone(), name: user.profile.name.clone() },
            foreign: replaces.map(|record| record.foreign).unwrap_or_default(),
        }
    }

    /// The user of this record.
    pub fn user(&self) -> Result<User, InvalidUserId> {
        Ok(User {
            id: self.id,
            clerk_id: UserId::parse(&self.clerk_id)?,
            issuer: self.issuer.clone(),
            identity: self.clerk.clone().map(Identity::from),
            profile: Profile { username: self.profile.username.clone(), name: self.profile.name.clone() },
            is_active: self.is_active,
            created_at: UnixTime::from_millis(self.created_at),
            updated_at: UnixTime::from_millis(self.updated_at),
            last_login_at: self.last_login_at.map(UnixTime::from_millis),
            deleted_at: self.deleted_at.map(UnixTime::from_millis),
            revision: self.revision,
        })
    }

    /// The same with these members of other programs.
    #[must_use]
    pub fn with_foreign(self, foreign: serde_json::Map<String, serde_json::Value>) -> Record {
        Record { foreign, ..self }
    }

    /// The members of other programs.
    pub fn foreign(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.foreign
    }

    /// Reads one.
    pub(crate) fn from_json(json: &[u8]) -> Result<Record, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// Writes it.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }
}

impl ProfilePart {
    fn is_empty(&self) -> bool {
        *self == ProfilePart::default()
    }
}

impl From<Identity> for ClerkPart {
    fn from(identity: Identity) -> ClerkPart {
        let Identity {
            updated_at,
            email,
            email_verified,
            username,
            first_name,
            last_name,
            image_url,
            banned,
        } = identity;
        let updated_at = updated_at.as_millis();
        ClerkPart { updated_at, email, email_verified, username, first_name, last_name, image_url, banned }
    }
}

impl From<ClerkPart> for Identity {
    fn from(part: ClerkPart) -> Identity {
        let ClerkPart {
            updated_at,
            email,
            email_verified,
            username,
            first_name,
            last_name,
            image_url,
            banned,
        } = part;
        let updated_at = UnixTime::from_millis(updated_at);
        Identity { updated_at, email, email_verified, username, first_name, last_name, image_url, banned }
    }
}
