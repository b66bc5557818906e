//! `Hints`: what a store tells by itself of changes, where it does.

use std::future::pending;
use std::time::Duration;

use tokio::sync::broadcast::{self, Receiver, error::RecvError};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use super::NoteKind;
use crate::user::UserId;

/// Of hints that come in a crowd, one in this time leads to a read.
const CROWD: Duration = Duration::from_millis(200);

/// Somebody changed something. It says when to read, and nothing of what there is to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// The record of this user.
    User(UserId),
    /// A note of this kind.
    Note(NoteKind),
}

/// Hints as they come. Any may be missing: what rests on them is how soon something is seen, never whether.
#[derive(Debug)]
pub struct Hints(Receiver<Hint>);

impl Hints {
    /// Those of a store that tells nothing.
    pub fn none() -> Hints {
        Hints(broadcast::channel(1).1)
    }

    /// The next one; none when no more can come.
    pub async fn next(&mut self) -> Option<Hint> {
        loop {
            match self.0.recv().await {
                Ok(hint) => return Some(hint),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Waits for one about notes of this kind, which may be among those that came too fast.
    async fn about(&mut self, kind: NoteKind) {
        loop {
            match self.0.recv().await {
                Ok(hint) if hint == Hint::Note(kind) => return,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => pending().await,
            }
        }
    }
}

impl From<Receiver<Hint>> for Hints {
    fn from(hints: Receiver<Hint>) -> Hints {
        Hints(hints)
    }
}

/// When to read the notes of a kind: every so often, and sooner when there is a hint.
pub(crate) struct Rounds {
    ticks: Interval,
    hints: Hints,
    kind: NoteKind,
    hinted: bool,
}

impl Rounds {
    pub(crate) fn new(every: Duration, hints: Hints, kind: NoteKind) -> Rounds {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Rounds { ticks, hints, kind, hinted: false }
    }

    /// Waits for the next one. The first is at once.
    pub(crate) async fn next(&mut self) {
        if self.hinted {
            sleep(CROWD).await;
        }
        self.hinted = tokio::select! {
            _ = self.ticks.tick() => false,
            () = self.hints.about(self.kind) => true,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Stopwatch;

    const EVERY: Duration = Duration::from_secs(2);

    #[tokio::test(start_paused = true)]
    async fn without_a_hint_a_round_comes_in_time_and_with_one_at_once() {
        let (told, hints) = broadcast::channel(16);
        let mut rounds = Rounds::new(EVERY, hints.into(), NoteKind::Denial);
        let took = async |rounds: &mut Rounds| {
            let started = Stopwatch::start();
            rounds.next().await;
            started.elapsed()
        };
        assert_eq!(took(&mut rounds).await, Duration::ZERO);
        told.send(Hint::Note(NoteKind::Receipt)).unwrap();
        assert_eq!(took(&mut rounds).await, EVERY, "a hint about something else is none");
        told.send(Hint::Note(NoteKind::Denial)).unwrap();
        assert_eq!(took(&mut rounds).await, Duration::ZERO);
        for _ in 0..100 {
            told.send(Hint::Note(NoteKind::Denial)).unwrap();
        }
        assert_eq!(took(&mut rounds).await, CROWD, "more hints than there is room for are one");
        drop(told);
        assert!(took(&mut rounds).await <= CROWD, "those that were left");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_tells_nothing_is_read_in_time() {
        let mut rounds = Rounds::new(EVERY, Hints::none(), NoteKind::Withdrawal);
        rounds.next().await;
        let started = Stopwatch::start();
        rounds.next().await;
        assert_eq!(started.elapsed(), EVERY);
    }
}
