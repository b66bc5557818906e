//! `SledFolder`: a folder that sled keeps, held by one process, opened in spite of what is known to go wrong.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use crate::store::OpenError;

/// sled would take up to a gigabyte.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// What a snapshot of sled's is called.
const SNAPSHOT_PREFIX: &str = "snap.";
const LOCK_FILE: &str = "lock";
const LOCK_POLL: Duration = Duration::from_millis(100);
/// A restart that meets its predecessor is over by then, as a rule.
const SAY_AFTER: Duration = Duration::from_secs(1);

/// A folder that this process holds. The database goes first, then the lock.
pub(crate) struct SledFolder {
    pub(crate) db: sled::Db,
    /// Where sled keeps its files, inside the folder.
    data: PathBuf,
    held: HeldFolder,
}

/// Why sled does not open a folder that is ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SledError {
    #[error(transparent)]
    Sled(#[from] sled::Error),
    #[error("sled panicked while it opened it")]
    Panicked,
}

/// A folder that this process holds, until the last of these is gone. sled's files are in a folder inside it.
#[derive(Clone, Debug)]
pub(crate) struct HeldFolder {
    folder: PathBuf,
    _lock: Arc<File>,
}

impl HeldFolder {
    /// Holds the folder as soon as nobody else does, and says so when that takes a while. Waits without blocking, so that
    /// whoever is told to stop meanwhile can.
    pub(crate) async fn hold(folder: &Path, lock_wait: Duration) -> Result<HeldFolder, OpenError> {
        let mut waited = Duration::ZERO;
        loop {
            match HeldFolder::hold_now(folder) {
                Err(locked @ OpenError::Locked { .. }) if waited < lock_wait => {
                    if waited == SAY_AFTER {
                        warn!("{locked}; waiting for it for up to {} s", lock_wait.as_secs());
                    }
                }
                outcome => return outcome,
            }
            tokio::time::sleep(LOCK_POLL).await;
            waited += LOCK_POLL;
        }
    }

    /// Makes the folder where it is missing, readable by its owner alone, and locks it.
    pub(crate) fn hold_now(folder: &Path) -> Result<HeldFolder, OpenError> {
        let failed =
            |error: io::Error| OpenError::Folder { folder: folder.to_owned(), detail: error.to_string() };
        make_private(folder).map_err(failed)?;
        let path = folder.join(LOCK_FILE);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let process = noted_process(&mut lock);
                return Err(OpenError::Locked { folder: folder.to_owned(), process });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        note_process(&mut lock).map_err(failed)?;
        Ok(HeldFolder { folder: folder.to_owned(), _lock: Arc::new(lock) })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    /// Opens the database `name`. A snapshot that was not written to its end stops sled at every start, and holds
    /// nothing that the log does not: it is put aside, once.
    pub(crate) fn open(&self, name: &str) -> Result<SledFolder, SledError> {
        let data = self.folder.join(name);
        let db = open_sled(&data).or_else(|error| match error {
            SledError::Sled(sled::Error::Corruption { .. }) if put_snapshots_aside(&data) > 0 => {
                open_sled(&data)
            }
            error => Err(error),
        })?;
        Ok(SledFolder { db, data, held: self.clone() })
    }

    /// Removes the database `name`.
    pub(crate) fn wipe(&self, name: &str) -> io::Result<()> {
        match fs::remove_dir_all(self.folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl SledFolder {
    /// The folder that it is in.
    pub(crate) fn held(&self) -> &HeldFolder {
        &self.held
    }

    /// sled's own flush stops short of the disk: it calls `sync_file_range`, which leaves the drive's cache and the
    /// file's size alone (sled issue 1452). So this syncs the file, whose every handle is as good as another.
    pub(crate) fn sync_handle(&self) -> io::Result<File> {
        File::open(self.data.join("db"))
    }

    /// Returns once the names of sled's files are on the disk.
    pub(crate) fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.data)?.sync_all()?;
        File::open(&self.held.folder)?.sync_all()
    }
}

/// sled would print everything that it holds.
impl fmt::Debug for SledFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledFolder").field("data", &self.data).finish_non_exhaustive()
    }
}

fn open_sled(folder: &Path) -> Result<sled::Db, SledError> {
    let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES);
    let opened = catch_unwind(AssertUnwindSafe(|| config.open())).map_err(|_panic| SledError::Panicked)?;
    Ok(opened?)
}

fn put_snapshots_aside(data: &Path) -> usize {
    let entries = fs::read_dir(data).into_iter().flatten().flatten();
    let snapshots = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(SNAPSHOT_PREFIX));
    let moved = snapshots.filter(|entry| {
        let aside = data.join(format!("aside.{}", entry.file_name().to_string_lossy()));
        fs::rename(entry.path(), aside).is_ok()
    });
    let moved = moved.count();
    warn!(folder = %data.display(), moved, "unfinished snapshots of sled were put aside");
    moved
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

fn note_process(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    write!(lock, "{}", std::process::id())
}

/// Whoever holds the lock wrote its id; it may just not have come to it.
fn noted_process(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.rewind().ok()?;
    lock.take(10).read_to_string(&mut text).ok()?;
    text.parse().ok()
}
