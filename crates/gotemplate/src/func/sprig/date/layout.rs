//! Go's layouts: a layout is the reference time written in the wanted form.

use std::fmt::Write;

use crate::text;

/// An element of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekDay,
    WeekDay,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperPm,
    LowerPm,
    ZoneName,
    /// A numeric offset.
    Offset(Offset),
    /// Digits of a fraction; their number, the separator, and whether zeros at the end are left out.
    Fraction {
        digits: usize,
        separator: u8,
        trim: bool,
    },
}

/// The form of a numeric offset.
#[expect(clippy::struct_excessive_bools, reason = "each is one independent part of the form")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offset {
    /// UTC is written as `Z`.
    pub(super) iso: bool,
    pub(super) colon: bool,
    pub(super) minutes: bool,
    pub(super) seconds: bool,
}

/// The first element of a layout with its place and length.
pub(super) fn next(layout: &str) -> Option<(usize, usize, Element)> {
    let bytes = layout.as_bytes();
    (0..bytes.len()).find_map(|at| {
        let rest = &bytes[at..];
        if rest.starts_with(b"_2006") {
            return Some((at + 1, 4, Element::LongYear));
        }
        element(rest).map(|(length, element)| (at, length, element))
    })
}

fn element(rest: &[u8]) -> Option<(usize, Element)> {
    let lower = |at: usize| rest.get(at).is_some_and(u8::is_ascii_lowercase);
    let fixed: &[(&str, Element)] = match rest[0] {
        b'J' => &[("January", Element::LongMonth), ("Jan", Element::Month)],
        b'M' => &[
            ("Monday", Element::LongWeekDay),
            ("Mon", Element::WeekDay),
            ("MST", Element::ZoneName),
        ],
        b'0' => &[
            ("01", Element::ZeroMonth),
            ("02", Element::ZeroDay),
            ("03", Element::ZeroHour12),
            ("04", Element::ZeroMinute),
            ("05", Element::ZeroSecond),
            ("06", Element::Year),
            ("002", Element::ZeroYearDay),
        ],
        b'1' => &[("15", Element::Hour), ("1", Element::NumMonth)],
        b'2' => &[("2006", Element::LongYear), ("2", Element::Day)],
        b'_' => &[("_2", Element::UnderDay), ("__2", Element::UnderYearDay)],
        b'3' => &[("3", Element::Hour12)],
        b'4' => &[("4", Element::Minute)],
        b'5' => &[("5", Element::Second)],
        b'P' => &[("PM", Element::UpperPm)],
        b'p' => &[("pm", Element::LowerPm)],
        b'-' | b'Z' => return offset(rest),
        b'.' | b',' => return fraction(rest),
        _ => &[],
    };
    fixed.iter().find_map(|(text, element)| {
        let short_name = matches!(element, Element::Month | Element::WeekDay);
        let fits = rest.starts_with(text.as_bytes()) && !(short_name && lower(text.len()));
        fits.then_some((text.len(), *element))
    })
}

fn offset(rest: &[u8]) -> Option<(usize, Element)> {
    const FORMS: [(&[u8], bool, bool, bool); 5] = [
        (b"070000", false, true, true),
        (b"07:00:00", true, true, true),
        (b"0700", false, true, false),
        (b"07:00", true, true, false),
        (b"07", false, false, false),
    ];
    let iso = rest[0] == b'Z';
    FORMS.into_iter().find_map(|(text, colon, minutes, seconds)| {
        let offset = Offset { iso, colon, minutes, seconds };
        rest[1..].starts_with(text).then_some((text.len() + 1, Element::Offset(offset)))
    })
}

fn fraction(rest: &[u8]) -> Option<(usize, Element)> {
    let &digit = rest.get(1).filter(|digit| matches!(digit, b'0' | b'9'))?;
    let digits = rest[1..].iter().take_while(|byte| **byte == digit).count();
    // Only if no other digit follows it is a fraction.
    let ends = !rest.get(digits + 1).is_some_and(u8::is_ascii_digit);
    let fraction = Element::Fraction { digits, separator: rest[0], trim: digit == b'9' };
    ends.then_some((digits + 1, fraction))
}

/// Go's simple quoting of texts in the errors of its time package.
pub(super) fn quote(value: &str) -> String {
    let mut out = String::from("\"");
    for (_, rune) in text::runes(value.as_bytes()) {
        match rune {
            '"' | '\\' => {
                out.push('\\');
                out.push(rune);
            }
            ' '..='\u{7F}' => out.push(rune),
            _ => {
                let mut buffer = [0; 4];
                for byte in rune.encode_utf8(&mut buffer).bytes() {
                    let _ = write!(out, "\\x{byte:02x}");
                }
            }
        }
    }
    out.push('"');
    out
}
