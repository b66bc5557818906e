//! `UnixTime`: a point in time, as an argument. The engine never asks for it.

use core::fmt;
use core::time::Duration;

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted (RFC 7519 section 2, `NumericDate`, to the
/// millisecond). At most 8.64e15, the last time that JavaScript's `Date` can hold; whatever is later is that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixTime(u64);

/// The greatest number of seconds that is a time: 8.64e12, the end of JavaScript's `Date`.
pub const MAX_UNIX_SECS: u64 = 8_640_000_000_000;

impl UnixTime {
    /// From whole seconds.
    pub const fn from_secs(secs: u64) -> UnixTime {
        UnixTime::from_millis(secs.saturating_mul(1000))
    }

    /// From milliseconds.
    pub const fn from_millis(millis: u64) -> UnixTime {
        if millis > MAX_UNIX_SECS * 1000 { UnixTime(MAX_UNIX_SECS * 1000) } else { UnixTime(millis) }
    }

    /// Whole seconds, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// Milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub const fn since(self, earlier: UnixTime) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This much later, no later than the last time that there is.
    pub fn plus(self, span: Duration) -> UnixTime {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        UnixTime::from_millis(self.0.saturating_add(millis))
    }

    /// This much earlier, no earlier than 1970.
    pub fn minus(self, span: Duration) -> UnixTime {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        UnixTime(self.0.saturating_sub(millis))
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_later_than_the_last_time_is_that() {
        let last = UnixTime::from_millis(8_640_000_000_000_000);
        assert_eq!(last.as_millis(), 8_640_000_000_000_000);
        assert_eq!(UnixTime::from_millis(8_639_999_999_999_999).as_millis(), 8_639_999_999_999_999);
        for later in [8_640_000_000_000_001, u64::MAX] {
            assert_eq!(UnixTime::from_millis(later), last);
        }
        assert_eq!(UnixTime::from_secs(u64::MAX), last);
    }

    #[test]
    fn a_time_is_shown_in_whole_seconds() {
        assert_eq!(UnixTime::from_millis(1_795_500_000_999).to_string(), "1795500000");
    }
}
