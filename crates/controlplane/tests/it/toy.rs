//! A small resource of our own, and a server that serves it.

use controlplane::{Options, Server};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use serde_json::json;

/// A server in memory and a client on it.
pub(crate) fn server() -> (Server, Client) {
    let server = Server::open(Options::default()).unwrap();
    let client = Client::new(server.router(), "default");
    (server, client)
}

/// The definition of widgets.toys.example.
pub(crate) fn definition() -> CustomResourceDefinition {
    serde_json::from_value(json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.toys.example"},
        "spec": {
            "group": "toys.example",
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "shortNames": ["wd"], "categories": ["all"]},
            "versions": [
                {
                    "name": "v1",
                    "served": true,
                    "storage": true,
                    "subresources": {
                        "status": {},
                        "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
                    },
                    "additionalPrinterColumns": [
                        {"name": "Size", "type": "string", "jsonPath": ".spec.size"},
                        {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"},
                        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                        {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas", "priority": 1}
                    ],
                    "schema": {"openAPIV3Schema": schema()}
                },
                {
                    "name": "v1beta1",
                    "served": true,
                    "storage": false,
                    "deprecated": true,
                    "deprecationWarning": "toys.example/v1beta1 Widget is old; use v1",
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema()}
                }
            ]
        }
    }))
    .unwrap()
}

fn schema() -> serde_json::Value {
    json!({
        "type": "object",
        "description": "A widget for tests.",
        "properties": {
            "spec": {
                "type": "object",
                "description": "What the widget shall be.",
                "required": ["size"],
                "properties": {
                    "size": {"type": "string", "enum": ["small", "large"], "description": "How large it is."},
                    "color": {"type": "string", "default": "red"},
                    "replicas": {"type": "integer", "minimum": 0},
                    "parts": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["name"],
                        "items": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {"name": {"type": "string"}, "weight": {"type": "integer"}}
                        }
                    }
                }
            },
            "status": {
                "type": "object",
                "properties": {
                    "replicas": {"type": "integer"},
                    "conditions": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["type", "status"],
                            "properties": {"type": {"type": "string"}, "status": {"type": "string"}}
                        }
                    }
                }
            }
        }
    })
}

/// Creates the definition.
pub(crate) async fn define(client: &Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    api.create(&PostParams::default(), &definition()).await.unwrap();
}

/// Widgets in `default`.
pub(crate) fn widgets(client: &Client) -> Api<DynamicObject> {
    Api::default_namespaced_with(client.clone(), &resource("v1"))
}

/// The resource in one version.
pub(crate) fn resource(version: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("toys.example", version, "Widget"))
}

/// A widget as a manifest.
pub(crate) fn widget(name: &str) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "toys.example/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": "small"},
    }))
    .unwrap()
}
