//! `MemoryStore`: a store that ends with the process, for tests.

use std::collections::BTreeMap;
use std::future::ready;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use doorward_verifier::UnixTime;

use super::{Mark, Note, NoteKind, Notes, Page, Pending, Saved, Store, StoreStatus};
use crate::record::Record;
use crate::user::{User, UserId};

/// What other programs keep in a record.
type Foreign = serde_json::Map<String, serde_json::Value>;

/// Records in a map.
#[derive(Debug, Default)]
pub struct MemoryStore {
    users: Mutex<BTreeMap<UserId, (User, Foreign)>>,
    notes: Mutex<Vec<(u64, Note)>>,
}

impl MemoryStore {
    fn users(&self) -> MutexGuard<'_, BTreeMap<UserId, (User, Foreign)>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In the order in which they were written, each with its number.
    fn notes(&self) -> MutexGuard<'_, Vec<(u64, Note)>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes for MemoryStore {
    fn note<'a>(&'a self, kind: NoteKind, key: &'a str) -> Pending<'a, Option<Note>> {
        let found = self
            .notes()
            .iter()
            .find(|(_, note)| note.kind == kind && note.key == key)
            .map(|(_, note)| note.clone());
        Box::pin(ready(Ok(found)))
    }

    fn put_note<'a>(&'a self, note: &'a Note, replaces: u64) -> Pending<'a, Saved> {
        let mut notes = self.notes();
        let same = |(_, known): &(u64, Note)| known.kind == note.kind && known.key == note.key;
        if notes.iter().any(|known| same(known) && known.1.version > replaces) {
            return Box::pin(ready(Ok(Saved::Overtaken)));
        }
        let number = notes.last().map_or(1, |(number, _)| number + 1);
        notes.retain(|known| !same(known));
        notes.push((number, note.clone()));
        Box::pin(ready(Ok(Saved::Written)))
    }

    fn notes(&self, kind: NoteKind, since: Option<Mark>) -> Pending<'_, (Vec<Note>, Mark)> {
        let notes = self.notes();
        let since = since.unwrap_or_default();
        let new = notes.iter().filter(|(number, note)| note.kind == kind && *number > since.0);
        let new = new.map(|(_, note)| note.clone()).collect();
        let mark = notes.last().map_or(since, |(number, _)| Mark(*number));
        Box::pin(ready(Ok((new, mark))))
    }

    fn drop_expired_notes(&self, now: UnixTime) -> Pending<'_, u64> {
        let mut notes = self.notes();
        let before = notes.len();
        notes.retain(|(_, note)| note.expires_at >= now);
        Box::pin(ready(Ok((before - notes.len()) as u64)))
    }

    fn is_shared(&self) -> bool {
        false
    }
}

impl Store for MemoryStore {
    fn load<'a>(&'a self, id: &'a UserId) -> Pending<'a, Option<User>> {
        let user = self.users().get(id).map(|(user, _)| user.clone());
        Box::pin(ready(Ok(user)))
    }

    fn save<'a>(&'a self, before: Option<&'a User>, after: &'a User) -> Pending<'a, Saved> {
        let mut users = self.users();
        let stored = users.get(&after.clerk_id);
        let unchanged = stored.map(|(user, _)| user.revision) == before.map(|user| user.revision);
        if unchanged {
            let user = after.clone().keeping_login_of(stored.map(|(user, _)| user));
            let foreign = stored.map(|(_, foreign)| foreign.clone()).unwrap_or_default();
            users.insert(after.clerk_id.clone(), (user, foreign));
        }
        Box::pin(ready(Ok(if unchanged { Saved::Written } else { Saved::Overtaken })))
    }

    fn record_logins<'a>(&'a self, logins: &'a [(UserId, UnixTime)]) -> Pending<'a, ()> {
        let mut users = self.users();
        for (id, at) in logins {
            if let Some((user, _)) = users.get_mut(id).filter(|(user, _)| user.deleted_at.is_none()) {
                user.last_login_at = user.last_login_at.max(Some(*at));
            }
        }
        Box::pin(ready(Ok(())))
    }

    fn page<'a>(&'a self, after: Option<&'a UserId>, limit: usize) -> Pending<'a, Page> {
        let users = self.users();
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.clone()));
        let found: Vec<_> = users.range((from, Bound::Unbounded)).take(limit).collect();
        let records =
            found.iter().map(|(_, (user, foreign))| Record::new(user, None).with_foreign(foreign.clone()));
        let last = found.last().filter(|_| found.len() == limit).map(|(id, _)| UserId::clone(id));
        Box::pin(ready(Ok(Page { records: records.collect(), last, unreadable: 0 })))
    }

    fn restore<'a>(&'a self, record: &'a Record) -> Pending<'a, Saved> {
        let mut users = self.users();
        let outcome = match record.user() {
            Ok(user) if users.contains_key(&user.clerk_id) => Ok(Saved::Overtaken),
            Ok(user) => {
                users.insert(user.clerk_id.clone(), (user, record.foreign().clone()));
                Ok(Saved::Written)
            }
            Err(error) => Err(error.into()),
        };
        Box::pin(ready(outcome))
    }

    fn status(&self) -> StoreStatus {
        StoreStatus::Ready
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}
