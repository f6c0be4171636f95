//! Which representation of an answer the client wants.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::status::{Refused, Served};

/// What an object is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// The object itself.
    Whole,
    /// Only its metadata.
    Metadata,
    /// A row of a table.
    Table,
}

/// The representation of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Accept {
    /// What objects are shown as.
    pub(super) shape: Shape,
    /// Whether in YAML instead of JSON.
    pub(super) yaml: bool,
    /// Whether the transformed object is of `meta.k8s.io/v1beta1`.
    pub(super) beta: bool,
}

impl Accept {
    /// Whether rows are wanted.
    pub(super) fn is_table(self) -> bool {
        self.shape == Shape::Table
    }
}

/// The plain JSON object.
pub(super) const WHOLE: Accept = Accept { shape: Shape::Whole, yaml: false, beta: false };

/// One media range of the header.
struct Range<'a> {
    kind: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> (f32, Self) {
        let mut parts = text.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let parameters: Vec<_> = parts.filter_map(|p| p.split_once('=')).collect();
        let quality = parameters
            .iter()
            .find(|(key, _)| *key == "q")
            .and_then(|(_, q)| q.parse().ok())
            .unwrap_or(1.0);
        (quality, Self { kind, parameters })
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.parameters.iter().find(|(k, _)| *k == key).map(|(_, v)| *v)
    }

    fn accept(&self) -> Option<Accept> {
        let yaml = match self.kind {
            "application/json" | "application/*" | "*/*" => false,
            "application/yaml" => true,
            _ => return None,
        };
        let shape = match self.get("as") {
            None => return Some(Accept { yaml, ..WHOLE }),
            Some("Table") => Shape::Table,
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Shape::Metadata,
            Some(_) => return None,
        };
        let group = self.get("g").is_none_or(|g| g == "meta.k8s.io");
        let version = self.get("v").unwrap_or("v1");
        (group && matches!(version, "v1" | "v1beta1")).then(|| Accept {
            shape,
            yaml,
            beta: version == "v1beta1",
        })
    }
}

/// The ranges of the header, the most wanted first.
fn ranges(header: &str) -> Vec<Range<'_>> {
    let mut ranges: Vec<_> = header.split(',').map(str::trim).map(Range::parse).collect();
    ranges.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    ranges.into_iter().filter(|(q, _)| *q > 0.0).map(|(_, range)| range).collect()
}

/// The whole header, however often it is given.
pub(super) fn header(headers: &HeaderMap) -> String {
    let values: Vec<_> = headers.get_all(ACCEPT).iter().filter_map(|v| v.to_str().ok()).collect();
    values.join(",")
}

/// Chooses the representation of objects.
pub(super) fn negotiate(headers: &HeaderMap) -> Served<Accept> {
    let header = header(headers);
    if header.trim().is_empty() {
        return Ok(WHOLE);
    }
    let ranges = ranges(&header);
    let known = |range: &Range<'_>| {
        matches!(range.kind, "application/json" | "application/yaml" | "application/*" | "*/*")
    };
    ranges.iter().find_map(Range::accept).ok_or_else(|| {
        if ranges.iter().any(known) { Refused::no_such_form() } else { Refused::not_acceptable() }
    })
}

/// Whether an aggregated discovery document is wanted rather than the plain one.
pub(super) fn aggregated(headers: &HeaderMap) -> bool {
    let header = header(headers);
    for range in ranges(&header) {
        if !matches!(range.kind, "application/json" | "application/*" | "*/*") {
            continue;
        }
        match (range.get("as"), range.get("v")) {
            (Some("APIGroupDiscoveryList"), Some("v2")) => return true,
            (None, _) => return false,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Accept> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, text.parse().unwrap());
        negotiate(&headers).ok()
    }

    #[test]
    fn the_first_range_that_can_be_served_wins() {
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(of(kubectl).unwrap().shape, Shape::Table);
        assert_eq!(of("application/vnd.kubernetes.protobuf,application/json"), Some(WHOLE));
        assert_eq!(of("application/vnd.kubernetes.protobuf"), None);
        assert_eq!(of("application/json;q=0.5, application/yaml").map(|a| a.yaml), Some(true));
        let partial = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
        assert_eq!(of(partial).unwrap().shape, Shape::Metadata);
    }
}
