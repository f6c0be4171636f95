//! Hashes by which Flux knows releases, values and parts of a spec again.

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::Record;
use super::record::hook_json;
use crate::json::{Struct, encode, sorted};
use crate::values::Values;

/// The digest of a record in the history of a HelmRelease, without hooks that are tests, whose runs
/// change it. `oci_digest` is that of the chart's artifact, if it has one.
pub fn observation_digest(record: &Record, oci_digest: &str) -> String {
    let is_test = |events: &[String]| events.iter().any(|event| event == "test");
    let hooks = record.hooks.iter().filter(|(hook, _)| !is_test(&hook.events));
    let hooks: Vec<Json> = hooks.map(|(hook, run)| hook_json(hook, run)).collect();
    let or_null = |empty: bool, value: Json| if empty { Json::Null } else { value };
    let config = sorted(&Json::Object(record.config.clone()));
    let observation = Struct::default()
        .field("name", &*record.name)
        .field("version", record.version)
        .field("info", record.info.to_json())
        .field("chartMetadata", record.chart.metadata.to_json())
        .field("config", or_null(record.config.is_empty(), config))
        .field("manifest", &*record.manifest)
        .field("hooks", or_null(hooks.is_empty(), Json::Array(hooks)))
        .field("namespace", &*record.namespace)
        .full("ociDigest", oci_digest);
    sha256(format!("{}\n", encode(&observation.into())).as_bytes())
}

/// The digest of values: of their YAML with keys in the order of their bytes.
pub fn values_digest(values: &Values) -> String {
    if values.is_empty() {
        return sha256(b"");
    }
    sha256(crate::values::to_sorted_yaml(values).as_bytes())
}

/// The digest of a part of a spec (post-renderers, common metadata), as Go's JSON.
pub fn spec_digest(part: &Json) -> String {
    sha256(format!("{}\n", encode(part)).as_bytes())
}

fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
