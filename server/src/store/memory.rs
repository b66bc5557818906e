//! `MemoryStore`: a store that ends with the process, for tests.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Mutex, MutexGuard, PoisonError};

use doorward_verifier::UnixTime;

use super::{Pending, Saved, Store, StoreStatus};
use crate::user::{User, UserId};

/// Records in a map.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<HashMap<UserId, User>>);

impl MemoryStore {
    fn users(&self) -> MutexGuard<'_, HashMap<UserId, User>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
