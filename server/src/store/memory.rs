//! `MemoryStore`: a store that ends with the process, for tests.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};

use doorward_verifier::UnixTime;

use super::{Mark, Note, NoteKind, Notes, Pending, Saved, Store, StoreStatus};
use crate::user::{User, UserId};

/// Records in a map.
#[derive(Debug, Default)]
pub struct MemoryStore {
    users: Mutex<HashMap<UserId, User>>,
    notes: Mutex<Vec<(u64, Note)>>,
}

impl MemoryStore {
    fn users(&self) -> MutexGuard<'_, HashMap<UserId, User>> {
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
        let user = self.users().get(id).cloned();
        Box::pin(ready(Ok(user)))
    }

    fn save<'a>(&'a self, before: Option<&'a User>, after: &'a User) -> Pending<'a, Saved> {
        let mut users = self.users();
        let stored = users.get(&after.clerk_id);
        let unchanged = stored.map(|user| user.revision) == before.map(|user| user.revision);
        if unchanged {
            let user = after.clone().keeping_login_of(stored);
            users.insert(after.clerk_id.clone(), user);
        }
        Box::pin(ready(Ok(if unchanged { Saved::Written } else { Saved::Overtaken })))
    }

    fn record_logins<'a>(&'a self, logins: &'a [(UserId, UnixTime)]) -> Pending<'a, ()> {
        let mut users = self.users();
        for (id, at) in logins {
            if let Some(user) = users.get_mut(id).filter(|user| user.deleted_at.is_none()) {
                user.last_login_at = user.last_login_at.max(Some(*at));
            }
        }
        Box::pin(ready(Ok(())))
    }

    fn status(&self) -> StoreStatus {
        StoreStatus::Ready
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(ready(Ok(())))
    }
}
