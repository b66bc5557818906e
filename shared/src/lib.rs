//! Verifies Clerk session tokens: the same bytes, keys, policy and time give the same answer natively, in WebAssembly
//! under Node, on an edge runtime and in a browser. No I/O and no clock: keys and time are arguments.
//!
//! ```text
//! bytes ─▶ token ─▶ key ─▶ signature ─▶ claims ─▶ principal
//!          screen   └──────────── verify ────────────┘
//! ```

mod base64url;
mod claims;
mod code;
mod error;
mod json;
mod jwks;
mod key_error;
mod key_set;
mod permissions;
mod policy;
mod principal;
mod rsa;
mod signature;
mod time;
mod token;
mod verifier;

pub use claims::MAX_ID_BYTES;
pub use code::{Code, Kind};
pub use error::{Excerpt, Part, VerifyError};
pub use jwks::{Jwk, Jwks, MAX_JWKS_BYTES, MAX_JWKS_KEYS, RefusedJwk};
pub use key_error::KeyError;
pub use key_set::{KeyId, KeySet, MAX_KID_BYTES, VerifyingKey};
pub use permissions::Scoped;
pub use policy::{
    AuthorizedParties, DEFAULT_CLOCK_SKEW, Issuer, MAX_CLOCK_SKEW, MAX_LIFETIME, MissingAzp, OriginPattern,
    Policy, PolicyError, PublishableKey,
};
pub use principal::{
    FactorAges, Impersonator, Organization, Principal, Requirement, Reverification, ReverificationLevel,
};
#[cfg(feature = "aws-lc")]
pub use signature::AwsLcRsa;
pub use signature::{Algorithm, MAX_MODULUS_BITS, MIN_MODULUS_BITS, OwnRsa, Rsa, RsaKey};
pub use time::{MAX_UNIX_SECS, UnixTime};
pub use token::{
    MAX_HEADER_BYTES, MAX_JSON_DEPTH, MAX_JSON_MEMBERS, MAX_TOKEN_BYTES, TokenBuffer, UnverifiedToken,
};
pub use verifier::{ScreenedToken, Verifier};
