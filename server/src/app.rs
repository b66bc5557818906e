//! `App`: the parts of the server, put together.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use doorward_verifier::{
    AwsLcRsa, CookieAuth, KeyError, Policy, PolicyError, RequestVerifier, Verdicts, Verifier,
};

use crate::cache::{Cache, CacheSettings};
use crate::clerk::{ClerkApi, ClerkSettings, ClerkSettingsError};
use crate::clock::Clock;
use crate::config::{Config, Keys, StoreKind};
use crate::failures::Failures;
use crate::identities::{AskingRate, DEVELOPMENT_RATE, LOCAL_RATE, PRODUCTION_RATE};
use crate::keys::{KeyOrigin, KeySettings, KeySource};
use crate::metrics::Metrics;
use crate::proxy::TrustedProxies;
use crate::store::{
    self, EmbeddedSettings, MongoSettings, OnLoss, OpenError, Store, StoreError, StoreSettings,
};
use crate::tls::{Tls, TlsError};
use crate::users::{ASK_AGAIN, DirectorySettings, UserDirectory};
use crate::webhooks::Webhooks;

/// A server that is being replaced has let go of its folders by then.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// Shorter than a request's own time, so that its answer can still say what went wrong.
const CLERK_TIMEOUT: Duration = Duration::from_secs(3);

/// Everything that answering a request needs.
#[derive(Debug)]
pub struct App {
    /// The settings in force.
    pub config: Config,
    /// What makes principals of tokens.
    pub verifier: RequestVerifier,
    /// What it has accepted.
    pub(crate) verdicts: Verdicts,
    /// What brings the issuer's keys.
    pub keys: KeySource,
    /// What finds users.
    pub users: UserDirectory,
    /// What takes Clerk's events, where there is a secret that they are signed with.
    pub webhooks: Option<Webhooks>,
    /// What ends TLS, where the server does that itself.
    pub tls: Option<Tls>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
    /// What is counted and measured.
    pub metrics: Metrics,
    pub(crate) proxies: TrustedProxies,
    pub(crate) failures: Failures,
    pub(crate) cache: Arc<Cache>,
    pub(crate) store: Arc<dyn Store>,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// What is accepted can't be.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Clerk can't be asked.
    #[error(transparent)]
    Clerk(#[from] ClerkSettingsError),
    /// The key in the settings is not fit for use.
    #[error("CLERK_JWT_KEY: {0}")]
    Key(#[from] KeyError),
    /// The certificate or its key is of no use.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// The store or the cache can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl App {
    /// Opens everything. Nothing outside needs to answer for it: neither Clerk nor MongoDB.
    ///
    /// # Errors
    ///
    /// When settings that were read can't be used, or a folder can't be had.
    pub async fn open(config: Config, on_loss: OnLoss, clock: Arc<dyn Clock>) -> Result<Arc<App>, AppError> {
        let verifier = RequestVerifier::new(Verifier::new(policy(&config)?), cookie_auth(&config));
        let clerk = ClerkApi::new(clerk_settings(&config))?;
        let mut key_settings = key_settings(&config, &clerk)?;
        let tls = config.http.tls.clone().map(Tls::open).transpose()?;
        let cache = Cache::open(cache_settings(&config), Arc::clone(&clock)).await?;
        let store = store::open(store_settings(&config, on_loss, LOCK_WAIT), Arc::clone(&clock)).await?;
        key_settings.store = Some(Arc::clone(&store));
        let keys = KeySource::open(key_settings, Some(Arc::clone(&cache)), Arc::clone(&clock));
        let webhooks = config.clerk.webhook_secrets.clone();
        let webhooks = webhooks.map(|secrets| Webhooks::new(secrets, Arc::clone(&store), Arc::clone(&clock)));
        let users_cache = in_front_of_the_store(&config, &cache);
        let users = directory(&config, Arc::clone(&store), users_cache, Some(clerk), Arc::clone(&clock));
        // A store that is away is read when it is back.
        let _denials = users.load_denials().await;
        keys.load_withdrawn().await;
        let proxies = TrustedProxies::new(config.http.trusted_proxies.clone());
        let (metrics, failures) = (Metrics::default(), Failures::default());
        Ok(Arc::new(App {
            config,
            verifier,
            verdicts: Verdicts::default(),
            keys,
            users,
            webhooks,
            tls,
            clock,
            metrics,
            proxies,
            failures,
            cache,
            store,
        }))
    }

    /// Writes down what is still in memory, and gives the folders back.
    ///
    /// # Errors
    ///
    /// When the store did not take it.
    pub async fn close(&self) -> Result<(), StoreError> {
        let closed = self.users.close().await;
        self.cache.close().await;
        closed
    }
}

pub(crate) fn policy(config: &Config) -> Result<Policy, PolicyError> {
    let tokens = &config.tokens;
    let policy =
        Policy::new(config.clerk.issuer.clone(), tokens.authorized_parties.clone(), tokens.missing_azp)
            .with_issuer_aliases(config.clerk.aliases.iter().cloned())
            .with_denied_kids(tokens.denied_kids.iter().cloned());
    match &tokens.template_audience {
        Some(audience) => policy.with_template_audience(audience),
        None => Ok(policy),
    }
}

fn cookie_auth(config: &Config) -> CookieAuth {
    if config.http.cookie_auth {
        CookieAuth::On(config.clerk.publishable_key.clone())
    } else {
        CookieAuth::Off
    }
}

/// The Backend API gives its keys to whoever has the secret key, which no other address may see.
pub(crate) fn clerk_settings(config: &Config) -> ClerkSettings {
    let clerk = &config.clerk;
    let jwks_url = match &clerk.keys {
        Keys::Published(url) => url.clone(),
        Keys::Configured(_) => clerk.issuer.jwks_url(),
    };
    ClerkSettings {
        jwks_needs_secret: jwks_url.strip_prefix(&clerk.api_url).is_some_and(|path| path.starts_with('/')),
        jwks_url,
        api_url: clerk.api_url.clone(),
        secret_key: clerk.secret_key.clone(),
        timeout: CLERK_TIMEOUT,
    }
}

fn key_settings(config: &Config, clerk: &ClerkApi) -> Result<KeySettings, KeyError> {
    let issuer = config.clerk.issuer.clone();
    let origin = match &config.clerk.keys {
        Keys::Configured(material) => KeyOrigin::Configured(Arc::new(material.key_set(&issuer, &AwsLcRsa)?)),
        Keys::Published(_) => KeyOrigin::Published(clerk.clone()),
    };
    Ok(KeySettings {
        issuer,
        origin,
        hard_age: config.storage.keys_hard_age,
        denied: config.tokens.denied_kids.clone(),
        rsa: Arc::new(AwsLcRsa),
        store: None,
    })
}

fn cache_settings(config: &Config) -> CacheSettings {
    CacheSettings {
        folder: config.storage.data_dir.join("cache"),
        lock_wait: LOCK_WAIT,
        stale: config.storage.stale_for,
    }
}

pub(crate) fn store_folder(config: &Config) -> PathBuf {
    config.storage.data_dir.join("store")
}

pub(crate) fn store_settings(config: &Config, on_loss: OnLoss, lock_wait: Duration) -> StoreSettings {
    let storage = &config.storage;
    match &storage.store {
        StoreKind::Embedded => {
            StoreSettings::Embedded(EmbeddedSettings { folder: store_folder(config), lock_wait, on_loss })
        }
        StoreKind::Mongodb(uri) => {
            let (uri, database) = (uri.clone(), storage.database.clone());
            StoreSettings::Mongo(MongoSettings { uri, database, change_streams: storage.change_streams })
        }
    }
}

/// In front of MongoDB there is a cache on disk; the embedded store is as quick itself.
fn in_front_of_the_store(config: &Config, cache: &Arc<Cache>) -> Option<Arc<Cache>> {
    let is_embedded = config.storage.store == StoreKind::Embedded;
    (!is_embedded).then(|| Arc::clone(cache))
}

pub(crate) fn directory(
    config: &Config,
    store: Arc<dyn Store>,
    cache: Option<Arc<Cache>>,
    clerk: Option<ClerkApi>,
    clock: Arc<dyn Clock>,
) -> UserDirectory {
    let settings = DirectorySettings {
        issuer: config.clerk.issuer.as_str().to_owned(),
        stale: config.storage.stale_for,
        asking_rate: asking_rate(config),
        ask_again: ASK_AGAIN,
    };
    UserDirectory::open(settings, store, cache, clerk, clock)
}

pub(crate) fn asking_rate(config: &Config) -> AskingRate {
    match (config.clerk.api_url.starts_with("http:"), config.production) {
        (true, _) => LOCAL_RATE,
        (false, true) => PRODUCTION_RATE,
        (false, false) => DEVELOPMENT_RATE,
    }
}
