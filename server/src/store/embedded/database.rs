//! Opens the database, and holds what is in it against the manifest.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tracing::{info, warn};
use uuid::Uuid;

use super::manifest::{Head, Manifest};
use super::writer::Journal;
use crate::clock::{Clock, rfc3339};
use crate::envelope::Envelope;
use crate::sled_folder::{HeldFolder, SledError, SledFolder};
use crate::store::{EmbeddedSettings, OnLoss, OpenError};

/// The database's own word on its state.
pub(super) const HEAD_KEY: &[u8] = b"head";

/// Opens the folder, if nobody else holds it. Blocks, and reads all of it.
pub(super) fn open(
    settings: &EmbeddedSettings,
    clock: &dyn Clock,
) -> Result<(SledFolder, Journal), OpenError> {
    open_held(HeldFolder::hold_now(&settings.folder)?, settings, clock)
}

/// What is wrong with a database.
#[derive(Debug, thiserror::Error)]
enum Damage {
    #[error("sled says: {0}")]
    Sled(#[from] SledError),
    #[error("its manifest knows of {expected} commits, and the database of none")]
    Reset { expected: u64 },
    #[error("the database is there and its manifest is not")]
    NoManifest,
    #[error("it is at commit {found}, its manifest is at {expected}")]
    RolledBack { found: u64, expected: u64 },
    #[error("database and manifest belong to different stores")]
    Mixed,
    #[error("{unreadable} records can not be read")]
    Unreadable { unreadable: u64 },
    #[error("{found} records are there, {expected} were acknowledged")]
    Records { found: u64, expected: u64 },
    #[error("records are there in an older state than the acknowledged one")]
    Sum,
}

/// Opens a folder that is held. Blocks, and reads all of it.
pub(super) fn open_held(
    held: HeldFolder,
    settings: &EmbeddedSettings,
    clock: &dyn Clock,
) -> Result<(SledFolder, Journal), OpenError> {
    let path = settings.folder.clone();
    let failed = |error: io::Error| OpenError::Folder { folder: path.clone(), detail: error.to_string() };
    let (manifest, promised) = Manifest::open(&settings.folder).map_err(failed)?;
    let generation = promised.map_or_else(|| newest_generation(held.path()), |promised| promised.generation);
    // What a compaction left behind that a crash ended, before or after it was done.
    for leftover in generations(held.path()).filter(|found| promised.is_some() && *found != generation) {
        held.wipe(&data_folder(leftover)).map_err(failed)?;
    }
    let opened = held.open(&data_folder(generation)).map_err(Damage::from);
    let damage = match opened.and_then(|folder| checked(&folder, promised).map(|head| (folder, head))) {
        Ok((folder, head)) => return journal(folder, manifest, head, clock),
        Err(Damage::Sled(SledError::Sled(sled::Error::Io(error)))) if !is_about_contents(&error) => {
            return Err(failed(error));
        }
        Err(damage) => damage,
    };
    if settings.on_loss == OnLoss::Refuse {
        return Err(OpenError::Damaged { folder: path, detail: damage.to_string() });
    }
    let aside = keep_aside(held.path(), clock).map_err(failed)?;
    warn!(folder = %path.display(), kept = %aside.display(), %damage, "going on with what is left, as told");
    let (folder, head) = salvage(&held, generation, promised)
        .map_err(|error| OpenError::Damaged { folder: path.clone(), detail: error.to_string() })?;
    journal(folder, manifest, head, clock)
}

/// Whether an error says something of what is in a file, and not that it can not be had.
fn is_about_contents(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
    )
}

/// sled's own folder in that of the store.
pub(super) fn data_folder(generation: u32) -> String {
    format!("sled-{generation}")
}

fn generations(folder: &Path) -> impl Iterator<Item = u32> + use<> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let numbers = names.filter_map(|name| name.to_string_lossy().strip_prefix("sled-")?.parse().ok());
    numbers.collect::<Vec<_>>().into_iter()
}

fn newest_generation(folder: &Path) -> u32 {
    generations(folder).max().unwrap_or_default()
}

/// The state of the database, if it is the promised one, or a later one: a crash between the two writes of a commit
/// leaves the manifest behind by one, and that commit was not acknowledged.
fn checked(folder: &SledFolder, promised: Option<Head>) -> Result<Head, Damage> {
    let said = head(folder)?;
    let found = count(folder)?;
    let is_new = found.head.records == 0 && found.unreadable == 0;
    match (said, promised) {
        (None, None) if is_new => Ok(Head::new(Uuid::new_v4())),
        (Some(said), None) if said.revision == 0 && is_new => Ok(said),
        (_, None) => Err(Damage::NoManifest),
        (None, Some(promised)) if promised.revision == 0 && is_new => Ok(promised),
        (None, Some(promised)) => Err(Damage::Reset { expected: promised.revision }),
        (Some(said), Some(promised)) if said.database != promised.database => Err(Damage::Mixed),
        (Some(said), Some(promised)) if said.revision < promised.revision => {
            Err(Damage::RolledBack { found: said.revision, expected: promised.revision })
        }
        (Some(said), Some(_)) => compared(said, &found),
    }
}

fn compared(said: Head, found: &Found) -> Result<Head, Damage> {
    match *found {
        Found { unreadable, .. } if unreadable > 0 => Err(Damage::Unreadable { unreadable }),
        Found { head, .. } if head.records != said.records => {
            Err(Damage::Records { found: head.records, expected: said.records })
        }
        Found { head, .. } if head.sum != said.sum => Err(Damage::Sum),
        _ => Ok(said),
    }
}

fn head(folder: &SledFolder) -> Result<Option<Head>, Damage> {
    let bytes = folder.db.get(HEAD_KEY).map_err(SledError::from)?;
    Ok(bytes.and_then(|bytes| {
        let envelope = Envelope::open(HEAD_KEY, &bytes).ok()?;
        serde_json::from_slice(envelope.payload).ok()
    }))
}

/// What is in a database, counted record by record.
struct Found {
    head: Head,
    unreadable: u64,
}

fn count(folder: &SledFolder) -> Result<Found, Damage> {
    let mut found = Found { head: Head::new(Uuid::nil()), unreadable: 0 };
    for entry in folder.db.iter() {
        let (key, value) = entry.map_err(SledError::from)?;
        match Envelope::open(&key, &value) {
            _ if key == HEAD_KEY => {}
            Ok(_) => found.head.add(&key, &value),
            Err(_) => found.unreadable += 1,
        }
    }
    Ok(found)
}

/// Makes a consistent database of what can be read, or an empty one where sled reads nothing.
fn salvage(held: &HeldFolder, generation: u32, promised: Option<Head>) -> Result<(SledFolder, Head), Damage> {
    let name = data_folder(generation);
    let folder = match held.open(&name) {
        Ok(folder) => folder,
        Err(_) => {
            held.wipe(&name).map_err(|error| SledError::from(sled::Error::from(error)))?;
            held.open(&name)?
        }
    };
    for entry in folder.db.iter() {
        let (key, value) = entry.map_err(SledError::from)?;
        if Envelope::open(&key, &value).is_err() {
            folder.db.remove(&key).map_err(SledError::from)?;
        }
    }
    let reached = [head(&folder)?, promised].into_iter().flatten().map(|head| head.revision).max();
    let found = count(&folder)?.head;
    info!(records = found.records, "what can be read was kept");
    let revision = reached.unwrap_or_default();
    Ok((folder, Head { database: Uuid::new_v4(), revision, generation, ..found }))
}

/// Writes down where the database stands, as a commit of its own, so that from here on both know it.
fn journal(
    folder: SledFolder,
    manifest: Manifest,
    head: Head,
    clock: &dyn Clock,
) -> Result<(SledFolder, Journal), OpenError> {
    let failed = |error: io::Error| OpenError::Folder {
        folder: folder.held().path().to_owned(),
        detail: error.to_string(),
    };
    let log = folder.sync_handle().map_err(failed)?;
    folder.sync_folder().map_err(failed)?;
    let next = Head { revision: head.revision + 1, ..head };
    let mut journal = Journal { head, manifest, log };
    journal.commit(&folder.db, sled::Batch::default(), next, clock.now()).map_err(|error| {
        OpenError::Folder { folder: folder.held().path().to_owned(), detail: error.to_string() }
    })?;
    Ok((folder, journal))
}

/// Copies the folder, whatever is in it, to one beside it.
fn keep_aside(folder: &Path, clock: &dyn Clock) -> io::Result<PathBuf> {
    let time = rfc3339(clock.now()).replace(':', "");
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(format!(".damaged-{time}"));
    let aside = folder.with_file_name(name);
    copy(folder, &aside)?;
    Ok(aside)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
