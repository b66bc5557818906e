//! Stores to test with: each fixture is one database of its own, gone at the end.

use std::sync::Arc;
use std::time::Duration;

use doorward::clock::FixedClock;
use doorward::config::Secret;
use doorward::store::{self, EmbeddedSettings, MongoSettings, OnLoss, Store, StoreSettings};
use doorward_verifier::UnixTime;
use mongodb::bson::Document;
use mongodb::{Client, Collection};
use tempfile::TempDir;

/// For a folder to be let go of. A program that another test starts holds the locks of this one, too, until it has begun.
pub const LOCK_WAIT: Duration = Duration::from_secs(10);
/// 2026-11-24T12:00:00Z
pub const NOON: UnixTime = UnixTime::from_secs(1_795_521_600);

/// The kinds of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A map.
    Memory,
    /// sled alone.
    Embedded,
    /// FerretDB: keeps what it is given, and loses updates that come at once.
    Ferretdb,
    /// mongo-java-server: carries out one command after the other, and keeps nothing.
    MongoJava,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 4] = [Kind::Memory, Kind::Embedded, Kind::Ferretdb, Kind::MongoJava];

    /// Whether updates that come at once are carried out one after the other.
    pub fn is_atomic(self) -> bool {
        self != Kind::Ferretdb || std::env::var_os("MONGODB_TEST_URI").is_some()
    }
}

/// One database.
#[derive(Debug)]
pub struct Fixture {
    /// Of which kind.
    pub kind: Kind,
    /// The time there.
    pub clock: Arc<FixedClock>,
    folder: TempDir,
    database: String,
}

impl Fixture {
    /// An empty one.
    pub fn new(kind: Kind) -> Fixture {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let random =
            folder.path().file_name().expect("a name").to_string_lossy().replace('.', "_").to_lowercase();
        let database = format!("doorward_{}{random}", std::process::id());
        Fixture { kind, clock: Arc::new(FixedClock::at(NOON)), folder, database }
    }

    /// Its settings.
    pub fn settings(&self) -> StoreSettings {
        match self.kind {
            Kind::Memory => StoreSettings::Memory,
            Kind::Embedded => StoreSettings::Embedded(EmbeddedSettings {
                folder: self.folder.path().join("store"),
                lock_wait: LOCK_WAIT,
                on_loss: OnLoss::Refuse,
            }),
            Kind::Ferretdb | Kind::MongoJava => StoreSettings::Mongo(MongoSettings {
                uri: Secret::new(self.uri()),
                database: self.database.clone(),
                change_streams: true,
            }),
        }
    }

    /// Opens it, or opens it again.
    pub async fn open(&self) -> Arc<dyn Store> {
        let clock = Arc::clone(&self.clock);
        store::open(self.settings(), clock).await.expect("the store opens")
    }

    /// The collection as other programs see it.
    pub async fn collection(&self) -> Collection<Document> {
        let client = Client::with_uri_str(self.uri()).await.expect("a client");
        client.database(&self.database).collection("users")
    }

    /// Its name on the server.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The folder that is this fixture's.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Removes it.
    pub async fn remove(self) {
        if let Kind::Ferretdb | Kind::MongoJava = self.kind {
            let client = Client::with_uri_str(self.uri()).await.expect("a client");
            client.database(&self.database).drop().await.expect("the database is dropped");
        }
    }

    /// Where it is, `host:port`.
    pub fn address(&self) -> String {
        let uri = self.uri();
        uri.trim_start_matches("mongodb://").trim_end_matches('/').to_owned()
    }

    /// The same database, by way of another address.
    pub fn settings_through(&self, address: &str) -> StoreSettings {
        let uri = Secret::new(format!("mongodb://{address}/"));
        StoreSettings::Mongo(MongoSettings { uri, database: self.database.clone(), change_streams: true })
    }

    /// What has a server, or a command, use this store.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let data_dir = ("DATA_DIR", self.folder.path().display().to_string());
        match self.kind {
            Kind::Memory | Kind::Embedded => vec![data_dir],
            Kind::Ferretdb | Kind::MongoJava => {
                vec![data_dir, ("MONGODB_URI", self.uri()), ("MONGODB_DB_NAME", self.database.clone())]
            }
        }
    }

    fn uri(&self) -> String {
        let own = if self.kind == Kind::Ferretdb {
            "DOORWARD_TEST_FERRETDB_URI"
        } else {
            "DOORWARD_TEST_MONGO_JAVA_URI"
        };
        let uri = std::env::var("MONGODB_TEST_URI").or_else(|_| std::env::var(own));
        uri.unwrap_or_else(|_| {
            panic!("{own} is not set: run this test with tests/run, which starts the servers")
        })
    }
}
