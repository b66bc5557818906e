//! Records that an earlier backend made: with a key of MongoDB's own, an address, and no Clerk id.

use doorward_verifier::UnixTime;
use futures_util::TryStreamExt;
use mongodb::Database;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};

use super::document::{self, OURS, REVISION, is_foreign, to_date, to_time};
use super::{MongoStore, users};
use crate::store::{Saved, StoreError};
use crate::user::{Identity, User, UserId};

const ADOPTED_AS: &str = "doorward.adopted_as";
const ADOPTED_FROM: &str = "doorward.adopted_from";
/// What nobody needs any more: Clerk knows passwords.
const LEFT_BEHIND: [&str; 1] = ["password_hash"];
/// Each time that this is overtaken, another writer has succeeded.
const MAX_ATTEMPTS: usize = 16;

/// An older record.
#[derive(Clone, Debug)]
pub struct Older {
    /// Its key.
    pub key: ObjectId,
    /// Its address, ASCII letters in lower case: other letters that look alike are others. Two records may have the same.
    pub email: Option<String>,
    /// Whose record took it up.
    pub adopted_as: Option<String>,
    document: Document,
}

/// What became of an older record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adopted {
    /// The user had no record: there is one now.
    Created,
    /// The user had one, which now has what it lacked.
    Completed,
    /// The user's record has taken it up before.
    Already,
    /// The user's record has taken up another one.
    AnotherWas,
    /// The user was erased here: nothing personal comes back.
    Erased,
}

impl Older {
    fn of(document: Document) -> Option<Older> {
        let email = document.get_str("email").ok().map(|email| email.trim().to_ascii_lowercase());
        let ours = document.get_document(OURS).ok();
        Some(Older {
            key: document.get_object_id("_id").ok()?,
            email: email.filter(|email| !email.is_empty()),
            adopted_as: ours.and_then(|ours| ours.get_str("adopted_as").ok()).map(str::to_owned),
            document,
        })
    }

    /// What other programs keep in it.
    fn foreign(&self) -> impl Iterator<Item = (&String, &Bson)> {
        let kept = |name: &str| is_foreign(name) && !LEFT_BEHIND.contains(&name);
        self.document.iter().filter(move |(name, _)| kept(name))
    }

    fn time(&self, name: &str) -> Option<UnixTime> {
        self.document.get_datetime(name).ok().map(|date| to_time(*date))
    }

    fn text(&self, names: &[&str]) -> Option<String> {
        let text = names.iter().find_map(|name| self.document.get_str(name).ok());
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// The user's record, as if it had always been here. What Clerk says of names wins.
    fn user(&self, id: &UserId, issuer: &str, identity: &Identity, now: UnixTime) -> User {
        let mut user = User::new(id.clone(), issuer, now);
        user.created_at = self.time("created_at").unwrap_or(now);
        user.last_login_at = self.time("last_login_at");
        user.is_active = self.is_active();
        user.identity = Some(identity.clone());
        user.profile.name = self.text(&["name", "full_name"]).filter(|_| user.name().is_none());
        user.profile.username = self.text(&["username"]).filter(|_| user.username().is_none());
        user.revision = 1;
        user
    }

    /// A field of another type says nothing that could be relied on: whoever may have been deactivated stays so.
    fn is_active(&self) -> bool {
        match self.document.get("is_active") {
            None | Some(Bson::Null) => true,
            Some(value) => value.as_bool().unwrap_or(false),
        }
    }
}

impl MongoStore {
    /// Older records in the order of their keys, from the one after `after` on.
    pub async fn older(&self, after: Option<ObjectId>, limit: usize) -> Result<Vec<Older>, StoreError> {
        let filter = match after {
            Some(after) => doc! { "_id": { "$type": "objectId", "$gt": after } },
            None => doc! { "_id": { "$type": "objectId" } },
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let find = |database: Database| async move {
            let found = users(&database).find(filter).sort(doc! { "_id": 1 }).limit(limit).await?;
            found.try_collect::<Vec<Document>>().await
        };
        Ok(self.link.run(find).await?.into_iter().filter_map(Older::of).collect())
    }

    /// Has the record of the user `id` take up an older one, which stays where it is and says so.
    pub async fn adopt(
        &self,
        older: &Older,
        id: &UserId,
        issuer: &str,
        identity: &Identity,
        now: UnixTime,
    ) -> Result<Adopted, StoreError> {
        for _ in 0..MAX_ATTEMPTS {
            let filter = doc! { "_id": id.as_str() };
            let found =
                self.link.run(|database| async move { users(&database).find_one(filter).await }).await?;
            let (written, adopted) = match found {
                None => (
                    self.insert_document(adopting(older, id, issuer, identity, now)).await?,
                    Adopted::Created,
                ),
                Some(document) => match self.complete(older, id, &document, now).await? {
                    Completion::Done(adopted) => (Saved::Written, adopted),
                    Completion::Written(saved) => (saved, Adopted::Completed),
                },
            };
            if written == Saved::Written {
                if matches!(adopted, Adopted::Created | Adopted::Completed | Adopted::Already) {
                    self.mark(older, id).await?;
                }
                return Ok(adopted);
            }
        }
        Err(StoreError::Busy)
    }

    async fn complete(
        &self,
        older: &Older,
        id: &UserId,
        document: &Document,
        now: UnixTime,
    ) -> Result<Completion, StoreError> {
        let user = document::to_user(id, document)?;
        let ours = document.get_document(OURS).ok();
        match ours.and_then(|ours| ours.get_object_id("adopted_from").ok()) {
            Some(key) if key == older.key => return Ok(Completion::Done(Adopted::Already)),
            Some(_) => return Ok(Completion::Done(Adopted::AnotherWas)),
            None if user.deleted_at.is_some() => return Ok(Completion::Done(Adopted::Erased)),
            None => {}
        }
        let (filter, update) = completing(older, document, &user, now);
        let updated = self
            .link
            .run(|database| async move { users(&database).update_one(filter, update).await })
            .await?;
        Ok(Completion::Written(if updated.matched_count == 1 { Saved::Written } else { Saved::Overtaken }))
    }

    async fn mark(&self, older: &Older, id: &UserId) -> Result<(), StoreError> {
        let (filter, update) = (doc! { "_id": older.key }, doc! { "$set": { ADOPTED_AS: id.as_str() } });
        self.link.run(|database| async move { users(&database).update_one(filter, update).await }).await?;
        Ok(())
    }
}

enum Completion {
    Done(Adopted),
    Written(Saved),
}

/// The document of a user who has none.
fn adopting(older: &Older, id: &UserId, issuer: &str, identity: &Identity, now: UnixTime) -> Document {
    let mut document = document::new(&older.user(id, issuer, identity, now));
    document.extend(older.foreign().map(|(name, value)| (name.clone(), value.clone())));
    if let Ok(ours) = document.get_document_mut(OURS) {
        ours.insert("adopted_from", older.key);
    }
    document
}

/// What the user's document lacks. What it has is newer.
fn completing(older: &Older, document: &Document, user: &User, now: UnixTime) -> (Document, Document) {
    let expected = if user.revision == 0 {
        Bson::Null
    } else {
        Bson::Int64(i64::try_from(user.revision).unwrap_or(i64::MAX))
    };
    let filter = doc! { "_id": user.clerk_id.as_str(), REVISION: expected, ADOPTED_FROM: Bson::Null };
    let mut set = doc! {
        ADOPTED_FROM: older.key,
        REVISION: i64::try_from(user.revision + 1).unwrap_or(i64::MAX),
        "updated_at": to_date(now.max(user.updated_at)),
    };
    for (name, value) in older.foreign().filter(|(name, _)| !document.contains_key(*name)) {
        set.insert(name, value.clone());
    }
    if let Some(created_at) = older.time("created_at").filter(|older| *older < user.created_at) {
        set.insert("created_at", to_date(created_at));
    }
    if !older.is_active() {
        set.insert("is_active", false);
    }
    (filter, doc! { "$set": set })
}
