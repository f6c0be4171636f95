//! Texts by layout to times.

use super::calendar::{DAYS, Date, MONTHS, days_in};
use super::layout::{Element, Offset, next, quote};
use super::time::Time;
use crate::host::Zone;

/// Parses a time; without a zone in it, it is a local one. The error is Go's.
pub(super) fn parse(
    layout: &str,
    value: &str,
    local: &dyn Fn(i64) -> Zone,
) -> Result<Time, String> {
    let mut fields = Fields::default();
    let mut parser = Parser { rest: value, fields: &mut fields };
    let mut form = layout;
    loop {
        let found = next(form);
        let (prefix, element) = match found {
            Some((at, length, _)) => (&form[..at], &form[at..at + length]),
            None => (form, ""),
        };
        if !parser.skip(prefix) {
            return Err(mismatch((layout, value), prefix, parser.rest));
        }
        let Some((at, length, kind)) = found else { break };
        form = &form[at + length..];
        let before = parser.rest;
        let read = parser.element(kind, form);
        if let Some(range) = parser.fields.range {
            return Err(format!("parsing time {}: {range} out of range", quote(value)));
        }
        read.ok_or_else(|| mismatch((layout, value), element, before))?;
    }
    if !parser.rest.is_empty() {
        let (value, extra) = (quote(value), quote(parser.rest));
        return Err(format!("parsing time {value}: extra text: {extra}"));
    }
    fields.time(local).map_err(|why| format!("parsing time {}: {why}", quote(value)))
}

fn mismatch((layout, value): (&str, &str), element: &str, rest: &str) -> String {
    let (layout, value) = (quote(layout), quote(value));
    let (element, rest) = (quote(element), quote(rest));
    format!("parsing time {value} as {layout}: cannot parse {rest} as {element}")
}

/// What was read so far.
#[derive(Default)]
struct Fields {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanoseconds: u32,
    pm: Option<bool>,
    utc: bool,
    offset: Option<i32>,
    zone: Option<String>,
    /// The element whose value is out of range.
    range: Option<&'static str>,
}

struct Parser<'a, 'f> {
    rest: &'a str,
    fields: &'f mut Fields,
}

impl<'a> Parser<'a, '_> {
    /// Skips the text between elements; any number of spaces equals any other.
    fn skip(&mut self, prefix: &str) -> bool {
        let mut prefix = prefix;
        while let Some(first) = prefix.chars().next() {
            if first == ' ' {
                if !self.rest.is_empty() && !self.rest.starts_with(' ') {
                    return false;
                }
                prefix = prefix.trim_start_matches(' ');
                self.rest = self.rest.trim_start_matches(' ');
                continue;
            }
            let Some(rest) = self.rest.strip_prefix(first) else { return false };
            self.rest = rest;
            prefix = &prefix[first.len_utf8()..];
        }
        true
    }

    fn digit(&self, at: usize) -> bool {
        self.rest.as_bytes().get(at).is_some_and(u8::is_ascii_digit)
    }

    /// Takes `length` bytes.
    fn take(&mut self, length: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// One or two digits, or with `fixed` exactly two.
    fn number(&mut self, fixed: bool) -> Option<i64> {
        if !self.digit(0) || (fixed && !self.digit(1)) {
            return None;
        }
        let length = 1 + usize::from(self.digit(1));
        self.take(length)?.parse().ok()
    }

    fn within(&mut self, number: i64, range: std::ops::Range<i64>, name: &'static str) -> i64 {
        if !range.contains(&number) {
            self.fields.range = Some(name);
        }
        number
    }

    fn name(&mut self, names: &[&str], length: Option<usize>) -> Option<i64> {
        for (at, name) in names.iter().enumerate() {
            let name = &name[..length.unwrap_or(name.len())];
            let found = self.rest.get(..name.len());
            if found.is_some_and(|found| found.eq_ignore_ascii_case(name)) {
                self.rest = &self.rest[name.len()..];
                return i64::try_from(at).ok();
            }
        }
        None
    }

    fn spaces(&mut self, most: usize) {
        for _ in 0..most {
            self.rest = self.rest.strip_prefix(' ').unwrap_or(self.rest);
        }
    }

    /// Reads one element; `form` is the layout after it.
    fn element(&mut self, element: Element, form: &str) -> Option<()> {
        match element {
            Element::Year => {
                let year: i64 = self.take(2)?.parse().ok()?;
                self.fields.year = if year >= 69 { year + 1900 } else { year + 2000 };
            }
            Element::LongYear => {
                if !self.digit(0) {
                    return None;
                }
                self.fields.year = self.take(4).and_then(digits)?;
            }
            Element::Month => self.fields.month = Some(self.name(&MONTHS, Some(3))? + 1),
            Element::LongMonth => self.fields.month = Some(self.name(&MONTHS, None)? + 1),
            Element::NumMonth | Element::ZeroMonth => {
                let month = self.number(element == Element::ZeroMonth)?;
                self.fields.month = Some(self.within(month, 1..13, "month"));
            }
            Element::WeekDay => {
                self.name(&DAYS, Some(3))?;
            }
            Element::LongWeekDay => {
                self.name(&DAYS, None)?;
            }
            Element::Day | Element::UnderDay | Element::ZeroDay => {
                self.spaces(usize::from(element == Element::UnderDay));
                self.fields.day = Some(self.number(element == Element::ZeroDay)?);
            }
            Element::UnderYearDay | Element::ZeroYearDay => {
                let fixed = element == Element::ZeroYearDay;
                self.spaces(if fixed { 0 } else { 2 });
                let length = (0..3).take_while(|at| self.digit(*at)).count();
                if length == 0 || (fixed && length != 3) {
                    return None;
                }
                self.fields.year_day = self.take(length)?.parse().ok();
            }
            Element::UpperPm => self.fields.pm = Some(self.half("AM", "PM")?),
            Element::LowerPm => self.fields.pm = Some(self.half("am", "pm")?),
            Element::Offset(form) => self.offset(form)?,
            Element::ZoneName => self.zone_name()?,
            Element::Fraction { digits, trim, .. } => self.fraction(digits, trim)?,
            _ => self.clock(element, form)?,
        }
        Some(())
    }

    fn half(&mut self, am: &str, pm: &str) -> Option<bool> {
        let text = self.take(2)?;
        (text == am || text == pm).then_some(text == pm)
    }

    fn clock(&mut self, element: Element, form: &str) -> Option<()> {
        match element {
            Element::Hour => {
                let hour = self.number(false)?;
                self.fields.hour = self.within(hour, 0..24, "hour");
            }
            Element::Hour12 | Element::ZeroHour12 => {
                let hour = self.number(element == Element::ZeroHour12)?;
                self.fields.hour = self.within(hour, 0..13, "hour");
            }
            Element::Minute | Element::ZeroMinute => {
                let minute = self.number(element == Element::ZeroMinute)?;
                self.fields.minute = self.within(minute, 0..60, "minute");
            }
            _ => {
                let second = self.number(element == Element::ZeroSecond)?;
                self.fields.second = self.within(second, 0..60, "second");
                // A fraction may follow that the layout does not have.
                let in_layout = next(form)
                    .is_some_and(|(_, _, element)| matches!(element, Element::Fraction { .. }));
                if self.rest.starts_with(['.', ',']) && self.digit(1) && !in_layout {
                    self.any_fraction()?;
                }
            }
        }
        Some(())
    }

    fn any_fraction(&mut self) -> Option<()> {
        let length = self.rest[1..].bytes().take_while(u8::is_ascii_digit).count();
        let fraction = &self.take(length + 1)?[1..];
        self.set_fraction(fraction)
    }

    fn fraction(&mut self, digits: usize, trim: bool) -> Option<()> {
        if trim {
            let present = self.rest.starts_with(['.', ',']) && self.digit(1);
            return if present { self.any_fraction() } else { Some(()) };
        }
        let text = self.take(digits + 1)?;
        let fraction = text.strip_prefix(['.', ','])?;
        self.set_fraction(fraction)
    }

    fn set_fraction(&mut self, fraction: &str) -> Option<()> {
        let digits = fraction.get(..fraction.len().min(9))?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.fields.nanoseconds = format!("{digits:0<9}").parse().ok()?;
        Some(())
    }

    fn offset(&mut self, form: Offset) -> Option<()> {
        if form.iso && self.rest.starts_with('Z') {
            self.rest = &self.rest[1..];
            self.fields.utc = true;
            return Some(());
        }
        let count = 1 + usize::from(form.minutes) + usize::from(form.seconds);
        let step = 2 + usize::from(form.colon);
        let text = self.take(1 + step * count - usize::from(form.colon))?.as_bytes();
        if form.colon && (1..count).any(|part| text[step * part] != b':') {
            return None;
        }
        let mut parts = [0; 3];
        let mut valid = matches!(text[0], b'+' | b'-');
        for (at, part) in parts.iter_mut().enumerate().take(count) {
            let number = std::str::from_utf8(&text[1 + step * at..3 + step * at]);
            let Some(number) = number.ok().and_then(digits) else {
                valid = false;
                break;
            };
            *part = number;
        }
        self.within(parts[0], 0..25, "time zone offset hour");
        self.within(parts[1], 0..61, "time zone offset minute");
        self.within(parts[2], 0..61, "time zone offset second");
        let seconds = i32::try_from((parts[0] * 60 + parts[1]) * 60 + parts[2]).ok()?;
        self.fields.offset = Some(if text[0] == b'-' { -seconds } else { seconds });
        valid.then_some(())
    }

    fn zone_name(&mut self) -> Option<()> {
        if let Some(rest) = self.rest.strip_prefix("UTC") {
            self.rest = rest;
            self.fields.utc = true;
            return Some(());
        }
        let length = zone_length(self.rest)?;
        self.fields.zone = Some(self.take(length)?.to_owned());
        Some(())
    }
}

fn digits(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Length of the abbreviation of a zone at the start of a text.
fn zone_length(text: &str) -> Option<usize> {
    if text.len() < 3 {
        return None;
    }
    if text.starts_with("ChST") || text.starts_with("MeST") {
        return Some(4);
    }
    if let Some(rest) = text.strip_prefix("GMT") {
        return Some(3 + signed_offset(rest));
    }
    if text.starts_with(['+', '-']) {
        return Some(signed_offset(text)).filter(|length| *length > 0);
    }
    let upper = text.bytes().take(6).take_while(u8::is_ascii_uppercase).count();
    let ends_in_t = |at: usize| text.as_bytes().get(at) == Some(&b'T');
    match upper {
        5 if ends_in_t(4) => Some(5),
        4 if ends_in_t(3) || text.starts_with("WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}

/// Length of an offset such as `+03`, up to 23 hours; 0 if there is none.
fn signed_offset(text: &str) -> usize {
    let Some(rest) = text.strip_prefix(['+', '-']) else { return 0 };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let hours = rest[..digits].parse::<u64>().ok().filter(|hours| *hours <= 23);
    if hours.is_some() { digits + 1 } else { 0 }
}

impl Fields {
    fn time(mut self, local: &dyn Fn(i64) -> Zone) -> Result<Time, String> {
        match self.pm {
            Some(true) if self.hour < 12 => self.hour += 12,
            Some(false) if self.hour == 12 => self.hour = 0,
            _ => {}
        }
        let date = self.date()?;
        let clock = self.hour * 3600 + self.minute * 60 + self.second;
        let seconds = date.days() * 86_400 + clock;
        let time = |offset: i32, zone: Zone| {
            Ok(Time::new(seconds - i64::from(offset), self.nanoseconds, zone))
        };
        if self.utc {
            return time(0, Zone { offset: 0, name: "UTC".to_owned() });
        }
        if let Some(offset) = self.offset {
            let here = local(seconds - i64::from(offset));
            let name = self.zone.clone().unwrap_or_default();
            let is_local = here.offset == offset && (name.is_empty() || name == here.name);
            return time(offset, if is_local { here } else { Zone { offset, name } });
        }
        if let Some(name) = self.zone.clone() {
            let here = local(seconds);
            if here.name == name {
                return time(here.offset, here);
            }
            let hours = name.strip_prefix("GMT").and_then(|hours| hours.parse::<i32>().ok());
            // Go changes the zone, but not the time, by the hours after GMT.
            let offset = hours.unwrap_or(0) * 3600;
            return time(0, Zone { offset, name });
        }
        // Which local offset applies depends on the instant, and that on the offset.
        let guess = local(seconds);
        let first = local(seconds - i64::from(guess.offset));
        let zone = if first.offset == guess.offset { guess } else { first };
        time(zone.offset, zone)
    }

    fn date(&self) -> Result<Date, String> {
        let year = self.year;
        let Some(year_day) = self.year_day else {
            let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
            if day < 1 || day > days_in(year, month) {
                return Err("day out of range".to_owned());
            }
            return Ok(Date { year, month, day });
        };
        let date = Date::of(Date { year, month: 1, day: 1 }.days() + year_day - 1);
        if year_day < 1 || date.year != year {
            return Err("day-of-year out of range".to_owned());
        }
        if self.month.is_some_and(|month| month != date.month) {
            return Err("day-of-year does not match month".to_owned());
        }
        if self.day.is_some_and(|day| day != date.day) {
            return Err("day-of-year does not match day".to_owned());
        }
        Ok(date)
    }
}
