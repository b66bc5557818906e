//! `Clock`: the only teller of time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use doorward_verifier::UnixTime;
use tokio::time::Instant;

/// Tells the time to whatever must judge by it. A clock that is off by more than the clock skew turns good tokens
/// away, or lets expired ones in.
pub trait Clock: std::fmt::Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> UnixTime;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the time is told")]
    fn now(&self) -> UnixTime {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixTime::default().plus(since_1970)
    }
}

/// How long something takes. It knows no time of day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Counts from now on.
    #[expect(clippy::disallowed_methods, reason = "this is where the time is told")]
    pub(crate) fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// How long ago it was started.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// A clock that stands where it was set.
#[derive(Debug, Default)]
pub struct FixedClock(AtomicU64);

impl FixedClock {
    /// Stands at `now`.
    pub fn at(now: UnixTime) -> FixedClock {
        FixedClock(AtomicU64::new(now.as_millis()))
    }

    /// Sets it to `now`.
    pub fn set(&self, now: UnixTime) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }

    /// Sets it forward.
    pub fn advance(&self, span: Duration) {
        self.set(self.now().plus(span));
    }
}

impl Clock for FixedClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// As RFC 3339 writes it, in UTC and to the millisecond: `2026-11-24T10:00:00.000Z`.
pub fn rfc3339(time: UnixTime) -> String {
    Rfc3339::of(time).as_str().to_owned()
}

/// A time as RFC 3339 writes it, off the heap: each line of the log has one.
pub(crate) struct Rfc3339 {
    text: [u8; 26],
    from: usize,
}

impl Rfc3339 {
    pub(crate) fn of(time: UnixTime) -> Rfc3339 {
        let (days, second) = (time.as_secs() / 86_400, time.as_secs() % 86_400);
        let (year, month, day) = civil_date(days);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        let (second, milli) = (second % 60, time.as_millis() % 1000);
        // `format!` takes many times as long.
        let mut text = *b"000000-00-00T00:00:00.000Z";
        for (number, digits) in [
            (year, 0..6),
            (month, 7..9),
            (day, 10..12),
            (hour, 13..15),
            (minute, 16..18),
            (second, 19..21),
            (milli, 22..25),
        ] {
            let mut rest = number;
            for digit in text[digits].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        let year_digits = if year < 10_000 { 4 } else { 6 };
        Rfc3339 { text, from: 6 - year_digits }
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.text[self.from..]).unwrap_or_default()
    }
}

/// Days since 1970 as year, month and day: Howard Hinnant's `civil_from_days`, for days that are not negative.
fn civil_date(days_since_1970: u64) -> (u64, u64, u64) {
    const DAYS_IN_ERA: u64 = 146_097;
    let days = days_since_1970 + 719_468;
    let (era, day_of_era) = (days / DAYS_IN_ERA, days % DAYS_IN_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339() {
        let written = |millis| rfc3339(UnixTime::from_millis(millis));
        assert_eq!(written(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(written(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(written(1_795_514_400_123), "2026-11-24T10:00:00.123Z");
        assert_eq!(written(4_107_542_399_000), "2100-02-28T23:59:59.000Z");
        assert_eq!(written(253_402_300_799_999), "9999-12-31T23:59:59.999Z");
        assert_eq!(written(8_640_000_000_000_000), "275760-09-13T00:00:00.000Z");
    }
}
