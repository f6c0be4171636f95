//! JSON to an index, chart by chart.

use std::{fmt, io::BufRead};

use serde::de::{DeserializeSeed, Deserializer as _, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value as Json};

use super::{Entry, Index, read};
use crate::Error;
use crate::decode::from_json;

/// Reads a whole text, and gives the wanted charts as they come.
pub(super) fn index<S>(text: impl BufRead, wanted: Option<&str>, sink: S) -> Result<Index, Error>
where
    S: FnMut(String, Vec<Entry>) -> Result<(), Error>,
{
    let mut charts = Charts { wanted, sink, failed: None };
    let mut from = serde_json::Deserializer::from_reader(text);
    let outside = from.deserialize_map(Outside(&mut charts)).and_then(|it| from.end().map(|()| it));
    match (outside, charts.failed) {
        (_, Some(failed)) => Err(failed),
        (Err(error), None) => Err(Error::Yaml(format!("error unmarshaling JSON: {error}"))),
        (Ok(outside), None) => read::head(&from_json(Json::Object(outside)), false),
    }
}

/// Reads everything but the charts.
struct Outside<'a, 'b, S>(&'a mut Charts<'b, S>);

impl<'de, S> Visitor<'de> for Outside<'_, '_, S>
where
    S: FnMut(String, Vec<Entry>) -> Result<(), Error>,
{
    type Value = Map<String, Json>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("an index")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut outside = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if name.eq_ignore_ascii_case("entries") {
                map.next_value_seed(&mut *self.0)?;
            } else {
                outside.insert(name, map.next_value()?);
            }
        }
        Ok(outside)
    }
}

/// Reads the charts, one after the other.
struct Charts<'a, S> {
    wanted: Option<&'a str>,
    sink: S,
    /// What is wrong with a chart, or with where it should go.
    failed: Option<Error>,
}

impl<'de, S> DeserializeSeed<'de> for &mut Charts<'_, S>
where
    S: FnMut(String, Vec<Entry>) -> Result<(), Error>,
{
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de, S> Visitor<'de> for &mut Charts<'_, S>
where
    S: FnMut(String, Vec<Entry>) -> Result<(), Error>,
{
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("charts by name")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if self.wanted.is_some_and(|wanted| wanted != name) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let list = from_json(map.next_value()?);
            let given = read::chart(&list, false).and_then(|entries| (self.sink)(name, entries));
            given.map_err(|error| {
                self.failed = Some(error);
                A::Error::custom("the chart cannot be used")
            })?;
        }
        Ok(())
    }
}
