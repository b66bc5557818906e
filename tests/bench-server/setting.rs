//! What is measured with: an issuer, its users and their tokens, and the server on them.

use std::fs;
use std::path::{Path, PathBuf};

use doorward::clock::{Clock, SystemClock};
use doorward_verifier::UnixTime;
use serde_json::json;
use tempfile::TempDir;
use tests::issuer::{ORIGIN, TestIssuer};

use crate::program::Program;

/// How many there are, each with one token.
pub(crate) const USERS: usize = 10_000;
/// How often each token is presented to a server that is measured.
pub(crate) const PRESENTED: usize = 20;
/// The longest life that is accepted: all is measured with the same tokens.
const LIFE_SECS: u64 = 3600;

pub(crate) struct Setting {
    pub(crate) issuer: TestIssuer,
    pub(crate) mongo: String,
    /// A database of this run.
    pub(crate) database: String,
    folder: TempDir,
    now: UnixTime,
}

impl Setting {
    pub(crate) async fn prepare() -> Setting {
        let folder = tempfile::tempdir().expect("a folder");
        let mongo = std::env::var("DOORWARD_TEST_MONGO_JAVA_URI").expect("the suite starts a store");
        let database = format!("doorward_bench_{}", std::process::id());
        Setting { issuer: TestIssuer::start().await, mongo, database, folder, now: SystemClock.now() }
    }

    /// One token for each of the users, none of which was there before.
    pub(crate) fn tokens(&self, users: impl Iterator<Item = usize>) -> Vec<String> {
        let token = |number| {
            let exp = self.now.as_secs() + LIFE_SECS;
            let claims =
                json!({"sub": user(number), "sid": format!("sess_{number:027}"), "exp": exp, "fva": [5, -1]});
            self.issuer.token_at(self.now, claims)
        };
        users.map(token).collect()
    }

    /// A folder of its own for this purpose.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    /// The server, with these settings beside the issuer's, and `folder` for its data.
    pub(crate) fn serve(&self, folder: &Path, settings: &[(&str, &str)]) -> Program {
        let (key, data) = (self.issuer.publishable_key(), folder.join("data"));
        let usual = [
            ("CLERK_PUBLISHABLE_KEY", key.as_str()),
            ("AUTHORIZED_PARTIES", ORIGIN),
            ("DATA_DIR", data.to_str().expect("a plain path")),
            ("PORT", "0"),
        ];
        let environment: Vec<_> = usual.iter().chain(settings).copied().collect();
        let doorward = beside("doorward");
        Program::start(
            &[doorward.to_str().expect("a plain path"), "serve"],
            folder,
            &environment,
            "listening on",
        )
    }
}

/// The id of a user, as long as Clerk's.
pub(crate) fn user(number: usize) -> String {
    format!("user_{number:027}")
}

/// A program that was built with this one.
pub(crate) fn beside(name: &str) -> PathBuf {
    std::env::current_exe().expect("the path of this program").with_file_name(name)
}
