//! Go's durations: nanoseconds in 64 bits.

use super::layout::quote;

pub(super) const SECOND: i64 = 1_000_000_000;

/// `Duration.String`, for example `1h2m3.5s`.
pub(super) fn text(duration: i64) -> String {
    let sign = if duration < 0 { "-" } else { "" };
    let total = duration.unsigned_abs();
    let second = SECOND.unsigned_abs();
    if total == 0 {
        return "0s".to_owned();
    }
    if total < second {
        let (unit, digits, name) = match total {
            0..1_000 => (1, 0, "ns"),
            1_000..1_000_000 => (1_000, 3, "µs"),
            _ => (1_000_000, 6, "ms"),
        };
        return format!("{sign}{}{name}", with_fraction(total / unit, total % unit, digits));
    }
    let seconds = total / second;
    let rest = with_fraction(seconds % 60, total % second, 9);
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{sign}{rest}s"),
        (0, minutes) => format!("{sign}{minutes}m{rest}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{rest}s"),
    }
}

fn with_fraction(whole: u64, fraction: u64, digits: usize) -> String {
    if fraction == 0 {
        return whole.to_string();
    }
    format!("{whole}.{}", format!("{fraction:0digits$}").trim_end_matches('0'))
}

/// Sprig's rounding to the largest unit: `2d`, `3mo`.
pub(super) fn rounded(duration: i64) -> String {
    const HOUR: u64 = 3_600_000_000_000;
    let total = duration.unsigned_abs();
    let units = [
        (HOUR * 24 * 365, "y"),
        (HOUR * 24 * 30, "mo"),
        (HOUR * 24, "d"),
        (HOUR, "h"),
        (HOUR / 60, "m"),
        (HOUR / 3600, "s"),
    ];
    let unit = units.into_iter().find(|(unit, _)| total > *unit);
    unit.map_or_else(|| "0s".to_owned(), |(unit, name)| format!("{}{name}", total / unit))
}

/// `Duration.Round`: to the nearest multiple, halves away from zero.
pub(super) fn round(duration: i64, multiple: i64) -> i64 {
    let rest = duration % multiple;
    let down = duration - rest;
    if rest.abs() + rest.abs() < multiple {
        return down;
    }
    down.saturating_add(multiple * duration.signum())
}

/// `time.ParseDuration`.
pub(super) fn parse_duration(text: &str) -> Result<i64, String> {
    let bad = |what: &str| format!("time: {what} {}", quote(text));
    let invalid = || bad("invalid duration");
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let limit = 1_u64 << 63;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = leading_digits(rest);
        let whole = if digits == 0 { Ok(0) } else { rest[..digits].parse::<u64>() };
        let whole = whole.ok().filter(|whole| *whole <= limit).ok_or_else(invalid)?;
        rest = &rest[digits..];
        let mut fraction = "";
        if let Some(after) = rest.strip_prefix('.') {
            fraction = &after[..leading_digits(after)];
            rest = &after[fraction.len()..];
        }
        if digits == 0 && fraction.is_empty() {
            return Err(invalid());
        }
        let end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        rest = after;
        if name.is_empty() {
            return Err(bad("missing unit in duration"));
        }
        let unit =
            unit(name).ok_or_else(|| bad(&format!("unknown unit {} in duration", quote(name))))?;
        let part =
            whole.checked_mul(unit).and_then(|part| part.checked_add(scaled(fraction, unit)));
        let sum = part.and_then(|part| total.checked_add(part)).filter(|sum| *sum <= limit);
        total = sum.ok_or_else(invalid)?;
    }
    if negative {
        return Ok(0_i64.wrapping_sub_unsigned(total));
    }
    i64::try_from(total).map_err(|_| invalid())
}

fn leading_digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// A fraction of a unit in nanoseconds, computed in floats as Go does.
fn scaled(fraction: &str, unit: u64) -> u64 {
    let (mut number, mut scale) = (0_u64, 1.0);
    for digit in fraction.bytes() {
        let next = number.checked_mul(10).and_then(|n| n.checked_add(u64::from(digit - b'0')));
        let Some(next) = next.filter(|next| *next <= 1 << 63) else { break };
        number = next;
        scale *= 10.0;
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "Go computes it so; the result is at most an hour"
    )]
    let nanoseconds = (number as f64 * (unit as f64 / scale)) as u64;
    nanoseconds
}

fn unit(name: &str) -> Option<u64> {
    Some(match name {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        assert_eq!(text(3_723_500_000_000), "1h2m3.5s");
        assert_eq!(text(-1_500), "-1.5µs");
        assert_eq!(rounded(2_400_000_000_000_000), "27d");
        assert_eq!(round(-1_500_000_000, SECOND), -2_000_000_000);
    }

    #[test]
    fn parsing() {
        assert_eq!(parse_duration("1.5h"), Ok(5_400_000_000_000));
        assert_eq!(parse_duration("-2m3.5s"), Ok(-123_500_000_000));
        assert_eq!(parse_duration("1").unwrap_err(), "time: missing unit in duration \"1\"");
        assert_eq!(
            parse_duration("1x").unwrap_err(),
            "time: unknown unit \"x\" in duration \"1x\""
        );
    }
}
