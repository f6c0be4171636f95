//! Moments and durations.

use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use crate::error::Stop;
use crate::value::Value;

/// A moment in the form of RFC 3339, with its `T` and offset.
pub(crate) fn timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let shape = bytes.len() >= 20 && bytes[10] == b'T' && !text.contains('[');
    shape.then(|| text.parse().ok()).flatten()
}

/// Nanoseconds of a duration as Go writes it: `1h30m`, `1.5s`, `-2us`.
pub(crate) fn duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let (nanos, after) = part(rest)?;
        total = total.checked_add(nanos)?;
        rest = after;
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

/// Units of durations, in nanoseconds; `ms` before `m`.
const UNITS: [(&str, i128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// The first number with its unit, in nanoseconds.
fn part(text: &str) -> Option<(i128, &str)> {
    let end = text.find(|rune: char| !rune.is_ascii_digit() && rune != '.')?;
    let (number, rest) = text.split_at(end);
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && decimals.is_empty() || number.len() > 30 {
        return None;
    }
    let (unit, after) = UNITS
        .iter()
        .find_map(|(name, nanos)| rest.strip_prefix(name).map(|after| (*nanos, after)))?;
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let scale = 10_i128.pow(u32::try_from(decimals.len()).ok()?.min(15));
    let decimals = &decimals[..decimals.len().min(15)];
    let decimals: i128 = if decimals.is_empty() { 0 } else { decimals.parse().ok()? };
    let nanos = whole.checked_mul(unit)?.checked_add(decimals.checked_mul(unit)? / scale)?;
    Some((nanos, after))
}

/// `getHours` and its like, of moments (perhaps in a time zone) and durations.
pub(crate) fn call(name: &str, operands: &[Value]) -> Option<Result<Value, Stop>> {
    match operands {
        [Value::Duration(nanos)] => of_duration(name, *nanos).map(|part| Ok(Value::Int(part))),
        [Value::Timestamp(time)] => of_moment(name, &time.to_zoned(TimeZone::UTC)).map(Ok),
        [Value::Timestamp(time), Value::String(zone)] => match offset(zone) {
            Some(offset) => of_moment(name, &time.to_zoned(TimeZone::fixed(offset))).map(Ok),
            None => Some(Err(Stop::new(format!("unknown time zone {zone}")))),
        },
        _ => None,
    }
}

fn of_duration(name: &str, nanos: i64) -> Option<i64> {
    let unit = match name {
        "getHours" => 3_600_000_000_000,
        "getMinutes" => 60_000_000_000,
        "getSeconds" => 1_000_000_000,
        "getMilliseconds" => 1_000_000,
        _ => return None,
    };
    Some(nanos / unit)
}

fn of_moment(name: &str, time: &Zoned) -> Option<Value> {
    let part = match name {
        "getFullYear" => i64::from(time.year()),
        "getMonth" => i64::from(time.month()) - 1,
        "getDate" => i64::from(time.day()),
        "getDayOfMonth" => i64::from(time.day()) - 1,
        "getDayOfWeek" => i64::from(time.weekday().to_sunday_zero_offset()),
        "getDayOfYear" => i64::from(time.day_of_year()) - 1,
        "getHours" => i64::from(time.hour()),
        "getMinutes" => i64::from(time.minute()),
        "getSeconds" => i64::from(time.second()),
        "getMilliseconds" => i64::from(time.millisecond()),
        _ => return None,
    };
    Some(Value::Int(part))
}

/// `UTC` or an offset `+05:30`. Named zones would need a database from the outside.
fn offset(zone: &str) -> Option<Offset> {
    if matches!(zone, "UTC" | "Z" | "") {
        return Some(Offset::UTC);
    }
    let (sign, rest) = match zone.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, zone.strip_prefix('+').unwrap_or(zone)),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let seconds = hours.parse::<i32>().ok()?.checked_mul(3600)?;
    let seconds = seconds.checked_add(minutes.parse::<i32>().ok()?.checked_mul(60)?)?;
    Offset::from_seconds(sign * seconds).ok()
}
