//! Go's durations: how every interval and timeout is written, and printed in messages.

use std::{fmt, time::Duration};

/// Units by name, in nanoseconds; the two micro signs are different characters.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Why a text is no duration; reads as Go's own error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    text: String,
    problem: &'static str,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "time: {} duration {:?}", self.problem, self.text)
    }
}

impl std::error::Error for ParseError {}

/// Reads a duration as Go's `time.ParseDuration` does, such as `1h30m` or `1.5s`.
///
/// # Errors
/// When the text has another form, is negative, or is longer than Go can hold (292 years).
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(api::duration::parse("1h0.5m"), Ok(Duration::from_secs(3630)));
/// assert!(api::duration::parse("soon").is_err());
/// ```
pub fn parse(text: &str) -> Result<Duration, ParseError> {
    let error = |problem| ParseError { text: text.to_owned(), problem };
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (nanos, after) = term(rest).ok_or_else(|| error("invalid"))?;
        total = total.saturating_add(nanos);
        rest = after;
    }
    if text.is_empty() || total > i64::MAX as u128 {
        return Err(error("invalid"));
    }
    u64::try_from(total).map(Duration::from_nanos).map_err(|_| error("invalid"))
}

/// One number with its unit, in nanoseconds, and what follows it.
fn term(text: &str) -> Option<(u128, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, rest) = text.split_at(digits);
    let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // More than 18 digits say nothing that a nanosecond could show.
    let fraction = &fraction[..fraction.len().min(18)];
    let parts: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    Some((whole.checked_mul(*unit)?.checked_add(parts * unit / scale)?, rest))
}

/// Prints a duration as Go's `Duration.String` does: `1h0m0s`, `1m30s`, `1.5s`, `750ms`, `0s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Go(pub Duration);

impl fmt::Display for Go {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        match nanos {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{nanos}ns"),
            1_000..1_000_000 => write!(f, "{}\u{b5}s", decimal(nanos, 1_000)),
            1_000_000..1_000_000_000 => write!(f, "{}ms", decimal(nanos, 1_000_000)),
            _ => {
                let seconds = self.0.as_secs();
                let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
                if hours > 0 {
                    write!(f, "{hours}h")?;
                }
                if seconds >= 60 {
                    write!(f, "{minutes}m")?;
                }
                write!(f, "{}s", decimal(nanos % 60_000_000_000, 1_000_000_000))
            }
        }
    }
}

/// `nanos / unit` with as many decimals as it takes.
fn decimal(nanos: u128, unit: u128) -> String {
    let width = unit.to_string().len() - 1;
    let fraction = format!("{:0width$}", nanos % unit);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{}{point}{fraction}", nanos / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_go_parses() {
        for (text, nanos) in [
            ("0", 0),
            ("0s", 0),
            ("5s", 5_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("1h15m30.918s", 4_530_918_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("3us", 3_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "3", "s", ".s", "1x", "-1s", "1.2.3s", "99999999999999999999h", "5 s"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn prints_like_go() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1\u{b5}s"),
            (750_000_000, "750ms"),
            (1_500_000_000, "1.5s"),
            (30_000_000_000, "30s"),
            (60_000_000_000, "1m0s"),
            (3_600_000_000_000, "1h0m0s"),
            (4_530_918_000_000, "1h15m30.918s"),
        ] {
            assert_eq!(Go(Duration::from_nanos(nanos)).to_string(), text);
        }
    }
}
