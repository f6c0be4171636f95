//! Which plain scalars go-yaml takes for a timestamp.

/// Whether `text` is a date, or a date and a time, in one of the layouts go-yaml knows:
/// `2006-1-2`, the same with a time of day behind spaces, or behind `T` or `t` and with a zone.
/// The leniency (one digit where two are usual, a comma before the fraction) is that of Go's
/// `time.Parse`.
pub(crate) fn is_timestamp(text: &str) -> bool {
    let Some((year, rest)) = number(text.as_bytes(), 4, 4) else { return false };
    let Some((month, rest)) = literal(rest, b'-').and_then(|rest| number(rest, 1, 2)) else {
        return false;
    };
    let Some((day, rest)) = literal(rest, b'-').and_then(|rest| number(rest, 1, 2)) else {
        return false;
    };
    if !(1..=12).contains(&month) || day < 1 || day > days_in(month, year) {
        return false;
    }
    match rest.first() {
        None => true,
        Some(b'T' | b't') => time_of_day(&rest[1..]).is_some_and(is_zone),
        Some(b' ') => {
            let spaces = rest.iter().take_while(|&&byte| byte == b' ').count();
            time_of_day(&rest[spaces..]).is_some_and(<[u8]>::is_empty)
        }
        Some(_) => false,
    }
}

/// A timestamp as Go's `time.Time` becomes JSON; nothing for what [`is_timestamp`] refuses.
///
/// A date alone and a time without a zone are UTC; fractions lose their trailing zeros.
pub(crate) fn rfc3339(text: &str) -> Option<String> {
    if !is_timestamp(text) {
        return None;
    }
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], text[at + 1..].trim_start()),
        None => (text, ""),
    };
    let mut date = date.split('-');
    let (year, month, day) = (date.next()?, date.next()?, date.next()?);
    let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone_at);
    let (clock, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, ""));
    let mut clock = clock.split(':').chain(["", ""]);
    let mut part = || clock.next().unwrap_or_default();
    let (hour, minute, second) = (part(), part(), part());
    let nanos = fraction.get(..9).unwrap_or(fraction).trim_end_matches('0');
    let point = if nanos.is_empty() { "" } else { "." };
    let zone = if matches!(zone, "" | "+00:00" | "-00:00") { "Z" } else { zone };
    Some(format!(
        "{year}-{month:0>2}-{day:0>2}T{hour:0>2}:{minute:0>2}:{second:0>2}{point}{nanos}{zone}"
    ))
}

fn days_in(month: u32, year: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `15:4:5` with an optional fraction; returns what follows.
fn time_of_day(text: &[u8]) -> Option<&[u8]> {
    let (hour, rest) = number(text, 1, 2)?;
    let (minute, rest) = number(literal(rest, b':')?, 1, 2)?;
    let (second, rest) = number(literal(rest, b':')?, 1, 2)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    match rest {
        [b'.' | b',', digit, ..] if digit.is_ascii_digit() => {
            let digits = rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            Some(&rest[1 + digits..])
        }
        _ => Some(rest),
    }
}

fn is_zone(text: &[u8]) -> bool {
    match text {
        [b'Z'] => true,
        [b'+' | b'-', rest @ ..] => zone_offset(rest).is_some(),
        _ => false,
    }
}

fn zone_offset(text: &[u8]) -> Option<()> {
    let (hour, rest) = number(text, 2, 2)?;
    let (minute, rest) = number(literal(rest, b':')?, 2, 2)?;
    (hour <= 24 && minute <= 60 && rest.is_empty()).then_some(())
}

fn literal(text: &[u8], byte: u8) -> Option<&[u8]> {
    text.strip_prefix(&[byte])
}

/// Takes as many digits as there are, between `least` and `most`.
fn number(text: &[u8], least: usize, most: usize) -> Option<(u32, &[u8])> {
    let digits = text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    let value = text[..digits].iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    (digits >= least).then(|| (value, &text[digits..]))
}

#[cfg(test)]
mod tests {
    use super::{is_timestamp, rfc3339};

    #[test]
    fn json_form() {
        for (text, want) in [
            ("2020-1-2", "2020-01-02T00:00:00Z"),
            ("2020-01-02t1:2:3,50+02:00", "2020-01-02T01:02:03.5+02:00"),
            ("2020-01-02  10:20:30", "2020-01-02T10:20:30Z"),
        ] {
            assert_eq!(rfc3339(text).as_deref(), Some(want), "{text}");
        }
        assert_eq!(rfc3339("2020"), None);
    }

    #[test]
    fn layouts() {
        for yes in [
            "2020-01-01",
            "2020-1-1",
            "2020-02-29",
            "2020-01-01T00:00:00Z",
            "2020-1-1t1:2:3,5+24:60",
            "2020-01-01  1:2:3.123456789123",
        ] {
            assert!(is_timestamp(yes), "{yes}");
        }
        for no in [
            "2021-02-29",
            "20200-01-01",
            "2020-13-01",
            "2020-01-01T00:00:00",
            "2020-01-01 00:00:00Z",
            "2020-01-01T24:00:00Z",
            "2020-01-01T00:00:00Zx",
            "2020-01-01-",
            "2020",
        ] {
            assert!(!is_timestamp(no), "{no}");
        }
    }
}
