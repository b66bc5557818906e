//! `Notes`: small facts of ours beside the users: denials, receipts, a copy of the keys, a lease.

use std::fmt::Debug;

use doorward_verifier::UnixTime;

use super::{Pending, Saved};

/// Notes of every instance, for every instance. A note that is said to be written and is not lets in whom another
/// instance turned away, or lets two instances do what one should.
pub trait Notes: Debug + Send + Sync {
    /// The note, also when it has expired.
    fn note<'a>(&'a self, kind: NoteKind, key: &'a str) -> Pending<'a, Option<Note>>;

    /// Writes `note`, unless there is one of its name with a version over `replaces`: then that one stays.
    fn put_note<'a>(&'a self, note: &'a Note, replaces: u64) -> Pending<'a, Saved>;

    /// The notes of a kind that were written since `since`; all of them where there is no such time. The same note
    /// may come twice.
    fn notes(&self, kind: NoteKind, since: Option<Mark>) -> Pending<'_, (Vec<Note>, Mark)>;

    /// Removes what expired before `now`, and says how much.
    fn drop_expired_notes(&self, now: UnixTime) -> Pending<'_, u64>;

    /// Whether other instances write notes, too.
    fn is_shared(&self) -> bool;
}

/// A small fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it is about: notes are listed by kind.
    pub kind: NoteKind,
    /// Its name among those of its kind.
    pub key: String,
    /// Which of two is newer.
    pub version: u64,
    /// What it says, as JSON.
    pub value: String,
    /// From when on it is of no use.
    pub expires_at: UnixTime,
}

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoteKind {
    /// Somebody is turned away before their token ends.
    Denial,
    /// A webhook was dealt with.
    Receipt,
    /// A copy of the issuer's keys.
    Keys,
    /// One instance does something for all of them.
    Lease,
    /// The person on call took a key out of use.
    Withdrawal,
}

impl NoteKind {
    pub(super) const ALL: [NoteKind; 5] =
        [NoteKind::Denial, NoteKind::Receipt, NoteKind::Keys, NoteKind::Lease, NoteKind::Withdrawal];

    /// Its name in the store.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            NoteKind::Denial => "denial",
            NoteKind::Receipt => "receipt",
            NoteKind::Keys => "keys",
            NoteKind::Lease => "lease",
            NoteKind::Withdrawal => "withdrawal",
        }
    }
}

/// A time of the store's own counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(pub(super) u64);
