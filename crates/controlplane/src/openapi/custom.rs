//! Schemas of custom resources: what their definitions say, with the members that all objects have.

use serde_json::{Value, json};

use super::{builtin, kind};
use crate::catalog::{Custom, Resource};

const API_VERSION: &str = "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";
const KIND: &str = "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";
const METADATA: &str = "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// The schema of a custom resource; `home` is where schemas are referred to.
pub(super) fn schema(resource: &Resource, custom: &Custom, home: &str) -> Value {
    let mut schema = custom.openapi.clone();
    if !schema.is_object() {
        schema = json!({"type": "object"});
    }
    schema["properties"]["apiVersion"] = json!({"type": "string", "description": API_VERSION});
    schema["properties"]["kind"] = json!({"type": "string", "description": KIND});
    let reference = format!("{home}{}", builtin::full_name("meta.v1.ObjectMeta"));
    schema["properties"]["metadata"] = if home == super::DEFINITIONS {
        json!({"description": METADATA, "$ref": reference})
    } else {
        json!({"description": METADATA, "default": {}, "allOf": [{"$ref": reference}]})
    };
    schema["x-kubernetes-group-version-kind"] =
        json!([kind(&resource.group, &resource.version, &resource.kind)]);
    schema
}
