//! Go's `time.Time` and the types its methods return.

use std::any::Any;

use super::calendar::{DAYS, Date, MONTHS, weekday};
use super::duration;
use super::format::format;
use crate::func::Signature;
use crate::host::Zone;
use crate::text::Str;
use crate::value::{Kind, Object, Value};

/// An instant in a time zone.
#[derive(Debug, Clone)]
pub(super) struct Time {
    /// Seconds since 1970.
    pub(super) seconds: i64,
    pub(super) nanoseconds: u32,
    pub(super) zone: Zone,
}

/// Seconds from 1970 to the first of January of the year 1, Go's zero time.
const ZERO: i64 = -62_135_596_800;

impl Time {
    pub(super) fn new(seconds: i64, nanoseconds: u32, zone: Zone) -> Self {
        Self { seconds, nanoseconds, zone }
    }

    pub(super) fn zero() -> Self {
        Self::new(ZERO, 0, Zone { offset: 0, name: "UTC".to_owned() })
    }

    fn local_seconds(&self) -> i64 {
        self.seconds.saturating_add(i64::from(self.zone.offset))
    }

    /// The local day, counted from 1970-01-01.
    pub(super) fn days(&self) -> i64 {
        self.local_seconds().div_euclid(86_400)
    }

    pub(super) fn date(&self) -> Date {
        Date::of(self.days())
    }

    /// Hour, minute and second.
    pub(super) fn clock(&self) -> (i64, i64, i64) {
        let second = self.local_seconds().rem_euclid(86_400);
        (second / 3600, second / 60 % 60, second % 60)
    }

    /// The time later by some nanoseconds.
    pub(super) fn plus(&self, nanoseconds: i64) -> Self {
        let sum = i64::from(self.nanoseconds) + nanoseconds % duration::SECOND;
        let seconds = self
            .seconds
            .saturating_add(nanoseconds / duration::SECOND)
            .saturating_add(sum.div_euclid(duration::SECOND));
        let rest = u32::try_from(sum.rem_euclid(duration::SECOND)).unwrap_or_default();
        Self::new(seconds, rest, self.zone.clone())
    }

    /// Nanoseconds since `other`, as far as 64 bits go.
    pub(super) fn since(&self, other: &Self) -> i64 {
        let seconds = i128::from(self.seconds) - i128::from(other.seconds);
        let total = seconds * i128::from(duration::SECOND) + i128::from(self.nanoseconds)
            - i128::from(other.nanoseconds);
        i64::try_from(total).unwrap_or(if total < 0 { i64::MIN } else { i64::MAX })
    }

    fn plus_date(&self, years: i64, months: i64, days: i64) -> Self {
        let date = self.date();
        let year = date.year.saturating_add(years.clamp(-1_000_000, 1_000_000));
        let month = date.month.saturating_add(months.clamp(-12_000_000, 12_000_000));
        let day = date.day.saturating_add(days.clamp(-400_000_000, 400_000_000));
        let day = Date { year, month, day }.days();
        let local = day.saturating_mul(86_400) + self.local_seconds().rem_euclid(86_400);
        let seconds = local.saturating_sub(i64::from(self.zone.offset));
        Self::new(seconds, self.nanoseconds, self.zone.clone())
    }

    /// A number from one of the methods without arguments.
    fn number(&self, name: &str) -> Option<Value> {
        let date = self.date();
        let (hour, minute, second) = self.clock();
        let fine = |per_second: i64| {
            let unit = duration::SECOND / per_second;
            let whole = self.seconds.wrapping_mul(per_second);
            Value::int64(whole.wrapping_add(i64::from(self.nanoseconds) / unit))
        };
        let index = |number: i64| usize::try_from(number).unwrap_or_default();
        Some(match name {
            "Year" => Value::int(date.year),
            "Month" => named("time.Month", date.month, MONTHS[index(date.month - 1) % 12]),
            "Day" => Value::int(date.day),
            "Weekday" => {
                let day = weekday(self.days());
                named("time.Weekday", i64::try_from(day).unwrap_or_default(), DAYS[day])
            }
            "YearDay" => Value::int(date.year_day()),
            "Hour" => Value::int(hour),
            "Minute" => Value::int(minute),
            "Second" => Value::int(second),
            "Nanosecond" => Value::int(i64::from(self.nanoseconds)),
            "Unix" => Value::int64(self.seconds),
            "UnixMilli" => fine(1_000),
            "UnixMicro" => fine(1_000_000),
            "UnixNano" => fine(1_000_000_000),
            _ => return None,
        })
    }
}

fn named(type_name: &'static str, number: i64, text: &str) -> Value {
    Value::object(Named { type_name, kind: Kind::Int, number, text: text.to_owned() })
}

fn argument(args: &[Value]) -> Result<&Time, String> {
    if let Some(Value::Object(object)) = args.first()
        && let Some(time) = (&**object as &dyn Any).downcast_ref::<Time>()
    {
        return Ok(time);
    }
    Err("no time".to_owned())
}

fn integer(args: &[Value], at: usize) -> i64 {
    match args.get(at).map(Value::underlying) {
        Some(Value::Int(number, _)) => number,
        _ => 0,
    }
}

impl Object for Time {
    fn type_name(&self) -> String {
        "time.Time".to_owned()
    }

    fn text(&self) -> Option<Str> {
        Some(format(self, "2006-01-02 15:04:05.999999999 -0700 MST").into())
    }

    fn json(&self) -> Option<Value> {
        Some(format(self, "2006-01-02T15:04:05.999999999Z07:00").into())
    }

    fn method(&self, name: &str) -> Option<Signature> {
        Some(Signature::parse(match name {
            "Format" => "string -> string",
            "String" => "-> string",
            "IsZero" => "-> bool",
            "UTC" => "-> time.Time",
            "Before" | "After" | "Equal" => "time.Time -> bool",
            "Add" => "time.Duration -> time.Time",
            "Sub" => "time.Time -> time.Duration",
            "AddDate" => "int, int, int -> time.Time",
            name => {
                self.number(name)?;
                "-> int"
            }
        }))
    }

    fn call(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let order = |other: &Self| {
            (self.seconds, self.nanoseconds).cmp(&(other.seconds, other.nanoseconds))
        };
        Ok(match name {
            "Format" => {
                let layout = args.first().and_then(Value::as_str).cloned().unwrap_or_default();
                format(self, &layout.text()).into()
            }
            "String" => self.text().unwrap_or_default().into(),
            "IsZero" => (self.seconds == ZERO && self.nanoseconds == 0).into(),
            "UTC" => {
                let utc = Zone { offset: 0, name: "UTC".to_owned() };
                Value::object(Self::new(self.seconds, self.nanoseconds, utc))
            }
            "Before" => order(argument(args)?).is_lt().into(),
            "After" => order(argument(args)?).is_gt().into(),
            "Equal" => order(argument(args)?).is_eq().into(),
            "Add" => Value::object(self.plus(integer(args, 0))),
            "Sub" => {
                let number = self.since(argument(args)?);
                let text = duration::text(number);
                Value::object(Named { type_name: "time.Duration", kind: Kind::Int64, number, text })
            }
            "AddDate" => {
                let sum = self.plus_date(integer(args, 0), integer(args, 1), integer(args, 2));
                Value::object(sum)
            }
            name => self.number(name).ok_or_else(|| format!("no method {name}"))?,
        })
    }
}

/// A number of a declared type that has a text: a month, a weekday, a duration.
#[derive(Debug)]
struct Named {
    type_name: &'static str,
    kind: Kind,
    number: i64,
    text: String,
}

impl Object for Named {
    fn type_name(&self) -> String {
        self.type_name.to_owned()
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn text(&self) -> Option<Str> {
        Some(Str::from(&self.text[..]))
    }

    fn underlying(&self) -> Option<Value> {
        Some(Value::Int(self.number, self.kind))
    }

    fn method(&self, name: &str) -> Option<Signature> {
        Some(Signature::parse(match (name, self.type_name) {
            ("String", _) => "-> string",
            ("Hours" | "Minutes" | "Seconds", "time.Duration") => "-> float64",
            ("Milliseconds" | "Microseconds" | "Nanoseconds", "time.Duration") => "-> int64",
            _ => return None,
        }))
    }

    fn call(&self, name: &str, _: &[Value]) -> Result<Value, String> {
        #[expect(clippy::cast_precision_loss, reason = "Go's result is a float as well")]
        let parts = |unit: i64| {
            let rest = (self.number % unit) as f64 / unit as f64;
            Value::Float((self.number / unit) as f64 + rest)
        };
        Ok(match name {
            "String" => Value::from(&self.text[..]),
            "Hours" => parts(3600 * duration::SECOND),
            "Minutes" => parts(60 * duration::SECOND),
            "Seconds" => parts(duration::SECOND),
            "Milliseconds" => Value::int64(self.number / 1_000_000),
            "Microseconds" => Value::int64(self.number / 1_000),
            "Nanoseconds" => Value::int64(self.number),
            _ => return Err(format!("no method {name}")),
        })
    }
}
