//! `KeyError`: why key material is of no use.

use crate::error::Excerpt;
use crate::signature::{MAX_MODULUS_BITS, MIN_MODULUS_BITS};

/// Why key material was refused. Each says what was expected and what came; none holds key material.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The modulus is shorter or longer than an RSA key may be here.
    #[error("RSA modulus of {bits} bits, must have {MIN_MODULUS_BITS} to {MAX_MODULUS_BITS}")]
    ModulusSize {
        /// Counted from its highest bit that is set.
        bits: usize,
    },
    /// The modulus is divisible by two, so it is not the product of two large primes.
    #[error("even RSA modulus, must be odd")]
    ModulusEven,
    /// The RSA implementation given in refused a modulus of good size and parity.
    #[error("RSA modulus of {bits} bits refused by {implementation}, which gives no reason")]
    ModulusRefused {
        /// Counted from its highest bit that is set.
        bits: usize,
        /// Which implementation.
        implementation: &'static str,
    },
    /// Over [`MAX_JWKS_BYTES`](crate::jwks::MAX_JWKS_BYTES).
    #[error("a JWKS of {bytes} bytes, at most {} are read", crate::jwks::MAX_JWKS_BYTES)]
    JwksTooLarge {
        /// As it came.
        bytes: usize,
    },
    /// Not a JSON object with a member `keys` that is a list (RFC 7517 section 5).
    #[error("not a JWKS, expected a JSON object with a list `keys`: see byte {at}")]
    NotAJwks {
        /// Where the reading stopped.
        at: usize,
    },
    /// More than [`MAX_JWKS_KEYS`](crate::jwks::MAX_JWKS_KEYS).
    #[error("a JWKS of more than {} keys", crate::jwks::MAX_JWKS_KEYS)]
    TooManyKeys,
    /// A member occurs twice (RFC 7517 section 4).
    #[error("a member twice: see byte {at}")]
    MemberTwice {
        /// Where the second begins.
        at: usize,
    },
    /// A JWK that is nested deeper than [`MAX_JSON_DEPTH`](crate::token::MAX_JSON_DEPTH).
    #[error("a JWK that is nested deeper than {}", crate::token::MAX_JSON_DEPTH)]
    JsonTooDeep,
    /// A JWK, or a JWKS apart from its keys, with more members than
    /// [`MAX_JSON_MEMBERS`](crate::token::MAX_JSON_MEMBERS).
    #[error("a JWK or a JWKS of more than {} members", crate::token::MAX_JSON_MEMBERS)]
    TooManyMembers,
    /// Not a JSON object.
    #[error("not a JWK, expected a JSON object")]
    NotAJwk,
    /// A JSON object that is not well-formed, or has a text with half of a surrogate pair (RFC 8259 section 8.2).
    #[error("a JWK, but its JSON is wrong: see byte {at}")]
    MalformedJwk {
        /// Where the reading stopped, counted from where the JWK begins.
        at: usize,
    },
    /// A private or a symmetric key: it must not be where it can be read.
    #[error("a private member: publish the public key alone, and replace this one")]
    PrivateMember,
    /// `kty` is not `RSA` (RFC 7518 section 6.1).
    #[error("`kty` is not RSA")]
    NotRsa,
    /// `use` or `key_ops` say that it is for something else (RFC 7517 sections 4.2 and 4.3).
    #[error("the key is not for verifying signatures: see `use` and `key_ops`")]
    NotForSignatures,
    /// `alg` is not RS256, RS384 or RS512: a key does one thing.
    #[error("`alg` is not RS256, RS384 or RS512")]
    NoAlgorithm,
    /// No `kid`, or one that is empty or over 128 bytes.
    #[error("`kid` is not a string of 1 to 128 bytes")]
    NoKid,
    /// `e` is not 65537.
    #[error("the exponent is not 65537 (`e` AQAB)")]
    Exponent,
    /// `n` is not base64url without padding, or begins with a zero byte (RFC 7518 section 6.3.1.1).
    #[error("`n` is not base64url of a number without leading zeros")]
    ModulusSpelling,
    /// Another key of the set has the same `kid`.
    #[error("its `kid` is used twice, so nobody can tell which key is meant")]
    KidTwice,
    /// Key material was asked for and nothing came.
    #[error("no key material: the text is empty")]
    Empty,
    /// A JWK Set without one key.
    #[error("a JWKS without a key")]
    NoKeys,
    /// One of Clerk's keys and secrets that is not the instance's RSA public key.
    #[error("{kind}, expected the instance's RSA public key: PEM, a JWK or a JWKS")]
    ClerkKey {
        /// Which.
        kind: &'static str,
    },
    /// A private key: it must not be where it can be read.
    #[error("{kind}: paste the public key alone, and replace this one")]
    PrivateKey {
        /// Which.
        kind: &'static str,
    },
    /// A public key that is not for RSASSA-PKCS1-v1_5.
    #[error("{kind}, expected an RSA public key")]
    OtherKey {
        /// Which.
        kind: &'static str,
    },
    /// A PEM block that holds no public key (RFC 7468 sections 5 and 13).
    #[error("a PEM block of `{label}`, expected PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE")]
    PemLabel {
        /// What its BEGIN line says.
        label: Excerpt,
    },
    /// The lines around a PEM block are not as they must be (RFC 7468 section 2).
    #[error("PEM, but {wrong}")]
    PemArmour {
        /// What is wrong.
        wrong: &'static str,
    },
    /// A key in base64 that is not base64 (RFC 4648 section 4), inside PEM or by itself.
    #[error("{understood}, but its base64 is wrong: see character {at}")]
    NotBase64 {
        /// What it was taken for.
        understood: &'static str,
        /// Counted from the first of the base64 text.
        at: usize,
    },
    /// Not DER (ITU-T X.690) of what it was taken for.
    #[error("{understood}, but its DER is wrong: see byte {at}")]
    NotDer {
        /// What it was taken for.
        understood: &'static str,
        /// Counted in the decoded bytes.
        at: usize,
    },
}
