//! The objects of a namespace, and who asks for them.

use anyhow::{Context as _, Result, anyhow};
use api::promotion::{Bundle, Promotion, STAGE, Stage};
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::Value;

use crate::cli::cluster;

/// Field manager of what people decide here.
const MANAGER: &str = "sluice";

/// A namespace of a cluster.
pub(super) struct Place {
    pub(super) client: Client,
    pub(super) namespace: String,
}

impl Place {
    pub(super) async fn of(cluster: &cluster::Arguments) -> Result<Self> {
        let client = cluster.access.client().await?;
        Ok(Self { client, namespace: cluster.namespace.clone() })
    }

    /// The objects of one kind.
    pub(super) fn all<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(super) async fn stage(&self, name: &str) -> Result<Stage> {
        let found = self.all::<Stage>().get_opt(name).await.context("cannot read the Stage")?;
        found.ok_or_else(|| {
            anyhow!(
                "there is no Stage {}/{name}; `sluice promotion tree` shows all",
                self.namespace
            )
        })
    }

    pub(super) async fn bundles(&self) -> Result<Vec<Bundle>> {
        let all = self.all::<Bundle>().list(&ListParams::default()).await;
        Ok(all.context("cannot read the Bundles")?.items)
    }

    /// The promotions into a stage, oldest first.
    pub(super) async fn promotions(&self, stage: &str) -> Result<Vec<Promotion>> {
        let wanted = ListParams::default().labels(&format!("{STAGE}={stage}"));
        let all = self.all::<Promotion>().list(&wanted).await;
        let mut all = all.context("cannot read the Promotions")?.items;
        all.retain(|it| it.spec.stage == stage);
        all.sort_by_key(|it| (it.creation_timestamp().map(|at| at.0), it.name_any()));
        Ok(all)
    }

    /// The promotion that is under way in a stage, or one by its own name.
    pub(super) async fn promotion(&self, name: &str) -> Result<Promotion> {
        let own = self.all::<Promotion>().get_opt(name).await;
        if let Some(own) = own.context("cannot read the Promotion")? {
            return Ok(own);
        }
        let open = |it: &Promotion| !is_over(it);
        let mut all = self.promotions(name).await?;
        all.retain(open);
        // The one whose turn it is goes before those that wait for a turn.
        let current = self.stage(name).await?.status.and_then(|status| status.promotion);
        let at = all.iter().position(|it| Some(it.name_any()) == current);
        at.or_else(|| all.len().checked_sub(1)).map(|at| all.swap_remove(at)).ok_or_else(|| {
            anyhow!(
                "nothing is under way in {name}; start something with `sluice promotion promote {name}`"
            )
        })
    }

    pub(super) async fn create<K>(&self, object: &K) -> Result<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + serde::Serialize
            + serde::de::DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        let params =
            PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let kind = K::kind(&()).into_owned();
        self.all::<K>()
            .create(&params, object)
            .await
            .with_context(|| format!("cannot create the {kind}"))
    }

    pub(super) async fn patch<K>(&self, name: &str, patch: &Value) -> Result<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + serde::de::DeserializeOwned
            + Clone
            + std::fmt::Debug,
    {
        let params =
            PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let patched = self.all::<K>().patch(name, &params, &Patch::Merge(patch)).await;
        patched.with_context(|| format!("cannot change {} {name}", K::kind(&())))
    }

    /// Who asks, as the API server knows them: name and groups.
    pub(super) async fn asker(&self) -> Result<(String, Vec<String>)> {
        let review = Api::<SelfSubjectReview>::all(self.client.clone());
        let answer = review.create(&PostParams::default(), &SelfSubjectReview::default()).await;
        let info = answer.context("cannot find out who you are")?.status;
        let info = info.and_then(|status| status.user_info).unwrap_or_default();
        Ok((info.username.unwrap_or_default(), info.groups.unwrap_or_default()))
    }
}

pub(super) fn is_over(it: &Promotion) -> bool {
    let phase = it.status.as_ref().and_then(|status| status.phase);
    phase.is_some_and(api::promotion::Phase::is_terminal)
}

/// How long something is ago or ahead, in the two largest units.
pub(super) fn span(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.as_second().saturating_sub(from.as_second()).unsigned_abs();
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let mut left = seconds;
    let mut parts = Vec::new();
    for (unit, size) in units {
        if left >= size {
            parts.push(format!("{}{unit}", left / size));
            left %= size;
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0s".to_owned() } else { parts.concat() }
}

/// What a bundle is called: its version, or its name.
pub(super) fn shown(version: Option<&str>, bundle: &str) -> String {
    match version.filter(|version| !version.is_empty()) {
        Some(version) => format!("{version} ({bundle})"),
        None => bundle.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        for (seconds, want) in [(0, "0s"), (59, "59s"), (90_061, "1d1h"), (3_660, "1h1m")] {
            assert_eq!(span(at(0), at(seconds)), want);
            assert_eq!(span(at(seconds), at(0)), want);
        }
    }
}
