//! What it takes to confirm a record: the store's word, Clerk's word, and a write where they differ.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use doorward_verifier::UnixTime;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::{error, warn};

use super::{Directory, Entry, RETRY_AFTER, UserError, standing};
use crate::flights::Flight;
use crate::identities::Answer;
use crate::logins::Login;
use crate::store::{Saved, StoreError};
use crate::telemetry;
use crate::trace_context;
use crate::user::{Change, Identity, User, UserId};

/// How long a request waits for Clerk to say who the user is.
const CLERK_DEADLINE: Duration = Duration::from_secs(1);
/// How long to go on asking when no request waits any more.
const CLERK_PATIENCE: Duration = Duration::from_secs(60);
/// Each time that one writer is overtaken, another one has succeeded.
const MAX_ATTEMPTS: usize = 64;

/// A record as the store has it.
#[derive(Clone, Debug)]
pub(super) struct Confirmed {
    pub(super) entry: Arc<Entry>,
    /// Whether this made it.
    pub(super) created: bool,
}

/// Why a record was not confirmed.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    Unavailable,
    Refused(UserError),
}

impl Failure {
    pub(super) fn into_answer(self) -> UserError {
        if let Failure::Refused(refusal) = self {
            refusal
        } else {
            UserError::Unavailable { retry_after: RETRY_AFTER }
        }
    }
}

impl From<StoreError> for Failure {
    fn from(failure: StoreError) -> Failure {
        // The store itself says when it goes away and comes back, or is full; a record that it can not read or take is
        // news.
        if !matches!(failure, StoreError::Away { .. } | StoreError::Busy | StoreError::Full { .. }) {
            error!(%failure, "a user record can not be used");
        }
        Failure::Unavailable
    }
}

/// What the store has, and the number of the read that said so.
struct Stored {
    user: Option<User>,
    read: u64,
    at: UnixTime,
}

impl Directory {
    /// Joins the confirmation of `id` that is under way, or starts one.
    pub(super) fn confirming(
        self: &Arc<Self>,
        id: &UserId,
        known: &Option<Arc<Entry>>,
    ) -> (Flight<Result<Confirmed, Failure>>, bool) {
        self.flights.join(id, || {
            let (directory, id, known) = (Arc::clone(self), id.clone(), known.clone());
            async move { directory.confirm(&id, known, None).await }
        })
    }

    /// Has the store confirm the record of `id`, of whom memory has `known`, after `change`.
    pub(super) async fn confirm(
        self: &Arc<Self>,
        id: &UserId,
        known: Option<Arc<Entry>>,
        change: Option<Change>,
    ) -> Result<Confirmed, Failure> {
        let question = self.ask(id, known.as_deref());
        let stored = self.load(id).await?;
        let answer = self.answer(id, question).await;
        let asked_at = if answer.is_some() {
            Some(self.clock.now())
        } else {
            known.as_ref().and_then(|known| known.asked_at)
        };
        let identity = answer.flatten();
        let changes: Vec<Change> =
            [Some(Change::Seen), identity.map(Change::Identified), change].into_iter().flatten().collect();
        self.store_changes(id, stored, &changes, known, asked_at).await
    }

    /// Has the store take what Clerk said by itself. Nobody was seen for it, and Clerk is not asked.
    pub(super) async fn record(&self, id: &UserId, change: Change) -> Result<Confirmed, Failure> {
        let known = self.memory.get(id);
        let asked_at = known.as_ref().and_then(|known| known.asked_at);
        let stored = self.load(id).await?;
        self.store_changes(id, stored, &[change], known, asked_at).await
    }

    /// Writes what `changes` make of the record, again and again until nobody was quicker.
    async fn store_changes(
        &self,
        id: &UserId,
        mut stored: Stored,
        changes: &[Change],
        known: Option<Arc<Entry>>,
        asked_at: Option<UnixTime>,
    ) -> Result<Confirmed, Failure> {
        for _ in 0..MAX_ATTEMPTS {
            let now = self.clock.now();
            let before = stored.user.as_ref();
            let base = before.cloned().unwrap_or_else(|| User::new(id.clone(), &self.settings.issuer, now));
            if changes.iter().any(|change| matches!(change, Change::Profile(_))) {
                standing(&base).map_err(Failure::Refused)?;
            }
            let Some(after) = base.after(changes, now) else {
                let entry = self.entry(base, known, asked_at, stored.read, stored.at);
                return Ok(Confirmed { entry: self.remember(entry, stored.read), created: false });
            };
            // A hint may be at what somebody wrote right after, and be quicker than this write's own answer.
            let begun = self.number();
            match self.store.save(before, &after).await? {
                Saved::Written => {
                    let created = before.is_none();
                    if created {
                        telemetry::user_created(id.as_str());
                    }
                    let entry = self.entry(after, known, asked_at, self.number(), self.clock.now());
                    return Ok(Confirmed { entry: self.remember(entry, begun), created });
                }
                Saved::Overtaken => stored = self.load(id).await?,
            }
        }
        Err(StoreError::Busy.into())
    }

    async fn load(&self, id: &UserId) -> Result<Stored, StoreError> {
        // Numbered and timed before it is asked: a write that ends meanwhile is newer.
        let (read, at) = (self.number(), self.clock.now());
        Ok(Stored { user: self.store.load(id).await?, read, at })
    }

    pub(super) fn number(&self) -> u64 {
        self.reads.fetch_add(1, Ordering::SeqCst)
    }

    fn entry(
        &self,
        user: User,
        known: Option<Arc<Entry>>,
        asked_at: Option<UnixTime>,
        read: u64,
        confirmed_at: UnixTime,
    ) -> Entry {
        let login = match known {
            Some(known) => Arc::clone(&known.login),
            None => Arc::new(Login::new(user.clerk_id.clone(), user.last_login_at)),
        };
        Entry::new(user, login, read, confirmed_at, asked_at)
    }

    /// Asks Clerk who the user is, unless it said so a short while ago.
    fn ask(self: &Arc<Self>, id: &UserId, known: Option<&Entry>) -> Option<JoinHandle<Answer>> {
        self.identities.as_ref()?;
        let now = self.clock.now();
        let asked_at = known.and_then(|known| known.asked_at);
        if asked_at.is_some_and(|at| at <= now && now.since(at) < self.settings.ask_again) {
            return None;
        }
        let (directory, id) = (Arc::clone(self), id.clone());
        Some(trace_context::spawn(async move { directory.ask_once(&id).await }))
    }

    async fn ask_once(&self, id: &UserId) -> Answer {
        match &self.identities {
            Some(identities) => identities.ask(id).await,
            None => Answer::Unknown,
        }
    }

    /// Clerk's answer, if it comes in time; none in it where Clerk knows no such user. A late one is stored when it
    /// comes.
    async fn answer(
        self: &Arc<Self>,
        id: &UserId,
        question: Option<JoinHandle<Answer>>,
    ) -> Option<Option<Identity>> {
        let mut question = question?;
        let wait = match timeout(CLERK_DEADLINE, &mut question).await {
            Ok(Ok(Answer::Known(identity))) => return Some(Some(identity)),
            Ok(Ok(Answer::Unknown)) => {
                warn!(user = %telemetry::shown_user_id(id.as_str()), "Clerk's Backend API does not know the user of a genuine token");
                return Some(None);
            }
            Ok(Ok(Answer::NotBefore(wait))) => wait,
            Ok(Err(_panicked)) => return None,
            Err(_elapsed) => Duration::ZERO,
        };
        if let Ok(permit) = Arc::clone(&self.late_questions).try_acquire_owned() {
            let (directory, id) = (Arc::clone(self), id.clone());
            trace_context::spawn(async move {
                let _permit = permit;
                directory.ask_late(&id, question, wait).await;
            });
        }
        None
    }

    async fn ask_late(&self, id: &UserId, question: JoinHandle<Answer>, first_wait: Duration) {
        let mut answer =
            if first_wait.is_zero() { question.await.ok() } else { Some(Answer::NotBefore(first_wait)) };
        let mut waited = Duration::ZERO;
        while let Some(Answer::NotBefore(wait)) = answer {
            waited += wait;
            if waited > CLERK_PATIENCE {
                return;
            }
            sleep(wait).await;
            answer = Some(self.ask_once(id).await);
        }
        if let Some(Answer::Known(identity)) = answer {
            let known = self.memory.get(id);
            let asked_at = Some(self.clock.now());
            if let Ok(stored) = self.load(id).await {
                // Not stored: the next confirmation asks again.
                let _failed =
                    self.store_changes(id, stored, &[Change::Identified(identity)], known, asked_at).await;
            }
        }
    }
}
