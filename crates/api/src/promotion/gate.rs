//! `Gate`: something that must pass before a stage is written to, or after it was.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{HealthTarget, Window};
use crate::meta::{
    INTERVAL, LocalObjectReference, NamespacedObjectKindReference, NamespacedObjectReference,
    anything,
};

/// One gate: a name and exactly one type, or the name of a template of the Pipeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "[has(self.use), has(self.health), has(self.window), has(self.cel), \
        has(self.approval), has(self.commitStatus), has(self.http), has(self.metric), \
        has(self.job)].filter(it, it).size() == 1",
    "message": "exactly one of use and the types of gates must be set"
}]))]
pub struct Gate {
    /// Name of the gate; that of the template when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength" = 63))]
    pub name: Option<String>,
    /// Name of a template of the Pipeline.
    #[serde(rename = "use", default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 63))]
    pub template: Option<String>,
    /// How long it is waited for; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = INTERVAL))]
    pub timeout: Option<String>,
    /// What happens then; `Wait` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_timeout: Option<OnTimeout>,
    /// How long a result counts; until the promotion ends when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = INTERVAL))]
    pub fresh_for: Option<String>,
    /// Objects are healthy now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthGate>,
    /// It is the right time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowGate>,
    /// An expression holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cel: Option<CelGate>,
    /// People agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalGate>,
    /// Statuses of a commit are good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_status: Option<CommitStatusGate>,
    /// An HTTP server agrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpGate>,
    /// A measurement is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<MetricGate>,
    /// A Job succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobGate>,
}

/// What happens to a promotion whose gate did not pass in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnTimeout {
    /// It goes on waiting, and says so.
    #[default]
    Wait,
    /// It fails.
    Fail,
}

/// Objects, or all those of another stage, that must be healthy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthGate {
    /// The objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 64))]
    pub objects: Vec<HealthTarget>,
    /// Name of a Stage that must be healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 253))]
    pub stage: Option<String>,
}

/// The right time: within `allow`, if there is any, and not within `deny`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WindowGate {
    /// When it is open; always when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 32))]
    pub allow: Vec<Window>,
    /// When it is shut whatever else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 32))]
    pub deny: Vec<Window>,
}

/// An expression that must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CelGate {
    /// CEL over `bundle`, `components`, `stage`, `upstream`, `promotion` and `objects`.
    #[schemars(extend("minLength" = 1, "maxLength" = 4096))]
    pub expr: String,
    /// What is shown while it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 1024))]
    pub message: Option<String>,
    /// Objects that are read for it, by the name it uses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 16))]
    pub objects: Vec<CelObject>,
}

/// An object that an expression sees as `objects.<as>`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CelObject {
    /// What the expression calls it.
    #[serde(rename = "as")]
    #[schemars(extend("maxLength" = 63))]
    pub alias: String,
    /// The object.
    #[serde(flatten)]
    pub object: NamespacedObjectKindReference,
}

/// How many and which people must agree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalGate {
    /// How many different people; one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 1, "maximum" = 100, "default" = 1))]
    pub min: Option<i32>,
    /// Groups whose approvals count; everybody's when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 32))]
    pub groups: Vec<String>,
    /// Groups that must each have an approval.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 32))]
    pub required: Vec<String>,
    /// Whether the one who asked for the promotion does not count; true when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub distinct_from_requester: Option<bool>,
    /// How long an approval counts; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = INTERVAL))]
    pub expires_after: Option<String>,
    /// Where people approve; `Kubernetes` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Kubernetes"))]
    pub via: Option<ApprovalVia>,
}

/// Where people approve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApprovalVia {
    /// In the Promotion's `spec.approvals`.
    #[default]
    Kubernetes,
    /// By reviewing the pull request.
    PullRequestReview,
}

/// Statuses of a commit that must be good.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CommitStatusGate {
    /// Contexts that must all be a success.
    #[schemars(extend("minItems" = 1, "maxItems" = 32))]
    pub contexts: Vec<String>,
    /// Of which commit; `PromotionCommit` when absent. In YAML the key needs quotes: kubectl reads a
    /// bare one as `true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<CommitStatusOn>,
    /// Component whose source revision is meant; all that have one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 63))]
    pub component: Option<String>,
    /// Users whose statuses count; everybody's when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 32))]
    pub creators: Vec<String>,
}

/// Which commit's statuses count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CommitStatusOn {
    /// The promotion's own; only after it was written.
    #[default]
    PromotionCommit,
    /// The head of the promotion's pull request.
    PullRequestHead,
    /// The one an image was built from.
    SourceRevision,
}

/// An HTTP server that must agree.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpGate {
    /// What it is asked.
    pub request: HttpRequest,
    /// CEL over `status`, `headers` and `json`; a status of 2xx when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 4096))]
    pub success_if: Option<String>,
    /// CEL that ends it badly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 4096))]
    pub fail_if: Option<String>,
    /// Time between two requests; one minute when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = INTERVAL))]
    pub interval: Option<String>,
    /// A request that is sent before, once, with an idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<HttpRequest>,
    /// How often it may fail to answer; three times when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 0))]
    pub error_limit: Option<i32>,
}

/// A request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpRequest {
    /// Address.
    #[schemars(extend("minLength" = 1, "maxLength" = 2048))]
    pub url: String,
    /// Method; `GET`, or `POST` with `once`, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 16))]
    pub method: Option<String>,
    /// Headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// JSON that is sent along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "anything")]
    pub body: Option<Value>,
    /// Secret with `token`, or `username` and `password`, or `headers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Secret with `ca.crt` and/or `tls.crt` and `tls.key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalObjectReference>,
}

/// A measurement that must be good.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.prometheus) != has(self.metricTemplateRef)",
    "message": "exactly one of prometheus and metricTemplateRef must be set"
}]))]
pub struct MetricGate {
    /// The Prometheus that is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<Prometheus>,
    /// A `MetricTemplate` of Flagger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_template_ref: Option<NamespacedObjectReference>,
    /// The query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 8192))]
    pub query: Option<String>,
    /// CEL over `result` that says whether it is good.
    #[schemars(extend("minLength" = 1, "maxLength" = 4096))]
    pub success_if: String,
    /// Time between two measurements; one minute when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = INTERVAL))]
    pub interval: Option<String>,
    /// How many measurements; one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 1))]
    pub count: Option<i32>,
    /// How many may be bad; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 0))]
    pub failure_limit: Option<i32>,
    /// How many may not come about; three when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 0))]
    pub error_limit: Option<i32>,
}

/// A Prometheus.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Prometheus {
    /// Its address.
    #[schemars(extend("minLength" = 1, "maxLength" = 2048))]
    pub address: String,
    /// Secret with `token`, or `username` and `password`, or `headers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Secret with `ca.crt` and/or `tls.crt` and `tls.key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalObjectReference>,
}

/// A Job that must succeed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobGate {
    /// The Job, as a `JobTemplateSpec`.
    #[schemars(schema_with = "anything")]
    pub template: Value,
    /// ServiceAccount of its Pods; that of the template when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 253))]
    pub service_account_name: Option<String>,
    /// How often it may not come about; three times when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 0))]
    pub error_limit: Option<i32>,
}
