//! A note as it is kept in sled, with the number of the commit that wrote it.

use doorward_verifier::UnixTime;
use serde::{Deserialize, Serialize};

use crate::envelope::Envelope;
use crate::store::{Note, NoteKind};

/// What every note's key begins with.
pub(super) const PREFIX: &[u8] = b"note|";

#[derive(Serialize, Deserialize)]
struct Kept {
    key: String,
    version: u64,
    commit: u64,
    value: String,
}

/// Where the note is kept; with an empty name, what the keys of its kind begin with.
pub(super) fn key(kind: NoteKind, name: &str) -> Vec<u8> {
    [PREFIX, kind.as_str().as_bytes(), b"|", name.as_bytes()].concat()
}

/// What is kept of a note that the commit writes.
pub(super) fn seal(note: &Note, commit: u64, now: UnixTime) -> Vec<u8> {
    let kept = Kept { key: note.key.clone(), version: note.version, commit, value: note.value.clone() };
    // Texts and numbers: there is nothing that could fail.
    let payload = serde_json::to_vec(&kept).unwrap_or_default();
    Envelope { stored_at: now, expires_at: note.expires_at, payload: &payload }
        .seal(&key(note.kind, &note.key))
}

/// The note, and the commit that wrote it.
pub(super) fn open(kind: NoteKind, key: &[u8], bytes: &[u8]) -> Option<(u64, Note)> {
    let envelope = Envelope::open(key, bytes).ok()?;
    let Kept { key, version, commit, value } = serde_json::from_slice(envelope.payload).ok()?;
    Some((commit, Note { kind, key, version, value, expires_at: envelope.expires_at }))
}
