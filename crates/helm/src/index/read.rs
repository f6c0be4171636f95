//! Text to an index.

use std::collections::BTreeMap;

use version::Version;
use yaml::Value;

use super::{Entry, Index};
use crate::Error;
use crate::decode::{self, Fields};

/// The names that an index may use.
const INDEX: [&str; 6] =
    ["serverInfo", "apiVersion", "generated", "entries", "publicKeys", "annotations"];

/// The names that a version may use.
const ENTRY: [&str; 25] = [
    "name",
    "home",
    "sources",
    "version",
    "description",
    "keywords",
    "maintainers",
    "icon",
    "apiVersion",
    "condition",
    "tags",
    "appVersion",
    "deprecated",
    "annotations",
    "kubeVersion",
    "dependencies",
    "type",
    "urls",
    "created",
    "removed",
    "digest",
    "checksum",
    "engine",
    "tillerVersion",
    "url",
];

/// Reads JSON or YAML, all at once.
pub(super) fn index(text: &[u8]) -> Result<Index, Error> {
    if let Ok(json) = serde_json::from_slice::<serde_json::Value>(text) {
        return head(&decode::from_json(json), false);
    }
    let text = yaml::text(text).map_err(|error| converting(&error))?;
    head(&parse(&text)?, true)
}

/// Reads YAML strictly.
pub(super) fn parse(text: &str) -> Result<Value, Error> {
    yaml::parse_strict(text).map_err(|error| converting(&error))
}

fn converting(error: &yaml::Error) -> Error {
    Error::Yaml(format!("error converting YAML to JSON: {error}"))
}

/// The whole of an index, or what is outside of its charts.
pub(super) fn head(value: &Value, strict: bool) -> Result<Index, Error> {
    let fields = Fields::of(value, "IndexFile", "repo.IndexFile")?;
    if strict {
        known(value, &INDEX)?;
    }
    let mut charts = BTreeMap::new();
    if let Some(value) = fields.get("entries") {
        let Some(mapping) = value.as_mapping() else {
            let into = "Go struct field IndexFile.entries of type map[string]repo.ChartVersions";
            return Err(decode::mismatch(value, into));
        };
        for (name, list) in mapping.iter() {
            charts.insert(name.to_owned(), chart(list, strict)?);
        }
    }
    Ok(Index {
        api_version: fields.text("apiVersion")?,
        generated: fields.text("generated")?,
        entries: charts,
        public_keys: fields.texts("publicKeys")?,
        annotations: fields.text_map("annotations")?.unwrap_or_default(),
    })
}

/// The usable versions of a chart, the highest first.
pub(super) fn chart(list: &Value, strict: bool) -> Result<Vec<Entry>, Error> {
    let mut entries = entries(list, strict)?;
    entries.retain_mut(|entry| entry.check().is_ok());
    sort(&mut entries);
    Ok(entries)
}

fn entries(list: &Value, strict: bool) -> Result<Vec<Entry>, Error> {
    let items = match list {
        Value::Null => &[],
        Value::Sequence(items) => &items[..],
        other => {
            let into = "Go struct field IndexFile.entries of type repo.ChartVersions";
            return Err(decode::mismatch(other, into));
        }
    };
    let mut entries = Vec::with_capacity(items.len());
    for item in items.iter().filter(|item| **item != Value::Null) {
        if strict {
            known(item, &ENTRY)?;
        }
        match Entry::read(item) {
            Ok(entry) => entries.push(entry),
            // A null among the dependencies or maintainers: not fatal, but of no use.
            Err(Error::Validation(_)) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(entries)
}

/// Refuses names that Go's strict decoder does not know.
fn known(value: &Value, names: &[&str]) -> Result<(), Error> {
    let Some(mapping) = value.as_mapping() else { return Ok(()) };
    let mut keys = mapping.iter().map(|(key, _)| key);
    let unknown = keys.find(|key| !names.iter().any(|name| name.eq_ignore_ascii_case(key)));
    unknown.map_or(Ok(()), |key| {
        Err(Error::Yaml(format!(
            "error unmarshaling JSON: while decoding JSON: json: unknown field {key:?}"
        )))
    })
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
