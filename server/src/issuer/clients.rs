//! `Clients`: the browsers that the local issuer knows, and who is signed in there. In memory alone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use doorward_verifier::UnixTime;
use uuid::Uuid;

use crate::user::UserId;

/// Far more than browsers on one machine. Beyond it, the one that was longest without a change is forgotten.
const MAX_CLIENTS: usize = 256;

/// What Clerk calls the browsers of one instance, each known by a cookie.
#[derive(Debug, Default)]
pub(super) struct Clients(Mutex<HashMap<String, Client>>);

/// One browser.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// `client_…`, also the value of its cookie: drawn at random, so that nobody guesses another's.
    pub(super) id: String,
    /// Who is signed in, and in which session.
    pub(super) session: Option<(UserId, String)>,
    /// A sign-in or a sign-up that has begun.
    pub(super) attempt: Option<Attempt>,
    /// When it was made, and when somebody last signed in or out.
    pub(super) created_at: UnixTime,
    pub(super) changed_at: UnixTime,
}

/// Somebody on their way in.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) id: String,
    pub(super) email: String,
    /// The account that has this address. Without one, it is a sign-up.
    pub(super) user: Option<UserId>,
}

impl Client {
    pub(super) fn new(now: UnixTime) -> Client {
        let id = format!("client_{}", Uuid::new_v4().simple());
        Client { id, session: None, attempt: None, created_at: now, changed_at: now }
    }
}

impl Client {
    pub(super) fn user(&self) -> Option<&UserId> {
        self.session.as_ref().map(|(user, _)| user)
    }
}

impl Clients {
    /// The browser of this cookie.
    pub(super) fn get(&self, cookie: &str) -> Option<Client> {
        self.lock().get(cookie).cloned()
    }

    /// Keeps what has become of a browser.
    pub(super) fn keep(&self, client: Client) {
        let mut clients = self.lock();
        clients.insert(client.id.clone(), client);
        if clients.len() > MAX_CLIENTS {
            let oldest =
                clients.values().min_by_key(|client| client.changed_at).map(|client| client.id.clone());
            oldest.and_then(|id| clients.remove(&id));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Client>> {
        // What is behind it is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_browser_makes_room() {
        let clients = Clients::default();
        let all: Vec<Client> =
            (0..=MAX_CLIENTS).map(|at| Client::new(UnixTime::from_secs(1_795_514_400 + at as u64))).collect();
        all.iter().cloned().for_each(|client| clients.keep(client));
        assert!(clients.get(&all[0].id).is_none());
        assert!(all[1..].iter().all(|client| clients.get(&client.id).is_some()));
    }
}
