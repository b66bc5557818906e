//! What may be meant, and is said at the start in case it is not.

use doorward_verifier::AuthorizedParties;

use super::production::is_test_key;
use super::{Config, StoreKind};

impl Config {
    /// What may be meant, and is said at the start in case it is not.
    pub fn warnings(&self) -> Vec<&'static str> {
        let clerk = &self.clerk;
        let uses_test_keys = clerk.publishable_key.as_ref().is_some_and(|key| !key.is_live())
            || clerk.secret_key.as_ref().is_some_and(is_test_key);
        let cases = [
            (uses_test_keys, "Using test Clerk keys"),
            (self.debug_fallback, "DEBUG is on: while no keys can be had, tokens pass unverified"),
            (
                clerk.secret_key.is_none(),
                "CLERK_SECRET_KEY is not set: emails and names stay unknown until webhooks bring them",
            ),
            (
                self.production && self.http.trusted_proxies.is_empty() && self.http.tls.is_none(),
                "production answers https alone; there is no TLS_CERTIFICATE, and TRUSTED_PROXIES names nobody who \
                 could say that it was https: every request but /health and /ready will be refused",
            ),
            (
                self.production && self.tokens.authorized_parties == AuthorizedParties::AnyParty,
                "AUTHORIZED_PARTIES is any party: tokens made for any site of the instance are taken",
            ),
            (
                !self.production && self.storage.store == StoreKind::Embedded && self.is_in_container(),
                "the embedded store is on a file system that ends with its container: put DATA_DIR on a volume",
            ),
        ];
        cases.into_iter().filter_map(|(holds, warning)| holds.then_some(warning)).collect()
    }

    fn is_in_container(&self) -> bool {
        super::volume::filesystem_of(&self.storage.data_dir).as_deref() == Some("overlay")
    }
}
