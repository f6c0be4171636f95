//! Schemas of built-in kinds, as a kube-apiserver of the release describes them.
//!
//! `schemas.gz` has a line for each type: its name, a space, and its schema of version 3; the names are
//! sorted. The test `openapi` of this crate makes it from a running kube-apiserver. It is unpacked when
//! a document is asked for, and forgotten with it: nobody at rest holds a megabyte of descriptions.

use std::collections::BTreeMap;
use std::io::Read as _;

use serde_json::{Value, json};

use super::{COMPONENTS, DEFINITIONS};
use crate::catalog::Resource;

const PACKED: &[u8] = include_bytes!("schemas.gz");
/// The names of kinds' types; only its lines `#group/version Kind Name` matter here.
const TYPES: &str = include_str!("../builtin/types.txt");
/// What requests and answers of every kind are made of.
const COMMON: [&str; 5] = [
    "meta.v1.APIResourceList",
    "meta.v1.DeleteOptions",
    "meta.v1.Patch",
    "meta.v1.Status",
    "meta.v1.WatchEvent",
];

/// The unpacked schemas.
pub(super) struct Library {
    text: String,
    /// Where each line begins and ends, in the order of names.
    lines: Vec<(usize, usize)>,
}

/// The size of what schemas are made from; with the release it tells one document from another.
pub(super) fn size() -> usize {
    PACKED.len()
}

/// The name that the table of types has for a kind.
pub(super) fn type_name(group: &str, version: &str, kind: &str) -> Option<&'static str> {
    let lines = TYPES.lines().take_while(|line| line.starts_with('#'));
    let mut entries = lines.filter_map(|line| line[1..].rsplit_once(' '));
    entries.find_map(|(of, name)| {
        let (place, of) = of.split_once(' ')?;
        (of == kind && place.split_once('/') == Some((group, version))).then_some(name)
    })
}

/// The name of a type in Kubernetes' own documents.
pub(super) fn full_name(name: &str) -> String {
    let package = name.rsplit_once('.').map_or("", |(package, _)| package);
    let home = match package.split('.').next().unwrap_or_default() {
        "meta" => "io.k8s.apimachinery.pkg.apis.",
        "runtime" | "util" | "api" | "version" => "io.k8s.apimachinery.pkg.",
        "apiextensions" => "io.k8s.apiextensions-apiserver.pkg.apis.",
        "apiregistration" => "io.k8s.kube-aggregator.pkg.apis.",
        _ => "io.k8s.api.",
    };
    format!("{home}{name}")
}

impl Library {
    /// Unpacks the schemas.
    pub(super) fn open() -> Self {
        let mut text = String::new();
        // It is part of the program; a test reads all of it.
        let _ = flate2::read::GzDecoder::new(PACKED).read_to_string(&mut text);
        let mut lines = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            lines.push((start, start + line.trim_end().len()));
            start += line.len();
        }
        Self { text, lines }
    }

    /// Adds the schemas of a built-in resource, of its list and its subresources, and all that they
    /// refer to.
    pub(super) fn add_kind(
        &self,
        resource: &Resource,
        home: &str,
        schemas: &mut BTreeMap<String, Value>,
    ) {
        let name = type_name(&resource.group, &resource.version, &resource.kind);
        let Some(name) = name.map(full_name) else { return };
        self.add(&format!("{name}List"), home, schemas);
        self.add(&name, home, schemas);
        let below = match resource.kind.as_str() {
            "Pod" => Some("policy.v1.Eviction"),
            "ServiceAccount" => Some("authentication.v1.TokenRequest"),
            _ => resource.scale.is_some().then_some("autoscaling.v1.Scale"),
        };
        if let Some(name) = below {
            self.add(&full_name(name), home, schemas);
        }
    }

    /// Adds what all requests and answers are made of.
    pub(super) fn add_common(&self, home: &str, schemas: &mut BTreeMap<String, Value>) {
        for name in COMMON {
            self.add(&full_name(name), home, schemas);
        }
    }

    /// Adds a type and all that it refers to.
    pub(super) fn add(&self, name: &str, home: &str, schemas: &mut BTreeMap<String, Value>) {
        let mut wanted = vec![name.to_owned()];
        while let Some(name) = wanted.pop() {
            if schemas.contains_key(&name) {
                continue;
            }
            let Some(mut schema) = self.find(&name) else { continue };
            references(&schema, &mut wanted);
            if home == DEFINITIONS {
                as_version_2(&mut schema);
            }
            schemas.insert(name, schema);
        }
    }

    fn find(&self, name: &str) -> Option<Value> {
        let line = |place: &(usize, usize)| self.text[place.0..place.1].split_once(' ');
        let key = |place: &(usize, usize)| line(place).unwrap_or_default().0;
        let at = self.lines.binary_search_by_key(&name, key).ok()?;
        serde_json::from_str(line(&self.lines[at])?.1).ok()
    }
}

/// The names of the types that a schema refers to.
fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                found.extend(target.strip_prefix(COMPONENTS).map(ToOwned::to_owned));
            }
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// Says what a schema of version 3 says in the words of version 2, which knows no defaults here and
/// nothing that may be one of several types.
fn as_version_2(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    members.remove("default");
    if members.remove("oneOf").is_some() {
        members.insert("type".to_owned(), json!("string"));
    }
    let wrapped = members.remove("allOf");
    let wrapped = wrapped.as_ref().and_then(|all| all.pointer("/0/$ref"));
    if let Some(target) = wrapped.or(members.get("$ref")).and_then(Value::as_str) {
        let target = target.replace(COMPONENTS, DEFINITIONS);
        members.insert("$ref".to_owned(), json!(target));
    }
    for name in ["items", "additionalProperties"] {
        if let Some(below) = members.get_mut(name) {
            as_version_2(below);
        }
    }
    if let Some(properties) = members.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(as_version_2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_there_and_none_refers_to_nothing() {
        let library = Library::open();
        assert!(library.lines.len() > 500, "{}", library.lines.len());
        for place in &library.lines {
            let name = library.text[place.0..place.1].split(' ').next().unwrap();
            let mut schemas = BTreeMap::new();
            library.add(name, COMPONENTS, &mut schemas);
            let mut wanted = Vec::new();
            for schema in schemas.values() {
                references(schema, &mut wanted);
            }
            assert!(!schemas[name]["description"].is_null(), "{name} is not described");
            assert_eq!(wanted.iter().find(|it| !schemas.contains_key(*it)), None, "of {name}");
        }
        let names = TYPES.lines().take_while(|line| line.starts_with('#'));
        for name in names.filter_map(|line| line.rsplit_once(' ')).map(|it| full_name(it.1)) {
            assert!(library.find(&name).is_some(), "{name} is not there");
        }
    }

    #[test]
    fn version_2_has_neither_defaults_nor_choices() {
        let library = Library::open();
        let mut schemas = BTreeMap::new();
        library.add(&full_name("core.v1.ServicePort"), DEFINITIONS, &mut schemas);
        let port = &schemas["io.k8s.api.core.v1.ServicePort"]["properties"]["targetPort"];
        let target = "#/definitions/io.k8s.apimachinery.pkg.util.intstr.IntOrString";
        assert_eq!(port["$ref"], target);
        let target = &schemas["io.k8s.apimachinery.pkg.util.intstr.IntOrString"];
        assert_eq!(
            (&target["type"], &target["format"]),
            (&json!("string"), &json!("int-or-string"))
        );
    }
}
