//! The paths of a document: which requests there are, and which parameters they take.

use serde_json::{Map, Value, json};

use super::{kind, name, schema_name};
use crate::catalog::{Index, Resource};

/// Parameters of all requests that change something.
const WRITE: [&str; 3] = ["dryRun", "fieldManager", "fieldValidation"];
/// Parameters of lists.
const LIST: [&str; 9] = [
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
];
const DELETE: [&str; 4] = ["dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"];

/// The paths of one version of a group.
pub(super) fn paths(index: &Index, group: &str, version: &str, home: &str) -> Map<String, Value> {
    let mut paths = Map::new();
    for resource in index.of(group, version) {
        let base = format!("/{}", name(group, version));
        let (collection, mut shared) = if resource.namespaced {
            (
                format!("{base}/namespaces/{{namespace}}/{}", resource.plural),
                vec![in_path("namespace")],
            )
        } else {
            (format!("{base}/{}", resource.plural), Vec::new())
        };
        let request = Request { resource, home };
        if resource.is_virtual {
            paths.insert(collection, json!({"post": request.write("post"), "parameters": shared}));
            continue;
        }
        paths.insert(
            collection.clone(),
            json!({
                "get": request.operation("list", &LIST, false),
                "post": request.write("post"),
                "delete": request.operation("deletecollection", &DELETE, false),
                "parameters": shared,
            }),
        );
        shared.push(in_path("name"));
        let one = json!({
            "get": request.operation("get", &[], false),
            "put": request.write("put"),
            "patch": request.patch(),
            "delete": request.operation("delete", &DELETE, false),
            "parameters": shared,
        });
        paths.insert(format!("{collection}/{{name}}"), one);
        if resource.status {
            let status = json!({
                "get": request.operation("get", &[], false),
                "put": request.write("put"),
                "patch": request.patch(),
                "parameters": shared,
            });
            paths.insert(format!("{collection}/{{name}}/status"), status);
        }
        if resource.namespaced {
            let all = json!({"get": request.operation("list", &LIST, false)});
            paths.insert(format!("{base}/{}", resource.plural), all);
        }
    }
    paths
}

struct Request<'a> {
    resource: &'a Resource,
    home: &'a str,
}

impl Request<'_> {
    fn operation(&self, action: &str, parameters: &[&str], body: bool) -> Value {
        let resource = self.resource;
        let reference = json!({
            "$ref": format!("{}{}", self.home, schema_name(&resource.group, &resource.version, &resource.kind)),
        });
        let mut parameters: Vec<_> = parameters.iter().map(|name| in_query(name)).collect();
        let mut operation = json!({
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind":
                kind(&resource.group, &resource.version, &resource.kind),
        });
        let v2 = self.home == super::DEFINITIONS;
        operation["responses"] = if v2 {
            json!({"200": {"description": "OK", "schema": reference}})
        } else {
            json!({"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}})
        };
        if body && v2 {
            parameters
                .push(json!({"name": "body", "in": "body", "required": true, "schema": reference}));
        } else if body {
            operation["requestBody"] =
                json!({"content": {"*/*": {"schema": reference}}, "required": true});
        }
        operation["parameters"] = json!(parameters);
        operation
    }

    fn write(&self, action: &str) -> Value {
        self.operation(action, &WRITE, true)
    }

    fn patch(&self) -> Value {
        let parameters = [WRITE.as_slice(), &["force"]].concat();
        let mut operation = self.operation("patch", &parameters, false);
        let mut types = vec![
            "application/apply-patch+yaml",
            "application/json-patch+json",
            "application/merge-patch+json",
        ];
        if self.resource.custom().is_none() {
            types.push("application/strategic-merge-patch+json");
        }
        if self.home == super::DEFINITIONS {
            operation["consumes"] = json!(types);
        } else {
            let content: Map<_, _> = types
                .into_iter()
                .map(|t| (t.to_owned(), json!({"schema": {"type": "object"}})))
                .collect();
            operation["requestBody"] = json!({"content": content, "required": true});
        }
        operation
    }
}

fn in_path(name: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "uniqueItems": true}})
}

fn in_query(name: &str) -> Value {
    let kind = match name {
        "limit" | "timeoutSeconds" | "gracePeriodSeconds" => "integer",
        "allowWatchBookmarks" | "sendInitialEvents" | "orphanDependents" | "force" => "boolean",
        _ => "string",
    };
    json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}})
}
