//! An issuer on loopback, and the tokens that it signs.

use std::sync::{Mutex, MutexGuard};

use doorward_verifier::UnixTime;
use serde_json::{Value, json};

use crate::clerk::FakeClerk;
use crate::keys::TestKey;
use crate::{NOON, base64_padded};

/// The user whom tokens name unless a test says otherwise.
pub const USER: &str = "user_2xTests0000000000000000000";
/// Their session.
pub const SESSION: &str = "sess_2xTests0000000000000000000";
/// The origin that tokens are made for.
pub const ORIGIN: &str = "http://localhost:3000";

/// A Clerk that publishes the keys that it signs with.
pub struct TestIssuer {
    /// What answers over HTTP.
    pub clerk: FakeClerk,
    key: Mutex<TestKey>,
}

impl TestIssuer {
    /// Starts one with a key and without users.
    pub async fn start() -> TestIssuer {
        let issuer =
            TestIssuer { clerk: FakeClerk::start().await, key: Mutex::new(TestKey::new("ins_tests_one", 0)) };
        issuer.use_key(TestKey::new("ins_tests_one", 0));
        issuer
    }

    /// The value of `iss`.
    pub fn url(&self) -> String {
        self.clerk.url()
    }

    /// The publishable key that names it.
    pub fn publishable_key(&self) -> String {
        let url = self.url();
        let host = url.trim_start_matches("http://");
        format!("pk_test_{}", base64_padded(format!("{host}$").as_bytes()).trim_end_matches('='))
    }

    /// Signs with another key from now on, and publishes that one alone.
    pub fn rotate(&self) {
        self.use_key(TestKey::new("ins_tests_two", 1));
    }

    /// Signs with another key under the same `kid` from now on.
    pub fn rekey(&self) {
        self.use_key(TestKey::new("ins_tests_one", 1));
    }

    fn use_key(&self, key: TestKey) {
        self.clerk.publish_document(json!({"keys": [key.jwk()]}).to_string());
        *self.key() = key;
    }

    /// A good token of [`USER`], made at [`NOON`].
    pub fn token(&self) -> String {
        self.token_at(NOON, json!({}))
    }

    /// A good token but for these claims; `null` leaves one out.
    pub fn token_with(&self, claims: Value) -> String {
        self.token_at(NOON, claims)
    }

    /// A good token made at `now` but for these claims.
    pub fn token_at(&self, now: UnixTime, claims: Value) -> String {
        let key = self.key().clone();
        key.sign(&self.header(), &self.claims(now, claims))
    }

    /// A token that is good but for its signature.
    pub fn forged(&self) -> String {
        let token = self.token();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let first = if signature.starts_with('A') { 'B' } else { 'A' };
        format!("{signed}.{first}{}", &signature[1..])
    }

    /// The header of a good token.
    pub fn header(&self) -> Value {
        json!({"alg": "RS256", "typ": "JWT", "kid": self.key().kid()})
    }

    /// The claims of a good token but for these.
    pub fn claims(&self, now: UnixTime, claims: Value) -> Value {
        let iat = now.as_secs();
        let mut all = json!({
            "iss": self.url(), "sub": USER, "sid": SESSION, "azp": ORIGIN, "v": 2, "sts": "active",
            "iat": iat, "nbf": iat - 10, "exp": iat + 60,
        });
        for (name, value) in claims.as_object().unwrap() {
            match value {
                Value::Null => all.as_object_mut().unwrap().remove(name),
                value => all.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        all
    }

    fn key(&self) -> MutexGuard<'_, TestKey> {
        self.key.lock().unwrap()
    }
}
