//! `Provider`: a service that events are told to.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::{INTERVAL, LocalObjectReference, TIMEOUT};

/// Which service, and with which credentials.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "notification.toolkit.fluxcd.io",
    version = "v1beta3",
    kind = "Provider",
    plural = "providers",
    namespaced,
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.type == 'github' || self.type == 'gitlab' || self.type == 'gitea' || \
        self.type == 'bitbucketserver' || self.type == 'bitbucket' || \
        self.type == 'azuredevops' || !has(self.commitStatusExpr)",
    "message": "spec.commitStatusExpr is only supported for the 'github', 'gitlab', 'gitea', \
        'bitbucketserver', 'bitbucket', 'azuredevops' provider types"
}]))]
pub struct ProviderSpec {
    /// What kind of service it is.
    #[serde(rename = "type")]
    pub type_: ProviderType,
    /// Without effect; it came from the time when Providers were reconciled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = INTERVAL))]
    pub interval: Option<String>,
    /// Channel, room, topic or whatever the service calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 2048))]
    pub channel: Option<String>,
    /// The name under which is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 2048))]
    pub username: Option<String>,
    /// Address of the service; the Secret's `address` wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 2048))]
    pub address: Option<String>,
    /// Time telling may take; fifteen seconds when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = TIMEOUT))]
    pub timeout: Option<String>,
    /// Address of the proxy to the service; `proxySecretRef` is preferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 2048, "pattern" = "^(http|https)://.*$"))]
    pub proxy: Option<String>,
    /// Secret with the `address`, `username` and `password` of the proxy to the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalObjectReference>,
    /// Secret with the credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// ServiceAccount whose cloud identity is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<String>,
    /// Secret with `ca.crt` and/or `tls.crt` and `tls.key` for the service's TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_secret_ref: Option<LocalObjectReference>,
    /// Whether nothing is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// CEL expression over `event`, `alert` and `provider` that names the commit status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_status_expr: Option<String>,
}

/// The kinds of services, by the names that manifests give them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "they are the services' own names")]
pub enum ProviderType {
    Alertmanager,
    Azuredevops,
    Azureeventhub,
    Bitbucket,
    Bitbucketserver,
    Datadog,
    Discord,
    #[default]
    Generic,
    #[serde(rename = "generic-hmac")]
    GenericHmac,
    Gitea,
    Github,
    Githubdispatch,
    Gitlab,
    Googlechat,
    Googlepubsub,
    Grafana,
    Lark,
    Matrix,
    Msteams,
    Nats,
    Opsgenie,
    Otel,
    Pagerduty,
    Rocket,
    Sentry,
    Slack,
    Telegram,
    Webex,
    Zulip,
}
