//! `Config`: the settings in force.

mod dotenv;
mod in_force;
mod mistakes;
mod production;
mod read;
mod reader;
mod settings;
mod volume;
mod warnings;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use doorward_verifier::{
    AuthorizedParties, Issuer, KeyId, KeyMaterial, MissingAzp, PublishableKey, WebhookSecrets,
};
use ipnet::IpNet;

pub use dotenv::DotenvError;
pub use in_force::InForce;
pub use mistakes::{Mistake, Mistakes};
use reader::Reader;
pub use settings::{Found, SETTINGS, Setting, Settings, Source};

use crate::tls::TlsFiles;

/// Everything that the server is told from outside.
#[derive(Clone, Debug)]
pub struct Config {
    /// The Clerk instance.
    pub clerk: Clerk,
    /// Which of its tokens are taken.
    pub tokens: Tokens,
    /// Where users and keys are kept.
    pub storage: Storage,
    /// How the server is reached.
    pub http: Http,
    /// `ENVIRONMENT=production`, or a live key.
    pub production: bool,
    /// Whether a token may pass unverified while no key can be had.
    pub debug_fallback: bool,
    /// What the log says.
    pub log: Log,
}

/// The Clerk instance that is served.
#[derive(Clone, Debug)]
pub struct Clerk {
    /// Who issues its tokens.
    pub issuer: Issuer,
    /// The other names that it issues under.
    pub aliases: Vec<Issuer>,
    /// Its publishable key, if that was given.
    pub publishable_key: Option<PublishableKey>,
    /// The key for its Backend API.
    pub secret_key: Option<Secret>,
    /// Where its verification keys are had from.
    pub keys: Keys,
    /// The Backend API.
    pub api_url: String,
    /// What its webhooks are signed with.
    pub webhook_secrets: Option<WebhookSecrets>,
}

/// Where verification keys are had from: the first of these that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// They are in the settings. Nothing is fetched.
    Configured(KeyMaterial),
    /// As a JWKS at this address: `CLERK_JWKS_URL`, or the issuer's own.
    Published(String),
}

/// Which tokens are taken.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// For which origins they may be made.
    pub authorized_parties: AuthorizedParties,
    /// What a token without an origin means.
    pub missing_azp: MissingAzp,
    /// The audience of JWT templates whose tokens are taken.
    pub template_audience: Option<String>,
    /// Keys that the operator has withdrawn.
    pub denied_kids: Vec<KeyId>,
}

/// Where users and keys are kept.
#[derive(Clone, Debug)]
pub struct Storage {
    /// What is right about users.
    pub store: StoreKind,
    /// The database in it.
    pub database: String,
    /// Whether what it tells of changes by itself is listened to.
    pub change_streams: bool,
    /// The folder of caches and of the embedded store.
    pub data_dir: PathBuf,
    /// How long a known user is served while the store is away.
    pub stale_for: Duration,
    /// How long keys are used while the issuer is away.
    pub keys_hard_age: Duration,
}

/// The store that is right about users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// sled, in the data folder.
    Embedded,
    /// A MongoDB at this address, which may hold a password.
    Mongodb(Secret),
}

/// How the server is reached.
#[derive(Clone, Debug)]
pub struct Http {
    /// The host to listen on: an address, or `localhost`.
    pub host: String,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// The frontend's origins.
    pub cors_origins: Vec<String>,
    /// Whether the session cookie is taken.
    pub cookie_auth: bool,
    /// Whose word about scheme and client address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where certificate and key are, if the server ends TLS itself.
    pub tls: Option<TlsFiles>,
    /// Where `/metrics` is served.
    pub metrics_listen: Option<SocketAddr>,
    /// The npm package whose engine the page `/inspect` runs.
    pub inspector_dir: Option<PathBuf>,
}

impl Http {
    /// Whether only this machine can reach the server.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// What the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// JSON, one object a line, instead of text for people.
    pub json: bool,
    /// What is logged, as `RUST_LOG` says it.
    pub filter: String,
    /// User ids are written as a hash.
    pub hash_user_ids: bool,
}

impl Config {
    /// Reads all settings.
    ///
    /// # Errors
    ///
    /// Every mistake that there is.
    pub fn read(settings: &Settings) -> Result<Config, Mistakes> {
        let mut reader = Reader::new(settings);
        let config = read::config(&mut reader);
        reader.finish(config)
    }
}

/// Text that must never be printed: a secret key, or an address with a password in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Holds `text`.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
