//! Hashes by which Flux knows releases, values and parts of a spec again.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde_json::Value as Json;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::Record;
use super::record::hook_json;
use crate::json::{Struct, encode, sorted};
use crate::values::Values;

/// How records are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// BLAKE3, 32 bytes of it.
    Blake3,
}

/// The algorithms with their names.
const ALGORITHMS: [(Algorithm, &str); 4] = [
    (Algorithm::Sha256, "sha256"),
    (Algorithm::Sha384, "sha384"),
    (Algorithm::Sha512, "sha512"),
    (Algorithm::Blake3, "blake3"),
];

impl Algorithm {
    /// `name:hex`.
    fn digest(self, bytes: &[u8]) -> String {
        let hash = match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
            Self::Blake3 => blake3::hash(bytes).as_bytes().to_vec(),
        };
        hash.iter().fold(format!("{self}:"), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = ALGORITHMS.iter().find(|(algorithm, _)| algorithm == self);
        f.write_str(found.map_or("sha256", |(_, name)| name))
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = ALGORITHMS.iter().find(|(_, known)| *known == name);
        found
            .map(|(algorithm, _)| *algorithm)
            .ok_or_else(|| format!("unsupported digest algorithm: {name}"))
    }
}

/// Whether a record is the one that a digest was made of, by whatever algorithm.
pub fn is_observed(record: &Record, oci_digest: &str, digest: &str) -> bool {
    let algorithm = digest.split_once(':').map(|(name, _)| name.parse());
    matches!(algorithm, Some(Ok(algorithm))
        if observation_digest_by(algorithm, record, oci_digest) == digest)
}

/// [`observation_digest_by`] SHA-256.
pub fn observation_digest(record: &Record, oci_digest: &str) -> String {
    observation_digest_by(Algorithm::Sha256, record, oci_digest)
}

/// The digest of a record in the history of a HelmRelease, without hooks that are tests, whose runs
/// change it. `oci_digest` is that of the chart's artifact, if it has one.
pub fn observation_digest_by(algorithm: Algorithm, record: &Record, oci_digest: &str) -> String {
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
    algorithm.digest(format!("{}\n", encode(&observation.into())).as_bytes())
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
    Algorithm::Sha256.digest(bytes)
}
