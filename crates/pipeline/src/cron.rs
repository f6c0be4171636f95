//! Cron expressions as people write them, in the zone they mean.
//!
//! Five fields, Sunday 0 or 7, and as cron has it: if both the day of the month and the weekday are
//! restricted, either is enough. A local time that is skipped when clocks go forward comes at the
//! next instant there is; one that is repeated comes once, the first time.

use std::{collections::BTreeSet, str::FromStr as _};

use chrono::DateTime;
use jiff::{
    Timestamp,
    tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase},
};

use crate::Error;

const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
/// How many local times may in a row be none, such as those that are repeated.
const ODD: usize = 1500;

/// When something starts.
#[derive(Debug, Clone)]
pub struct Cron {
    schedules: Vec<cron::Schedule>,
    zone: TimeZone,
}

impl Cron {
    /// Reads an expression and the name of a zone; UTC without one.
    ///
    /// # Errors
    /// [`Error::Cron`] and [`Error::Zone`].
    pub fn parse(text: &str, zone: Option<&str>) -> Result<Self, Error> {
        let zone = match zone.filter(|name| !name.is_empty()) {
            None => TimeZone::UTC,
            Some(name) => {
                TimeZoneDatabase::bundled().get(name).map_err(|_| Error::Zone(name.to_owned()))?
            }
        };
        let schedules = schedules(text).map_err(|why| Error::Cron(text.to_owned(), why))?;
        Ok(Self { schedules, zone })
    }

    /// The first start after an instant; nothing if there is none until the year 2100.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.schedules.iter().filter_map(|schedule| self.next_of(schedule, after)).min()
    }

    fn next_of(&self, schedule: &cron::Schedule, after: Timestamp) -> Option<Timestamp> {
        // Local times are carried as if they were UTC; what they mean is found out here. A fold may
        // make the clock show an earlier time than one that is past, so start before it.
        let local = self.zone.to_datetime(after);
        let local = TimeZone::UTC.to_timestamp(local).ok()?.as_second();
        let from = DateTime::from_timestamp(local, 0)?;
        schedule
            .after(&from)
            .take(ODD)
            .filter_map(|local| self.instant(local.timestamp()))
            .find(|instant| *instant > after)
    }

    /// The instant at which clocks show a local time.
    fn instant(&self, local: i64) -> Option<Timestamp> {
        let local = TimeZone::UTC.to_datetime(Timestamp::from_second(local).ok()?);
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        if let AmbiguousOffset::Gap { .. } = ambiguous.offset() {
            let before = ambiguous.earlier().ok()?;
            return self.zone.following(before).next().map(|transition| transition.timestamp());
        }
        ambiguous.earlier().ok()
    }
}

fn schedules(text: &str) -> Result<Vec<cron::Schedule>, String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields[..] else {
        return Err(format!("has {} fields", fields.len()));
    };
    let weekdays = weekdays(weekday)?;
    let day = if day == "?" { "*" } else { day };
    let any_day = day.starts_with('*');
    let make = |day: &str, weekday: &str| {
        cron::Schedule::from_str(&format!("0 {minute} {hour} {day} {month} {weekday}"))
            .map_err(|_| "cannot be read".to_owned())
    };
    // Checked on its own: a weekday that is enough would hide it.
    let by_day = make(day, "*")?;
    if weekdays.len() == WEEKDAYS.len() || weekday.starts_with('*') && any_day {
        return if weekdays.len() == WEEKDAYS.len() {
            Ok(vec![by_day])
        } else {
            Ok(vec![make(day, &weekdays.join(","))?])
        };
    }
    let by_weekday = make("*", &weekdays.join(","))?;
    if day == "*" { Ok(vec![by_weekday]) } else { Ok(vec![by_day, by_weekday]) }
}

/// The days a field names, by names that mean the same everywhere.
fn weekdays(field: &str) -> Result<Vec<&'static str>, String> {
    let mut days = BTreeSet::new();
    for item in field.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => {
                let step = step.parse::<usize>().ok().filter(|step| (1..=7).contains(step));
                (range, Some(step.ok_or("has a weekday with a step that is none")?))
            }
            None => (item, None),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (weekday(first)?, weekday(last)?),
            None if range == "*" || range == "?" => (0, 6),
            None => (weekday(range)?, if step.is_some() { 6 } else { weekday(range)? }),
        };
        // From Friday to Monday is over the end of the week; from 1 to 7 is not.
        let last = if last < first { last + 7 } else { last };
        days.extend((first..=last).step_by(step.unwrap_or(1)).map(|day| day % 7));
    }
    Ok(days.into_iter().map(|day| WEEKDAYS[day]).collect())
}

fn weekday(text: &str) -> Result<usize, String> {
    let named = WEEKDAYS.iter().position(|name| name.eq_ignore_ascii_case(text));
    let number = || text.parse::<usize>().ok().filter(|day| *day <= 7);
    named.or_else(number).ok_or_else(|| format!("has the weekday '{text}'; want 0 to 7 or a name"))
}
