//! Times as people and files write them: UTC, to the second.

use alloc::format;
use alloc::string::String;

const DAY: u64 = 86_400;
/// The first second of the year 10000.
const END: u64 = 253_402_300_800;

/// Seconds since 1970 as `2027-01-31T12:00:00Z`; a number beyond the year 9999 is shown as such.
pub fn render_time(seconds: u64) -> String {
    if seconds >= END {
        return format!("{seconds}");
    }
    let (year, month, day) = date_of(seconds / DAY);
    let (hour, minute, second) = (seconds % DAY / 3600, seconds % 3600 / 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Seconds since 1970 of `2027-01-31T12:00:00Z`, and of nothing written otherwise.
pub fn parse_time(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    if bytes.len() != 20 {
        return None;
    }
    let number = |from: usize, len: usize| -> Option<u64> {
        let digits = text.get(from..from + len)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let days = days_of(number(0, 4)?, number(5, 2)?, number(8, 2)?)?;
    let seconds = days * DAY + number(11, 2)? * 3600 + number(14, 2)? * 60 + number(17, 2)?;
    // Writing it again finds wrong marks, wrong days and an hour 24 alike.
    (render_time(seconds) == text).then_some(seconds)
}

/// Year, month and day of a count of days since 1970, after Howard Hinnant's `civil_from_days`.
fn date_of(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year + u64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// The reverse of [`date_of`]; nothing before 1970.
fn days_of(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1970 {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    let of_era = year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + of_year;
    (year / 400 * 146_097 + of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_written_and_read() {
        let known = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (1_801_396_800, "2027-01-31T12:00:00Z"),
            (END - 1, "9999-12-31T23:59:59Z"),
        ];
        for (seconds, text) in known {
            assert_eq!(render_time(seconds), text);
            assert_eq!(parse_time(text), Some(seconds), "{text}");
        }
        assert_eq!(render_time(END), "253402300800");
    }

    #[test]
    fn every_day_comes_back() {
        for days in (0..2_932_896).step_by(13) {
            let seconds = days * DAY + days % DAY;
            assert_eq!(parse_time(&render_time(seconds)), Some(seconds), "day {days}");
        }
    }

    #[test]
    fn other_texts_are_no_times() {
        let wrong = [
            "",
            "2027-01-31",
            "2027-01-31T12:00:00",
            "2027-01-31t12:00:00Z",
            "2027-01-31 12:00:00Z",
            "2027-02-29T00:00:00Z",
            "2027-04-31T00:00:00Z",
            "2027-00-01T00:00:00Z",
            "2027-13-01T00:00:00Z",
            "2027-01-00T00:00:00Z",
            // The first day of the reckoning: nothing is before it.
            "2027-03-00T00:00:00Z",
            "2027-01-32T00:00:00Z",
            "2027-01-31T24:00:00Z",
            "2027-01-31T12:60:00Z",
            "2027-01-31T12:00:60Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:0Z0",
            "+027-01-31T12:00:00Z",
            "2027-01-31T12:00:00é",
        ];
        for text in wrong {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }
}
