//! `Receiver`: a webhook that asks for reconciliations.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CrossNamespaceObjectReference;
use crate::meta::{Condition, INTERVAL, LocalObjectReference, conditions, kind};

/// Who calls, what counts, and what is reconciled then.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "notification.toolkit.fluxcd.io",
    version = "v1",
    kind = "Receiver",
    plural = "receivers",
    namespaced,
    status = "ReceiverStatus",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct ReceiverSpec {
    /// Who calls, and so how a call is verified.
    #[serde(rename = "type")]
    pub type_: ReceiverType,
    /// Time between two looks at the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = INTERVAL, "default" = "10m"))]
    pub interval: Option<String>,
    /// Events that count, by the caller's names; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<String>>,
    /// What is reconciled.
    pub resources: Vec<CrossNamespaceObjectReference>,
    /// CEL expression over `req` and `res` that says which of them are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_filter: Option<String>,
    /// Secret with the `token` that the path is made of and calls are verified with.
    pub secret_ref: LocalObjectReference,
    /// Whether calls are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

/// The callers, by the names that manifests give them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they are the callers' own names")]
pub enum ReceiverType {
    Acr,
    Bitbucket,
    Cdevents,
    Dockerhub,
    Gcr,
    #[default]
    Generic,
    #[serde(rename = "generic-hmac")]
    GenericHmac,
    Github,
    Gitlab,
    Harbor,
    Nexus,
    Quay,
}

/// Where it is called.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiverStatus {
    /// The reconcile request that was handled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// The conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Option<Vec<Condition>>,
    /// Path of the webhook, beginning with `/hook/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_path: Option<String>,
    /// Generation of the spec that was reconciled last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

kind!(Receiver, ReceiverStatus);
