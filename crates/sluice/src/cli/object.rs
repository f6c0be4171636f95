//! Objects of any kind, read from a cluster.

use anyhow::{Context as _, Result, bail};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::Value;

/// Version and plural of each Flux kind, as served.
const KINDS: [(&str, &str, &str, &str); 11] = [
    ("Kustomization", "kustomize.toolkit.fluxcd.io", "v1", "kustomizations"),
    ("HelmRelease", "helm.toolkit.fluxcd.io", "v2", "helmreleases"),
    ("GitRepository", "source.toolkit.fluxcd.io", "v1", "gitrepositories"),
    ("OCIRepository", "source.toolkit.fluxcd.io", "v1", "ocirepositories"),
    ("HelmRepository", "source.toolkit.fluxcd.io", "v1", "helmrepositories"),
    ("HelmChart", "source.toolkit.fluxcd.io", "v1", "helmcharts"),
    ("Bucket", "source.toolkit.fluxcd.io", "v1", "buckets"),
    ("ExternalArtifact", "source.toolkit.fluxcd.io", "v1", "externalartifacts"),
    ("ImageRepository", "image.toolkit.fluxcd.io", "v1", "imagerepositories"),
    ("ImagePolicy", "image.toolkit.fluxcd.io", "v1", "imagepolicies"),
    ("ImageUpdateAutomation", "image.toolkit.fluxcd.io", "v1", "imageupdateautomations"),
];

/// The objects of a Flux kind in a namespace.
pub(super) fn flux(client: &Client, kind: &str, namespace: &str) -> Result<Api<DynamicObject>> {
    let Some((kind, group, version, plural)) = KINDS.iter().find(|known| known.0 == kind) else {
        bail!("{kind} is no kind of Flux");
    };
    let kind = GroupVersionKind::gvk(group, version, kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, plural);
    Ok(Api::namespaced_with(client.clone(), namespace, &resource))
}

/// An object of a Flux kind as JSON.
pub(super) async fn read(
    client: &Client,
    kind: &str,
    namespace: &str,
    name: &str,
) -> Result<Value> {
    let found = flux(client, kind, namespace)?.get(name).await;
    let found = found.with_context(|| format!("failed to find {kind} {namespace}/{name}"))?;
    Ok(serde_json::to_value(found)?)
}

/// A kind as people name it: `deploy`, `deployments`, `deployment.apps`, `hr`.
pub(super) struct Named {
    pub(super) resource: ApiResource,
    pub(super) is_namespaced: bool,
}

/// Finds a kind by plural, singular, short name or kind, with or without its group.
pub(super) async fn named(client: &Client, word: &str) -> Result<Named> {
    let lower = word.to_lowercase();
    let (name, group) = lower.split_once('.').unwrap_or((&lower, ""));
    let core = client.list_core_api_resources("v1").await.context("cannot ask for kinds")?;
    let mut lists = vec![(String::new(), "v1".to_owned(), core)];
    for found in client.list_api_groups().await.context("cannot ask for kinds")?.groups {
        let Some(version) = found.preferred_version.or_else(|| found.versions.first().cloned())
        else {
            continue;
        };
        // A group whose server is down has no kinds.
        if let Ok(list) = client.list_api_group_resources(&version.group_version).await {
            lists.push((found.name, version.version, list));
        }
    }
    for (its_group, version, list) in lists {
        let matching = list.resources.into_iter().find(|it| {
            let short = it.short_names.iter().flatten().any(|short| short == name);
            let names = [&it.name, &it.singular_name].into_iter().any(|own| own == name);
            !it.name.contains('/') && (names || short || it.kind.to_lowercase() == name)
        });
        let Some(it) = matching.filter(|_| group.is_empty() || its_group.starts_with(group)) else {
            continue;
        };
        let kind = GroupVersionKind::gvk(&its_group, &version, &it.kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, &it.name);
        return Ok(Named { resource, is_namespaced: it.namespaced });
    }
    bail!("the cluster has no kind named {word}")
}

/// Objects of a kind: in a namespace, if the kind has such.
pub(super) fn all(client: &Client, kind: &Named, namespace: &str) -> Api<DynamicObject> {
    if kind.is_namespaced {
        Api::namespaced_with(client.clone(), namespace, &kind.resource)
    } else {
        Api::all_with(client.clone(), &kind.resource)
    }
}
