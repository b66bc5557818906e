//! `Manifest`: what the database must hold at least, written outside it.
//!
//! sled does not say when a part of its log is gone: it opens with what came before. The manifest knows what was
//! acknowledged last, and a sum over all records, so that nothing older passes for whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use doorward_verifier::UnixTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::envelope::Envelope;

/// Written in turns: when one is torn, the other is whole.
const FILES: [&str; 2] = ["manifest.0", "manifest.1"];
/// All of one size, so that overwriting never changes the file's.
const FILE_BYTES: usize = 512;
const KEY: &[u8] = b"manifest";

/// A state of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// Which database: two of them must not be mixed.
    pub(super) database: Uuid,
    /// Counts the group commits.
    pub(super) revision: u64,
    /// Which of the databases that followed each other: a compaction begins a new one.
    pub(super) generation: u32,
    /// How many records there are.
    pub(super) records: u64,
    /// How many bytes they take.
    pub(super) bytes: u64,
    /// How many people were erased since this generation began: sled's log has them still.
    pub(super) erased: u64,
    /// The sum over all of them, as hexadecimal digits: JSON's numbers end before 2^128.
    #[serde(with = "hexadecimal")]
    pub(super) sum: u128,
}

impl Head {
    /// Of an empty database.
    pub(super) fn new(database: Uuid) -> Head {
        Head { database, revision: 0, generation: 0, records: 0, bytes: 0, erased: 0, sum: 0 }
    }

    /// Counts a record in.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.records += 1;
        self.bytes += (key.len() + value.len()) as u64;
        self.sum = self.sum.wrapping_add(fingerprint(key, value));
    }

    /// Counts a record out.
    pub(super) fn remove(&mut self, key: &[u8], value: &[u8]) {
        self.records = self.records.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub((key.len() + value.len()) as u64);
        self.sum = self.sum.wrapping_sub(fingerprint(key, value));
    }

    pub(super) fn to_json(self) -> Vec<u8> {
        // Numbers and short texts: there is nothing that could fail.
        serde_json::to_vec(&self).unwrap_or_default()
    }
}

fn fingerprint(key: &[u8], value: &[u8]) -> u128 {
    let digest =
        Sha256::new().chain_update([key.len() as u8]).chain_update(key).chain_update(value).finalize();
    digest.first_chunk().map_or(0, |bytes: &[u8; 16]| u128::from_be_bytes(*bytes))
}

/// The two files.
#[derive(Debug)]
pub(super) struct Manifest {
    files: [File; 2],
}

impl Manifest {
    /// The files in `folder`, and the newest state that one of them holds.
    pub(super) fn open(folder: &Path) -> io::Result<(Manifest, Option<Head>)> {
        let mut files = FILES.map(|name| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).open(folder.join(name))
        });
        let [first, second] = &mut files;
        let heads = [first, second].map(|file| file.as_mut().ok().and_then(read));
        let newest = heads.into_iter().flatten().max_by_key(|head| head.revision);
        let [first, second] = files;
        File::open(folder)?.sync_all()?;
        Ok((Manifest { files: [first?, second?] }, newest))
    }

    /// Returns once `head` is on the disk.
    pub(super) fn write(&mut self, head: Head, now: UnixTime) -> io::Result<()> {
        let json = head.to_json();
        let mut bytes = Envelope::lasting(now, &padded(json)).seal(KEY);
        bytes.truncate(FILE_BYTES);
        let [even, odd] = &mut self.files;
        let file = if head.revision.is_multiple_of(2) { even } else { odd };
        file.rewind()?;
        file.write_all(&bytes)?;
        file.sync_all()
    }
}

fn read(file: &mut File) -> Option<Head> {
    let mut bytes = Vec::new();
    file.take(FILE_BYTES as u64).read_to_end(&mut bytes).ok()?;
    let envelope = Envelope::open(KEY, &bytes).ok()?;
    serde_json::from_slice(envelope.payload).ok()
}

/// White space after a document is as good as none.
fn padded(mut json: Vec<u8>) -> Vec<u8> {
    json.resize(FILE_BYTES - crate::envelope::HEADER_BYTES, b' ');
    json
}

mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(sum: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{sum:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixTime = UnixTime::from_secs(1_795_521_600); // 2026-11-24T12:00:00Z

    #[test]
    fn the_newest_state_that_is_whole_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let (mut manifest, none) = Manifest::open(folder.path()).unwrap();
        assert_eq!(none, None);
        let mut head = Head::new(Uuid::from_u128(7));
        for revision in 1..=5 {
            head.revision = revision;
            head.add(b"key", &[revision as u8]);
            manifest.write(head, NOON).unwrap();
        }
        assert_eq!(Manifest::open(folder.path()).unwrap().1, Some(head));
        std::fs::write(folder.path().join("manifest.1"), b"torn").unwrap();
        assert_eq!(Manifest::open(folder.path()).unwrap().1.unwrap().revision, 4);
    }

    #[test]
    fn the_sum_forgets_the_order_and_whatever_was_removed() {
        let mut one = Head::new(Uuid::from_u128(7));
        let mut other = one;
        one.add(b"a", b"1");
        one.add(b"b", b"2");
        one.add(b"c", b"3");
        one.remove(b"b", b"2");
        other.add(b"c", b"3");
        other.add(b"a", b"1");
        assert_eq!(one, other);
    }
}
