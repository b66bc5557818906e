//! `Identities`: who Clerk says that a user is, asked within its rate limit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use doorward_verifier::UnixTime;
use tracing::warn;

use crate::clerk::{ClerkApi, ClerkError};
use crate::clock::Clock;
use crate::user::{Identity, UserId};

/// After a failure Clerk is left alone for this long, then for twice as long, and so on.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// At most this long, also where `Retry-After` says more: a wrong header must not end enrichment for good.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How often Clerk may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskingRate {
    /// At once, after a quiet time.
    pub burst: u32,
    /// In the long run.
    pub per_second: u32,
}

/// Half of what Clerk allows a development instance (100 in 10 seconds): others ask too.
pub const DEVELOPMENT_RATE: AskingRate = AskingRate { burst: 50, per_second: 5 };
/// Half of what Clerk allows a production instance (1000 in 10 seconds).
pub const PRODUCTION_RATE: AskingRate = AskingRate { burst: 500, per_second: 50 };
/// For a local issuer, which has no limit.
pub const LOCAL_RATE: AskingRate = AskingRate { burst: 1_000_000, per_second: 1_000_000 };

/// Clerk's answer, or that it was not asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Who it is.
    Known(Identity),
    /// Clerk does not know them. It also says so of the users of another instance, so it deletes nobody.
    Unknown,
    /// It gave no answer, or may not be asked before this time is over.
    NotBefore(Duration),
}

/// Asks Clerk who users are.
#[derive(Debug)]
pub(crate) struct Identities {
    api: ClerkApi,
    clock: Arc<dyn Clock>,
    budget: Mutex<Budget>,
}

impl Identities {
    pub(crate) fn new(api: ClerkApi, rate: AskingRate, clock: Arc<dyn Clock>) -> Identities {
        let budget = Mutex::new(Budget::full(rate, clock.now()));
        Identities { api, clock, budget }
    }

    /// Asks once, if the budget allows it.
    pub(crate) async fn ask(&self, id: &UserId) -> Answer {
        if let Err(wait) = self.budget().take(self.clock.now()) {
            return Answer::NotBefore(wait);
        }
        let answer = self.api.user(id).await;
        let now = self.clock.now();
        match answer {
            Ok(identity) => {
                self.budget().succeeded();
                identity.map_or(Answer::Unknown, Answer::Known)
            }
            Err(error) => Answer::NotBefore(self.failed(&error, now)),
        }
    }

    /// A whole outage is one line in the log, not one for each user.
    fn failed(&self, error: &ClerkError, now: UnixTime) -> Duration {
        let mut budget = self.budget();
        let first = budget.failures == 0;
        let pause = budget.failed(error.retry_after(), now);
        if first {
            warn!(%error, "Clerk does not say who users are; asking again in the background");
        }
        pause
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token bucket that can be closed for a while.
#[derive(Debug)]
pub(crate) struct Budget {
    rate: AskingRate,
    /// In thousandths of a question, so that a millisecond of waiting counts.
    left: u64,
    filled_at: UnixTime,
    closed_until: UnixTime,
    failures: u32,
}

impl Budget {
    pub(crate) fn full(rate: AskingRate, now: UnixTime) -> Budget {
        let left = u64::from(rate.burst) * 1000;
        Budget { rate, left, filled_at: now, closed_until: UnixTime::default(), failures: 0 }
    }

    /// One question, or how long until there is one.
    pub(crate) fn take(&mut self, now: UnixTime) -> Result<(), Duration> {
        let closed_for = self.closed_until.since(now);
        // A longer time than was ever set means that the clock went back.
        if !closed_for.is_zero() && closed_for <= LONGEST_PAUSE {
            return Err(closed_for);
        }
        let millis = u64::try_from(now.since(self.filled_at).as_millis()).unwrap_or(u64::MAX);
        let gained = millis.saturating_mul(self.rate.per_second.into());
        self.left = self.left.saturating_add(gained).min(u64::from(self.rate.burst) * 1000);
        self.filled_at = now;
        match self.left.checked_sub(1000) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                Err(Duration::from_millis((1000 - self.left).div_ceil(self.rate.per_second.max(1).into())))
            }
        }
    }

    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    pub(crate) fn failed(&mut self, retry_after: Option<Duration>, now: UnixTime) -> Duration {
        let doubled = FIRST_PAUSE * (1 << self.failures.min(6));
        let pause = retry_after.unwrap_or(doubled).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.closed_until = self.closed_until.max(now.plus(pause));
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixTime = UnixTime::from_secs(1_795_521_600); // 2026-11-24T12:00:00Z
    const RATE: AskingRate = AskingRate { burst: 3, per_second: 2 };

    #[test]
    fn a_budget_allows_its_burst_and_then_its_rate() {
        let mut budget = Budget::full(RATE, NOON);
        assert_eq!([budget.take(NOON), budget.take(NOON), budget.take(NOON)], [Ok(()), Ok(()), Ok(())]);
        assert_eq!(budget.take(NOON), Err(Duration::from_millis(500)));
        let later = NOON.plus(Duration::from_millis(500));
        assert_eq!([budget.take(later), budget.take(later)], [Ok(()), Err(Duration::from_millis(500))]);
    }

    #[test]
    fn failures_close_it_for_longer_and_longer_and_a_retry_after_is_kept_to() {
        let mut budget = Budget::full(RATE, NOON);
        assert_eq!(budget.failed(None, NOON), Duration::from_secs(1));
        assert_eq!(budget.failed(None, NOON), Duration::from_secs(2));
        assert_eq!(budget.take(NOON), Err(Duration::from_secs(2)));
        assert_eq!(budget.failed(Some(Duration::from_secs(30)), NOON), Duration::from_secs(30));
        assert_eq!(budget.failed(Some(Duration::from_secs(86_400)), NOON), LONGEST_PAUSE);
        budget.succeeded();
        assert_eq!(budget.failed(None, NOON), Duration::from_secs(1));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away_and_takes_nothing() {
        let mut budget = Budget::full(RATE, NOON);
        for _ in 0..3 {
            assert_eq!(budget.take(NOON), Ok(()));
        }
        assert!(budget.take(NOON.minus(Duration::from_secs(60))).is_err());
    }
}
