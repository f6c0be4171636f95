//! `OpenAPI`: what `kubectl explain` teaches from and clients check their requests against.
//!
//! Version 3 has one document per group and version, made on demand. Version 2 has them all in one.

mod builtin;
mod custom;
mod path;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::Digest;

use self::builtin::Library;
use crate::catalog::Index;
use crate::discovery::RELEASE;

/// Where components of version 3 are.
const COMPONENTS: &str = "#/components/schemas/";
/// Where definitions of version 2 are.
const DEFINITIONS: &str = "#/definitions/";

/// The list of the documents of version 3.
pub(crate) fn index(index: &Index) -> Value {
    let mut paths = Map::new();
    for (group, versions) in &index.groups {
        for version in versions {
            let name = name(group, version);
            let hash = hash(index, group, version);
            let url = format!("/openapi/v3/{name}?hash={hash}");
            paths.insert(name, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

/// The document of version 3 for one version of a group.
pub(crate) fn document(index: &Index, group: &str, version: &str) -> Option<Value> {
    if !index.serves(group, version) {
        return None;
    }
    let mut components = BTreeMap::new();
    schemas(index, (group, version), &Library::open(), COMPONENTS, &mut components);
    Some(json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": RELEASE.2},
        "paths": path::paths(index, group, version, COMPONENTS),
        "components": {"schemas": components},
    }))
}

/// The document of version 2.
pub(crate) fn document_v2(index: &Index) -> Value {
    let mut paths = Map::new();
    let mut definitions = BTreeMap::new();
    let library = Library::open();
    for (group, versions) in &index.groups {
        for version in versions {
            paths.extend(path::paths(index, group, version, DEFINITIONS));
            schemas(index, (group, version), &library, DEFINITIONS, &mut definitions);
        }
    }
    json!({
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": RELEASE.2},
        "paths": paths,
        "definitions": definitions,
    })
}

/// Adds the schemas of one version of a group.
fn schemas(
    index: &Index,
    (group, version): (&str, &str),
    library: &Library,
    home: &str,
    schemas: &mut BTreeMap<String, Value>,
) {
    library.add_common(home, schemas);
    for resource in index.of(group, version) {
        match resource.custom() {
            Some(custom) => {
                schemas.insert(
                    schema_name(group, version, &resource.kind),
                    custom::schema(resource, custom, home),
                );
                library.add(&builtin::full_name("meta.v1.ObjectMeta"), home, schemas);
            }
            None => library.add_kind(resource, home, schemas),
        }
    }
}

/// The name of the schema of a kind.
fn schema_name(group: &str, version: &str, kind: &str) -> String {
    if let Some(name) = builtin::type_name(group, version, kind) {
        return builtin::full_name(name);
    }
    let reversed: Vec<_> = group.split('.').rev().collect();
    format!("{}.{version}.{kind}", reversed.join("."))
}

/// `api/v1` or `apis/GROUP/VERSION`.
fn name(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// Changes when the document does: with the release and the definitions of the resources.
fn hash(index: &Index, group: &str, version: &str) -> String {
    let mut hash = sha2::Sha256::new();
    hash.update(RELEASE.2);
    hash.update(builtin::size().to_le_bytes());
    for resource in index.of(group, version) {
        hash.update(&resource.plural);
        if let Some(custom) = resource.custom() {
            hash.update(custom.openapi.to_string());
            hash.update([u8::from(resource.status), u8::from(resource.scale.is_some())]);
        }
    }
    hash.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02X}"))
}

fn kind(group: &str, version: &str, kind: &str) -> Value {
    json!({"group": group, "version": version, "kind": kind})
}
