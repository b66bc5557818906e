//! `SigningKey`: the private key of a local issuer.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use jwt_simple::prelude::{JWTClaims, RS256KeyPair, RSAKeyPairLike};
use serde_json::{Map, Value, json};

use super::{IssuerError, files};

/// Clerk's own keys have this size.
const MODULUS_BITS: usize = 2048;

/// An RSA key that signs session tokens under one `kid`.
#[derive(Clone)]
pub(crate) struct SigningKey {
    pair: RS256KeyPair,
    odd: EncodingKey,
    kid: String,
}

impl SigningKey {
    pub(super) fn load(path: &Path, kid: &str) -> Result<SigningKey, IssuerError> {
        let pem = files::read(path)?.ok_or_else(|| files::at(path, std::io::ErrorKind::NotFound.into()))?;
        let malformed = |reason: String| IssuerError::Malformed { path: path.to_owned(), reason };
        let text = str::from_utf8(&pem).map_err(|error| malformed(error.to_string()))?;
        let pair = RS256KeyPair::from_pem(text).map_err(|error| malformed(error.to_string()))?;
        let pkcs8 = pair.to_der().map_err(key_error)?;
        let pkcs1 =
            inside_pkcs8(&pkcs8).ok_or_else(|| malformed("no RSA key of 2048 bits or more".to_owned()))?;
        let odd = EncodingKey::from_rsa_der(pkcs1);
        Ok(SigningKey { pair: pair.with_key_id(kid), odd, kid: kid.to_owned() })
    }

    pub(super) fn create(path: &Path, kid: &str) -> Result<SigningKey, IssuerError> {
        let pair = RS256KeyPair::generate(MODULUS_BITS).map_err(key_error)?;
        files::write_once(path, pair.to_pem().map_err(key_error)?.as_bytes())?;
        SigningKey::load(path, kid)
    }

    pub(super) fn load_or_create(path: &Path, kid: &str) -> Result<SigningKey, IssuerError> {
        if path.exists() { SigningKey::load(path, kid) } else { SigningKey::create(path, kid) }
    }

    /// The public half, with the members that Clerk publishes.
    pub(super) fn jwk(&self) -> Value {
        let public = self.pair.public_key().to_components();
        json!({
            "use": "sig", "kty": "RSA", "kid": self.kid, "alg": "RS256",
            "n": URL_SAFE_NO_PAD.encode(&public.n), "e": URL_SAFE_NO_PAD.encode(&public.e),
        })
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// A token whose header is `alg`, `typ` and `kid`.
    pub(crate) fn sign_plain(&self, claims: JWTClaims<Map<String, Value>>) -> Result<String, IssuerError> {
        self.pair.sign(claims).map_err(key_error)
    }

    /// A token with any header and any claims.
    pub(crate) fn sign_odd(
        &self,
        header: &Value,
        claims: &Map<String, Value>,
    ) -> Result<String, IssuerError> {
        let claims = Value::Object(claims.clone());
        let parts = [header, &claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signing_input = parts.join(".");
        let signature = jsonwebtoken::crypto::sign(signing_input.as_bytes(), &self.odd, Algorithm::RS256)
            .map_err(key_error)?;
        Ok(format!("{signing_input}.{signature}"))
    }
}

impl std::fmt::Debug for SigningKey {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// The RSAPrivateKey that PKCS#8 wraps (RFC 5208 section 5): it fills an OCTET STRING behind the algorithm's name,
/// whose length has two bytes for keys of the sizes that Clerk uses.
fn inside_pkcs8(der: &[u8]) -> Option<&[u8]> {
    const RSA_ENCRYPTION: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x04\x82";
    let start = der.windows(RSA_ENCRYPTION.len()).position(|bytes| bytes == RSA_ENCRYPTION)?;
    let (length, key) = der.get(start + RSA_ENCRYPTION.len()..)?.split_first_chunk()?;
    key.get(..usize::from(u16::from_be_bytes(*length)))
}

fn key_error(error: impl std::fmt::Display) -> IssuerError {
    IssuerError::Key(error.to_string())
}
