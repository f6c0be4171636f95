//! How long to wait before a try or an interval.

use std::time::Duration;

use jiff::Timestamp;

/// Parts of an interval in which objects that are due run together.
const SLOTS: u32 = 60;
/// The longest of such parts.
const LONGEST_SLOT: Duration = Duration::from_secs(1);

/// The delay after so many failures in a row: `min` after the first, doubling up to `max`.
///
/// Source: `ItemExponentialFailureRateLimiter` of client-go, which Flux runs with 750 ms to 15 m.
pub(crate) fn delay(failures: u32, min: Duration, max: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(63);
    let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
    let millis = u64::try_from(min.as_millis()).unwrap_or(u64::MAX).saturating_mul(factor);
    Duration::from_millis(millis).min(max)
}

/// An interval that is up to `percent` shorter or longer, evenly by `random` in 0..1.
pub(crate) fn jitter(interval: Duration, percent: u8, random: f64) -> Duration {
    let share = f64::from(percent.min(99)) / 100.0 * (2.0 * random - 1.0);
    Duration::try_from_secs_f64(interval.as_secs_f64() * (1.0 + share)).unwrap_or(interval)
}

/// The beginning of the slot of `interval` in which `due` is. What is due in one slot runs together, so
/// that waking up, asking and writing are shared, and still spreads over the interval.
pub(crate) fn aligned(due: Timestamp, interval: Duration) -> Timestamp {
    let slot = (interval / SLOTS).min(LONGEST_SLOT).as_nanos().cast_signed().max(1);
    let past = due.as_nanosecond().rem_euclid(slot);
    Timestamp::from_nanosecond(due.as_nanosecond() - past).unwrap_or(due)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_millis(750);
    const MAX: Duration = Duration::from_mins(15);

    #[test]
    fn delays_double_up_to_the_limit() {
        let delays: Vec<_> = [1, 2, 3, 11, 12, u32::MAX].map(|n| delay(n, MIN, MAX)).into();
        let millis = [750, 1_500, 3_000, 768_000, 900_000, 900_000];
        assert_eq!(delays, millis.map(Duration::from_millis));
    }

    #[test]
    fn jitter_stays_within_its_percentage() {
        let hour = Duration::from_hours(1);
        assert_eq!(jitter(hour, 0, 0.9), hour);
        assert_eq!(jitter(hour, 10, 0.0), Duration::from_mins(54));
        assert_eq!(jitter(hour, 10, 1.0), Duration::from_mins(66));
    }

    #[test]
    fn objects_of_one_slot_run_together() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let minute = Duration::from_mins(1);
        assert_eq!(aligned(at("2026-01-01T00:00:01.7Z"), minute), at("2026-01-01T00:00:01Z"));
        assert_eq!(aligned(at("2026-01-01T00:00:01Z"), minute), at("2026-01-01T00:00:01Z"));
        let second = aligned(at("2026-01-01T00:00:00.999Z"), Duration::from_secs(1));
        assert!(second > at("2026-01-01T00:00:00.98Z"), "{second}");
        assert_eq!(aligned(at("2026-01-01T00:00:00Z"), Duration::ZERO), at("2026-01-01T00:00:00Z"));
    }
}
