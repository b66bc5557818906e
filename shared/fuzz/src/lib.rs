//! What several fuzz targets need: a verifier, keys, and a signature check that is passed by everything.

use std::sync::Arc;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use doorward_verifier::{
    Algorithm, AuthorizedParties, Issuer, Jwks, KeyError, KeySet, MissingAzp, Policy, Rsa, RsaKey, UnixTime,
    Verifier,
};

/// The tokens of the seeds are of this issuer, and good at [`NOW`].
pub const ISSUER: &str = "https://clerk.example.com";
/// One of two parties; the other is the pattern `https://app-*.example.com`.
pub const PARTY: &str = "https://app.example.com";
/// 2026-09-21T14:13:50Z, within the life of the engine's example token.
pub const NOW: UnixTime = UnixTime::from_secs(1_790_000_030);

/// A header that is good, and its key's name.
pub const HEADER: &str = r#"{"alg":"RS256","cat":"cl_B7d4PD111AAA","kid":"ins_fuzz","typ":"JWT"}"#;

/// Holds every signature good, so that the claims behind it are reached.
#[derive(Debug)]
pub struct AlwaysGood;

impl Rsa for AlwaysGood {
    fn prepare(&self, _: &[u8]) -> Result<Arc<dyn RsaKey>, KeyError> {
        Ok(Arc::new(AlwaysGood))
    }
}

impl RsaKey for AlwaysGood {
    fn verify(&self, _: Algorithm, _: &[u8], _: &[u8]) -> bool {
        true
    }
}

/// A verifier that takes what a policy can take: a template's tokens, an alias, pending sessions.
pub fn verifier(parties: AuthorizedParties, missing_azp: MissingAzp) -> Verifier {
    let alias = Issuer::parse("https://app.example.com/__clerk").unwrap();
    let policy = Policy::new(issuer(), parties, missing_azp)
        .with_issuer_aliases([alias])
        .with_template_audience("backend")
        .unwrap()
        .accept_pending();
    Verifier::new(policy)
}

pub fn issuer() -> Issuer {
    Issuer::parse(ISSUER).unwrap()
}

pub fn parties() -> AuthorizedParties {
    AuthorizedParties::parse([PARTY, "https://app-*.example.com"]).unwrap()
}

/// The key of [`HEADER`], and that of the engine's example token, neither of which is asked anything.
pub fn keys() -> KeySet {
    let modulus = base64url(&[0xff; 256]);
    let keys = ["ins_fuzz", "ins_example"]
        .map(|kid| format!(r#"{{"kty":"RSA","alg":"RS256","kid":"{kid}","e":"AQAB","n":"{modulus}"}}"#));
    let jwks = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
    KeySet::from_jwks(&issuer(), &Jwks::parse(jwks.as_bytes()).unwrap(), &AlwaysGood)
}

pub fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of these parts, its signature being whatever the check above holds good.
pub fn token(header: &[u8], payload: &[u8]) -> String {
    format!("{}.{}.{}", base64url(header), base64url(payload), base64url(&[1; 256]))
}
