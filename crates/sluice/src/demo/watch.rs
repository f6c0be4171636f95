//! Waiting for what the controllers say.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use api::{
    image::{ImagePolicy, ImageRepository, ImageUpdateAutomation},
    meta::{self, Status as _},
    source::GitRepository,
};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
    runtime::wait::await_condition,
};
use policy::{Filter, Order, Rule};
use serde_json::json;

/// How long one step may take before the demo gives up on it.
const PATIENCE: Duration = Duration::from_mins(2);
/// Where the objects are.
const NAMESPACE: &str = "apps";

/// Looks at the objects of the demo.
pub(super) struct Watch {
    client: Client,
    repositories: Api<ImageRepository>,
    policies: Api<ImagePolicy>,
    automations: Api<ImageUpdateAutomation>,
    sources: Api<GitRepository>,
    deployments: Api<Deployment>,
}

impl Watch {
    pub(super) fn start(client: Client) -> Self {
        Self {
            repositories: Api::namespaced(client.clone(), NAMESPACE),
            policies: Api::namespaced(client.clone(), NAMESPACE),
            automations: Api::namespaced(client.clone(), NAMESPACE),
            sources: Api::namespaced(client.clone(), NAMESPACE),
            deployments: Api::namespaced(client.clone(), NAMESPACE),
            client,
        }
    }

    /// Asks for a scan now, as `flux reconcile image repository` does.
    pub(super) async fn request_scan(&self, namespace: &str, image: &str) -> Result<()> {
        let repositories: Api<ImageRepository> = Api::namespaced(self.client.clone(), namespace);
        repositories.patch(image, &PatchParams::default(), &now()).await?;
        Ok(())
    }

    /// Has the repository looked at now, as `flux reconcile source git` does.
    pub(super) async fn request_source(&self, name: &str) -> Result<()> {
        self.sources.patch(name, &PatchParams::default(), &now()).await?;
        Ok(())
    }

    /// Waits until the Deployment of this name runs an image of this tag; the image.
    pub(super) async fn applied(&self, name: &str, tag: &str) -> Result<String> {
        let image = |it: Option<&Deployment>| {
            let pod = it?.spec.as_ref()?.template.spec.as_ref()?;
            pod.containers.first()?.image.clone()
        };
        let suffix = format!(":{tag}");
        let there = |it: Option<&Deployment>| image(it).is_some_and(|it| it.ends_with(&suffix));
        let it = wait(&self.deployments, name, there).await?;
        image(Some(&it)).context("the Deployment lost its image")
    }

    /// Waits until a scan has seen `tag`.
    pub(super) async fn scanned(&self, image: &str, tag: &str) -> Result<String> {
        let has = |it: Option<&ImageRepository>| {
            let result = it.and_then(|it| it.status.as_ref()?.last_scan_result.as_ref());
            result
                .and_then(|result| result.latest_tags.as_ref())
                .is_some_and(|tags| tags.iter().any(|seen| seen == tag))
        };
        let it = wait(&self.repositories, image, has).await?;
        let result = it.status.unwrap_or_default().last_scan_result.unwrap_or_default();
        let tags = result.latest_tags.unwrap_or_default().join(", ");
        Ok(format!("{image}: {} tags ({tags})", result.tag_count))
    }

    /// Waits until the policy has chosen `tag`, and says why it did.
    pub(super) async fn selected(
        &self,
        policy: &str,
        tag: &str,
        mut tags: Vec<String>,
    ) -> Result<String> {
        let chosen = |it: Option<&ImagePolicy>| {
            let latest = it.and_then(|it| it.status.as_ref()?.latest_ref.as_ref());
            latest.is_some_and(|latest| latest.tag == tag)
        };
        let it = wait(&self.policies, policy, chosen).await?;
        tags.sort_unstable_by(|a, b| b.cmp(a));
        let spec = &it.spec.policy;
        let rule = match (&spec.semver, &spec.numerical) {
            (Some(semver), _) => Rule::semver(&semver.range)?,
            (None, Some(_)) => Rule::Numerical(Order::Ascending),
            (None, None) => Rule::Alphabetical(Order::Ascending),
        };
        let filter = it.spec.filter_tags.as_ref().map(|filter| {
            let text = |part: &Option<String>| part.clone().unwrap_or_default();
            Filter::new(&text(&filter.pattern), &text(&filter.extract))
        });
        let choice = policy::select(&tags, &rule, filter.transpose()?.as_ref())?;
        if choice.tag != tag {
            bail!("the policy {policy} chose {tag}, but by its rule it should be {}", choice.tag);
        }
        Ok(format!("{policy}: {tag} ({})", choice.reason))
    }

    /// Waits for a commit other than `before`; its id.
    pub(super) async fn pushed(&self, before: Option<&str>) -> Result<String> {
        let commit = |it: Option<&ImageUpdateAutomation>| {
            let status = it?.status.as_ref()?;
            let ready = status.condition(meta::READY)?.status == "True";
            // A commit without a time is only intended.
            let commit = status.last_push_time.as_ref().and(status.last_push_commit.clone());
            commit.filter(|commit| ready && Some(commit.as_str()) != before)
        };
        let it = wait(&self.automations, "fleet", |it| commit(it).is_some()).await?;
        commit(Some(&it)).context("the automation lost its commit")
    }
}

/// What asks for a run.
fn now() -> Patch<serde_json::Value> {
    let now = jiff::Timestamp::now().to_string();
    Patch::Merge(json!({"metadata": {"annotations": {meta::REQUESTED_AT: now}}}))
}

/// Waits until an object is as wanted; shows its status if that never comes.
pub(super) async fn wait<K>(
    api: &Api<K>,
    name: &str,
    holds: impl Fn(Option<&K>) -> bool,
) -> Result<K>
where
    K: kube::Resource<DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + for<'de> serde::Deserialize<'de>
        + serde::Serialize
        + Send
        + 'static,
{
    let waited = Box::pin(await_condition(api.clone(), name, &holds));
    let waited = tokio::time::timeout(PATIENCE, waited).await;
    let kind = K::kind(&());
    if let Ok(found) = waited {
        return found?.with_context(|| format!("{kind} {name} is gone"));
    }
    let last = api.get_opt(name).await?;
    let status = last.and_then(|it| serde_json::to_value(it).ok());
    let status = status.map(|it| format!("{:#}", it["status"])).unwrap_or_default();
    bail!("{kind} {name} did not get there within {PATIENCE:?}; its status is {status}")
}
