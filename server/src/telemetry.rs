//! What the log says: the guide's lines, each at its moment, and how they are written.

mod format;
mod lines;

use std::borrow::Cow;
use std::fmt::Display;
use std::panic::{PanicHookInfo, set_hook};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use doorward_verifier::Code;
use sha2::{Digest, Sha256};
use tracing::{error, info};

pub use format::subscriber;

use crate::config::Log;
use lines::Lines;

/// `Database connected and initialized`
pub const DATABASE_READY: &str = "Database connected and initialized";
/// `Using Clerk authentication`
pub const USING_CLERK: &str = "Using Clerk authentication";
/// `Clerk token verified for user: user_2xxx`
pub const TOKEN_VERIFIED: &str = "Clerk token verified for user";
/// `Authenticated via Authorization header (Clerk JWT)`
pub const AUTHENTICATED_BY_HEADER: &str = "Authenticated via Authorization header (Clerk JWT)";
/// `Created new user from Clerk`
pub const USER_CREATED: &str = "Created new user from Clerk";
/// `JWKS verification failed: <reason>`
pub const JWKS_FAILED: &str = "JWKS verification failed";
/// `Using unverified token in debug mode`
pub const UNVERIFIED_IN_DEBUG: &str = "Using unverified token in debug mode";
/// `Token missing 'sub' claim`
pub const MISSING_SUB: &str = "Token missing 'sub' claim";
/// `Invalid issuer: <issuer>`
pub const INVALID_ISSUER: &str = "Invalid issuer";
/// `No matching key found in JWKS for kid: <kid>`
pub const NO_MATCHING_KEY: &str = "No matching key found in JWKS for kid";
/// `JWT verification error: <error>`
pub const VERIFICATION_ERROR: &str = "JWT verification error";
/// `Could not validate credentials`
pub const NOT_VALIDATED: &str = "Could not validate credentials";

const GOOD: &str = "ok";
const CAREFUL: &str = "warning";
const BAD: &str = "error";

/// The store gave its first answer and has its indexes; again after each reconnect.
pub fn database_ready(store: &str) {
    info!(kind = GOOD, store, "{DATABASE_READY}");
}

/// The server starts, with an issuer and a source of its keys.
pub fn using_clerk(issuer: &str) {
    info!(kind = GOOD, issuer, "{USING_CLERK}");
}

/// A token was verified, signature and claims.
pub fn token_verified(user_id: &str) {
    info!(kind = GOOD, "{TOKEN_VERIFIED}: {}", shown_user_id(user_id));
}

/// That token came in the Authorization header.
pub fn authenticated_by_header() {
    info!(kind = GOOD, "{AUTHENTICATED_BY_HEADER}");
}

/// That token came in the session cookie.
pub fn authenticated_by_cookie() {
    info!(kind = GOOD, "Authenticated via session cookie (Clerk JWT)");
}

/// The store acknowledged a record that was not there before.
pub fn user_created(user_id: &str) {
    info!(kind = GOOD, user = %shown_user_id(user_id), "{USER_CREATED}");
}

/// The issuer's keys could not be fetched, or what came was no key set.
pub fn jwks_failed(reason: &dyn Display) {
    info!(kind = CAREFUL, "{JWKS_FAILED}: {reason}");
}

/// The debug fallback let a token through whose signature nobody checked.
pub fn unverified_in_debug() {
    info!(kind = CAREFUL, "{UNVERIFIED_IN_DEBUG}");
}

/// A genuine token has no `sub`.
pub fn missing_sub() {
    info!(kind = BAD, "{MISSING_SUB}");
}

/// A token names an issuer that is not this server's.
pub fn invalid_issuer(unverified_issuer: &dyn Display) {
    info!(kind = BAD, "{INVALID_ISSUER}: {unverified_issuer}");
}

/// The issuer publishes no key of this name.
pub fn no_matching_key(kid: &dyn Display) {
    info!(kind = BAD, "{NO_MATCHING_KEY}: {kid}");
}

/// A token was refused, for whatever reason.
pub fn verification_error(error: &dyn Display) {
    info!(kind = BAD, "{VERIFICATION_ERROR}: {error}");
}

/// A request is answered 401.
pub fn not_validated(code: Code) {
    info!(kind = BAD, code = code.as_str(), "{NOT_VALIDATED}");
}

/// Begins to write the log of this process to standard error.
pub fn init(log: &Log) -> Logging {
    hash_user_ids(log.hash_user_ids);
    // There is one already only where a program of its own brought it along, and then that one is wanted.
    let _ = match Lines::to(std::io::stderr()) {
        Ok(lines) => {
            tracing::subscriber::set_global_default(subscriber(log, LINES.get_or_init(|| lines).clone()))
        }
        Err(_no_thread) => tracing::subscriber::set_global_default(subscriber(log, std::io::stderr)),
    };
    set_hook(Box::new(log_panic));
    Logging(())
}

/// What [`init`] writes through.
static LINES: OnceLock<Lines> = OnceLock::new();

/// A log that is being written. When this is dropped, all of it is.
#[derive(Debug)]
#[must_use = "the last lines of the log are written when it is dropped"]
pub struct Logging(());

impl Drop for Logging {
    fn drop(&mut self) {
        flush();
    }
}

fn flush() {
    if let Some(lines) = LINES.get() {
        lines.flush();
    }
}

/// Where it happened, not what it said: that can hold what the code was at work with.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    error!(place, "a panic, which is a defect");
    // It may be the end.
    flush();
}

/// `LOG_USER_ID`: a log is read by all of one process, so it is set once for the process.
static HASH_USER_IDS: AtomicBool = AtomicBool::new(false);

/// Whether user ids are logged as a hash from now on.
pub fn hash_user_ids(hash: bool) {
    HASH_USER_IDS.store(hash, Ordering::Relaxed);
}

/// A user id as `LOG_USER_ID` has it written: plain, or as a hash.
pub fn shown_user_id(user_id: &str) -> Cow<'_, str> {
    if HASH_USER_IDS.load(Ordering::Relaxed) { hashed(user_id).into() } else { user_id.into() }
}

/// The first 12 hexadecimal digits of its SHA-256: the same in every line, and enough to tell users apart.
fn hashed(user_id: &str) -> String {
    Sha256::digest(user_id).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hashed_user_id_is_the_same_every_time_and_no_other() {
        assert_eq!(hashed("user_1"), hashed("user_1"));
        assert_ne!(hashed("user_1"), hashed("user_2"));
        assert_eq!(hashed("user_1").len(), 12);
    }
}
