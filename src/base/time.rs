//! The only place that reads a clock, and RFC 3339 for people and the API.

use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// Milliseconds since 1970 by the wall clock, which a person or NTP may set back: for display and
/// order of records, never for deadlines.
pub fn unix_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_millis() as i64,
        Err(before) => -(before.duration().as_millis() as i64),
    }
}

/// The monotonic clock: for deadlines and ages, never for display.
pub fn now() -> Instant {
    Instant::now()
}

/// What is left until `deadline`, zero when it has passed.
pub fn until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(now())
}

/// The machine's current start: a clock that nobody can set, good as long as it runs.
pub struct Boot {
    /// The kernel's name for it.
    pub id: String,
    uptime_ms: i64,
    read: Instant,
}

impl Boot {
    /// Milliseconds since the machine was started.
    pub fn ms(&self) -> i64 {
        self.uptime_ms + self.read.elapsed().as_millis() as i64
    }
}

/// The machine's current start; `None` where /proc does not tell.
pub fn boot() -> Option<&'static Boot> {
    static BOOT: OnceLock<Option<Boot>> = OnceLock::new();
    let read = || {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
        let seconds: f64 = uptime.split(' ').next()?.parse().ok()?;
        let uptime_ms = (seconds * 1000.0) as i64;
        Some(Boot { id: id.trim().to_string(), uptime_ms, read: Instant::now() })
    };
    BOOT.get_or_init(read).as_ref()
}

/// `2026-11-24T06:50:47.123Z` (RFC 3339, UTC), the API's form of a time.
pub fn rfc3339(unix_ms: i64) -> String {
    let days = unix_ms.div_euclid(86_400_000);
    let ms = unix_ms.rem_euclid(86_400_000);
    let (year, month, day) = civil(days);
    let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{:03}Z", ms % 1000)
}

/// Year, month and day of a day number since 1970 (the civil_from_days algorithm, proleptic
/// Gregorian calendar).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let part = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * part + 2) / 5 + 1;
    let month = if part < 10 { part + 3 } else { part - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// `90`, `45s`, `30m`, `12h`, `7d` as a duration; a bare number is seconds.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let seconds = digits.parse::<u64>().ok()?.checked_mul(factor)?;
    // A century is more than anybody waits, and keeps sums of times far from overflow.
    (seconds <= 100 * 366 * 86_400).then(|| Duration::from_secs(seconds))
}

/// The time behind `2026-11-24`, `2026-11-24T06:50:47Z` and the like (RFC 3339), in Unix
/// milliseconds.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let number = |from: usize, digits: usize| -> Option<i64> {
        let part = text.get(from..from + digits)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let days = days(year, month, day);
    if text.as_bytes()[4] != b'-' || text.as_bytes()[7] != b'-' || civil(days) != (year, month, day)
    {
        return None;
    }
    let Some(clock) = text.get(10..).filter(|rest| !rest.is_empty()) else {
        return Some(days * 86_400_000);
    };
    let (h, m, s) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let marks = matches!(clock.as_bytes()[0], b'T' | b't' | b' ')
        && text.get(13..14) == Some(":")
        && text.get(16..17) == Some(":");
    let zone = text[19..].find(|c: char| !c.is_ascii_digit() && c != '.')? + 19;
    let part = &text[19..zone];
    let ms = match part.strip_prefix('.') {
        None if part.is_empty() => 0,
        Some(digits) if !digits.is_empty() => {
            (format!("0.{digits}").parse::<f64>().ok()? * 1e3) as i64
        }
        _ => return None,
    };
    let offset = match &text[zone..] {
        "Z" | "z" => 0,
        other if other.len() == 6 && &other[3..4] == ":" => {
            let minutes = number(zone + 1, 2)? * 60 + number(zone + 4, 2)?;
            if other.starts_with('-') { -minutes } else { minutes }
        }
        _ => return None,
    };
    let fits = marks && h < 24 && m < 60 && s <= 60;
    fits.then(|| ((days * 24 + h) * 60 + m - offset) * 60_000 + s * 1000 + ms)
}

/// The inverse of [`civil`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_leap_days_and_before_1970() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_709_210_096_789), "2024-02-29T12:34:56.789Z");
        assert_eq!(rfc3339(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn times_are_read_back_in_any_zone_and_nonsense_is_not() {
        for ms in [0, 1_709_210_096_789, 4_107_542_400_000, -86_400_001] {
            assert_eq!(parse_rfc3339(&rfc3339(ms)), Some(ms));
        }
        for (text, same) in [
            ("2024-02-29", "2024-02-29T00:00:00Z"),
            ("2024-02-29 12:34:56Z", "2024-02-29T12:34:56.000Z"),
            ("2024-02-29T12:34:56+02:00", "2024-02-29T10:34:56Z"),
            ("2024-02-29T12:34:56-00:30", "2024-02-29T13:04:56Z"),
        ] {
            assert!(parse_rfc3339(text).is_some() && parse_rfc3339(text) == parse_rfc3339(same));
        }
        for bad in [
            "",
            "2024",
            "2023-02-29",
            "2024-13-01",
            "2024-02-29T",
            "2024-02-29T12:34:56",
            "2024-02-29T25:00:00Z",
            "2024-02-29T12:34:56.Z",
            "2024-02-29T12:34:56+0200",
            "2024-02-29Tüü:34:56Z",
            "aaaa-bb-cc",
            "2024/02/29",
            "2024-02-29T12:34:56Zx",
        ] {
            assert_eq!(parse_rfc3339(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations_take_a_unit_and_never_overflow() {
        assert_eq!(parse_duration("90"), Some(Duration::from_secs(90)));
        assert_eq!(parse_duration("7d"), Some(Duration::from_secs(7 * 86_400)));
        for bad in ["", "m", "-1s", "1w", "99999999999999999999", "18446744073709551615d"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
