//! Compaction: sled gives no space back, and its log keeps what was overwritten. So now and then everything moves to a
//! new database.

use doorward_verifier::UnixTime;
use tracing::info;

use super::database::{HEAD_KEY, data_folder};
use super::manifest::Head;
use super::writer::Journal;
use crate::sled_folder::{SledError, SledFolder};

/// Below this nobody misses the space.
const WORTH_BYTES: u64 = 256 * 1024 * 1024;
/// sled takes about twice what it holds by itself.
const WORTH_FACTOR: u64 = 3;
/// Records that are copied at once.
const BATCH: usize = 1000;

/// Why the old database is kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum CompactionError {
    #[error(transparent)]
    Sled(#[from] SledError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("the copy is not the original")]
    Differs,
}

impl From<sled::Error> for CompactionError {
    fn from(error: sled::Error) -> CompactionError {
        CompactionError::Sled(error.into())
    }
}

/// Whether the log holds much that is of no use, or something that must not be kept: people who were erased.
pub(super) fn is_worth_it(folder: &SledFolder, head: &Head) -> bool {
    let on_disk = folder.db.size_on_disk().unwrap_or_default();
    head.erased > 0 || (on_disk > WORTH_BYTES && on_disk > head.bytes.saturating_mul(WORTH_FACTOR))
}

/// Copies everything to a new database, and has the manifest name that one. Until then a crash leaves the old one.
pub(super) fn compact(
    old: &SledFolder,
    journal: &mut Journal,
    now: UnixTime,
) -> Result<SledFolder, CompactionError> {
    let generation = journal.head.generation + 1;
    let name = data_folder(generation);
    old.held().wipe(&name)?;
    let fresh = old.held().open(&name)?;
    let copied = copy(old, &fresh, Head { generation, ..Head::new(journal.head.database) })?;
    if (copied.records, copied.sum) != (journal.head.records, journal.head.sum) {
        return Err(CompactionError::Differs);
    }
    let before = old.db.size_on_disk().unwrap_or_default();
    let head = Head { revision: journal.head.revision + 1, ..copied };
    journal.move_to(&fresh, head, now)?;
    let after = fresh.db.size_on_disk().unwrap_or_default();
    info!(records = head.records, before, after, "the database was compacted");
    Ok(fresh)
}

fn copy(old: &SledFolder, fresh: &SledFolder, mut head: Head) -> Result<Head, CompactionError> {
    let (mut batch, mut batched) = (sled::Batch::default(), 0);
    for entry in old.db.iter() {
        let (key, value) = entry?;
        if key == HEAD_KEY {
            continue;
        }
        head.add(&key, &value);
        batch.insert(key, value);
        batched += 1;
        if batched == BATCH {
            fresh.db.apply_batch(std::mem::take(&mut batch))?;
            batched = 0;
        }
    }
    fresh.db.apply_batch(batch)?;
    Ok(head)
}
