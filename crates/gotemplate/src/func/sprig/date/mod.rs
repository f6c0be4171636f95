//! Dates, in the layouts of Go's time package.

mod calendar;
mod duration;
mod format;
mod layout;
mod parse;
mod time;

use std::any::Any;

use super::{Answer, Call, Table};
use crate::error::Fault;
use crate::host::{Host, Zone};
use crate::value::{Kind, Value};
use duration::{SECOND, parse_duration};
use time::Time;

pub(super) fn add(table: &mut Table) {
    table.add(&["now"], "-> time.Time", |call| Ok(Value::object(now(call)?)));
    table.add(&["date"], "string, any -> string", |call| in_zone(call, &layout(call), 1, "Local"));
    table.add(&["htmlDate"], "any -> string", |call| in_zone(call, "2006-01-02", 0, "Local"));
    table.add(&["htmlDateInZone"], "any, string -> string", |call| {
        let zone = call.str(1);
        in_zone(call, "2006-01-02", 0, &zone.text())
    });
    table.add(&["dateInZone", "date_in_zone"], "string, any, string -> string", |call| {
        let zone = call.str(2);
        in_zone(call, &layout(call), 1, &zone.text())
    });
    table.add(&["dateModify", "date_modify"], "string, time.Time -> time.Time", |call| {
        Ok(modify(call).unwrap_or_else(|_| call.value(1)))
    });
    table.add(&["mustDateModify", "must_date_modify"], "string, time.Time -> time.Time", modify);
    table.add(&["toDate"], "string, string -> time.Time", |call| {
        let parsed = parse::parse(&layout(call), &call.str(1).text(), &local(call));
        Ok(Value::object(parsed.unwrap_or_else(|_| Time::zero())))
    });
    table.add(&["mustToDate"], "string, string -> time.Time", |call| {
        Ok(Value::object(parse::parse(&layout(call), &call.str(1).text(), &local(call))?))
    });
    table.add(&["unixEpoch"], "time.Time -> string", |call| {
        Ok(time(&call.value(0)).map_or(0, |time| time.seconds).to_string().into())
    });
    table.add(&["ago"], "any -> string", ago);
    table.add(&["duration"], "any -> string", |call| {
        let seconds = match call.value(0) {
            Value::String(text) => crate::strconv::parse_int(&text.text(), 10).unwrap_or(0),
            Value::Int(number, Kind::Int64) => number,
            _ => 0,
        };
        Ok(duration::text(seconds.wrapping_mul(SECOND)).into())
    });
    table.add(&["durationRound"], "any -> string", |call| {
        let nanoseconds = match call.value(0) {
            Value::String(text) => parse_duration(&text.text()).unwrap_or(0),
            Value::Int(number, Kind::Int64) => number,
            value => match time(&value) {
                Some(time) => now(call)?.since(time),
                None => 0,
            },
        };
        Ok(duration::rounded(nanoseconds).into())
    });
}

fn layout(call: &Call<'_>) -> String {
    call.str(0).to_string()
}

/// The time in a value.
fn time(value: &Value) -> Option<&Time> {
    let Value::Object(object) = value else { return None };
    (&**object as &dyn Any).downcast_ref()
}

fn now(call: &Call<'_>) -> Result<Time, Fault> {
    let (seconds, nanoseconds) = call.host().now()?;
    Ok(Time::new(seconds, nanoseconds, zone(call.host(), "Local", seconds)))
}

/// The zone at an instant. Go takes UTC for a zone that it does not know.
fn zone(host: &dyn Host, name: &str, at: i64) -> Zone {
    let utc = || Zone { offset: 0, name: "UTC".to_owned() };
    if name.is_empty() || name == "UTC" {
        return utc();
    }
    host.zone(name, at).unwrap_or_else(utc)
}

/// The local zone by instant.
fn local(call: &Call<'_>) -> impl Fn(i64) -> Zone {
    let host = call.host();
    move |at| zone(host, "Local", at)
}

/// The argument at `date` by a layout: a time, an integer of seconds since 1970, or else now.
fn in_zone(call: &Call<'_>, layout: &str, date: usize, name: &str) -> Answer {
    let value = call.value(date);
    let (seconds, nanoseconds) = match (&value, time(&value)) {
        (_, Some(time)) => (time.seconds, time.nanoseconds),
        (Value::Int(seconds, Kind::Int | Kind::Int32 | Kind::Int64), _) => (*seconds, 0),
        _ => call.host().now()?,
    };
    let time = Time::new(seconds, nanoseconds, zone(call.host(), name, seconds));
    Ok(format::format(&time, layout).into())
}

fn modify(call: &mut Call<'_>) -> Answer {
    let amount = parse_duration(&call.str(0).text())?;
    let value = call.value(1);
    let Some(time) = time(&value) else { return Ok(value) };
    Ok(Value::object(time.plus(amount)))
}

fn ago(call: &mut Call<'_>) -> Answer {
    let now = now(call)?;
    let value = call.value(0);
    let elapsed = match (&value, time(&value)) {
        (_, Some(time)) => now.since(time),
        (Value::Int(seconds, Kind::Int | Kind::Int64), _) => {
            now.since(&Time::new(*seconds, 0, now.zone.clone()))
        }
        _ => 0,
    };
    Ok(duration::text(duration::round(elapsed, SECOND)).into())
}
