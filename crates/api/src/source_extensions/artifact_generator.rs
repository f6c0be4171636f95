//! `ArtifactGenerator`: files of several sources, composed to new artifacts.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::{Condition, Object, Status, conditions};

/// A name of an object without dots.
const NAME: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";
/// A reference to a source by its alias.
const ALIAS_REFERENCE: &str = "^@([a-z0-9]([a-z0-9_-]*[a-z0-9])?)$";

/// Which sources are read, and which artifacts are made of them.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "source.extensions.fluxcd.io",
    version = "v1beta1",
    kind = "ArtifactGenerator",
    plural = "artifactgenerators",
    namespaced,
    status = "ArtifactGeneratorStatus",
    derive = "PartialEq"
)]
pub struct ArtifactGeneratorSpec {
    /// The sources, each under an alias.
    #[schemars(extend("minItems" = 1, "maxItems" = 1000))]
    pub sources: Vec<SourceReference>,
    /// The artifacts, each an ExternalArtifact.
    #[serde(rename = "artifacts")]
    #[schemars(extend("minItems" = 1, "maxItems" = 1000))]
    pub output_artifacts: Vec<OutputArtifact>,
}

/// One source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceReference {
    /// The name by which artifacts refer to the source.
    #[schemars(extend("maxLength" = 63, "pattern" = "^[a-z0-9]([a-z0-9_-]*[a-z0-9])?$"))]
    pub alias: String,
    /// Kind of the referent.
    #[schemars(extend("enum" = ["Bucket", "GitRepository", "OCIRepository"]))]
    pub kind: String,
    /// Name of the referent.
    #[schemars(extend("maxLength" = 253, "pattern" = NAME))]
    pub name: String,
    /// Namespace of the referent; the generator's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend(
        "minLength" = 1, "maxLength" = 63, "pattern" = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
    ))]
    pub namespace: Option<String>,
}

/// One artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputArtifact {
    /// Name of the ExternalArtifact.
    #[schemars(extend("maxLength" = 253, "pattern" = NAME))]
    pub name: String,
    /// `@alias` of the source whose revision the artifact has; a digest when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 64, "pattern" = ALIAS_REFERENCE))]
    pub revision: Option<String>,
    /// `@alias` of the source whose origin revision the artifact tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 64, "pattern" = ALIAS_REFERENCE))]
    pub origin_revision: Option<String>,
    /// What is copied, in order.
    #[schemars(extend("minItems" = 1))]
    pub copy: Vec<CopyOperation>,
}

/// Files of a source that go into an artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CopyOperation {
    /// `@alias/` and a path or glob in that source.
    #[schemars(extend(
        "maxLength" = 1024, "pattern" = "^@([a-z0-9]([a-z0-9_-]*[a-z0-9])?)/(.*)$"
    ))]
    pub from: String,
    /// `@artifact/` and a path in the artifact.
    #[schemars(extend("maxLength" = 1024, "pattern" = "^@(artifact)/(.*)$"))]
    pub to: String,
    /// Globs of files that are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxItems" = 100))]
    pub exclude: Option<Vec<String>>,
    /// What happens to a file that is there already; `Overwrite` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<CopyStrategy>,
}

/// What happens to a file that is there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CopyStrategy {
    /// It is replaced.
    #[default]
    Overwrite,
    /// YAML files are merged.
    Merge,
}

/// What was made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactGeneratorStatus {
    /// The reconcile request that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// The conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Option<Vec<Condition>>,
    /// The artifacts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Vec<GeneratedArtifact>>,
    /// Digest over the sources that were used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_sources_digest: Option<String>,
}

/// An artifact that was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratedArtifact {
    /// Name of the ExternalArtifact.
    pub name: String,
    /// Namespace of the ExternalArtifact.
    pub namespace: String,
    /// Digest of the artifact, with the algorithm.
    pub digest: String,
    /// Name of the artifact's file.
    pub filename: String,
}

impl Object for ArtifactGenerator {
    type Status = ArtifactGeneratorStatus;

    fn status(&self) -> Option<&Self::Status> {
        self.status.as_ref()
    }

    /// An annotation pauses this kind, not its spec.
    fn suspended(&self) -> bool {
        let annotations = self.metadata.annotations.as_ref();
        annotations
            .and_then(|all| all.get(super::RECONCILE))
            .is_some_and(|value| value.eq_ignore_ascii_case(super::DISABLED))
    }
}

impl Status for ArtifactGeneratorStatus {
    fn conditions(&self) -> &[Condition] {
        self.conditions.as_deref().unwrap_or_default()
    }

    fn conditions_mut(&mut self) -> &mut Vec<Condition> {
        self.conditions.get_or_insert_default()
    }

    /// This kind tells of the generation only in its Ready condition.
    fn observed_generation(&self) -> Option<i64> {
        self.condition(crate::meta::READY).and_then(|ready| ready.observed_generation)
    }

    fn set_observed_generation(&mut self, _: i64) {}

    fn last_handled_reconcile_at(&self) -> Option<&str> {
        self.last_handled_reconcile_at.as_deref()
    }

    fn set_last_handled_reconcile_at(&mut self, value: String) {
        self.last_handled_reconcile_at = Some(value);
    }
}
