//! What a stage edits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::image::SourceReference;

/// Where a stage edits, and what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Edit {
    /// The repository; the Pipeline's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<SourceReference>,
    /// The branch; the Pipeline's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 256))]
    pub branch: Option<String>,
    /// Folders that edits never leave; the whole repository when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 64))]
    pub paths: Vec<String>,
    /// Which markers count; `Any` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Any"))]
    pub markers: Option<Markers>,
    /// Fields without a marker.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 64))]
    pub fields: Vec<Field>,
    /// Folders that are copied from a component's commit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 16))]
    pub copy: Vec<Copy>,
}

/// Which markers count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Markers {
    /// All that name a component, unless they name another stage.
    #[default]
    Any,
    /// Those that name the stage.
    StageOnly,
}

/// A field without a marker: in files, or in objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.file) != has(self.object)",
    "message": "exactly one of file and object must be set"
}]))]
pub struct Field {
    /// Files by their path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FieldFile>,
    /// Objects by their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<FieldObject>,
    /// Path of the field, such as `spec.chart.spec.version` or `images[0].newTag`.
    #[schemars(extend("minLength" = 1, "maxLength" = 1024))]
    pub path: String,
    /// Where the value comes from.
    pub from: ComponentField,
}

/// Files by their path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldFile {
    /// Pattern of the path from the root of the repository.
    #[schemars(extend("minLength" = 1, "maxLength" = 1024))]
    pub glob: String,
}

/// Objects by their name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldObject {
    /// API version; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind.
    pub kind: String,
    /// Namespace as written in the file; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

/// An attribute of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ComponentField {
    /// Name of the component.
    pub component: String,
    /// The attribute: `ref`, `name`, `url`, `tag`, `version`, `digest` or `commit`.
    #[schemars(extend("enum" = ["ref", "name", "url", "tag", "version", "digest", "commit"]))]
    pub attr: String,
}

/// A folder that is copied from a component's commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Copy {
    /// Name of the component, which must be a commit.
    pub component: String,
    /// Folder or file in the component's repository.
    pub from: String,
    /// Folder or file in the stage's repository, within `paths`.
    pub to: String,
}
