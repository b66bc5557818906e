//! `doorward users import`: what Clerk knows of its users, into the store; and what the two do not agree on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use doorward_verifier::UnixTime;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use uuid::Uuid;

use super::progress::bar;
use super::records::Records;
use super::{TransferError, restore};
use crate::app;
use crate::clerk::{ClerkApi, ClerkError, ClerkSettings, Listed, MAX_LISTED};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::control::{Outcome, Request};
use crate::identities::Budget;
use crate::terminal::{note, print};
use crate::user::UserId;

/// A list takes longer than one user.
const CLERK_TIMEOUT: Duration = Duration::from_secs(20);
/// Failures of Clerk's in a row.
const MAX_FAILURES: u32 = 8;

/// Take over what Clerk's Backend API knows of its users, or the records of an exported file
///
/// A file's records are written where there are none. From Clerk, everything that it knows is taken over, within half
/// of its rate limit, and users who are here and not at Clerk are named. Either can be ended at any moment: the same
/// command goes on from there.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// A file of `doorward users export` [default: Clerk's Backend API]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Write nothing, and say what would be
    #[arg(long)]
    dry_run: bool,
    /// Erase those who are not at Clerk any more, as a webhook of their deletion would have
    #[arg(long, conflicts_with = "file")]
    erase_missing: bool,
    /// Begin at the beginning, and not where an earlier run was ended
    #[arg(long, conflicts_with = "file")]
    restart: bool,
}

pub(super) async fn import(config: &Config, args: &Args) -> Result<(), TransferError> {
    match &args.file {
        Some(file) => restore::restore(config, file, !args.dry_run).await,
        None => from_clerk(config, args).await,
    }
}

async fn from_clerk(config: &Config, args: &Args) -> Result<(), TransferError> {
    let mut clerk = PacedClerk::new(config)?;
    let total = clerk.ask(async |api| api.user_count().await).await?;
    let mut reconciliation = Reconciliation {
        place: Place::find(config, args)?,
        records: Records::open(config).await?,
        clerk,
        write: !args.dry_run,
    };
    if reconciliation.place.state.listed > 0 {
        note(format_args!(
            "going on after {} users; --restart begins anew",
            reconciliation.place.state.listed
        ));
    }
    reconciliation.take_over(total).await?;
    reconciliation.find_missing(config.clerk.issuer.as_str(), args.erase_missing).await?;
    let Reconciliation { place, records, .. } = reconciliation;
    records.close().await?;
    place.state.print(total, args);
    place.remove();
    Ok(())
}

struct Reconciliation {
    place: Place,
    records: Records,
    clerk: PacedClerk,
    write: bool,
}

impl Reconciliation {
    /// Every user whom Clerk lists, in the order in which they came: who comes meanwhile is at the end.
    async fn take_over(&mut self, total: u64) -> Result<(), TransferError> {
        let progress = bar(Some(total.max(self.place.state.listed)), "from Clerk");
        progress.set_position(self.place.state.listed);
        while !self.place.state.all_listed {
            let from = self.place.state.listed;
            let Listed { users, count } = self.clerk.ask(async |api| api.users_from(from).await).await?;
            let ids: Vec<UserId> = users.iter().map(|(id, _)| id.clone()).collect();
            let users = users.into_iter().map(|(id, identity)| (id, identity.into())).collect();
            let outcomes = self.records.outcomes(Request::Identify { users, write: self.write }).await?;
            let state = &mut self.place.state;
            state.odd += (count - ids.len()) as u64;
            for (id, outcome) in ids.iter().zip(outcomes) {
                progress.suspend(|| state.note(id, outcome));
            }
            state.listed += count as u64;
            state.all_listed = count < MAX_LISTED;
            progress.set_position(state.listed);
            self.place.save()?;
        }
        Ok(())
    }

    /// Users of this instance who are here, and whom Clerk does not know.
    async fn find_missing(&mut self, issuer: &str, erase: bool) -> Result<(), TransferError> {
        let progress = bar(None, "comparing");
        while !self.place.state.all_compared {
            let page = self.records.page(self.place.state.compared.as_ref()).await?;
            let users = page.records.iter().filter_map(|record| record.user().ok());
            let alive = users.filter(|user| user.deleted_at.is_none() && user.issuer == issuer);
            let ids: Vec<UserId> = alive.map(|user| user.clerk_id).collect();
            let missing = self.missing(&ids).await?;
            for id in &missing {
                progress.suspend(|| print(format_args!("missing at Clerk: {id}")));
            }
            if erase && self.write && !missing.is_empty() {
                let erased = self.records.outcomes(Request::Erase { users: missing.clone() }).await?;
                self.place.state.erased += erased.len() as u64;
            }
            let state = &mut self.place.state;
            state.missing += missing.len() as u64;
            state.unreadable_here += page.unreadable as u64;
            progress.inc(ids.len() as u64);
            state.all_compared = page.last.is_none();
            state.compared = page.last;
            self.place.save()?;
        }
        Ok(())
    }

    /// Those of these whom Clerk does not know: not in a list of theirs, and not by themselves.
    async fn missing(&mut self, ids: &[UserId]) -> Result<Vec<UserId>, TransferError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.clerk.ask(async |api| api.users_of_ids(ids).await).await?;
        let mut missing = Vec::new();
        for id in ids.iter().filter(|id| !known.users.iter().any(|(known, _)| known == *id)) {
            if self.clerk.ask(async |api| api.user(id).await).await?.is_none() {
                missing.push(id.clone());
            }
        }
        Ok(missing)
    }
}

/// Clerk's Backend API, asked within its limits.
pub(super) struct PacedClerk {
    api: ClerkApi,
    budget: Budget,
}

impl PacedClerk {
    pub(super) fn new(config: &Config) -> Result<PacedClerk, TransferError> {
        let api = ClerkApi::new(ClerkSettings { timeout: CLERK_TIMEOUT, ..app::clerk_settings(config) })?;
        if !api.knows_users() {
            return Err(ClerkError::NoSecret.into());
        }
        let budget = Budget::full(app::asking_rate(config), SystemClock.now());
        Ok(PacedClerk { api, budget })
    }

    /// Asks until there is an answer. A refusal of the secret key is one.
    pub(super) async fn ask<T>(
        &mut self,
        question: impl AsyncFn(&ClerkApi) -> Result<T, ClerkError>,
    ) -> Result<T, TransferError> {
        let mut failures = 0;
        loop {
            while let Err(wait) = self.budget.take(SystemClock.now()) {
                sleep(wait).await;
            }
            let error = match question(&self.api).await {
                Ok(answer) => {
                    self.budget.succeeded();
                    return Ok(answer);
                }
                Err(error) => error,
            };
            failures += 1;
            if is_final(&error) || failures == MAX_FAILURES {
                return Err(error.into());
            }
            let pause = self.budget.failed(error.retry_after(), SystemClock.now());
            note(format_args!("{error}; asking again in {} s", pause.as_secs()));
        }
    }
}

/// Asking again would bring the same.
fn is_final(error: &ClerkError) -> bool {
    match error {
        ClerkError::Status { status, .. } => (400..500).contains(status) && *status != 429 && *status != 408,
        ClerkError::NoSecret | ClerkError::Unexpected { .. } | ClerkError::TooLarge { .. } => true,
        ClerkError::Away { .. } => false,
    }
}

/// An earlier run is gone on with for so long: what it saw first may have changed since.
const RESUMED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// How far it is. Written after what it says is in the store.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct State {
    source: String,
    /// In milliseconds.
    began_at: u64,
    listed: u64,
    all_listed: bool,
    compared: Option<UserId>,
    all_compared: bool,
    created: u64,
    changed: u64,
    same: u64,
    erased_here: u64,
    unreadable_here: u64,
    odd: u64,
    missing: u64,
    erased: u64,
}

impl State {
    fn note(&mut self, id: &UserId, outcome: Outcome) {
        match outcome {
            Outcome::Created => self.created += 1,
            Outcome::Changed(parts) => {
                self.changed += 1;
                print(format_args!("changed at Clerk: {id}: {}", parts.join(", ")));
            }
            Outcome::Same | Outcome::Kept => self.same += 1,
            Outcome::Erased => {
                self.erased_here += 1;
                print(format_args!("erased here, and still at Clerk: {id}"));
            }
            Outcome::Unreadable => {
                print(format_args!("not readable here: {id}"));
            }
        }
    }

    fn print(&self, total: u64, args: &Args) {
        let State {
            listed, created, changed, same, erased_here, unreadable_here, odd, missing, erased, ..
        } = self;
        let dry = if args.dry_run { " (nothing was written: this is a dry run)" } else { "" };
        print(format_args!(
            "{listed} users at Clerk{dry}\n{created:>8} new here\n{changed:>8} changed\n{same:>8} the same\n\
             {erased_here:>8} erased here, and still at Clerk: they stay erased\n\
             {missing:>8} here, and not at Clerk any more\n{erased:>8} of them erased\n\
             {unreadable_here:>8} here, and not readable: left alone\n{odd:>8} at Clerk, and not readable"
        ));
        if *missing > *erased && !args.dry_run {
            note("--erase-missing erases those who are not at Clerk any more");
        }
        if *listed < total {
            note(format_args!(
                "Clerk counted {total} at the start: somebody was deleted meanwhile, and another one may have been passed over; run it again"
            ));
        }
    }
}

/// Where the state is kept: none for a dry run.
struct Place {
    file: Option<PathBuf>,
    state: State,
}

impl Place {
    fn find(config: &Config, args: &Args) -> Result<Place, TransferError> {
        let file = config.storage.data_dir.join("import.json");
        let source = format!("{} {}", config.clerk.issuer, config.clerk.api_url);
        let now = SystemClock.now();
        let fresh = State { source: source.clone(), began_at: now.as_millis(), ..State::default() };
        if args.dry_run {
            return Ok(Place { file: None, state: fresh });
        }
        fs::create_dir_all(&config.storage.data_dir).map_err(TransferError::at(&config.storage.data_dir))?;
        let earlier = fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<State>(&bytes).ok());
        let earlier = earlier.filter(|state| {
            let age = now.since(UnixTime::from_millis(state.began_at));
            state.source == source && age < RESUMED_FOR && !args.restart
        });
        Ok(Place { file: Some(file), state: earlier.unwrap_or(fresh) })
    }

    /// Beside the file first, then over it.
    fn save(&self) -> Result<(), TransferError> {
        let Some(file) = &self.file else { return Ok(()) };
        let beside = file.with_extension(Uuid::new_v4().simple().to_string());
        let json = serde_json::to_vec(&self.state).unwrap_or_default();
        write(&beside, &json).and_then(|()| fs::rename(&beside, file)).map_err(TransferError::at(file))
    }

    fn remove(self) {
        if let Some(file) = self.file {
            let _gone = fs::remove_file(file);
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = fs::File::create_new(path)?;
    std::io::Write::write_all(&mut file, bytes)?;
    file.sync_all()
}
