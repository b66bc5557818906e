//! The key pairs of the tests: made anew in each process, so that none lies anywhere.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

use crate::base64url;

/// A key pair under a `kid`.
#[derive(Clone)]
pub struct TestKey {
    kid: String,
    pair: &'static Pair,
}

struct Pair(RsaKeyPair);

impl TestKey {
    /// The first or the second pair of this process (0 or 1), under this name.
    pub fn new(kid: &str, which: usize) -> TestKey {
        static PAIRS: [OnceLock<Pair>; 2] = [OnceLock::new(), OnceLock::new()];
        TestKey { kid: kid.to_owned(), pair: PAIRS[which].get_or_init(Pair::generate) }
    }

    /// Its name.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half, with the members that Clerk publishes.
    pub fn jwk(&self) -> Value {
        json!({"use": "sig", "kty": "RSA", "kid": self.kid, "alg": "RS256", "n": self.pair.modulus(), "e": "AQAB"})
    }

    /// A token of this header and these claims, whatever they are.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let input = [header, claims].map(|part| base64url(part.to_string().as_bytes())).join(".");
        format!("{input}.{}", self.pair.sign(input.as_bytes()))
    }
}

impl Pair {
    fn generate() -> Pair {
        Pair(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    fn sign(&self, message: &[u8]) -> String {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
        base64url(&signature)
    }

    /// The first INTEGER of the RSAPublicKey (RFC 8017 appendix A.1.1), after a sign byte, at this size always here.
    fn modulus(&self) -> String {
        base64url(&self.0.public_key().as_ref()[9..9 + 256])
    }
}
