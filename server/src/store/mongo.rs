//! `MongoStore`: the collection that other programs read, too.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use doorward_verifier::UnixTime;
use futures_util::TryStreamExt;
use mongodb::bson::{Document, doc};
use mongodb::error::{Error, ErrorKind, WriteFailure};
use mongodb::{Collection, Database, IndexModel};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tracing::warn;

use super::{
    Hint, Hints, Mark, MongoSettings, Note, NoteKind, Notes, OpenError, Page, Pending, Saved, Store,
    StoreError, StoreStatus,
};
use crate::record::Record;
use crate::user::{User, UserId};
use link::Link;

mod document;
mod link;
pub(crate) use link::check_uri;
mod note;
pub mod older;
mod stream;

/// A contract with other programs.
const USERS: &str = "users";
/// Ours alone.
const NOTES: &str = "doorward_notes";
const DUPLICATE_KEY: i32 = 11000;
/// Hints that wait for somebody who is busy. What is beyond is seen in time.
const MAX_HINTS: usize = 1024;

/// MongoDB, or what speaks its protocol.
#[derive(Debug)]
pub struct MongoStore {
    link: Arc<Link>,
    hints: broadcast::Sender<Hint>,
    uses_change_streams: bool,
    tells: Arc<AtomicBool>,
    /// What follows the change streams, from when somebody first asks for hints; it ends with the store.
    following: Mutex<JoinSet<()>>,
}

impl MongoStore {
    /// Begins to connect, and waits for the first answer for as long as a request would. MongoDB may be away: it is
    /// then tried again in the background.
    pub async fn open(settings: &MongoSettings) -> Result<MongoStore, OpenError> {
        Ok(MongoStore {
            link: Link::open(settings).await?,
            hints: broadcast::channel(MAX_HINTS).0,
            uses_change_streams: settings.change_streams,
            tells: Arc::default(),
            following: Mutex::default(),
        })
    }
}

impl Notes for MongoStore {
    fn note<'a>(&'a self, kind: NoteKind, key: &'a str) -> Pending<'a, Option<Note>> {
        Box::pin(async move {
            let filter = doc! { "_id": note::id(kind, key) };
            let found =
                self.link.run(|database| async move { notes(&database).find_one(filter).await }).await?;
            Ok(found.and_then(|document| note::from_document(kind, &document)))
        })
    }

    fn put_note<'a>(&'a self, note: &'a Note, replaces: u64) -> Pending<'a, Saved> {
        Box::pin(async move {
            let (filter, update) = note::upsert(note, replaces);
            self.link
                .run(|database| async move {
                    match notes(&database).update_one(filter, update).upsert(true).await {
                        Ok(_) => Ok(Saved::Written),
                        // One is there that the filter does not match: a newer one.
                        Err(error) if is_duplicate_key(&error) => Ok(Saved::Overtaken),
                        Err(error) => Err(error),
                    }
                })
                .await
        })
    }

    fn notes(&self, kind: NoteKind, since: Option<Mark>) -> Pending<'_, (Vec<Note>, Mark)> {
        Box::pin(async move {
            let filter = note::since(kind, since);
            let find = |database: Database| async move {
                notes(&database).find(filter).await?.try_collect::<Vec<Document>>().await
            };
            let documents = self.link.run(find).await?;
            let mark = note::mark(&documents, since);
            Ok((documents.iter().filter_map(|document| note::from_document(kind, document)).collect(), mark))
        })
    }

    fn drop_expired_notes(&self, now: UnixTime) -> Pending<'_, u64> {
        Box::pin(async move {
            let filter = note::expired(now);
            let removed =
                self.link.run(|database| async move { notes(&database).delete_many(filter).await }).await?;
            Ok(removed.deleted_count)
        })
    }

    fn is_shared(&self) -> bool {
        true
    }
}

impl Store for MongoStore {
    fn load<'a>(&'a self, id: &'a UserId) -> Pending<'a, Option<User>> {
        Box::pin(async move {
            let filter = doc! { "_id": id.as_str() };
            let found =
                self.link.run(|database| async move { users(&database).find_one(filter).await }).await?;
            found.map(|document| document::to_user(id, &document)).transpose()
        })
    }

    fn save<'a>(&'a self, before: Option<&'a User>, after: &'a User) -> Pending<'a, Saved> {
        Box::pin(async move {
            match before {
                None => self.insert(after).await,
                Some(before) => self.update(before, after).await,
            }
        })
    }

    fn record_logins<'a>(&'a self, logins: &'a [(UserId, UnixTime)]) -> Pending<'a, ()> {
        Box::pin(async move {
            let updates: Vec<Document> = logins.iter().map(|(id, at)| document::login(id, *at)).collect();
            let command = doc! { "update": USERS, "updates": updates, "ordered": false };
            self.link.run_many(|database| async move { database.run_command(command).await.map(drop) }).await
        })
    }

    fn page<'a>(&'a self, after: Option<&'a UserId>, limit: usize) -> Pending<'a, Page> {
        Box::pin(async move {
            let filter = document::after(after);
            let size = i64::try_from(limit).unwrap_or(i64::MAX);
            let find = |database: Database| async move {
                users(&database)
                    .find(filter)
                    .sort(doc! { "_id": 1 })
                    .limit(size)
                    .await?
                    .try_collect::<Vec<Document>>()
                    .await
            };
            Ok(document::page(&self.link.run(find).await?, limit))
        })
    }

    fn restore<'a>(&'a self, record: &'a Record) -> Pending<'a, Saved> {
        Box::pin(async move { self.insert_document(document::restored(record)?).await })
    }

    fn hints(&self) -> Hints {
        let mut following = self.following();
        if self.uses_change_streams && following.is_empty() {
            let (link, tells) = (Arc::clone(&self.link), Arc::clone(&self.tells));
            following.spawn(stream::follow(link, self.hints.clone(), tells));
        }
        self.hints.subscribe().into()
    }

    fn tells(&self) -> bool {
        self.tells.load(Ordering::Relaxed)
    }

    fn status(&self) -> StoreStatus {
        if self.link.is_ready() { StoreStatus::Ready } else { StoreStatus::Away }
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async move {
            let mut following = mem::take(&mut *self.following());
            following.shutdown().await;
            self.link.close().await;
            Ok(())
        })
    }
}

impl MongoStore {
    fn following(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.following.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// That somebody was quicker shows in the key, which is the document's own.
    async fn insert(&self, user: &User) -> Result<Saved, StoreError> {
        self.insert_document(document::new(user)).await
    }

    async fn insert_document(&self, document: Document) -> Result<Saved, StoreError> {
        self.link
            .run(|database| async move {
                match users(&database).insert_one(document).await {
                    Ok(_) => Ok(Saved::Written),
                    Err(error) if is_duplicate_key(&error) => Ok(Saved::Overtaken),
                    Err(error) => Err(error),
                }
            })
            .await
    }

    /// Names what differs, and the revision that it differs from: fields of others are not touched, and a document
    /// that has moved on is not matched.
    async fn update(&self, before: &User, after: &User) -> Result<Saved, StoreError> {
        let absent =
            if before.revision == 0 { self.absent_fields(&after.clerk_id).await? } else { Vec::new() };
        let (filter, update) = document::update(before, after, &absent);
        let updated = self
            .link
            .run(|database| async move { users(&database).update_one(filter, update).await })
            .await?;
        Ok(if updated.matched_count == 1 { Saved::Written } else { Saved::Overtaken })
    }

    /// Of a document that another program made: which of our fields it does not have.
    async fn absent_fields(&self, id: &UserId) -> Result<Vec<&'static str>, StoreError> {
        let filter = doc! { "_id": id.as_str() };
        let found = self.link.run(|database| async move { users(&database).find_one(filter).await }).await?;
        Ok(document::absent(&found.unwrap_or_default()))
    }
}

fn users(database: &Database) -> Collection<Document> {
    database.collection(USERS)
}

fn notes(database: &Database) -> Collection<Document> {
    database.collection(NOTES)
}

/// Asks for an answer.
async fn ask(database: &Database) -> Result<(), Error> {
    users(database).find_one(doc! { "_id": "" }).await.map(drop)
}

/// Asks for everything that is needed before it is ready.
async fn prepare(database: &Database) -> Result<(), Error> {
    ask(database).await?;
    for (collection, keys) in
        [(users(database), doc! { "email": 1 }), (notes(database), doc! { "kind": 1, "at": 1 })]
    {
        match collection.create_index(IndexModel::builder().keys(keys).build()).await {
            Err(error) if matches!(*error.kind, ErrorKind::Command(_)) => {
                // One with other options, or no right to make one: slower for others, and no reason to stay away.
                warn!(collection = collection.name(), %error, "an index could not be made");
            }
            outcome => drop(outcome?),
        }
    }
    Ok(())
}

/// findAndModify says it in one way, insert and update in another.
fn is_duplicate_key(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Command(command) => command.code == DUPLICATE_KEY,
        ErrorKind::Write(WriteFailure::WriteError(write)) => write.code == DUPLICATE_KEY,
        _ => false,
    }
}
