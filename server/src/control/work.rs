//! `Desk`: what commands ask for, carried out on the parts of a running server, or on those that a command opened.

use doorward_verifier::{KeyId, UnixTime};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::keys::KeySource;
use crate::record::{ClerkPart, Record};
use crate::store::{Page, Saved, Store, StoreError};
use crate::user::{Change, Identity, User, UserId};
use crate::users::{UserDirectory, UserError};

/// Records in one answer.
const MAX_PAGE: usize = 500;
/// Records that are worked at at once: they share a sync of the disk, and leave connections for requests.
const AT_ONCE: usize = 16;

/// What a command asks for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    /// Records, from the one after this on.
    Page { after: Option<UserId>, limit: usize },
    /// Records of a backup, written where there are none.
    Restore { records: Vec<Record>, write: bool },
    /// Who Clerk says that users are.
    Identify { users: Vec<(UserId, ClerkPart)>, write: bool },
    /// Users whom Clerk does not have any more.
    Erase { users: Vec<UserId> },
    /// How the keys are.
    Keys,
    /// The keys, asked for anew.
    RefreshKeys,
    /// A key, out of use or back into it.
    Withdraw { kid: String, withdrawn: bool },
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// Records.
    Page(Page),
    /// For each record, in the order in which they were sent.
    Outcomes(Vec<Outcome>),
    /// The keys.
    Keys(KeysReport),
    /// In words why not now: asking again may help.
    Unavailable(String),
    /// In words why not.
    Failed(String),
}

impl Answer {
    /// Why this is not what was asked for.
    pub(crate) fn refusal(self) -> String {
        match self {
            Answer::Failed(why) | Answer::Unavailable(why) => why,
            _ => "the running server answers something else; are both of one version?".to_owned(),
        }
    }
}

/// Why something was not carried out.
enum Trouble {
    /// The store is away, or busy.
    Unavailable(String),
    /// Asking again would bring the same.
    Failed(String),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        match error {
            StoreError::Away { .. } | StoreError::Busy => Trouble::Unavailable(error.to_string()),
            error => Trouble::Failed(error.to_string()),
        }
    }
}

impl From<UserError> for Trouble {
    fn from(error: UserError) -> Trouble {
        match error {
            UserError::Unavailable { .. } => Trouble::Unavailable(error.to_string()),
            error => Trouble::Failed(error.to_string()),
        }
    }
}

impl From<&str> for Trouble {
    fn from(words: &str) -> Trouble {
        Trouble::Failed(words.to_owned())
    }
}

/// What became, or would become, of one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// There was none.
    Created,
    /// These parts of it were others.
    Changed(Vec<String>),
    /// It said the same.
    Same,
    /// It was there, and says something else.
    Kept,
    /// The user was erased here, which is final.
    Erased,
    /// There is one that can not be read. It is left alone.
    Unreadable,
}

/// How the keys of a server are.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KeysReport {
    /// Whose keys.
    pub(crate) issuer: String,
    /// Where they come from.
    pub(crate) source: String,
    /// When the issuer was asked, in milliseconds.
    pub(crate) asked_at: Option<u64>,
    /// How long ago, in seconds.
    pub(crate) age_seconds: Option<u64>,
    /// Due to be asked for again.
    pub(crate) stale: bool,
    /// May be used.
    pub(crate) usable: bool,
    /// Failures since the last success.
    pub(crate) failures: u32,
    /// The names of those in use.
    pub(crate) kids: Vec<String>,
    /// The names of those that were taken out of use.
    pub(crate) withdrawn: Vec<String>,
}

/// What carries requests out.
#[derive(Clone, Copy)]
pub(crate) struct Desk<'a> {
    store: &'a dyn Store,
    users: &'a UserDirectory,
    keys: Option<&'a KeySource>,
    now: UnixTime,
}

impl<'a> Desk<'a> {
    /// On the parts of a server.
    pub(crate) fn of(app: &'a App) -> Desk<'a> {
        Desk { store: &*app.store, users: &app.users, keys: Some(&app.keys), now: app.clock.now() }
    }

    /// On a store alone.
    pub(crate) fn on(store: &'a dyn Store, users: &'a UserDirectory, now: UnixTime) -> Desk<'a> {
        Desk { store, users, keys: None, now }
    }

    pub(crate) async fn carry_out(self, request: Request) -> Answer {
        let answer = match request {
            Request::Page { after, limit } => {
                let page = self.store.page(after.as_ref(), limit.clamp(1, MAX_PAGE)).await;
                page.map(Answer::Page).map_err(Trouble::from)
            }
            Request::Restore { records, write } => {
                outcomes(records, |record| async move { self.restore(&record, write).await }).await
            }
            Request::Identify { users, write } => {
                outcomes(users, |(id, part)| async move { self.identify(&id, part.into(), write).await })
                    .await
            }
            Request::Erase { users } => outcomes(users, |id| async move { self.erase(&id).await }).await,
            Request::Keys => self.keys_report(),
            Request::RefreshKeys => match self.keys {
                Some(keys) => match keys.refresh().await {
                    Ok(()) => self.keys_report(),
                    Err(error) => Err(Trouble::Failed(error.to_string())),
                },
                None => Err(NO_KEYS.into()),
            },
            Request::Withdraw { kid, withdrawn } => self.withdraw(&kid, withdrawn).await,
        };
        answer.unwrap_or_else(|trouble| match trouble {
            Trouble::Unavailable(why) => Answer::Unavailable(why),
            Trouble::Failed(why) => Answer::Failed(why),
        })
    }

    async fn restore(self, record: &Record, write: bool) -> Result<Outcome, Trouble> {
        let user = record.user().map_err(StoreError::from)?;
        if write && self.store.restore(record).await? == Saved::Written {
            return Ok(Outcome::Created);
        }
        Ok(match self.stored(&user.clerk_id).await? {
            Stored::None => Outcome::Created,
            Stored::Unreadable => Outcome::Unreadable,
            Stored::User(stored) if stored.deleted_at.is_some() && user.deleted_at.is_none() => {
                Outcome::Erased
            }
            Stored::User(stored) if *stored == user => Outcome::Same,
            Stored::User(_) => Outcome::Kept,
        })
    }

    async fn identify(self, id: &UserId, identity: Identity, write: bool) -> Result<Outcome, Trouble> {
        let identity = identity.dated(self.now);
        let outcome = match self.stored(id).await? {
            Stored::None => Outcome::Created,
            Stored::Unreadable => return Ok(Outcome::Unreadable),
            Stored::User(user) if user.deleted_at.is_some() => return Ok(Outcome::Erased),
            Stored::User(user) => match user.identity.as_ref() {
                Some(known) if *known >= identity => return Ok(Outcome::Same),
                known => Outcome::Changed(differences(known, &identity)),
            },
        };
        if write {
            self.record(id, Change::Identified(identity)).await?;
        }
        Ok(outcome)
    }

    async fn erase(self, id: &UserId) -> Result<Outcome, Trouble> {
        self.record(id, Change::Deleted).await?;
        Ok(Outcome::Erased)
    }

    /// As a webhook does it: every instance hears of bans and deletions.
    async fn record(self, id: &UserId, change: Change) -> Result<(), Trouble> {
        Ok(self.users.record(id, change).await?)
    }

    async fn stored(self, id: &UserId) -> Result<Stored, Trouble> {
        match self.store.load(id).await {
            Ok(Some(user)) => Ok(Stored::User(Box::new(user))),
            Ok(None) => Ok(Stored::None),
            Err(StoreError::Unreadable { .. }) => Ok(Stored::Unreadable),
            Err(error) => Err(error.into()),
        }
    }

    async fn withdraw(self, kid: &str, withdrawn: bool) -> Result<Answer, Trouble> {
        let keys = self.keys.ok_or(NO_KEYS)?;
        let kid = KeyId::parse(kid).ok_or("a key's name has 1 to 128 bytes")?;
        keys.withdraw(&kid, withdrawn).await?;
        self.keys_report()
    }

    fn keys_report(self) -> Result<Answer, Trouble> {
        let keys = self.keys.ok_or(NO_KEYS)?;
        let status = keys.status(self.now);
        Ok(Answer::Keys(KeysReport {
            issuer: keys.issuer().to_owned(),
            source: keys.source(),
            asked_at: status.asked_at.map(UnixTime::as_millis),
            age_seconds: status.age.map(|age| age.as_secs()),
            stale: status.stale,
            usable: status.usable,
            failures: status.failures,
            kids: keys.kids().iter().map(KeyId::to_string).collect(),
            withdrawn: keys.withdrawn().iter().map(KeyId::to_string).collect(),
        }))
    }
}

const NO_KEYS: &str = "there are no keys here";

enum Stored {
    None,
    Unreadable,
    User(Box<User>),
}

/// Several at once, answered in order. The first failure ends it: what is asked again comes to the same.
async fn outcomes<T, F>(items: Vec<T>, carry_out: impl Fn(T) -> F) -> Result<Answer, Trouble>
where
    F: Future<Output = Result<Outcome, Trouble>>,
{
    let outcomes = stream::iter(items.into_iter().map(carry_out)).buffered(AT_ONCE);
    outcomes.try_collect().await.map(Answer::Outcomes)
}

/// The names of what differs. What it says is personal.
fn differences(known: Option<&Identity>, new: &Identity) -> Vec<String> {
    let nobody = Identity::default();
    let known = known.unwrap_or(&nobody);
    let pairs = [
        ("email", known.email == new.email),
        ("email_verified", known.email_verified == new.email_verified),
        ("username", known.username == new.username),
        ("first_name", known.first_name == new.first_name),
        ("last_name", known.last_name == new.last_name),
        ("image_url", known.image_url == new.image_url),
        ("banned", known.banned == new.banned),
    ];
    let differing = pairs.into_iter().filter(|(_, same)| !same).map(|(name, _)| name.to_owned());
    let differing: Vec<String> = differing.collect();
    if differing.is_empty() { vec!["updated_at".to_owned()] } else { differing }
}

impl Request {
    /// What the log calls it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Request::Page { .. } => "page",
            Request::Restore { .. } => "restore",
            Request::Identify { .. } => "identify",
            Request::Erase { .. } => "erase",
            Request::Keys => "keys",
            Request::RefreshKeys => "refresh-keys",
            Request::Withdraw { .. } => "withdraw",
        }
    }
}
