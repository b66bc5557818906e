//! `doorward users adopt`: older records, taken up by those of the people whose verified primary address they have.

use std::collections::HashMap;

use mongodb::bson::oid::ObjectId;

use super::TransferError;
use super::import::PacedClerk;
use super::progress::bar;
use super::records::patiently;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, StoreKind};
use crate::store::MongoSettings;
use crate::store::Store;
use crate::store::mongo::MongoStore;
use crate::store::mongo::older::{Adopted, Older};
use crate::terminal::{note, print};
use crate::user::{Identity, UserId};

/// As many addresses as Clerk takes in one request.
const AT_ONCE: usize = crate::clerk::MAX_LISTED;

/// Link older records to Clerk's users, by the verified primary address; says what it would do, and does it with --write
///
/// An older record is one in the same collection with an ObjectId and an address. What it holds goes into the record of
/// the user, other than the password's hash and what that record says already; the older one stays, and says so.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Write, and not only say what would be
    #[arg(long)]
    write: bool,
}

pub(super) async fn adopt(config: &Config, args: &Args) -> Result<(), TransferError> {
    let StoreKind::Mongodb(uri) = &config.storage.store else {
        let why = "older records are in MongoDB: set MONGODB_URI (the embedded store has none)";
        return Err(TransferError::Refused(why.to_owned()));
    };
    let settings =
        MongoSettings { uri: uri.clone(), database: config.storage.database.clone(), change_streams: false };
    let mut adoption = Adoption {
        store: MongoStore::open(&settings).await?,
        clerk: PacedClerk::new(config)?,
        issuer: config.clerk.issuer.as_str().to_owned(),
        addresses: HashMap::new(),
        counts: Counts::default(),
        write: args.write,
    };
    let total = adoption.count_addresses().await?;
    adoption.adopt_all(total).await?;
    adoption.store.close().await?;
    adoption.counts.print(total, args.write);
    Ok(())
}

struct Adoption {
    store: MongoStore,
    clerk: PacedClerk,
    issuer: String,
    /// How many older records have each address.
    addresses: HashMap<String, u32>,
    counts: Counts,
    write: bool,
}

#[derive(Debug, Default)]
struct Counts {
    linked: u64,
    already: u64,
    not_linked: u64,
}

impl Adoption {
    async fn count_addresses(&mut self) -> Result<u64, TransferError> {
        let (mut after, mut total) = (None, 0);
        loop {
            let page = patiently(async || self.store.older(after, AT_ONCE).await).await?;
            after = page.last().map(|older| older.key);
            total += page.len() as u64;
            for email in page.into_iter().filter_map(|older| older.email) {
                *self.addresses.entry(email).or_default() += 1;
            }
            if after.is_none() {
                return Ok(total);
            }
        }
    }

    async fn adopt_all(&mut self, total: u64) -> Result<(), TransferError> {
        let (progress, mut after) = (bar(Some(total), "older records"), None);
        loop {
            let page = patiently(async || self.store.older(after, AT_ONCE).await).await?;
            after = page.last().map(|older| older.key);
            if after.is_none() {
                return Ok(());
            }
            let size = page.len() as u64;
            let waiting = page.into_iter().filter(|older| {
                self.counts.already += u64::from(older.adopted_as.is_some());
                older.adopted_as.is_none()
            });
            let waiting: Vec<Older> = waiting.collect();
            let people = self.people(&waiting).await?;
            for older in &waiting {
                let outcome = self.adopt_one(older, &people).await?;
                progress.suspend(|| self.counts.note(older.key, outcome, self.write));
            }
            progress.inc(size);
        }
    }

    /// Whom Clerk knows of these, by verified primary address.
    async fn people(&mut self, older: &[Older]) -> Result<People, TransferError> {
        let addresses: Vec<String> = older.iter().filter_map(|older| older.email.clone()).collect();
        let mut people = People::new();
        if addresses.is_empty() {
            return Ok(people);
        }
        let listed = self.clerk.ask(async |api| api.users_of_addresses(&addresses).await).await?;
        for (id, identity) in listed.users {
            if let Some(email) = identity.email.as_ref().map(|email| email.to_ascii_lowercase()) {
                people.entry(email).or_default().push((id, identity));
            }
        }
        Ok(people)
    }

    async fn adopt_one(&self, older: &Older, people: &People) -> Result<Outcome, TransferError> {
        let (id, identity) = match self.whose(older, people) {
            Ok(person) => person,
            Err(why) => return Ok(Outcome::NotLinked(why)),
        };
        if !self.write {
            return Ok(Outcome::Linked(id.clone()));
        }
        let now = SystemClock.now();
        let adopted =
            patiently(async || self.store.adopt(older, id, &self.issuer, identity, now).await).await?;
        Ok(match adopted {
            Adopted::Created | Adopted::Completed | Adopted::Already => Outcome::Linked(id.clone()),
            Adopted::AnotherWas => Outcome::NotLinked("the user's record has taken up another one"),
            Adopted::Erased => Outcome::NotLinked("the user was erased here"),
        })
    }

    fn whose<'p>(
        &self,
        older: &Older,
        people: &'p People,
    ) -> Result<(&'p UserId, &'p Identity), &'static str> {
        let email = older.email.as_ref().ok_or("it has no address")?;
        if self.addresses.get(email).is_some_and(|count| *count > 1) {
            return Err("another older record has the same address");
        }
        let found = people.get(email).map(Vec::as_slice).unwrap_or_default();
        let mut verified = found.iter().filter(|(_, identity)| identity.email_verified);
        match (verified.next(), verified.next()) {
            (Some((id, identity)), None) => Ok((id, identity)),
            (Some(_), Some(_)) => Err("several users at Clerk have its address"),
            (None, _) if found.is_empty() => Err("nobody at Clerk has its address as the primary one"),
            (None, _) => Err("its address is not verified at Clerk"),
        }
    }
}

type People = HashMap<String, Vec<(UserId, Identity)>>;

enum Outcome {
    Linked(UserId),
    NotLinked(&'static str),
}

impl Counts {
    fn note(&mut self, key: ObjectId, outcome: Outcome, write: bool) {
        match outcome {
            Outcome::Linked(id) => {
                self.linked += 1;
                print(format_args!("{} {key} to {id}", if write { "linked" } else { "would link" }));
            }
            Outcome::NotLinked(why) => {
                self.not_linked += 1;
                print(format_args!("not linked: {key}: {why}"));
            }
        }
    }

    fn print(&self, total: u64, write: bool) {
        let Counts { linked, already, not_linked } = self;
        let linked_words = if write { "linked" } else { "to be linked" };
        print(format_args!(
            "{total} older records\n{linked:>8} {linked_words}\n{already:>8} linked before\n{not_linked:>8} not linked"
        ));
        if !write && *linked > 0 {
            note("nothing was written: --write does it");
        }
    }
}
