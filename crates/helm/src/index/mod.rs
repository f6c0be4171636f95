//! The index of a chart repository: index.yaml.

mod entry;
mod read;
mod split;

use std::collections::BTreeMap;

use serde_json::Value as Json;
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
    /// errors. Versions with broken metadata are left out. Of YAML in the form in which Helm
    /// writes it, the tree of only one chart is in memory at a time.
    ///
    /// # Errors
    /// [`Error::Index`] when it is empty, is no index, or names no version of its own.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::Index("empty index.yaml file".to_owned()));
        }
        let mut index = read::index(text)?;
        if index.api_version.is_empty() {
            return Err(Error::Index("no API version specified".to_owned()));
        }
        for entries in index.entries.values_mut() {
            sort(entries);
        }
        Ok(index)
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
        let versions = |entries: &[Entry]| entries.iter().map(Entry::to_json).collect::<Json>();
        let entries: serde_json::Map<String, Json> =
            self.entries.iter().map(|(name, entries)| (name.clone(), versions(entries))).collect();
        let annotations: serde_json::Map<String, Json> =
            self.annotations.iter().map(|(key, value)| (key.clone(), (&**value).into())).collect();
        let built = Struct::default()
            .field("apiVersion", &*self.api_version)
            .field("generated", entry::time(&self.generated))
            .field("entries", entries)
            .full("publicKeys", self.public_keys.clone())
            .full("annotations", annotations);
        encode(&built.into())
    }
}

fn constraint(range: &str) -> Result<Constraint, Error> {
    Constraint::parse(range).map_err(|error| Error::Index(error.to_string()))
}

/// The highest version first; what is no version goes to the end.
fn sort(entries: &mut Vec<Entry>) {
    let parsed = |entry: Entry| (Version::parse(&entry.metadata.version).ok(), entry);
    let mut versions: Vec<_> = std::mem::take(entries).into_iter().map(parsed).collect();
    versions.sort_by(|(a, _), (b, _)| match (a, b) {
        (Some(a), Some(b)) => b.precedence(a),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    entries.extend(versions.into_iter().map(|(_, entry)| entry));
}
