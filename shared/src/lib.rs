//! Verifies Clerk session tokens: the same bytes, keys, policy and time give the same answer natively, in WebAssembly
//! under Node, on an edge runtime and in a browser. There is no I/O and no clock in it: keys and time are arguments.
//!
//! ```text
//! bytes ─▶ token ─▶ key ─▶ signature ─▶ claims ─▶ principal
//! └── screen ──┘└─────────────── verify ────────────────┘
//! ```
//!
//! ```
//! use doorward_verifier::{
//!     AuthorizedParties, Code, Issuer, Jwks, KeySet, MissingAzp, OwnRsa, Policy, Requirement, TokenBuffer, UnixTime, Verifier,
//! };
//! # const JWKS: &[u8] = include_bytes!("example/jwks.json");
//! # const TOKEN: &str = include_str!("example/token.txt");
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // What this deployment accepts. Whom to trust is always said.
//! let issuer = Issuer::parse("https://clerk.example.com")?;
//! let parties = AuthorizedParties::parse(["https://app.example.com"])?;
//! let verifier = Verifier::new(Policy::new(issuer.clone(), parties, MissingAzp::Refuse));
//!
//! // The issuer's keys, as it publishes them at `issuer.jwks_url()`.
//! let keys = KeySet::from_jwks(&issuer, &Jwks::parse(JWKS)?, &OwnRsa);
//!
//! // A token, at a time.
//! let mut buffer = TokenBuffer::new();
//! let token = verifier.screen(TOKEN, &mut buffer)?;
//! let principal = verifier.verify(&token, &keys, UnixTime::from_secs(1_790_000_030))?;
//! assert_eq!(principal.user_id(), "user_example");
//! assert!(principal.has(&Requirement { permission: Some("org:invoices:write"), ..Requirement::default() }));
//!
//! // The same token, two minutes later.
//! let refusal = verifier.verify(&token, &keys, UnixTime::from_secs(1_790_000_150)).unwrap_err();
//! assert_eq!(refusal.code(), Code::TokenExpired);
//! assert_eq!(refusal.to_string(), "expired at 1790000060, now 1790000150");
//! # Ok(())
//! # }
//! ```
//!
//! Forgetting whom to trust does not compile:
//!
//! ```compile_fail,E0061
//! # use doorward_verifier::{Issuer, Policy};
//! let policy = Policy::new(Issuer::parse("https://clerk.example.com").unwrap());
//! ```

#![warn(clippy::disallowed_methods)]

mod base64;
mod base64url;
mod claims;
mod code;
mod error;
mod json;
mod jwks;
mod key_cache;
mod key_error;
mod key_set;
mod pasted;
mod pem;
mod permissions;
mod policy;
mod principal;
mod request;
mod rsa;
mod signature;
mod text;
mod time;
mod token;
mod verdicts;
mod verifier;
mod webhook;

pub use claims::MAX_ID_BYTES;
pub use code::{Code, Kind};
pub use error::{Excerpt, Part, VerifyError};
pub use jwks::{Jwk, Jwks, MAX_JWKS_BYTES, MAX_JWKS_KEYS, RefusedJwk};
pub use key_cache::{
    DEFAULT_HARD_AGE, FETCH_LOST_AFTER, KeyCache, KeyStatus, Lookup, REFRESH_AFTER, UNKNOWN_KID_COOLDOWN,
};
pub use key_error::KeyError;
pub use key_set::{KeyId, KeySet, MAX_KID_BYTES, VerifyingKey};
pub use pem::KeyMaterial;
pub use permissions::Scoped;
pub use policy::{
    AuthorizedParties, DEFAULT_CLOCK_SKEW, Issuer, MAX_CLOCK_SKEW, MAX_LIFETIME, MissingAzp, OriginPattern,
    Policy, PolicyError, PublishableKey,
};
pub use principal::{
    FactorAges, Grants, Impersonator, Organization, Principal, Requirement, Reverification,
    ReverificationLevel, UnknownPreset, UnverifiedPrincipal,
};
pub use request::{Check, CookieAuth, PresentedToken, Request, RequestVerifier, bearer};
#[cfg(feature = "aws-lc")]
pub use signature::AwsLcRsa;
pub use signature::{Algorithm, MAX_MODULUS_BITS, MIN_MODULUS_BITS, OwnRsa, Rsa, RsaKey, checked_modulus};
pub use time::{MAX_UNIX_SECS, UnixTime};
pub use token::{
    MAX_HEADER_BYTES, MAX_JSON_DEPTH, MAX_JSON_MEMBERS, MAX_TOKEN_BYTES, TokenBuffer, UnverifiedToken,
};
pub use verdicts::Verdicts;
pub use verifier::{ScreenedToken, Verifier};
pub use webhook::{
    Delivery, MAX_WEBHOOK_BYTES, WEBHOOK_TOLERANCE, WebhookError, WebhookHeaders, WebhookSecretError,
    WebhookSecrets,
};
