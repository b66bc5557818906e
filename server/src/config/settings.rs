//! `Settings`: names and values, the environment first, then `.env`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::dotenv;
use super::mistakes::{Mistake, Mistakes};

/// A setting as the documentation has it.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Other names that it is taken from.
    pub other_names: &'static [&'static str],
    /// Its value is never printed, and `NAME_FILE` may name a file that holds it.
    pub is_secret: bool,
    /// What it means.
    pub about: &'static str,
}

impl Setting {
    /// All the names that it is taken from, its own first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.other_names.iter().copied())
    }
}

const fn plain(name: &'static str, other_names: &'static [&'static str], about: &'static str) -> Setting {
    Setting { name, other_names, is_secret: false, about }
}

const fn secret(name: &'static str, other_names: &'static [&'static str], about: &'static str) -> Setting {
    Setting { name, other_names, is_secret: true, about }
}

/// Every setting, in the order in which they are explained.
pub const SETTINGS: &[Setting] = &[
    plain(
        "CLERK_PUBLISHABLE_KEY",
        &["NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY"],
        "pk_test_… or pk_live_…: gives the issuer and the address of its keys",
    ),
    secret(
        "CLERK_SECRET_KEY",
        &[],
        "sk_test_… or sk_live_…: for Clerk's Backend API, which knows emails and names",
    ),
    plain("CLERK_FRONTEND_API", &[], "the Frontend API's host or URL; must agree with the publishable key"),
    plain("CLERK_ISSUER", &[], "list: aliases of the same instance (a proxy, a satellite domain)"),
    plain("CLERK_JWKS_URL", &[], "where the keys are fetched instead of at the issuer"),
    secret("CLERK_JWT_KEY", &[], "the instance's public key as PEM: no fetching at all"),
    plain("CLERK_API_URL", &[], "the Backend API; https://api.clerk.com"),
    secret("CLERK_WEBHOOK_SIGNING_SECRET", &[], "whsec_…; two of them, separated by a comma, while rotating"),
    plain(
        "AUTHORIZED_PARTIES",
        &[],
        "list of origins, with one * in one DNS label where they differ, or the words `any party`; the CORS origins",
    ),
    plain("MISSING_AZP", &[], "a token that names no origin: refuse or allow; refuse"),
    plain("TEMPLATE_AUDIENCE", &[], "accept tokens of JWT templates with this aud; they are refused"),
    plain("DENY_KIDS", &[], "list: keys that are refused although the issuer publishes them"),
    secret("MONGODB_URI", &["MONGODB_URL"], "mongodb://… or mongodb+srv://…"),
    plain("MONGODB_DB_NAME", &[], "user_management_db"),
    plain(
        "CHANGE_STREAMS",
        &[],
        "MongoDB's change streams: auto uses them where there are any, or off; auto",
    ),
    plain("DATA_DIR", &[], "the folder for caches and the embedded store; ./.doorward"),
    plain("STORE", &[], "embedded or mongodb; mongodb where MONGODB_URI is set, else embedded"),
    plain("STORE_STALE_SECS", &[], "how long a known user is served while the store is away; 3600"),
    plain("JWKS_HARD_AGE_SECS", &[], "how long keys are used while the issuer is away, at most 86400; 86400"),
    plain("HOST", &[], "the address to listen on; 127.0.0.1"),
    plain("PORT", &[], "8000"),
    plain(
        "CORS_ORIGINS",
        &["BACKEND_CORS_ORIGINS"],
        "list of the frontend's origins, or a JSON array of them",
    ),
    plain("CORS_EXTRA_ORIGINS", &[], "more of them"),
    plain("ENVIRONMENT", &[], "development or production; development"),
    plain("DEBUG", &[], "true or false; false"),
    plain(
        "DEBUG_FALLBACK",
        &[],
        "false takes the debug fallback off; container allows it in a container whose port is published on loopback alone; as DEBUG",
    ),
    plain("COOKIE_AUTH", &[], "take the session cookie too: on or off; off"),
    plain("TRUSTED_PROXIES", &[], "list of addresses and networks, or the word private; none"),
    plain(
        "TLS_CERTIFICATE",
        &[],
        "a PEM file of the certificate and what it was issued by: native TLS; none",
    ),
    plain("TLS_PRIVATE_KEY", &[], "a PEM file of its key"),
    plain("METRICS_LISTEN", &[], "address and port for /metrics, loopback advised; none"),
    plain(
        "INSPECTOR_DIR",
        &[],
        "the npm package doorward, whose engine /inspect runs; node_modules/doorward or verifier-wasm/dist, if there",
    ),
    plain("LOG_FORMAT", &[], "human or json; human"),
    plain("RUST_LOG", &[], "what is logged; info,mongodb=warn"),
    plain("LOG_USER_ID", &[], "plain or hash; plain"),
    plain(
        "ALLOW",
        &[],
        "list of the risks that are taken knowingly, in the words that the refusal to start says",
    ),
];

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The environment.
    Environment,
    /// `.env`.
    Dotenv,
    /// A file that `NAME_FILE` names.
    File,
}

impl Source {
    /// As it is printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Source::Environment => "environment",
            Source::Dotenv => ".env",
            Source::File => "file",
        }
    }
}

/// A value as it was found.
#[derive(Clone, PartialEq, Eq)]
pub struct Found {
    /// The name it was found under.
    pub name: String,
    /// The value, trimmed, never empty.
    pub value: String,
    /// Where.
    pub source: Source,
}

/// Everything that was set.
#[derive(Clone, Default)]
pub struct Settings {
    environment: BTreeMap<String, String>,
    dotenv: BTreeMap<String, String>,
}

impl Settings {
    /// The process's environment, and the `.env` file of this folder if there is one.
    ///
    /// # Errors
    ///
    /// The mistakes that make `.env` unreadable.
    pub fn load(folder: &Path) -> Result<Settings, Mistakes> {
        let environment =
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        let dotenv = match std::fs::read_to_string(folder.join(".env")) {
            Ok(text) => dotenv::parse(&text).map_err(Mistakes::in_dotenv)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Mistake::unreadable(".env", &error).into()),
        };
        Ok(Settings::new(environment, dotenv))
    }

    /// From pairs, as if they were the environment and the `.env` file.
    pub fn new(
        environment: impl IntoIterator<Item = (String, String)>,
        dotenv: impl IntoIterator<Item = (String, String)>,
    ) -> Settings {
        Settings { environment: environment.into_iter().collect(), dotenv: dotenv.into_iter().collect() }
    }

    /// What is set under `name`: the environment first, then `.env`. White space around a value, such as a carriage
    /// return from Windows, is not part of it, and an empty value is an unset one.
    pub fn get(&self, name: &str) -> Option<Found> {
        let from = |values: &BTreeMap<String, String>, source| {
            let value = values.get(name)?.trim();
            (!value.is_empty()).then(|| Found { name: name.to_owned(), value: value.to_owned(), source })
        };
        from(&self.environment, Source::Environment).or_else(|| from(&self.dotenv, Source::Dotenv))
    }

    /// Has `name` say this, whatever it said.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Has `name` say nothing.
    pub(crate) fn unset(&mut self, name: &str) {
        self.environment.remove(name);
        self.dotenv.remove(name);
    }

    /// The folder of caches, embedded store and local issuer: `DATA_DIR`.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.get("DATA_DIR").map_or_else(|| PathBuf::from("./.doorward"), |found| PathBuf::from(found.value))
    }

    /// What a secret's `NAME_FILE` holds.
    ///
    /// # Errors
    ///
    /// The mistake that makes the file unreadable, or a value set beside it.
    pub fn secret_file(&self, name: &str) -> Result<Option<Found>, Mistake> {
        let Some(path) = self.get(&format!("{name}_FILE")) else { return Ok(None) };
        if self.get(name).is_some() {
            return Err(Mistake::both(name, &path.name));
        }
        let text =
            std::fs::read_to_string(&path.value).map_err(|error| Mistake::unreadable(&path.name, &error))?;
        let value = text.trim().to_owned();
        if value.is_empty() {
            return Err(Mistake::new(
                &path.name,
                "a file that holds the value",
                "an empty file",
                "write the value into it",
            ));
        }
        Ok(Some(Found { name: path.name, value, source: Source::File }))
    }
}
