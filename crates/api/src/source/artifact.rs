//! `Artifact`: what every source makes, and what everything downstream reads.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::{DIGEST, Time};

/// A tarball in the artifact store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// Path in the store.
    pub path: String,
    /// Where it is served.
    pub url: String,
    /// The revision it was made of.
    pub revision: String,
    /// Its digest, with the algorithm.
    #[schemars(extend("pattern" = DIGEST))]
    pub digest: String,
    /// When it was made.
    pub last_update_time: Time,
    /// Its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// What the upstream says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
}
