//! `Cache`: sled in front of the store and of Clerk. Everything in it may be gone at any time.

use std::path::PathBuf;
use std::time::Duration;

use doorward_verifier::UnixTime;

use crate::user::User;

/// The cache's settings.
#[derive(Clone, Debug)]
pub struct CacheSettings {
    /// Its folder, made where it is missing.
    pub folder: PathBuf,
    /// How long to wait for another process to let go of it: a restart meets its predecessor.
    pub lock_wait: Duration,
}

/// sled, typed.
#[derive(Debug)]
pub struct Cache;

/// A user as the store had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownUser {
    /// The record.
    pub user: User,
    /// When the store last said so.
    pub confirmed_at: UnixTime,
}

impl Cache {
    /// The user `id` of `issuer`.
    pub fn user(&self, _issuer: &str, _id: &str) -> Option<KnownUser> {
        None
    }

    /// Keeps `user`.
    pub fn save_user(&self, _issuer: &str, _user: &User, _confirmed_at: UnixTime) {}
}
