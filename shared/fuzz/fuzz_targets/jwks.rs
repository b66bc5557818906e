//! Any bytes as a JWKS and as a JWK: what is taken has one key a name, and is JSON to another parser, unless an entry has
//! what that refuses and we set aside: great depth, and halves of surrogate pairs.
#![no_main]

use std::collections::HashSet;

use doorward_verifier::{Algorithm, Jwk, Jwks, KeySet, MAX_JWKS_KEYS, OwnRsa};
use doorward_verifier_fuzz::{base64url, issuer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|document: &[u8]| {
    if let Ok(jwks) = Jwks::parse(document) {
        let entries = jwks.keys().len() + jwks.refused().len();
        match serde_json::from_slice::<serde_json::Value>(document) {
            Ok(json) => assert_eq!(json["keys"].as_array().unwrap().len(), entries),
            Err(error) => {
                let message = error.to_string();
                assert!(
                    ["recursion limit", "surrogate", "hex escape"].iter().any(|why| message.contains(why))
                );
            }
        }
        assert!(entries <= MAX_JWKS_KEYS);
        let names: HashSet<_> = jwks.keys().iter().map(|key| key.kid().as_str()).collect();
        assert_eq!(names.len(), jwks.keys().len());
        for key in jwks.keys() {
            assert_eq!(&Jwk::parse(published(key).as_bytes()).unwrap(), key);
        }
        let keys = KeySet::from_jwks(&issuer(), &jwks, &OwnRsa);
        assert_eq!(keys.ids().count() + keys.refused().len(), entries);
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
