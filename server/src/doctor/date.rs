//! The date of an HTTP answer.

use doorward_verifier::UnixTime;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Takes `Tue, 24 Nov 2026 10:00:00 GMT`, the one form that servers send (RFC 9110 section 5.6.7).
pub(super) fn parse_http_date(text: &str) -> Option<UnixTime> {
    let (_, date) = text.split_once(", ")?;
    let fields: Vec<&str> = date.split([' ', ':']).collect();
    let [day, month, year, hour, minute, second, "GMT"] = fields.as_slice() else { return None };
    let month = MONTHS.iter().position(|name| name == month)? as u64 + 1;
    let number = |text: &str| text.parse::<u64>().ok();
    let days = days_since_1970(number(year)?, month, number(day)?)?;
    Some(UnixTime::from_secs(days * 86_400 + number(hour)? * 3600 + number(minute)? * 60 + number(second)?))
}

/// Howard Hinnant's `days_from_civil`, for dates that are not before 1970.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let (year, month_from_march) =
        if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * month_from_march + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::rfc3339;

    #[test]
    fn dates_are_read_as_servers_write_them() {
        let read = |text| parse_http_date(text).map(rfc3339);
        assert_eq!(read("Tue, 24 Nov 2026 10:00:00 GMT").as_deref(), Some("2026-11-24T10:00:00.000Z"));
        assert_eq!(read("Thu, 29 Feb 2024 23:59:59 GMT").as_deref(), Some("2024-02-29T23:59:59.000Z"));
        assert_eq!(read("Thu, 01 Jan 1970 00:00:00 GMT").as_deref(), Some("1970-01-01T00:00:00.000Z"));
        assert_eq!(read("Tue, 24 Foo 2026 10:00:00 GMT"), None);
        assert_eq!(read("2026-11-24"), None);
    }
}
