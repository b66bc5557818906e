//! `KeyId`, `VerifyingKey`, `KeySet`: one issuer's keys, ready for use.

use core::fmt;
use std::sync::Arc;

use crate::error::VerifyError;
use crate::jwks::{Jwks, RefusedJwk};
use crate::key_error::KeyError;
use crate::policy::Issuer;
use crate::signature::{Algorithm, Rsa, RsaKey};

/// The longest `kid`, in bytes. Clerk's is the instance's id, about 31.
pub const MAX_KID_BYTES: usize = 128;

/// A key's name: `kid` (RFC 7515 section 4.1.4), 1 to 128 bytes, held in place.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyId {
    bytes: [u8; MAX_KID_BYTES],
    len: u8,
}

impl KeyId {
    /// The name as it is written; `None` when it is empty or too long.
    pub fn parse(text: &str) -> Option<KeyId> {
        KeyId::from_chars(text.chars())
    }

    pub(crate) fn from_chars(chars: impl Iterator<Item = char>) -> Option<KeyId> {
        let mut id = KeyId { bytes: [0; MAX_KID_BYTES], len: 0 };
        for c in chars {
            let room = id.bytes.get_mut(usize::from(id.len)..).filter(|room| room.len() >= c.len_utf8())?;
            id.len += c.encode_utf8(room).len() as u8;
        }
        if id.len == 0 { None } else { Some(id) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        self.bytes
            .get(..usize::from(self.len))
            .and_then(|held| core::str::from_utf8(held).ok())
            .unwrap_or_default()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_str().escape_default(), f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// A public key that is ready for use, bound to the one algorithm that it was published for.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    rsa: Arc<dyn RsaKey>,
}

impl VerifyingKey {
    /// Gets a key ready: `modulus` is big-endian, the exponent is 65537.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the modulus is none.
    pub fn new(algorithm: Algorithm, modulus: &[u8], rsa: &dyn Rsa) -> Result<VerifyingKey, KeyError> {
        Ok(VerifyingKey { algorithm, rsa: rsa.prepare(modulus)? })
    }

    /// The algorithm that the key is for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature` is this key's over `message`, made with the algorithm that the token names.
    ///
    /// # Errors
    ///
    /// [`VerifyError::KeyAlgorithmMismatch`] or [`VerifyError::WrongSignature`].
    pub(crate) fn check(
        &self,
        named: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        if named != self.algorithm {
            return Err(VerifyError::KeyAlgorithmMismatch { token: named, key: self.algorithm });
        }
        if self.rsa.verify(self.algorithm, message, signature) {
            Ok(())
        } else {
            Err(VerifyError::WrongSignature)
        }
    }
}

/// One issuer's keys. Replaced whole, never added to: a key that the issuer withdraws is gone with the next set.
#[derive(Clone, Debug)]
pub struct KeySet {
    issuer: Issuer,
    keys: Keys,
    refused: Vec<RefusedJwk>,
}

#[derive(Clone, Debug)]
enum Keys {
    /// As published, each under its name.
    Named(Vec<(KeyId, VerifyingKey)>),
    /// One key that was configured without a name: it is there for every `kid`.
    Configured(VerifyingKey),
}

impl KeySet {
    /// The keys of a document that are fit for use; the others are listed in [`KeySet::refused`].
    pub fn from_jwks(issuer: &Issuer, jwks: &Jwks, rsa: &dyn Rsa) -> KeySet {
        let mut keys = Vec::new();
        let mut refused = jwks.refused().to_vec();
        for jwk in jwks.keys() {
            match VerifyingKey::new(jwk.algorithm, &jwk.modulus, rsa) {
                Ok(key) => keys.push((jwk.kid.clone(), key)),
                Err(error) => refused.push(RefusedJwk { kid: Some(jwk.kid.clone()), error }),
            }
        }
        KeySet { issuer: issuer.clone(), keys: Keys::Named(keys), refused }
    }

    /// One key that was configured, as PEM has no name for it: for every `kid`, with RS256.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when the modulus is none.
    pub fn from_modulus(issuer: &Issuer, modulus: &[u8], rsa: &dyn Rsa) -> Result<KeySet, KeyError> {
        let key = VerifyingKey::new(Algorithm::Rs256, modulus, rsa)?;
        Ok(KeySet { issuer: issuer.clone(), keys: Keys::Configured(key), refused: Vec::new() })
    }

    /// Whose keys they are.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The key of this name.
    pub fn get(&self, id: &KeyId) -> Option<&VerifyingKey> {
        match &self.keys {
            Keys::Named(keys) => keys.iter().find(|(known, _)| known == id).map(|(_, key)| key),
            Keys::Configured(key) => Some(key),
        }
    }

    /// Whether there is a key of this name.
    pub fn contains(&self, id: &KeyId) -> bool {
        self.get(id).is_some()
    }

    /// The names of the keys; none for a key that was configured without one.
    pub fn ids(&self) -> impl Iterator<Item = &KeyId> {
        let named: &[(KeyId, VerifyingKey)] = match &self.keys {
            Keys::Named(keys) => keys,
            Keys::Configured(_) => &[],
        };
        named.iter().map(|(id, _)| id)
    }

    /// Whether no token can be verified with it.
    pub fn is_empty(&self) -> bool {
        matches!(&self.keys, Keys::Named(keys) if keys.is_empty())
    }

    /// What was published and is not fit for use, and why.
    pub fn refused(&self) -> &[RefusedJwk] {
        &self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refuses every key, without a reason.
    struct AlwaysRefuses;

    impl Rsa for AlwaysRefuses {
        fn prepare(&self, _: &[u8]) -> Result<Arc<dyn RsaKey>, KeyError> {
            Err(KeyError::ModulusRefused { bits: 2048, implementation: "a test" })
        }
    }

    #[test]
    fn what_a_token_calls_its_key_breaks_no_line_of_a_log() {
        let id = KeyId::parse("ins_1\n\u{1b}[31m\"\u{202e}").unwrap();
        assert_eq!(id.to_string(), r#"ins_1\n\u{1b}[31m\"\u{202e}"#);
        assert_eq!(format!("{id:?}"), format!("\"{id}\""));
    }

    #[test]
    fn a_key_that_is_not_fit_for_use_is_listed_whoever_refused_it() {
        let published = include_str!("example/jwks.json");
        let with_another = published.replacen("[", r#"[{"kty": "EC", "kid": "of_a_curve"}, "#, 1);
        let jwks = Jwks::parse(with_another.as_bytes()).unwrap();
        let issuer = Issuer::parse("https://clerk.example.com").unwrap();
        let keys = KeySet::from_jwks(&issuer, &jwks, &AlwaysRefuses);

        let named = |name| KeyId::parse(name);
        assert_eq!(
            keys.refused(),
            [
                RefusedJwk { kid: named("of_a_curve"), error: KeyError::NotRsa },
                RefusedJwk {
                    kid: named("ins_example"),
                    error: KeyError::ModulusRefused { bits: 2048, implementation: "a test" },
                },
            ]
        );
        assert!(keys.is_empty());
    }
}
