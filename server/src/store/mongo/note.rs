//! A note as a document of a collection that is ours alone.

use std::time::Duration;

use doorward_verifier::UnixTime;
use mongodb::bson::{DateTime, Document, doc};

use super::document::{to_date, to_time};
use crate::store::{Mark, Note, NoteKind};

/// `at` is the server's time when a write began; another one that began earlier may be seen later.
const OVERLAP: Duration = Duration::from_secs(5);

/// Its key.
pub(super) fn id(kind: NoteKind, key: &str) -> String {
    format!("{}|{key}", kind.as_str())
}

/// The filter and the update that write `note` over one of version `replaces` at most.
pub(super) fn upsert(note: &Note, replaces: u64) -> (Document, Document) {
    let filter = doc! { "_id": id(note.kind, &note.key), "version": { "$lte": to_i64(replaces) } };
    let update = doc! {
        "$set": {
            "kind": note.kind.as_str(),
            "key": &note.key,
            "version": to_i64(note.version),
            "value": &note.value,
            "expires_at": to_date(note.expires_at),
        },
        // The server's clock is one for all instances.
        "$currentDate": { "at": true },
    };
    (filter, update)
}

/// What was written since, and a little before.
pub(super) fn since(kind: NoteKind, since: Option<Mark>) -> Document {
    match since {
        None => doc! { "kind": kind.as_str() },
        Some(Mark(millis)) => {
            let from = UnixTime::from_millis(millis).minus(OVERLAP);
            doc! { "kind": kind.as_str(), "at": { "$gte": to_date(from) } }
        }
    }
}

/// The time of the last of them.
pub(super) fn mark(documents: &[Document], since: Option<Mark>) -> Mark {
    let times = documents.iter().filter_map(|document| document.get_datetime("at").ok());
    let latest = times.map(|at: &DateTime| Mark(to_time(*at).as_millis())).max();
    latest.max(since).unwrap_or_default()
}

/// What is of no use any more.
pub(super) fn expired(now: UnixTime) -> Document {
    doc! { "expires_at": { "$lt": to_date(now) } }
}

/// Reads one; one that is not ours is none.
pub(super) fn from_document(kind: NoteKind, document: &Document) -> Option<Note> {
    Some(Note {
        kind,
        key: document.get_str("key").ok()?.to_owned(),
        version: u64::try_from(document.get_i64("version").ok()?).ok()?,
        value: document.get_str("value").ok()?.to_owned(),
        expires_at: to_time(*document.get_datetime("expires_at").ok()?),
    })
}

fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
