//! `Snapshot`: a JWKS of what is fit for use, and when the issuer was asked for it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward_verifier::{Jwk, Jwks, KeyId, UnixTime};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::cache::KnownKeys;

/// A JWKS of what is fit for use. It is what every copy holds, on disk and at other instances, so that each of them
/// reads what the first one checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The document.
    pub document: String,
    /// Its name, quoted as HTTP wants it.
    pub etag: String,
    /// When the issuer was asked for it. Copies are as old as this says.
    pub asked_at: UnixTime,
    /// The issuer's own name for what it published.
    pub(super) issuers_etag: Option<String>,
}

/// RFC 7517 section 4, RFC 7518 section 6.3.1.
#[derive(Serialize)]
struct PublicKey<'a> {
    kty: &'static str,
    r#use: &'static str,
    alg: String,
    kid: &'a str,
    n: String,
    e: &'static str,
}

#[derive(Serialize)]
struct Document<'a> {
    keys: Vec<PublicKey<'a>>,
}

impl Snapshot {
    pub(super) fn of(jwks: &Jwks, issuers_etag: Option<String>, asked_at: UnixTime) -> Snapshot {
        let document = document(jwks.keys());
        Snapshot { etag: name(&document), document, asked_at, issuers_etag }
    }

    /// The same without the keys that are denied.
    pub(super) fn without(&self, denied: &[KeyId]) -> Snapshot {
        let Some(jwks) = Jwks::parse(self.document.as_bytes()).ok().filter(|_| !denied.is_empty()) else {
            return self.clone();
        };
        let document = document(jwks.keys().iter().filter(|key| !denied.contains(key.kid())));
        Snapshot { etag: name(&document), document, asked_at: self.asked_at, issuers_etag: None }
    }

    pub(super) fn kept(known: KnownKeys) -> Snapshot {
        let KnownKeys { document, etag, asked_at } = known;
        let asked_at = UnixTime::from_millis(asked_at);
        Snapshot { etag: name(&document), document, asked_at, issuers_etag: etag }
    }

    pub(super) fn to_keep(&self) -> KnownKeys {
        let Snapshot { document, issuers_etag, asked_at, .. } = self;
        KnownKeys { document: document.clone(), etag: issuers_etag.clone(), asked_at: asked_at.as_millis() }
    }
}

impl<'a> PublicKey<'a> {
    fn of(jwk: &'a Jwk) -> PublicKey<'a> {
        PublicKey {
            kty: "RSA",
            r#use: "sig",
            alg: jwk.algorithm().to_string(),
            kid: jwk.kid().as_str(),
            n: URL_SAFE_NO_PAD.encode(jwk.modulus()),
            // The engine takes no other exponent than 65537.
            e: "AQAB",
        }
    }
}

fn document<'a>(keys: impl IntoIterator<Item = &'a Jwk>) -> String {
    let keys = keys.into_iter().map(PublicKey::of).collect();
    // Texts and lists of texts: there is nothing that could fail.
    serde_json::to_string(&Document { keys }).unwrap_or_default()
}

fn name(document: &str) -> String {
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(document)[..16]))
}
