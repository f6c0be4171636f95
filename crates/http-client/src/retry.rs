//! Trying again, and being told when.

use std::time::Duration;

use http::{HeaderMap, header};
use jiff::Timestamp;

use crate::{Error, Failure, Response};

/// A server that asks for more patience than this gets no more than this.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// How often and when a request is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The most attempts, the first included.
    pub attempts: u32,
    /// The pause after the first attempt.
    pub first_pause: Duration,
    /// By how much each pause is longer than the one before.
    pub factor: u32,
}

impl Default for Retry {
    /// What go-containerregistry does: three attempts, after one and three seconds.
    fn default() -> Self {
        Self { attempts: 3, first_pause: Duration::from_secs(1), factor: 3 }
    }
}

impl Retry {
    /// One attempt.
    pub const NEVER: Self = Self { attempts: 1, first_pause: Duration::ZERO, factor: 1 };

    /// True for answers worth another attempt: the statuses 408, 499, 500, 502, 503, 504 and 522,
    /// and broken connections. A server that asks to wait (429, or `Retry-After`) is obeyed by
    /// the caller instead.
    pub fn again(&self, answer: &Result<Response, Error>) -> bool {
        match answer {
            Ok(response) => {
                matches!(response.status.as_u16(), 408 | 499 | 500 | 502 | 503 | 504 | 522)
                    && !response.headers.contains_key(header::RETRY_AFTER)
            }
            Err(Error::Network { failure, .. }) => *failure == Failure::Broken,
            Err(_) => false,
        }
    }
}

/// How long a server asks to wait: `Retry-After` as seconds or as date, at most a day.
///
/// A date is compared with the server's own clock (`Date`) if it tells it, else with `now`.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|it| it.to_str().ok()).map(str::trim);
    let value = text(header::RETRY_AFTER)?;
    let wait = if let Ok(seconds) = value.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let date = |it: &str| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(it).ok();
        let until = date(value)?;
        let now = text(header::DATE).and_then(date).unwrap_or(now);
        Duration::try_from(until.duration_since(now)).unwrap_or_default()
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(pairs: &[(header::HeaderName, &str)]) -> Option<u64> {
        let headers =
            pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        let now = "2026-11-21T10:00:00Z".parse().unwrap();
        retry_after(&headers, now).map(|it| it.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        let after = header::RETRY_AFTER;
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[(after.clone(), "7")]), Some(7));
        assert_eq!(wait(&[(after.clone(), "99999999")]), Some(86_400));
        assert_eq!(wait(&[(after.clone(), "soon")]), None);
        let date = "Sat, 21 Nov 2026 10:01:30 GMT";
        assert_eq!(wait(&[(after.clone(), date)]), Some(90));
        let past = "Sat, 21 Nov 2026 09:00:00 GMT";
        assert_eq!(wait(&[(after.clone(), past)]), Some(0));
        let servers_clock = (header::DATE, "Sat, 21 Nov 2026 10:01:00 GMT");
        assert_eq!(wait(&[(after, date), servers_clock]), Some(30));
    }
}
