//! How long to wait before a try or an interval.

use std::time::Duration;

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
}
