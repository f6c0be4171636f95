//! What a Pipeline is made of, and which values of it a Bundle holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    meta::{NamespacedObjectReference, Time},
    source::Verification,
};

/// One part of what moves together; exactly one of its sources is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "[has(self.imagePolicyRef), has(self.chart), has(self.ociRef), has(self.gitRef), \
        has(self.stageRef)].filter(it, it).size() == 1",
    "message": "exactly one of imagePolicyRef, chart, ociRef, gitRef and stageRef must be set"
}]))]
pub struct Component {
    /// Name that markers and expressions use.
    #[schemars(extend("pattern" = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength" = 63))]
    pub name: String,
    /// The image an ImagePolicy chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_policy_ref: Option<NamespacedObjectReference>,
    /// A chart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<ChartSource>,
    /// The artifact an OCIRepository has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oci_ref: Option<NamespacedObjectReference>,
    /// The commit a GitRepository has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_ref: Option<GitSource>,
    /// Everything that is verified in a stage of another Pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage_ref: Option<StageSource>,
    /// Other `namespace:policy` targets of `$imagepolicy` markers that mean this component.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 64))]
    pub aliases: Vec<String>,
    /// What a value must fulfil before it may be part of a Bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require: Option<Requirement>,
    /// Whether a stage may do without a marker for this component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

/// Where a chart comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChartSource {
    /// A HelmRepository, an OCIRepository or a HelmChart.
    pub source_ref: SourceReference,
    /// Name of the chart; needed with a HelmRepository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<String>,
    /// Range of versions; the newest stable one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semver: Option<String>,
}

/// A source by its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceReference {
    /// Kind of the source.
    #[schemars(extend("enum" = ["HelmRepository", "OCIRepository", "HelmChart"]))]
    pub kind: String,
    /// Name of the source.
    pub name: String,
    /// Namespace of the source; the Pipeline's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Which changes of a repository make a new commit of the component.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitSource {
    /// Name of the GitRepository.
    pub name: String,
    /// Namespace of the GitRepository; the Pipeline's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Only changes below these paths count; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 64))]
    pub paths: Vec<String>,
    /// Changes below these paths do not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 64))]
    pub ignore_paths: Vec<String>,
}

/// A stage of another Pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StageSource {
    /// Name of the Stage.
    pub name: String,
    /// Namespace of the Stage; the Pipeline's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// What a value must fulfil.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Requirement {
    /// How long the value must have been there, as a Go duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = crate::meta::INTERVAL))]
    pub min_age: Option<String>,
    /// Which signature it must carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verification>,
    /// Platforms the image must have, such as `linux/arm64`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 16))]
    pub platforms: Vec<String>,
}

/// The value of one component in a Bundle; exactly one of its forms is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "[has(self.image), has(self.chart), has(self.oci), has(self.git)]\
        .filter(it, it).size() == 1",
    "message": "exactly one of image, chart, oci and git must be set"
}]))]
pub struct BundleComponent {
    /// Name of the component.
    #[schemars(extend("maxLength" = 63))]
    pub name: String,
    /// An image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageValue>,
    /// A chart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<ChartValue>,
    /// An artifact of a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oci: Option<OciValue>,
    /// A commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitValue>,
}

/// An image.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImageValue {
    /// Address without tag and digest.
    #[schemars(extend("maxLength" = 1024))]
    pub name: String,
    /// Tag.
    #[schemars(extend("maxLength" = 128))]
    pub tag: String,
    /// Digest of the manifest or index; always known of what a Pipeline makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 256))]
    pub digest: Option<String>,
    /// When it was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Time>,
    /// Where its source is (`org.opencontainers.image.source`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 1024))]
    pub source: Option<String>,
    /// Commit it was built from (`org.opencontainers.image.revision`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 256))]
    pub revision: Option<String>,
}

/// A chart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChartValue {
    /// Address of its repository.
    #[schemars(extend("maxLength" = 1024))]
    pub url: String,
    /// Name of the chart.
    #[schemars(extend("maxLength" = 256))]
    pub name: String,
    /// Version.
    #[schemars(extend("maxLength" = 256))]
    pub version: String,
    /// Digest of the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 256))]
    pub digest: Option<String>,
}

/// An artifact of a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OciValue {
    /// Address without tag and digest, with `oci://`.
    #[schemars(extend("maxLength" = 1024))]
    pub url: String,
    /// Tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 128))]
    pub tag: Option<String>,
    /// Digest of the manifest.
    #[schemars(extend("maxLength" = 256))]
    pub digest: String,
}

/// A commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GitValue {
    /// Address of the repository.
    #[schemars(extend("maxLength" = 1024))]
    pub url: String,
    /// Branch it was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 256))]
    pub branch: Option<String>,
    /// Tag it was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 256))]
    pub tag: Option<String>,
    /// Id of the commit, in hexadecimal.
    #[schemars(extend("maxLength" = 64))]
    pub commit: String,
    /// First line of its message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 1024))]
    pub subject: Option<String>,
    /// Who wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 512))]
    pub author: Option<String>,
}
