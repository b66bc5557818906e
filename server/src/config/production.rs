//! What only development may do, and the words for what is risked knowingly.

use doorward_verifier::{AuthorizedParties, PublishableKey};

use super::mistakes::Mistake;
use super::reader::Reader;
use super::volume::filesystem_of;
use super::{Http, Secret, Storage, StoreKind, Tokens};

/// `DEBUG_FALLBACK=container`: the server listens on all of a container's addresses, and its port is published on
/// loopback alone.
pub(super) const CONTAINER: &str = "container";

const TEST_KEYS: &str = "test keys in production";
const MIXED_KEYS: &str = "live and test keys together";
const LOST_DATA: &str = "data that is lost with the container";

/// The two keys of a Clerk instance that say of themselves whether they are live.
pub(super) struct InstanceKeys {
    pub(super) publishable: Option<PublishableKey>,
    pub(super) secret: Option<Secret>,
}

impl InstanceKeys {
    fn liveness(&self) -> impl Iterator<Item = bool> {
        let publishable = self.publishable.as_ref().map(PublishableKey::is_live);
        let secret =
            self.secret.as_ref().map(|key| key.expose().trim_start_matches("sk_").starts_with("live_"));
        publishable.into_iter().chain(secret)
    }

    pub(super) fn any_is_live(&self) -> bool {
        self.liveness().any(|live| live)
    }

    fn any_is_test(&self) -> bool {
        self.liveness().any(|live| !live)
    }
}

/// `sk_test_…`, or `test_…` as Clerk wrote them once.
pub(super) fn is_test_key(key: &Secret) -> bool {
    ["sk_test_", "test_"].iter().any(|prefix| key.expose().starts_with(prefix))
}

/// What is judged together, as far as it could be read.
pub(super) struct Judged<'c> {
    pub(super) production: bool,
    pub(super) keys: &'c InstanceKeys,
    pub(super) tokens: Option<&'c Tokens>,
    pub(super) storage: Option<&'c Storage>,
    pub(super) http: Option<&'c Http>,
    pub(super) debug_fallback: bool,
}

impl Judged<'_> {
    /// Notes whatever must not be together.
    pub(super) fn check(&self, reader: &mut Reader<'_>) {
        let allowed = allowed(reader);
        self.check_keys(reader, &allowed);
        if self.debug_fallback {
            self.check_debug_fallback(reader);
        }
        if self.production {
            self.check_store(reader, &allowed);
            self.check_origins(reader);
        }
    }

    fn check_keys(&self, reader: &mut Reader<'_>, allowed: &[String]) {
        let (live, test) = (self.keys.any_is_live(), self.keys.any_is_test());
        let (risk, mistake) = if live && test {
            let change = format!("take both from one instance, or say ALLOW={MIXED_KEYS:?}");
            let mistake =
                Mistake::new("CLERK_SECRET_KEY", "keys of one instance", "a live and a test key", change);
            (MIXED_KEYS, mistake)
        } else if self.production && test {
            let change = format!("set the live keys, or ENVIRONMENT=development, or say ALLOW={TEST_KEYS:?}");
            (TEST_KEYS, Mistake::new("ENVIRONMENT", "live keys in production", "a test key", change))
        } else {
            return;
        };
        note_unless(reader, allowed, risk, mistake);
    }

    fn check_debug_fallback(&self, reader: &mut Reader<'_>) {
        if self.production {
            reader.note(Mistake::new(
                "DEBUG",
                "false in production and with live keys",
                "true",
                "set DEBUG=false",
            ));
        }
        let in_container =
            reader.text("DEBUG_FALLBACK").is_some_and(|word| word.eq_ignore_ascii_case(CONTAINER));
        if let Some(http) = self.http.filter(|http| !http.is_loopback() && !in_container) {
            reader.note(Mistake::new(
                "DEBUG",
                "false on an address that others can reach",
                format_args!("true, with HOST={}", http.host),
                "set DEBUG=false or HOST=127.0.0.1; in a container whose port is published on 127.0.0.1 alone, \
                 DEBUG_FALLBACK=container",
            ));
        }
    }

    fn check_store(&self, reader: &mut Reader<'_>, allowed: &[String]) {
        let Some(storage) = self.storage.filter(|storage| storage.store == StoreKind::Embedded) else {
            return;
        };
        if self.keys.any_is_live() && !reader.is_set("STORE") {
            let change = "set MONGODB_URI, or say STORE=embedded: one server, its data in DATA_DIR";
            reader.note(Mistake::new("MONGODB_URI", "a database, with live keys", "nothing", change));
        }
        if let Some(kind @ ("overlay" | "tmpfs")) = filesystem_of(&storage.data_dir).as_deref() {
            let expected = "a folder that lasts, for the embedded store";
            let came = format!("{} on {kind}, which does not", storage.data_dir.display());
            let change = format!("put it on a volume, or say ALLOW={LOST_DATA:?}");
            note_unless(reader, allowed, LOST_DATA, Mistake::new("DATA_DIR", expected, came, change));
        }
    }

    /// The real domain's origins alone: no pattern, no plain http, nothing on somebody's own machine.
    fn check_origins(&self, reader: &mut Reader<'_>) {
        if let Some(http) = self.http {
            check_origins_of(reader, "CORS_ORIGINS", http.cors_origins.iter().map(String::as_str));
        }
        if let Some(AuthorizedParties::Only(parties)) = self.tokens.map(|tokens| &tokens.authorized_parties)
            && reader.is_set("AUTHORIZED_PARTIES")
        {
            check_origins_of(reader, "AUTHORIZED_PARTIES", parties.iter().map(|party| party.as_str()));
        }
    }
}

fn allowed(reader: &mut Reader<'_>) -> Vec<String> {
    let words = [TEST_KEYS, MIXED_KEYS, LOST_DATA];
    reader.list_of("ALLOW", |text| {
        let known = words.contains(&text).then(|| text.to_owned());
        known.ok_or_else(|| {
            let words = words.map(|word| format!("`{word}`")).join(", ");
            format!("expected some of {words}, got {text:?}: write it as the refusal says it")
        })
    })
}

fn note_unless(reader: &mut Reader<'_>, allowed: &[String], risk: &str, mistake: Mistake) {
    if !allowed.iter().any(|word| word == risk) {
        reader.note(mistake);
    }
}

fn check_origins_of<'o>(reader: &mut Reader<'_>, setting: &str, origins: impl Iterator<Item = &'o str>) {
    for origin in origins.filter(|origin| !is_production_origin(origin)) {
        let expected = "exact origins without http: and localhost in production";
        reader.note(Mistake::new(setting, expected, origin, "name the real domain, with https"));
    }
}

fn is_production_origin(origin: &str) -> bool {
    let (scheme, authority) = origin.split_once("://").unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next(),
        None => authority.split(':').next(),
    };
    let host = host.unwrap_or_default();
    let is_local = host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    scheme != "http" && !is_local && !origin.contains('*')
}
