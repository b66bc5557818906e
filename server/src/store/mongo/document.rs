//! A user as a document of the collection. The top level is a contract with other programs; what is only ours is kept
//! under `doorward`.

use doorward_verifier::UnixTime;
use mongodb::bson::{Bson, DateTime, Document, doc};
use uuid::Uuid;

use crate::record::Record;
use crate::store::{Page, StoreError};
use crate::user::{Identity, Profile, User, UserId};

/// Where ours is kept.
pub(super) const OURS: &str = "doorward";
pub(super) const REVISION: &str = "doorward.revision";
const DELETED_AT: &str = "doorward.deleted_at";
const CLERK_UPDATED_AT: &str = "doorward.clerk_updated_at";
const CLERK_USERNAME: &str = "doorward.clerk_username";
const PROFILE_USERNAME: &str = "doorward.profile_username";
const PROFILE_NAME: &str = "doorward.profile_name";

/// Every field that we write, other than the revision.
const PATHS: [&str; 20] = [
    "id",
    "clerk_id",
    "issuer",
    "email",
    "email_verified",
    "name",
    "username",
    "first_name",
    "last_name",
    "image_url",
    "is_active",
    "banned",
    "created_at",
    "updated_at",
    "last_login_at",
    DELETED_AT,
    CLERK_UPDATED_AT,
    CLERK_USERNAME,
    PROFILE_USERNAME,
    PROFILE_NAME,
];

/// Their values, in the same order.
fn values(user: &User) -> [Bson; 20] {
    let text = |text: Option<&str>| text.map_or(Bson::Null, |text| Bson::String(text.to_owned()));
    let time = |time: Option<UnixTime>| time.map_or(Bson::Null, |time| Bson::DateTime(to_date(time)));
    let identity = user.identity.as_ref();
    [
        Bson::String(user.id.to_string()),
        Bson::String(user.clerk_id.as_str().to_owned()),
        Bson::String(user.issuer.clone()),
        text(user.email()),
        user.email_verified().map_or(Bson::Null, Bson::Boolean),
        text(user.name().as_deref()),
        text(user.username()),
        text(user.first_name()),
        text(user.last_name()),
        text(user.image_url()),
        Bson::Boolean(user.is_active),
        Bson::Boolean(user.banned()),
        time(Some(user.created_at)),
        time(Some(user.updated_at)),
        time(user.last_login_at),
        time(user.deleted_at),
        time(identity.map(|identity| identity.updated_at)),
        text(identity.and_then(|identity| identity.username.as_deref())),
        text(user.profile.username.as_deref()),
        text(user.profile.name.as_deref()),
    ]
}

/// A document for a user who has none yet.
pub(super) fn new(user: &User) -> Document {
    let mut document = doc! { "_id": user.clerk_id.as_str() };
    let mut ours = doc! { "revision": revision(user) };
    for (path, value) in PATHS.into_iter().zip(values(user)) {
        match path.split_once('.') {
            Some((_, name)) => ours.insert(name, value),
            None => document.insert(path, value),
        };
    }
    document.insert(OURS, ours);
    document
}

/// The filter and the update that make `after` of `before`; `absent` are fields that the document does not have.
pub(super) fn update(before: &User, after: &User, absent: &[&str]) -> (Document, Document) {
    // A record that another program made has no revision.
    let expected = if before.revision == 0 { Bson::Null } else { Bson::Int64(revision(before)) };
    let filter = doc! { "_id": after.clerk_id.as_str(), REVISION: expected };
    let erased = after.deleted_at.is_some();
    let mut set = doc! { REVISION: revision(after) };
    for ((path, old), new) in PATHS.into_iter().zip(values(before)).zip(values(after)) {
        if old != new || erased || absent.contains(&path) {
            set.insert(path, new);
        }
    }
    (filter, doc! { "$set": set })
}

/// Which of our fields `document` does not have.
pub(super) fn absent(document: &Document) -> Vec<&'static str> {
    PATHS.into_iter().filter(|path| get(document, path).is_none()).collect()
}

/// One entry of an `update` command that moves a sign-in forward.
pub(super) fn login(id: &UserId, at: UnixTime) -> Document {
    doc! {
        "q": { "_id": id.as_str(), DELETED_AT: Bson::Null },
        "u": { "$max": { "last_login_at": to_date(at) } },
    }
}

/// Reads a document. What others made has no revision, and may lack any field; what has another type than ours is not
/// read at all: to guess at a ban would be worse than to say that nobody knows.
pub(super) fn to_user(id: &UserId, document: &Document) -> Result<User, StoreError> {
    let read = Reader { id, document };
    let created_at = read.time("created_at")?.unwrap_or_default();
    let issuer = read.text("issuer")?.unwrap_or_default();
    let known = read
        .text("id")?
        .map(|text| text.parse::<Uuid>().map_err(|error| read.wrong("id", &error.to_string())));
    let revision = read.revision()?;
    Ok(User {
        id: known.transpose()?.unwrap_or_else(|| User::new(id.clone(), &issuer, created_at).id),
        clerk_id: id.clone(),
        identity: read.identity()?,
        profile: Profile { username: read.text(PROFILE_USERNAME)?, name: read.text(PROFILE_NAME)? },
        is_active: read.boolean("is_active")?.unwrap_or(true),
        created_at,
        updated_at: read.time("updated_at")?.unwrap_or(created_at),
        last_login_at: read.time("last_login_at")?,
        deleted_at: read.time(DELETED_AT)?,
        revision,
        issuer,
    })
}

/// The filter of the records after this one: those whose key is a Clerk user id.
pub(super) fn after(id: Option<&UserId>) -> Document {
    match id {
        Some(id) => doc! { "_id": { "$gt": id.as_str(), "$lt": "user`" } },
        // A backtick follows the underscore.
        None => doc! { "_id": { "$gte": "user_", "$lt": "user`" } },
    }
}

/// What can be read of a page's documents, foreign fields with it.
pub(super) fn page(documents: &[Document], limit: usize) -> Page {
    let mut page = Page::default();
    for document in documents {
        match to_record(document) {
            Some(record) => page.records.push(record),
            None => page.unreadable += 1,
        }
    }
    let last = documents.last().filter(|_| documents.len() == limit);
    page.last = last.and_then(|document| UserId::parse(document.get_str("_id").ok()?).ok());
    page
}

fn to_record(document: &Document) -> Option<Record> {
    let id = UserId::parse(document.get_str("_id").ok()?).ok()?;
    let user = to_user(&id, document).ok()?;
    let foreign = document.iter().filter(|(name, _)| is_foreign(name));
    let foreign = foreign.map(|(name, value)| (name.clone(), value.clone().into_relaxed_extjson()));
    Some(Record::new(&user, None).with_foreign(foreign.collect()))
}

/// The document of a backup's record.
pub(super) fn restored(record: &Record) -> Result<Document, StoreError> {
    let mut document = new(&record.user()?);
    for (name, value) in record.foreign().iter().filter(|(name, _)| is_foreign(name)) {
        let value = Bson::try_from(value.clone()).unwrap_or(Bson::Null);
        document.insert(name, value);
    }
    Ok(document)
}

/// Whether other programs own this field.
pub(super) fn is_foreign(name: &str) -> bool {
    name != "_id" && name != OURS && !PATHS.contains(&name)
}

struct Reader<'a> {
    id: &'a UserId,
    document: &'a Document,
}

impl Reader<'_> {
    fn identity(&self) -> Result<Option<Identity>, StoreError> {
        let Some(updated_at) = self.time(CLERK_UPDATED_AT)? else { return Ok(None) };
        Ok(Some(Identity {
            updated_at,
            email: self.text("email")?,
            email_verified: self.boolean("email_verified")?.unwrap_or_default(),
            username: self.text(CLERK_USERNAME)?,
            first_name: self.text("first_name")?,
            last_name: self.text("last_name")?,
            image_url: self.text("image_url")?,
            banned: self.boolean("banned")?.unwrap_or_default(),
        }))
    }

    fn text(&self, path: &'static str) -> Result<Option<String>, StoreError> {
        match get(self.document, path) {
            None | Some(Bson::Null) => Ok(None),
            Some(Bson::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(self.wrong(path, &format!("{:?}", other.element_type()))),
        }
    }

    fn boolean(&self, path: &'static str) -> Result<Option<bool>, StoreError> {
        match get(self.document, path) {
            None | Some(Bson::Null) => Ok(None),
            Some(Bson::Boolean(value)) => Ok(Some(*value)),
            Some(other) => Err(self.wrong(path, &format!("{:?}", other.element_type()))),
        }
    }

    fn time(&self, path: &'static str) -> Result<Option<UnixTime>, StoreError> {
        match get(self.document, path) {
            None | Some(Bson::Null) => Ok(None),
            Some(Bson::DateTime(date)) => Ok(Some(to_time(*date))),
            Some(other) => Err(self.wrong(path, &format!("{:?}", other.element_type()))),
        }
    }

    fn revision(&self) -> Result<u64, StoreError> {
        match get(self.document, REVISION) {
            None | Some(Bson::Null) => Ok(0),
            Some(Bson::Int32(revision)) => {
                u64::try_from(*revision).map_err(|error| self.wrong(REVISION, &error.to_string()))
            }
            Some(Bson::Int64(revision)) => {
                u64::try_from(*revision).map_err(|error| self.wrong(REVISION, &error.to_string()))
            }
            Some(other) => Err(self.wrong(REVISION, &format!("{:?}", other.element_type()))),
        }
    }

    fn wrong(&self, path: &str, found: &str) -> StoreError {
        StoreError::Unreadable { id: self.id.clone(), detail: format!("`{path}`: {found}") }
    }
}

fn get<'a>(document: &'a Document, path: &str) -> Option<&'a Bson> {
    match path.split_once('.') {
        Some((outer, inner)) => document.get_document(outer).ok()?.get(inner),
        None => document.get(path),
    }
}

fn revision(user: &User) -> i64 {
    i64::try_from(user.revision).unwrap_or(i64::MAX)
}

/// `UnixTime` ends long before `i64` does.
pub(super) fn to_date(time: UnixTime) -> DateTime {
    DateTime::from_millis(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

/// What is before 1970 is 1970.
pub(super) fn to_time(date: DateTime) -> UnixTime {
    UnixTime::from_millis(u64::try_from(date.timestamp_millis()).unwrap_or_default())
}
