//! How a stage's commits reach the branch.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::meta::{INTERVAL, LocalObjectReference};

/// How commits reach the branch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Push {
    /// `Commit` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Commit"))]
    pub mode: Option<PushMode>,
    /// The Git provider: `github`, `gitlab`, `gitea` or `forgejo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 63))]
    pub provider: Option<String>,
    /// Address of the provider's API; made of the repository's address when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 1024))]
    pub address: Option<String>,
    /// Secret with the credentials of the provider's API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalObjectReference>,
    /// Labels of the pull request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 32))]
    pub labels: Vec<String>,
    /// Users and teams who are asked to review it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 32))]
    pub reviewers: Vec<String>,
    /// Who merges it; `Human` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Human"))]
    pub merge: Option<MergePolicy>,
    /// How it is merged; as the repository is set up when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<MergeMethod>,
    /// Whether it starts as a draft.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<bool>,
    /// Time after which a pull request that nobody merged fails the promotion; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = INTERVAL))]
    pub timeout: Option<String>,
    /// What to do where the branch cannot be pushed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<PushFallback>,
}

/// How commits reach the branch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PushMode {
    /// They are pushed to it.
    #[default]
    Commit,
    /// By a pull request.
    PullRequest,
}

/// Who merges a pull request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MergePolicy {
    /// A person.
    #[default]
    Human,
    /// The stage, once its gates pass.
    WhenGatesPass,
}

/// How a pull request is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MergeMethod {
    /// By a merge commit.
    Merge,
    /// As one commit.
    Squash,
    /// Its commits one by one.
    Rebase,
}

/// What to do where the branch cannot be pushed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PushFallback {
    /// Make a pull request.
    PullRequest,
}
