//! Ages as kubectl prints them: `107s`, `4m33s`, `3h38m`, `2d4h`.

use jiff::Timestamp;
use squall_proto::meta::v1::Time;

/// Formats the age of an object created at `created`; `<unknown>` if that is not set.
#[must_use]
pub fn since(created: &Time, now: Timestamp) -> String {
    if created.is_zero() { "<unknown>".to_owned() } else { human(now.as_second().saturating_sub(created.seconds)) }
}

/// Formats a duration like Kubernetes' `HumanDuration`: truncates, never rounds.
#[must_use]
pub fn human(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let two = |big: i64, big_name: char, small: i64, small_name: char| match small {
        0 => format!("{big}{big_name}"),
        small => format!("{big}{big_name}{small}{small_name}"),
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two(seconds / MINUTE, 'm', seconds % MINUTE, 's'),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two(seconds / HOUR, 'h', seconds % HOUR / MINUTE, 'm'),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two(seconds / DAY, 'd', seconds % DAY / HOUR, 'h'),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => two(seconds / YEAR, 'y', seconds % YEAR / DAY, 'd'),
        _ => format!("{}y", seconds / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn ages_read_as_in_kubectl() {
        for (seconds, text) in [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (107, "107s"),
            (273, "4m33s"),
            (300, "5m"),
            (780, "13m"),
            (9_000, "150m"),
            (13_080, "3h38m"),
            (14_400, "4h"),
            (169_200, "47h"),
            (187_200, "2d4h"),
            (172_800, "2d"),
            (8_640_000, "100d"),
            (66_096_000, "2y35d"),
            (283_824_000, "9y"),
        ] {
            assert_eq!(human(seconds), text);
        }
    }
}
