//! `LocalIssuer`: a Clerk instance in a folder, for development and tests.

mod accounts;
mod api;
mod clients;
mod environment;
mod files;
mod frontend;
mod signing_key;

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use doorward_verifier::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::user::InvalidUserId;

pub use accounts::{Account, first_user};
pub use api::{Event, serve};
pub(crate) use signing_key::SigningKey;

/// The origin that minted tokens name in `azp`: one that every development server accepts.
pub const AUTHORIZED_PARTY: &str = "http://localhost:3000";

/// What `doorward dev` and `doorward token` stand on: keys, accounts and a secret, as plain files in
/// `DATA_DIR/issuer`. No file is held open, so that tokens can be minted while the server has its store locked.
#[derive(Debug)]
pub struct LocalIssuer {
    folder: PathBuf,
    instance: Instance,
    key: SigningKey,
}

/// `instance.json`: what a Clerk dashboard shows of an instance.
#[derive(Clone, Serialize, Deserialize)]
struct Instance {
    issuer: String,
    publishable_key: String,
    secret_key: String,
    kid: String,
    #[serde(default = "first_key_file")]
    key_file: String,
}

fn first_key_file() -> String {
    "private-key.pem".to_owned()
}

/// Why there is no local issuer to work with.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IssuerError {
    /// Nothing was ever started with this data folder.
    #[error("there is no local issuer in {}: start `doorward dev` with this data folder once", folder.display())]
    Missing {
        /// The folder that was looked into.
        folder: PathBuf,
    },
    /// The folder belongs to a running `doorward dev`.
    #[error("another `doorward dev` is running with {}: end it, or use another --data-dir", folder.display())]
    InUse {
        /// The folder that is locked.
        folder: PathBuf,
    },
    /// The file system said no.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that somebody changed into something else.
    #[error("{} does not hold what it should: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A name that no Clerk user has.
    #[error(transparent)]
    NotAUserId(#[from] InvalidUserId),
    /// No port could be had on the loopback address.
    #[error("no loopback port for the issuer: {0}")]
    Port(io::Error),
    /// The cryptography refused a key or a signature.
    #[error("the issuer's key: {0}")]
    Key(String),
}

/// A local issuer with its port bound and its folder locked, until it is dropped.
#[derive(Debug)]
pub struct BoundIssuer {
    /// What signs and answers.
    pub issuer: LocalIssuer,
    /// Where it answers.
    pub listener: TcpListener,
    /// The former issuer, when its port was taken and the instance had to move.
    pub moved_from: Option<String>,
    lock: File,
}

impl LocalIssuer {
    /// The issuer that an earlier `doorward dev` left in this data folder.
    pub fn open(data_dir: &Path) -> Result<LocalIssuer, IssuerError> {
        LocalIssuer::open_folder(data_dir.join("issuer"))
    }

    /// The same as its files are now: another process may have rotated the key.
    fn reopened(&self) -> Result<LocalIssuer, IssuerError> {
        LocalIssuer::open_folder(self.folder.clone())
    }

    fn open_folder(folder: PathBuf) -> Result<LocalIssuer, IssuerError> {
        let path = folder.join("instance.json");
        let Some(bytes) = files::read(&path)? else {
            return Err(IssuerError::Missing { folder });
        };
        let instance: Instance = serde_json::from_slice(&bytes)
            .map_err(|error| IssuerError::Malformed { path, reason: error.to_string() })?;
        let key = SigningKey::load(&folder.join(&instance.key_file), &instance.kid)?;
        Ok(LocalIssuer { folder, instance, key })
    }

    /// The issuer of this data folder, made if there is none, bound to the port that it had before if that is free.
    pub async fn bind(data_dir: &Path, now: UnixTime) -> Result<BoundIssuer, IssuerError> {
        let folder = data_dir.join("issuer");
        files::create_folder(&folder)?;
        let lock = files::lock(&folder)?;
        match LocalIssuer::open(data_dir) {
            Ok(issuer) => issuer.bind_again(lock).await,
            Err(IssuerError::Missing { .. }) => LocalIssuer::bind_new(folder, lock, now).await,
            Err(error) => Err(error),
        }
    }

    async fn bind_new(folder: PathBuf, lock: File, now: UnixTime) -> Result<BoundIssuer, IssuerError> {
        let (listener, address) = bind_loopback(0).await?;
        let kid = new_kid();
        let key = SigningKey::create(&folder.join(first_key_file()), &kid)?;
        let issuer = LocalIssuer { folder, instance: Instance::new(address, kid), key };
        issuer.save_instance()?;
        issuer.add_first_account(now)?;
        Ok(BoundIssuer { issuer, listener, moved_from: None, lock })
    }

    /// Keys and accounts stay when the port must change; the issuer's name can't, since its port is part of it.
    async fn bind_again(mut self, lock: File) -> Result<BoundIssuer, IssuerError> {
        if let Ok((listener, _)) = bind_loopback(self.port()).await {
            return Ok(BoundIssuer { issuer: self, listener, moved_from: None, lock });
        }
        let (listener, address) = bind_loopback(0).await?;
        let moved_from = Some(self.instance.issuer.clone());
        self.instance.move_to(address);
        self.save_instance()?;
        Ok(BoundIssuer { issuer: self, listener, moved_from, lock })
    }

    /// The value of `iss`: `http://127.0.0.1:PORT`.
    pub fn issuer(&self) -> &str {
        &self.instance.issuer
    }

    /// A `pk_test_` key whose host is the issuer's loopback address.
    pub fn publishable_key(&self) -> &str {
        &self.instance.publishable_key
    }

    /// What its Backend API wants to see: good for this folder alone.
    pub fn secret_key(&self) -> &str {
        &self.instance.secret_key
    }

    /// The folder of the issuer's files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The JWKS as it is published.
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.key.jwk()] })
    }

    /// A genuine key, or one of the same name that nobody published.
    pub(crate) fn signing_key(&self, forged: bool) -> Result<SigningKey, IssuerError> {
        if forged {
            return SigningKey::load_or_create(&self.folder.join("forged-key.pem"), &self.instance.kid);
        }
        Ok(self.key.clone())
    }

    /// Signs with a new key from now on, and publishes that one alone: its `kid`. The two files of a rotation are
    /// bound together by the second, so that a reader sees the old key or the new one.
    pub fn rotate_key(&mut self) -> Result<&str, IssuerError> {
        let kid = new_kid();
        let (file, former) = (format!("{kid}.pem"), self.folder.join(&self.instance.key_file));
        self.key = SigningKey::create(&self.folder.join(&file), &kid)?;
        self.instance = Instance { kid, key_file: file, ..self.instance.clone() };
        self.save_instance()?;
        // Its forgeries were of the former key, too.
        for gone in [former, self.folder.join("forged-key.pem")] {
            files::remove(&gone)?;
        }
        Ok(&self.instance.kid)
    }

    pub(crate) fn port(&self) -> u16 {
        let port = self.instance.issuer.rsplit_once(':').map_or("", |(_, port)| port);
        port.parse().unwrap_or(0)
    }

    fn save_instance(&self) -> Result<(), IssuerError> {
        files::write_private(&self.folder.join("instance.json"), &pretty(&self.instance)?)
    }
}

impl Instance {
    fn new(address: SocketAddr, kid: String) -> Instance {
        let secret_key = format!("sk_test_{}", Uuid::new_v4().simple());
        let mut instance = Instance {
            issuer: String::new(),
            publishable_key: String::new(),
            secret_key,
            kid,
            key_file: first_key_file(),
        };
        instance.move_to(address);
        instance
    }

    fn move_to(&mut self, address: SocketAddr) {
        self.issuer = format!("http://{address}");
        self.publishable_key = format!("pk_test_{}", STANDARD_NO_PAD.encode(format!("{address}$")));
    }
}

impl std::fmt::Debug for Instance {
    /// Without the secret key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance")
            .field("issuer", &self.issuer)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl BoundIssuer {
    /// The parts, for a server that keeps the lock as long as it runs.
    pub fn into_parts(self) -> (LocalIssuer, TcpListener, FolderLock) {
        (self.issuer, self.listener, FolderLock { _file: self.lock })
    }
}

/// Keeps a second `doorward dev` out of the folder while it is held.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

fn new_kid() -> String {
    format!("ins_{}", Uuid::new_v4().simple())
}

async fn bind_loopback(port: u16) -> Result<(TcpListener, SocketAddr), IssuerError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(IssuerError::Port)?;
    let address = listener.local_addr().map_err(IssuerError::Port)?;
    Ok((listener, address))
}

/// People edit these files: one member a line, and a line break at the end.
fn pretty(value: &impl Serialize) -> Result<Vec<u8>, IssuerError> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| IssuerError::Malformed { path: PathBuf::new(), reason: error.to_string() })?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::UserId;

    /// 2026-11-24T10:00:00Z
    const NOW: UnixTime = UnixTime::from_secs(1_795_514_400);

    #[tokio::test]
    async fn an_instance_keeps_its_name_and_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let first = LocalIssuer::bind(folder.path(), NOW).await.unwrap();
        let (issuer, jwks) = (first.issuer.issuer().to_owned(), first.issuer.jwks());
        drop(first);
        let second = LocalIssuer::bind(folder.path(), NOW).await.unwrap();
        assert_eq!(second.issuer.issuer(), issuer);
        assert_eq!(second.issuer.jwks(), jwks);
        assert_eq!(second.moved_from, None);
    }

    #[tokio::test]
    async fn an_instance_whose_port_is_taken_moves_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let (issuer, listener, lock) = LocalIssuer::bind(folder.path(), NOW).await.unwrap().into_parts();
        drop(lock);
        let moved = LocalIssuer::bind(folder.path(), NOW).await.unwrap();
        assert_eq!(moved.moved_from.as_deref(), Some(issuer.issuer()));
        assert_eq!(moved.issuer.jwks(), issuer.jwks());
        assert_eq!(moved.issuer.issuer(), format!("http://{}", moved.listener.local_addr().unwrap()));
        assert_eq!(LocalIssuer::open(folder.path()).unwrap().issuer(), moved.issuer.issuer());
        drop(listener);
    }

    #[tokio::test]
    async fn a_second_one_in_the_folder_is_turned_away_while_the_first_runs() {
        let folder = tempfile::tempdir().unwrap();
        let first = LocalIssuer::bind(folder.path(), NOW).await.unwrap();
        let second = LocalIssuer::bind(folder.path(), NOW).await;
        assert!(matches!(second, Err(IssuerError::InUse { .. })));
        assert!(LocalIssuer::open(folder.path()).is_ok(), "but tokens can be minted");
        drop(first);
        assert!(LocalIssuer::bind(folder.path(), NOW).await.is_ok());
    }

    #[tokio::test]
    async fn the_publishable_key_names_the_loopback_host() {
        let folder = tempfile::tempdir().unwrap();
        let bound = LocalIssuer::bind(folder.path(), NOW).await.unwrap();
        let host = bound.issuer.publishable_key().strip_prefix("pk_test_").unwrap();
        let host = String::from_utf8(STANDARD_NO_PAD.decode(host).unwrap()).unwrap();
        assert_eq!(format!("http://{host}"), format!("{}$", bound.issuer.issuer()));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_files_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let bound = LocalIssuer::bind(folder.path(), NOW).await.unwrap();
        bound.issuer.signing_key(true).unwrap();
        let mode = |name| bound.issuer.folder().join(name).metadata().unwrap().permissions().mode() & 0o777;
        for name in ["private-key.pem", "forged-key.pem", "instance.json", "users/user_ada.json"] {
            assert_eq!(mode(name), 0o600, "{name}");
        }
        assert_eq!(mode(""), 0o700);
    }

    #[test]
    fn a_folder_without_an_issuer_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let error = LocalIssuer::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("start `doorward dev`"), "{error}");
    }

    #[tokio::test]
    async fn secrets_stay_out_of_debug_output() {
        let folder = tempfile::tempdir().unwrap();
        let bound = LocalIssuer::bind(folder.path(), NOW).await.unwrap();
        let shown = format!("{bound:?}");
        assert!(!shown.contains(bound.issuer.secret_key()) && !shown.contains("PRIVATE"), "{shown}");
    }

    #[test]
    fn an_edit_keeps_the_id_and_moves_the_time_on() {
        let id = first_user().unwrap();
        let account = Account::new(&id, "Ada", "Lovelace", NOW);
        let changes = serde_json::from_value(json!({ "first_name": "Augusta", "id": "user_other" })).unwrap();
        let edited = account.edited(changes, NOW).to_json();
        assert_eq!(edited["first_name"], "Augusta");
        assert_eq!(edited["id"], "user_ada");
        assert_eq!(edited["updated_at"], NOW.as_millis() + 1);
    }

    #[test]
    fn a_user_id_is_never_a_path() {
        for text in ["user_", "user_../x", "user_a/b", "user_a.json", "ada", "USER_a", "user_a\0"] {
            assert!(UserId::parse(text).is_err(), "{text}");
        }
    }
}
