//! Times by layout.

use std::fmt::Write;

use super::calendar::{DAYS, Date, MONTHS, weekday};
use super::layout::{Element, Offset, next};
use super::time::Time;

/// The time in the form of a layout.
pub(super) fn format(time: &Time, layout: &str) -> String {
    let mut out = String::with_capacity(layout.len() + 16);
    let mut rest = layout;
    while let Some((at, length, element)) = next(rest) {
        out.push_str(&rest[..at]);
        push(time, element, &mut out);
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    out
}

fn push(time: &Time, element: Element, out: &mut String) {
    let Date { year, month, day } = time.date();
    let (hour, minute, second) = time.clock();
    let year_day = time.date().year_day();
    let month_name = MONTHS[usize::try_from(month - 1).unwrap_or_default() % 12];
    let day_name = DAYS[weekday(time.days())];
    let hour12 = (hour + 11) % 12 + 1;
    match element {
        Element::LongMonth => out.push_str(month_name),
        Element::Month => out.push_str(&month_name[..3]),
        Element::NumMonth => number(out, month, 0),
        Element::ZeroMonth => number(out, month, 2),
        Element::LongWeekDay => out.push_str(day_name),
        Element::WeekDay => out.push_str(&day_name[..3]),
        Element::Day => number(out, day, 0),
        Element::UnderDay => {
            let _ = write!(out, "{day:2}");
        }
        Element::ZeroDay => number(out, day, 2),
        Element::UnderYearDay => {
            let _ = write!(out, "{year_day:3}");
        }
        Element::ZeroYearDay => number(out, year_day, 3),
        Element::Hour => number(out, hour, 2),
        Element::Hour12 => number(out, hour12, 0),
        Element::ZeroHour12 => number(out, hour12, 2),
        Element::Minute => number(out, minute, 0),
        Element::ZeroMinute => number(out, minute, 2),
        Element::Second => number(out, second, 0),
        Element::ZeroSecond => number(out, second, 2),
        Element::LongYear => number(out, year, 4),
        Element::Year => number(out, year.abs() % 100, 2),
        Element::UpperPm => out.push_str(if hour >= 12 { "PM" } else { "AM" }),
        Element::LowerPm => out.push_str(if hour >= 12 { "pm" } else { "am" }),
        Element::ZoneName if !time.zone.name.is_empty() => out.push_str(&time.zone.name),
        Element::ZoneName => {
            let plain = Offset { iso: false, colon: false, minutes: true, seconds: false };
            offset(out, time.zone.offset, plain);
        }
        Element::Offset(form) => offset(out, time.zone.offset, form),
        Element::Fraction { digits, separator, trim } => {
            let nanoseconds = format!("{:09}", time.nanoseconds);
            let mut fraction = nanoseconds.get(..digits.min(9)).unwrap_or_default().to_owned();
            if trim {
                fraction.truncate(fraction.trim_end_matches('0').len());
                if fraction.is_empty() {
                    return;
                }
            }
            out.push(char::from(separator));
            out.push_str(&fraction);
        }
    }
}

/// A number of at least `width` digits; the sign comes before the zeros.
fn number(out: &mut String, number: i64, width: usize) {
    let sign = if number < 0 { "-" } else { "" };
    let _ = write!(out, "{sign}{:0width$}", number.unsigned_abs());
}

fn offset(out: &mut String, seconds: i32, form: Offset) {
    if form.iso && seconds == 0 {
        out.push('Z');
        return;
    }
    let minutes = (seconds / 60).abs();
    let colon = if form.colon { ":" } else { "" };
    let sign = if seconds / 60 < 0 { '-' } else { '+' };
    let _ = write!(out, "{sign}{:02}", minutes / 60);
    if form.minutes {
        let _ = write!(out, "{colon}{:02}", minutes % 60);
    }
    if form.seconds {
        let _ = write!(out, "{colon}{:02}", seconds.abs() % 60);
    }
}
