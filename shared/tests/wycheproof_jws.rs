//! Wycheproof's vectors for JWS, JWE and JWK, from a copy of it that `WYCHEPROOF_DIR` names: they are not ours to copy.
//!
//! Their payloads are no claims, and are judged after the header here. So each token is judged twice over: its payload is
//! exchanged for claims that are good, and the signature is checked over what stood there.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64URL, Engine as _};
use doorward_verifier::{
    Algorithm, AuthorizedParties, Code, Issuer, Jwks, KeyError, KeySet, MissingAzp, OwnRsa, Policy, Rsa,
    RsaKey, TokenBuffer, UnixTime, Verifier,
};
use serde_json::{Value, json};

const FILES: [&str; 3] =
    ["json_web_signature_test.json", "json_web_key_test.json", "json_web_crypto_test.json"];

/// 2026-09-21.
const NOW: u64 = 1_790_000_000;

/// What Wycheproof has refused and we accept, by its comment, and why that is meant.
const INTENDED: [(&str, &str); 1] = [(
    "rejectsKeyWithRocaVulnerability",
    "a key is the issuer's to choose: how its primes were found is not looked into",
)];

/// Checks every signature over a message that is known beforehand.
struct Over(Vec<u8>);

#[derive(Debug)]
struct KeyOver(Vec<u8>, Arc<dyn RsaKey>);

impl Rsa for Over {
    fn prepare(&self, modulus: &[u8]) -> Result<Arc<dyn RsaKey>, KeyError> {
        Ok(Arc::new(KeyOver(self.0.clone(), OwnRsa.prepare(modulus)?)))
    }
}

impl RsaKey for KeyOver {
    fn verify(&self, algorithm: Algorithm, _: &[u8], signature: &[u8]) -> bool {
        self.1.verify(algorithm, &self.0, signature)
    }
}

#[test]
#[ignore = "needs a copy of Wycheproof: WYCHEPROOF_DIR=… tests/run wycheproof-jws"]
fn tokens_and_keys_are_judged_as_wycheproof_does() {
    let folder =
        folder(Path::new(&std::env::var_os("WYCHEPROOF_DIR").expect("WYCHEPROOF_DIR names a copy of it")));
    let (mut accepted, mut refused, mut wrong) = (0, 0, Vec::new());
    for name in FILES {
        let path = folder.join(name);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file: Value = serde_json::from_str(&text).unwrap();
        for group in file["testGroups"].as_array().unwrap() {
            // A symmetric key has no public half; here it is a key that must not be taken.
            let published = group.get("public").unwrap_or(&group["private"]);
            for test in group["tests"].as_array().unwrap() {
                let comment = test["comment"].as_str().unwrap_or_default();
                let verdict = judge(&token(test), published);
                let intended = INTENDED.iter().any(|(known, _)| *known == comment);
                let is_valid = test["result"] == "valid" && is_for_us(published);
                if verdict.is_ok() == (is_valid || intended) {
                    accepted += usize::from(verdict.is_ok());
                    refused += usize::from(verdict.is_err());
                } else {
                    wrong.push(format!("{name} {}, {comment}: {verdict:?}", test["tcId"]));
                }
            }
        }
    }
    println!("{accepted} accepted and {refused} refused as they should be");
    assert!(wrong.is_empty(), "{} judged otherwise:\n{}", wrong.len(), wrong.join("\n"));
    assert!(accepted > 0 && refused > accepted);
}

/// The folder of the vectors, in a copy of the repository or by itself.
fn folder(given: &Path) -> PathBuf {
    let inside = given.join("testvectors_v1");
    if inside.is_dir() { inside } else { given.to_owned() }
}

/// What is presented. In one of the files a JWS in JSON serialization is an object, in another its text.
fn token(test: &Value) -> String {
    let token = test.get("jws").or(test.get("jwe")).unwrap();
    token.as_str().map_or_else(|| token.to_string(), str::to_owned)
}

/// Every key of the set is one for a signature algorithm of ours.
fn is_for_us(published: &Value) -> bool {
    let keys = published["keys"].as_array().map_or(std::slice::from_ref(published), Vec::as_slice);
    keys.iter().all(|key| key["alg"].as_str().is_some_and(|alg| Algorithm::from_name(alg).is_some()))
}

fn judge(token: &str, published: &Value) -> Result<(), Code> {
    let issuer = Issuer::parse("https://clerk.example.com").unwrap();
    let policy = Policy::new(issuer.clone(), AuthorizedParties::AnyParty, MissingAzp::Allow)
        .with_algorithms(Algorithm::ALL)
        .unwrap();
    let verifier = Verifier::new(policy);
    let (input, _) = token.rsplit_once('.').unwrap_or_default();
    let jwks =
        if published.get("keys").is_some() { published.clone() } else { json!({ "keys": [published] }) };
    let keys = Jwks::parse(jwks.to_string().as_bytes()).unwrap();
    let keys = KeySet::from_jwks(&issuer, &keys, &Over(input.as_bytes().to_vec()));
    let twin = with_claims(token);
    let mut buffer = TokenBuffer::new();
    let screened = verifier.screen(&twin, &mut buffer).map_err(|error| error.code())?;
    verifier.verify(&screened, &keys, UnixTime::from_secs(NOW)).map(|_| ()).map_err(|error| error.code())
}

/// The token with good claims in place of its payload, where it has one.
fn with_claims(token: &str) -> String {
    let claims = json!({
        "iss": "https://clerk.example.com", "sub": "user_1", "sid": "sess_1", "iat": NOW, "exp": NOW + 60,
    });
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    if let [_, payload, _] = &mut *parts
        && !payload.is_empty()
        && BASE64URL.decode(&*payload).is_ok()
    {
        *payload = BASE64URL.encode(claims.to_string());
    }
    parts.join(".")
}
