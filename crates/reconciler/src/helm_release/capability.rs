//! What the cluster of a release can do, as charts see it.

use apply::{Cluster, Refusal};
use helm::capability::{Capabilities, KubeVersion};
use serde_json::Value;

/// Everything a server serves in one answer, or the old form.
const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// How old a server may be that answers in the old form: its groups are asked one by one.
const GROUPS: usize = 1000;

/// Asks the cluster for its version and everything it serves.
///
/// # Errors
/// Helm's text.
pub(super) async fn of(cluster: &Cluster) -> Result<Capabilities, String> {
    let version = cluster
        .read("/version", "application/json")
        .await
        .map_err(|why| format!("could not get server version from Kubernetes: {why}"))?;
    let failed = |why: Refusal| format!("could not get apiVersions from Kubernetes: {why}");
    let mut api_versions = Vec::new();
    for path in ["/api", "/apis"] {
        let answer = cluster.read(path, ACCEPT).await.map_err(failed)?;
        if answer["kind"] == "APIGroupDiscoveryList" {
            aggregated(&answer, &mut api_versions);
        } else {
            one_by_one(cluster, path, &answer, &mut api_versions).await;
        }
    }
    let text = |field: &str| version[field].as_str().unwrap_or_default().to_owned();
    let kube_version =
        KubeVersion { version: text("gitVersion"), major: text("major"), minor: text("minor") };
    Ok(Capabilities { kube_version, api_versions, ..Capabilities::default() })
}

fn aggregated(answer: &Value, found: &mut Vec<String>) {
    for group in answer["items"].as_array().into_iter().flatten() {
        let name = group["metadata"]["name"].as_str().unwrap_or_default();
        for version in group["versions"].as_array().into_iter().flatten() {
            let version_name = version["version"].as_str().unwrap_or_default();
            let api_version = api_version(name, version_name);
            for resource in version["resources"].as_array().into_iter().flatten() {
                let kind = resource["responseKind"]["kind"].as_str().unwrap_or_default();
                found.push(format!("{api_version}/{kind}"));
            }
            found.push(api_version);
        }
    }
}

/// Groups that cannot be asked are passed over, as Helm does with orphaned API services.
async fn one_by_one(cluster: &Cluster, path: &str, answer: &Value, found: &mut Vec<String>) {
    let core = answer["versions"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut versions: Vec<String> = core.map(str::to_owned).collect();
    for group in answer["groups"].as_array().into_iter().flatten() {
        let all = group["versions"].as_array().into_iter().flatten();
        versions.extend(all.filter_map(|it| it["groupVersion"].as_str()).map(str::to_owned));
    }
    for api_version in versions.into_iter().take(GROUPS) {
        let list = cluster.read(&format!("{path}/{api_version}"), "application/json").await;
        let resources = list.as_ref().ok().and_then(|list| list["resources"].as_array());
        for resource in resources.into_iter().flatten() {
            let is_whole = !resource["name"].as_str().unwrap_or_default().contains('/');
            if let Some(kind) = resource["kind"].as_str().filter(|_| is_whole) {
                found.push(format!("{api_version}/{kind}"));
            }
        }
        found.push(api_version);
    }
}

fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}
