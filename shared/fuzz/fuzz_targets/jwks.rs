//! Any bytes as a JWKS and as a JWK: what is taken has one key a name, and is JSON to another parser.
#![no_main]

use std::collections::HashSet;

use doorward_verifier::{Algorithm, Jwk, Jwks, KeySet, MAX_JWKS_KEYS, OwnRsa};
use doorward_verifier_fuzz::{base64url, issuer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| {
    if let Ok(jwks) = Jwks::parse(document) {
        let json: serde_json::Value = serde_json::from_slice(document).unwrap();
        let entries = json["keys"].as_array().unwrap();
        assert_eq!(jwks.keys().len() + jwks.refused().len(), entries.len());
        assert!(entries.len() <= MAX_JWKS_KEYS);
        let names: HashSet<_> = jwks.keys().iter().map(|key| key.kid().as_str()).collect();
        assert_eq!(names.len(), jwks.keys().len());
        for key in jwks.keys() {
            assert_eq!(&Jwk::parse(published(key).as_bytes()).unwrap(), key);
        }
        let keys = KeySet::from_jwks(&issuer(), &jwks, &OwnRsa);
        assert_eq!(keys.ids().count() + keys.refused().len(), entries.len());
    }
    if let Ok(key) = Jwk::parse(document) {
        assert_eq!(Jwk::parse(published(&key).as_bytes()).unwrap(), key);
    }
});

/// The key as JSON, written by others.
fn published(key: &Jwk) -> String {
    assert!(Algorithm::ALL.contains(&key.algorithm()));
    serde_json::json!({
        "kty": "RSA",
        "kid": key.kid().as_str(),
        "alg": key.algorithm().as_str(),
        "n": base64url(key.modulus()),
        "e": "AQAB",
    })
    .to_string()
}
