//! The index of a chart repository: index.yaml.

mod entry;
mod json;
mod read;
mod split;
mod stream;

use std::{
    collections::BTreeMap,
    io::{self, BufRead},
};

use serde_json::{Map, Value as Json};
use version::{Constraint, Version};

use crate::Error;
use crate::json::{Struct, encode};

pub use entry::Entry;

/// Which charts a repository has, in which versions.
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    /// `v1`.
    pub api_version: String,
    /// When it was made, RFC 3339.
    pub generated: String,
    /// The versions of every chart, the highest first.
    pub entries: BTreeMap<String, Vec<Entry>>,
    /// Keys that sign charts.
    pub public_keys: Vec<String>,
    /// Notes for tools, sorted by name.
    pub annotations: Vec<(String, String)>,
}

impl Index {
    /// Reads an index. JSON is read leniently, YAML strictly: names given twice or not known are
    /// errors. Versions with broken metadata are left out. Of JSON, and of YAML in the form in
    /// which Helm writes it, the tree of only one chart is in memory at a time.
    ///
    /// # Errors
    /// [`Error::Index`] when it is empty, is no index, or names no version of its own.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let mut entries = BTreeMap::new();
        let each = |name, versions| {
            entries.insert(name, versions);
            Ok(())
        };
        if let Ok(index) = stream::index(text, None, each) {
            return Ok(Self { entries, ..index });
        }
        // What has another form, or is no index: the errors are those of the whole.
        if text.is_empty() {
            return Err(Error::Index("empty index.yaml file".to_owned()));
        }
        let index = read::index(text)?;
        if index.api_version.is_empty() {
            return Err(Error::Index("no API version specified".to_owned()));
        }
        Ok(index)
    }

    /// Reads an index of any size as [`parse`](Self::parse) does, but from its beginning to its end:
    /// gives every chart as soon as it is read, and in the end the index without charts. Where JSON
    /// names a chart twice, the last one counts.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse), what `text` and `chart` say, and for YAML that is not in the
    /// form in which Helm writes it.
    pub fn stream(
        text: impl BufRead,
        mut chart: impl FnMut(String, Vec<Entry>) -> io::Result<()>,
    ) -> Result<Self, Error> {
        let each =
            |name, versions| chart(name, versions).map_err(|error| stream::unreadable(&error));
        stream::index(text, None, each)
    }

    /// Reads an index as [`stream`](Self::stream) does, but only one of its charts.
    ///
    /// # Errors
    /// As for [`stream`](Self::stream).
    pub fn of_chart(text: impl BufRead, name: &str) -> Result<Self, Error> {
        let mut entries = BTreeMap::new();
        let each = |name, versions| {
            entries.insert(name, versions);
            Ok(())
        };
        let index = stream::index(text, Some(name), each)?;
        Ok(Self { entries, ..index })
    }

    /// The version of a chart that Flux chooses: an exact match, else the highest that satisfies the
    /// range, of equal ones the youngest. No range, and `*`, mean the highest stable version.
    ///
    /// # Errors
    /// [`Error::Index`] in Flux's words when there is none.
    pub fn find(&self, name: &str, range: &str) -> Result<&Entry, Error> {
        let entries = self.versions(name)?;
        if let Some(exact) = entries.iter().find(|entry| entry.metadata.version == range) {
            return Ok(exact);
        }
        let range_text = if range.is_empty() { "*" } else { range };
        let constraint = constraint(range_text)?;
        let strict = |entry: &Entry| {
            let text = &*entry.metadata.version;
            Version::parse_strict(text.strip_prefix('v').unwrap_or(text)).ok()?;
            Version::parse(text).ok()
        };
        let mut best: Option<(Version, &Entry)> = None;
        for entry in entries {
            let Some(version) = strict(entry).filter(|version| constraint.check(version)) else {
                continue;
            };
            let better = best.as_ref().is_none_or(|(known, other)| {
                let order = version.precedence(known);
                order.then_with(|| entry.created_at().cmp(&other.created_at())).is_gt()
            });
            if better {
                best = Some((version, entry));
            }
        }
        best.map(|(_, entry)| entry).ok_or_else(|| {
            Error::Index(format!("no '{name}' chart with version matching '{range}' found"))
        })
    }

    /// The version of a chart that `helm` chooses: an exact match, else the first that satisfies the
    /// range.
    ///
    /// # Errors
    /// [`Error::Index`] in Helm's words when there is none.
    pub fn get(&self, name: &str, range: &str) -> Result<&Entry, Error> {
        let entries = self.versions(name)?;
        let constraint = constraint(if range.is_empty() { "*" } else { range })?;
        let exact = entries.iter().find(|entry| entry.metadata.version == range);
        let fits = |entry: &&Entry| {
            Version::parse(&entry.metadata.version).is_ok_and(|version| constraint.check(&version))
        };
        exact
            .or_else(|| entries.iter().find(fits))
            .ok_or_else(|| Error::Index(format!("no chart version found for {name}-{range}")))
    }

    fn versions(&self, name: &str) -> Result<&[Entry], Error> {
        match self.entries.get(name) {
            None => Err(Error::Index("no chart name found".to_owned())),
            Some(entries) if entries.is_empty() => {
                Err(Error::Index("no chart version found".to_owned()))
            }
            Some(entries) => Ok(entries),
        }
    }

    /// The index as JSON, in the form in which Flux stores it.
    pub fn to_json(&self) -> String {
        let charts: Vec<String> =
            self.entries.iter().map(|(name, entries)| Self::chart_json(name, entries)).collect();
        self.opening() + &charts.join(",") + &self.closing()
    }

    /// What the JSON has before its charts.
    pub fn opening(&self) -> String {
        let head = Struct::default()
            .field("apiVersion", &*self.api_version)
            .field("generated", entry::time(&self.generated));
        let head = encode(&head.into());
        format!("{},\"entries\":{{", head.trim_end_matches('}'))
    }

    /// What the JSON has of one chart; commas are between them.
    pub fn chart_json(name: &str, entries: &[Entry]) -> String {
        let versions: Json = entries.iter().map(Entry::to_json).collect();
        format!("{}:{}", encode(&name.into()), encode(&versions))
    }

    /// What the JSON has after its charts.
    pub fn closing(&self) -> String {
        let annotations: Map<String, Json> =
            self.annotations.iter().map(|(key, value)| (key.clone(), (&**value).into())).collect();
        let tail = Struct::default()
            .full("publicKeys", self.public_keys.clone())
            .full("annotations", annotations);
        let tail = encode(&tail.into());
        if tail == "{}" { "}}".to_owned() } else { format!("}},{}", &tail[1..]) }
    }
}

fn constraint(range: &str) -> Result<Constraint, Error> {
    Constraint::parse(range).map_err(|error| Error::Index(error.to_string()))
}
