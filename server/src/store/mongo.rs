//! `MongoStore`: the collection that other programs read, too.

use std::sync::Arc;

use doorward_verifier::UnixTime;
use mongodb::bson::{Document, doc};
use mongodb::error::{Error, ErrorKind, WriteFailure};
use mongodb::{Collection, IndexModel};
use tracing::warn;

use super::{MongoSettings, OpenError, Pending, Saved, Store, StoreError, StoreStatus};
use crate::user::{User, UserId};
use link::Link;

mod document;
mod link;

const COLLECTION: &str = "users";
/// What `users adopt` and other programs look for.
const INDEXED: [&str; 1] = ["email"];
const DUPLICATE_KEY: i32 = 11000;

/// MongoDB, or what speaks its protocol.
#[derive(Debug)]
pub struct MongoStore {
    link: Arc<Link>,
}

impl MongoStore {
    /// Begins to connect, and waits for the first answer for as long as a request would. MongoDB may be away: it is
    /// then tried again in the background.
    pub async fn open(settings: &MongoSettings) -> Result<MongoStore, OpenError> {
        Ok(MongoStore { link: Link::open(settings).await? })
    }
}

impl Store for MongoStore {
    fn load<'a>(&'a self, id: &'a UserId) -> Pending<'a, Option<User>> {
        Box::pin(async move {
            let filter = doc! { "_id": id.as_str() };
            let found = self.link.run(|users| async move { users.find_one(filter).await }).await?;
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
            let command = doc! { "update": COLLECTION, "updates": updates, "ordered": false };
            self.link
                .run(|users| async move {
                    users.client().database(&users.namespace().db).run_command(command).await.map(drop)
                })
                .await
        })
    }

    fn status(&self) -> StoreStatus {
        if self.link.is_ready() { StoreStatus::Ready } else { StoreStatus::Away }
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async move {
            self.link.close().await;
            Ok(())
        })
    }
}

impl MongoStore {
    /// That somebody was quicker shows in the key, which is the document's own.
    async fn insert(&self, user: &User) -> Result<Saved, StoreError> {
        let document = document::new(user);
        self.link
            .run(|users| async move {
                match users.insert_one(document).await {
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
        let updated = self.link.run(|users| async move { users.update_one(filter, update).await }).await?;
        Ok(if updated.matched_count == 1 { Saved::Written } else { Saved::Overtaken })
    }

    /// Of a document that another program made: which of our fields it does not have.
    async fn absent_fields(&self, id: &UserId) -> Result<Vec<&'static str>, StoreError> {
        let filter = doc! { "_id": id.as_str() };
        let found = self.link.run(|users| async move { users.find_one(filter).await }).await?;
        Ok(document::absent(&found.unwrap_or_default()))
    }
}

/// Asks for an answer.
async fn ask(users: &Collection<Document>) -> Result<(), Error> {
    users.find_one(doc! { "_id": "" }).await.map(drop)
}

/// Asks for everything that is needed before it is ready.
async fn prepare(users: &Collection<Document>) -> Result<(), Error> {
    ask(users).await?;
    let indexes = INDEXED.map(|field| IndexModel::builder().keys(doc! { field: 1 }).build());
    match users.create_indexes(indexes).await {
        Err(error) if matches!(*error.kind, ErrorKind::Command(_)) => {
            // An index with other options, or no right to make one: slower for others, and no reason to stay away.
            warn!(%error, "the indexes of the users could not be made");
            Ok(())
        }
        outcome => outcome.map(drop),
    }
}

/// findAndModify says it in one way, insert and update in another.
fn is_duplicate_key(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Command(command) => command.code == DUPLICATE_KEY,
        ErrorKind::Write(WriteFailure::WriteError(write)) => write.code == DUPLICATE_KEY,
        _ => false,
    }
}
