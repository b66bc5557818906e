//! From settings to `Config`, group by group.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use doorward_verifier::{
    AuthorizedParties, Issuer, KeyId, KeyMaterial, MissingAzp, OriginPattern, PolicyError, PublishableKey,
    WebhookSecrets,
};
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

use super::mistakes::Mistake;
use super::production::{self, InstanceKeys, Judged};
use super::reader::Reader;
use crate::tls::TlsFiles;

use super::{Clerk, Config, Http, Keys, Log, Secret, Storage, StoreKind, Tokens};
use crate::store::mongo::check_uri;

const TRUTH: &[(&str, bool)] = &[("false", false), ("true", true), ("0", false), ("1", true)];

/// The most that keys may be used after the issuer was asked: what was withdrawn lives that long in an outage.
const MAX_HARD_AGE_SECS: u64 = 86_400;
/// A week. A user who was banned in the meantime is let in that long while the store is away.
const MAX_STALE_SECS: u64 = 604_800;

/// Where `next dev`, `vite` and their like listen.
const DEVELOPMENT_PORTS: [u16; 4] = [3000, 3001, 5173, 8080];

/// Reads every group before giving up, so that no mistake hides another.
pub(super) fn config(reader: &mut Reader<'_>) -> Option<Config> {
    let said_production = reader.word("ENVIRONMENT", &[("development", false), ("production", true)]);
    let keys = instance_keys(reader);
    let production = said_production == Some(true) || keys.any_is_live();
    let clerk = clerk(reader, &keys);
    let http = http(reader, production);
    let tokens = tokens(reader, http.as_ref());
    let storage = storage(reader);
    let debug_fallback = debug_fallback(reader);
    let log = log(reader);
    let read = Judged {
        production,
        keys: &keys,
        tokens: tokens.as_ref(),
        storage: storage.as_ref(),
        http: http.as_ref(),
        debug_fallback: debug_fallback == Some(true),
    };
    read.check(reader);
    Some(Config {
        clerk: clerk?,
        tokens: tokens?,
        storage: storage?,
        http: http?,
        production,
        debug_fallback: debug_fallback?,
        log: log?,
    })
}

fn instance_keys(reader: &mut Reader<'_>) -> InstanceKeys {
    InstanceKeys {
        publishable: reader.parsed("CLERK_PUBLISHABLE_KEY", PublishableKey::parse),
        secret: reader.parsed("CLERK_SECRET_KEY", secret_key),
    }
}

fn secret_key(text: &str) -> Result<Secret, &'static str> {
    if text.starts_with("pk_") {
        return Err("expected a secret key, got a publishable one: take the one that begins with sk_");
    }
    let known = ["sk_test_", "sk_live_", "test_", "live_"].iter().any(|prefix| text.starts_with(prefix));
    if known {
        Ok(Secret::new(text))
    } else {
        Err("expected sk_test_… or sk_live_…, got something else: copy it again")
    }
}

fn clerk(reader: &mut Reader<'_>, keys: &InstanceKeys) -> Option<Clerk> {
    let frontend_api = reader.parsed("CLERK_FRONTEND_API", frontend_api);
    let named = reader.list_of("CLERK_ISSUER", Issuer::parse);
    let jwks_url = reader.parsed("CLERK_JWKS_URL", fetchable_url);
    let configured = reader.parsed("CLERK_JWT_KEY", KeyMaterial::parse);
    let api_url = reader.parsed("CLERK_API_URL", fetchable_url);
    let webhook_secrets = reader.parsed("CLERK_WEBHOOK_SIGNING_SECRET", WebhookSecrets::parse);
    agree(reader, keys.publishable.as_ref(), frontend_api.as_ref(), &named);
    let derived = keys.publishable.as_ref().map(|key| key.issuer().clone());
    let issuer = derived.or(frontend_api).or_else(|| named.first().cloned());
    let issuer = issuer.or_else(|| no_issuer(reader))?;
    let published = || Keys::Published(jwks_url.unwrap_or_else(|| issuer.jwks_url()));
    let keys_from = configured.map_or_else(published, Keys::Configured);
    Some(Clerk {
        aliases: named.into_iter().filter(|name| *name != issuer).collect(),
        issuer,
        publishable_key: keys.publishable.clone(),
        secret_key: keys.secret.clone(),
        keys: keys_from,
        api_url: api_url.unwrap_or_else(|| "https://api.clerk.com".to_owned()),
        webhook_secrets,
    })
}

/// A host, or a URL of one.
fn frontend_api(text: &str) -> Result<Issuer, PolicyError> {
    let text = text.trim_end_matches('/');
    if text.contains("://") { Issuer::parse(text) } else { Issuer::parse(&format!("https://{text}")) }
}

/// https, or http to this machine: an answer from elsewhere could be anybody's.
fn fetchable_url(text: &str) -> Result<String, String> {
    // An issuer is just such an address.
    let url = Issuer::parse(text.trim_end_matches('/')).map(|url| url.as_str().to_owned());
    url.map_err(|_| format!("expected an https address (http for a loopback one), got {text:?}: correct it"))
}

fn no_issuer(reader: &mut Reader<'_>) -> Option<Issuer> {
    let names = ["CLERK_PUBLISHABLE_KEY", "CLERK_FRONTEND_API", "CLERK_ISSUER"];
    if !names.iter().any(|name| reader.is_set(name)) {
        reader.note(Mistake::new(
            "CLERK_PUBLISHABLE_KEY",
            "the publishable key of your Clerk instance",
            "nothing",
            "set it (dashboard, API keys), or CLERK_FRONTEND_API or CLERK_ISSUER; without an account, run `doorward dev`",
        ));
    }
    None
}

/// The three ways to name the instance must name one.
fn agree(
    reader: &mut Reader<'_>,
    key: Option<&PublishableKey>,
    frontend_api: Option<&Issuer>,
    named: &[Issuer],
) {
    if let (Some(key), Some(api)) = (key, frontend_api)
        && key.host() != api.host()
    {
        let expected = format!("{}, which the publishable key names", key.host());
        reader.note(Mistake::new("CLERK_FRONTEND_API", expected, api.host(), "take both from one instance"));
    }
    let Some(own) = key.map(PublishableKey::issuer).or(frontend_api) else { return };
    for other in named.iter().filter(|name| *name != own && is_instance_host(name.host())) {
        reader.note(Mistake::new(
            "CLERK_ISSUER",
            format_args!("aliases of {own}"),
            format_args!("{other}, an instance of its own"),
            "a server serves one instance: take it out, or correct the publishable key",
        ));
    }
}

/// Clerk's own hosts of development instances; nothing else answers there.
fn is_instance_host(host: &str) -> bool {
    host.ends_with(".clerk.accounts.dev")
}

fn http(reader: &mut Reader<'_>, production: bool) -> Option<Http> {
    let host = reader.text("HOST").map_or(Some("127.0.0.1".to_owned()), |host| listening_host(reader, host));
    let port = reader.number("PORT", 8000, 0, u16::MAX);
    let cors_origins = cors_origins(reader, production);
    let cookie_auth = reader.word("COOKIE_AUTH", &[("off", false), ("on", true)]);
    let trusted_proxies = reader.list_of("TRUSTED_PROXIES", networks).concat();
    let tls = tls(reader);
    let metrics_listen = reader.parsed("METRICS_LISTEN", |text| {
        text.parse::<SocketAddr>()
            .map_err(|_| "expected an address and a port such as 127.0.0.1:9090, got neither")
    });
    Some(Http {
        host: host?,
        port: port?,
        cors_origins,
        cookie_auth: cookie_auth?,
        trusted_proxies,
        tls,
        metrics_listen,
        inspector_dir: reader.text("INSPECTOR_DIR").map(PathBuf::from),
    })
}

/// Both, or neither.
fn tls(reader: &mut Reader<'_>) -> Option<TlsFiles> {
    match (reader.text("TLS_CERTIFICATE"), reader.text("TLS_PRIVATE_KEY")) {
        (Some(certificate), Some(key)) => {
            return Some(TlsFiles {
                certificate: PathBuf::from(certificate),
                private_key: PathBuf::from(key),
            });
        }
        (None, None) => {}
        (certificate, _) => {
            let missing = if certificate.is_none() { "TLS_CERTIFICATE" } else { "TLS_PRIVATE_KEY" };
            let expected = "the certificate's file and its key's, or neither";
            reader.note(Mistake::new(missing, expected, "one of the two", "name both"));
        }
    }
    None
}

fn listening_host(reader: &mut Reader<'_>, host: String) -> Option<String> {
    let fits = host == "localhost" || host.parse::<IpAddr>().is_ok();
    if !fits {
        let expected = "an address such as 127.0.0.1 or 0.0.0.0";
        reader.note(Mistake::new(
            "HOST",
            expected,
            format_args!("{host:?}"),
            "name the address to listen on",
        ));
    }
    fits.then_some(host)
}

/// The origins that are set, and in development those of the usual tools on this machine.
fn cors_origins(reader: &mut Reader<'_>, production: bool) -> Vec<String> {
    let mut origins = reader.list_of("CORS_ORIGINS", exact_origin);
    origins.extend(reader.list_of("CORS_EXTRA_ORIGINS", exact_origin));
    if !production {
        let hosts = ["localhost", "127.0.0.1"];
        origins.extend(
            hosts.iter().flat_map(|host| DEVELOPMENT_PORTS.map(|port| format!("http://{host}:{port}"))),
        );
    }
    let mut seen = std::collections::HashSet::new();
    origins.retain(|origin| seen.insert(origin.clone()));
    origins
}

fn exact_origin(text: &str) -> Result<String, String> {
    let origin = OriginPattern::parse(text).map_err(|error| error.to_string())?;
    if origin.is_exact() {
        return Ok(text.to_owned());
    }
    Err(format!("expected an origin without *, got {text:?}: name each; a * is for AUTHORIZED_PARTIES"))
}

/// A network, an address, or the word `private`.
fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    if text == "private" {
        return Ok(PRIVATE_NETWORKS.iter().filter_map(|network| network.parse().ok()).collect());
    }
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let wrong =
        || format!("expected an address, a network such as 10.0.0.0/8, or private, got {text:?}: correct it");
    network.map(|network| vec![network]).ok_or_else(wrong)
}

/// RFC 1918, loopback, link-local (RFC 3927, RFC 4291) and unique local addresses (RFC 4193).
const PRIVATE_NETWORKS: [&str; 8] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

fn tokens(reader: &mut Reader<'_>, http: Option<&Http>) -> Option<Tokens> {
    let parties = authorized_parties(reader, http);
    let missing_azp =
        reader.word("MISSING_AZP", &[("refuse", MissingAzp::Refuse), ("allow", MissingAzp::Allow)]);
    let template_audience = reader.text("TEMPLATE_AUDIENCE");
    let denied_kids = reader.list_of("DENY_KIDS", key_id);
    Some(Tokens { authorized_parties: parties?, missing_azp: missing_azp?, template_audience, denied_kids })
}

fn key_id(text: &str) -> Result<KeyId, String> {
    KeyId::parse(text).ok_or_else(|| {
        format!("expected a `kid` of at most 128 bytes, got {} bytes: copy it again", text.len())
    })
}

fn authorized_parties(reader: &mut Reader<'_>, http: Option<&Http>) -> Option<AuthorizedParties> {
    let named = reader.list("AUTHORIZED_PARTIES");
    let origins = if reader.is_set("AUTHORIZED_PARTIES") { &named } else { &http?.cors_origins };
    if origins.is_empty() {
        reader.note(Mistake::new(
            "AUTHORIZED_PARTIES",
            "the frontend's origins",
            "none, nor any in CORS_ORIGINS",
            "name them, or say `any party`",
        ));
        return None;
    }
    let parties = AuthorizedParties::parse(origins.iter().map(String::as_str));
    parties.map_err(|error| reader.note(Mistake::described("AUTHORIZED_PARTIES", error))).ok()
}

fn storage(reader: &mut Reader<'_>) -> Option<Storage> {
    let uri = reader.parsed("MONGODB_URI", mongodb_uri);
    let store = store(reader, uri);
    let database = database_name(reader);
    let change_streams = reader.word("CHANGE_STREAMS", &[("auto", true), ("off", false)]);
    let stale_secs = reader.number("STORE_STALE_SECS", 3600, 0, MAX_STALE_SECS);
    let hard_age_secs = reader.number("JWKS_HARD_AGE_SECS", MAX_HARD_AGE_SECS, 0, MAX_HARD_AGE_SECS);
    Some(Storage {
        store: store?,
        database: database?,
        change_streams: change_streams?,
        data_dir: reader.settings().data_dir(),
        stale_for: Duration::from_secs(stale_secs?),
        keys_hard_age: Duration::from_secs(hard_age_secs?),
    })
}

fn mongodb_uri(text: &str) -> Result<Secret, String> {
    let known = ["mongodb://", "mongodb+srv://"].iter().any(|scheme| text.starts_with(scheme));
    if !known {
        return Err("expected mongodb://… or mongodb+srv://…, got neither: correct it".to_owned());
    }
    let checked = check_uri(text).map(|()| Secret::new(text));
    checked.map_err(|detail| {
        format!("expected a connection string, got one that can not be used ({detail}): correct it")
    })
}

/// As MongoDB has it: at most 63 bytes, without what separates names and files.
fn database_name(reader: &mut Reader<'_>) -> Option<String> {
    let Some(name) = reader.text("MONGODB_DB_NAME") else { return Some("user_management_db".to_owned()) };
    let odd = |c: char| "/\\. \"$*<>:|?".contains(c) || c.is_control();
    if name.len() <= 63 && !name.contains(odd) {
        return Some(name);
    }
    reader.note(Mistake::new(
        "MONGODB_DB_NAME",
        "a name of at most 63 bytes, without spaces and any of /\\.\"$*<>:|?",
        format_args!("{name:?}"),
        "take another name",
    ));
    None
}

fn store(reader: &mut Reader<'_>, uri: Option<Secret>) -> Option<StoreKind> {
    let embedded = [("embedded", true), ("mongodb", false)];
    let said = if reader.is_set("STORE") { Some(reader.word("STORE", &embedded)?) } else { None };
    match (said, uri) {
        (Some(true), _) | (None, None) => Some(StoreKind::Embedded),
        (_, Some(uri)) => Some(StoreKind::Mongodb(uri)),
        (Some(false), None) => {
            if !reader.is_set("MONGODB_URI") {
                reader.note(Mistake::new(
                    "MONGODB_URI",
                    "where the store is, since STORE is mongodb",
                    "nothing",
                    "set it",
                ));
            }
            None
        }
    }
}

/// `DEBUG` turns the fallback on unless `DEBUG_FALLBACK` is false.
fn debug_fallback(reader: &mut Reader<'_>) -> Option<bool> {
    let debug = reader.word("DEBUG", TRUTH);
    let words = [("true", true), ("false", false), ("1", true), ("0", false), (production::CONTAINER, true)];
    Some(reader.word("DEBUG_FALLBACK", &words)? && debug?)
}

/// MongoDB's driver says at level info that it looks for a server, which the store says better.
const DEFAULT_FILTER: &str = "info,mongodb=warn";

fn log(reader: &mut Reader<'_>) -> Option<Log> {
    let json = reader.word("LOG_FORMAT", &[("human", false), ("json", true)]);
    let filter = reader.parsed("RUST_LOG", |text| EnvFilter::try_new(text).map(|_| text.to_owned()));
    let hash_user_ids = reader.word("LOG_USER_ID", &[("plain", false), ("hash", true)]);
    Some(Log {
        json: json?,
        filter: filter.unwrap_or_else(|| DEFAULT_FILTER.to_owned()),
        hash_user_ids: hash_user_ids?,
    })
}
