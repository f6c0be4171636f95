//! An index read from its beginning to its end, chart by chart.

use std::{
    collections::HashSet,
    io::{self, BufRead, Read as _},
};

use super::split::{Chart, Cutter, odd};
use super::{Entry, Index, json, read};
use crate::Error;

/// How long a line of YAML may be, in bytes.
const LINE: u64 = 8 << 20;

/// Reads JSON or YAML; gives the wanted charts, or all of them, as they come, and the index without
/// them.
pub(super) fn index<S>(
    mut text: impl BufRead,
    wanted: Option<&str>,
    mut sink: S,
) -> Result<Index, Error>
where
    S: FnMut(String, Vec<Entry>) -> Result<(), Error>,
{
    let start = text.fill_buf().map_err(|error| unreadable(&error))?;
    if start.is_empty() {
        return Err(Error::Index("empty index.yaml file".to_owned()));
    }
    let first = start.iter().find(|it| !it.is_ascii_whitespace());
    let mut index = if first == Some(&b'{') {
        json::index(text, wanted, sink)?
    } else {
        yaml(text, |name, entries| match wanted {
            Some(wanted) if wanted != name => Ok(()),
            _ => sink(name, entries),
        })?
    };
    index.entries.clear();
    if index.api_version.is_empty() {
        return Err(Error::Index("no API version specified".to_owned()));
    }
    Ok(index)
}

/// The error for a text that cannot be had.
pub(super) fn unreadable(error: &io::Error) -> Error {
    Error::Index(error.to_string())
}

fn yaml<S>(mut text: impl BufRead, sink: S) -> Result<Index, Error>
where
    S: FnMut(String, Vec<Entry>) -> Result<(), Error>,
{
    let mut charts = Charts { known: HashSet::new(), sink };
    let mut cutter = Cutter::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = text.by_ref().take(LINE).read_until(b'\n', &mut line);
        let length = read.map_err(|error| unreadable(&error))?;
        if length == 0 {
            break;
        }
        if length as u64 == LINE {
            return Err(odd("has a line of more than 8 MiB"));
        }
        let line = std::str::from_utf8(&line).map_err(|_| odd("is not UTF-8"))?;
        if let Some(chart) = cutter.line(line)? {
            charts.read(&chart)?;
        }
    }
    let (outside, last) = cutter.finish();
    if let Some(chart) = last {
        charts.read(&chart)?;
    }
    let mut index = read::head(&read::parse(&outside)?, true)?;
    for (name, entries) in std::mem::take(&mut index.entries) {
        charts.give(name, entries)?;
    }
    Ok(index)
}

struct Charts<S> {
    known: HashSet<String>,
    sink: S,
}

impl<S> Charts<S>
where
    S: FnMut(String, Vec<Entry>) -> Result<(), Error>,
{
    fn read(&mut self, chart: &Chart) -> Result<(), Error> {
        // An error tells the line of the whole text.
        let placed = |_| read::parse(&("\n".repeat(chart.before) + &chart.text));
        let value = read::parse(&chart.text).or_else(placed)?;
        let Some(mapping) = value.as_mapping() else { return Err(odd("names no charts")) };
        for (name, list) in mapping.iter() {
            self.give(name.to_owned(), read::chart(list, true)?)?;
        }
        Ok(())
    }

    fn give(&mut self, name: String, entries: Vec<Entry>) -> Result<(), Error> {
        if !self.known.insert(name.clone()) {
            return Err(odd(&format!("has the chart {name:?} twice")));
        }
        (self.sink)(name, entries)
    }
}
