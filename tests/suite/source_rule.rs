//! Rules of sources that are easily got wrong, one by one.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use scenarios::{Backend, Options, Tenant, World, condition};
use serde_json::{Value, json};
use world::registry::{self, Authority, MEDIA_TYPE_INDEX, Tls};

use crate::{
    artifact::{archive, files, served},
    web::Web,
};

scenarios! {
    a_new_url_with_the_same_head_builds_nothing,
    rules_that_are_empty_are_not_none,
    a_name_is_any_reference_and_no_folder,
    an_empty_repository_is_told_by_what_was_asked_for,
    a_secret_of_an_app_needs_its_provider,
    what_is_lost_during_a_suspension_is_noticed_after_it,
    a_new_url_with_the_same_digest_pulls_nothing,
    of_an_index_the_image_for_linux_on_amd64_counts,
    a_layer_that_is_no_archive_is_told_unless_it_is_copied,
    a_repository_may_become_data_and_a_repository_again,
    only_the_first_place_of_a_chart_counts,
    a_version_that_is_pushed_again_is_not_noticed,
    values_files_are_observed_only_where_some_may_be_missing,
    a_registry_goes_by_the_pull_secrets_of_the_account_first,
}

const GIT: &str = "GitRepository";
const OCI: &str = "OCIRepository";
const REPOSITORY: &str = "HelmRepository";
const CHART: &str = "HelmChart";
const TAR: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";

async fn git(it: &Tenant, spec: &Value) -> Result<Value> {
    it.create(&it.git_repository(spec)).await?;
    it.ready(GIT, "fleet").await
}

/// Waits until this generation is reconciled.
async fn observed(it: &Tenant, kind: &str, name: &str) -> Result<Value> {
    let seen = |it: &Value| it["status"]["observedGeneration"] == it["metadata"]["generation"];
    it.wait((kind, name), "the generation is observed", seen).await
}

async fn a_new_url_with_the_same_head_builds_nothing(it: Tenant) -> Result<()> {
    it.files([("a", "1")]).await?;
    let before = git(&it, &json!({})).await?;
    let url = it.world.git.repository_url(&it.repository_name());
    let other = url.trim_end_matches(".git").to_owned();
    ensure!(other != url, "{url}");
    it.patch((GIT, "fleet"), &json!({"spec": {"url": other}})).await?;
    let after = observed(&it, GIT, "fleet").await?;
    assert_eq!(before["status"]["artifact"], after["status"]["artifact"]);
    Ok(())
}

async fn rules_that_are_empty_are_not_none(it: Tenant) -> Result<()> {
    it.files([("a", "1"), ("logo.png", "2")]).await?;
    let before = git(&it, &json!({})).await?;
    ensure!(before["status"]["observedIgnore"].is_null(), "{before}");
    it.patch((GIT, "fleet"), &json!({"spec": {"ignore": ""}})).await?;
    let after = observed(&it, GIT, "fleet").await?;
    assert_eq!(after["status"]["observedIgnore"], "");
    let (before, after) = (&before["status"]["artifact"], &after["status"]["artifact"]);
    assert_eq!(before["digest"], after["digest"], "no rule: what is left out usually stays out");
    Ok(())
}

async fn a_name_is_any_reference_and_no_folder(it: Tenant) -> Result<()> {
    let repository = it.files([("a", "1")]).await?;
    let first = repository.head("main").await?.context("a head")?;
    repository.git(["update-ref", "refs/pull/7/head", "main"]).await?;
    repository.commit("main", [("a", "2")], "more").await?;
    let ready = git(&it, &json!({"ref": {"name": "refs/pull/7/head", "branch": null}})).await?;
    let revision = format!("refs/pull/7/head@sha1:{first}");
    assert_eq!(ready["status"]["artifact"]["revision"], revision);
    for (name, told) in [
        ("refs/heads/none", "unable to resolve ref 'refs/heads/none' to a specific commit"),
        ("refs/heads/", "refs/heads/"),
        ("/refs/heads/main", "/refs/heads/main"),
    ] {
        it.patch((GIT, "fleet"), &json!({"spec": {"ref": {"name": name}}})).await?;
        let failed = |it: &Value| {
            let ready = condition(it, "Ready");
            let message = ready["message"].as_str().unwrap_or_default();
            ready["reason"] == "GitOperationFailed" && message.contains(told)
        };
        let now = it.wait((GIT, "fleet"), told, failed).await?;
        assert_eq!(now["status"]["artifact"]["revision"], revision, "the old one stays");
        ensure!(condition(&now, "Stalled").is_null(), "it is tried again: {now}");
    }
    Ok(())
}

async fn an_empty_repository_is_told_by_what_was_asked_for(it: Tenant) -> Result<()> {
    it.world.git.create_empty(&it.repository_name(), "main").await?;
    it.create(&it.git_repository(&json!({}))).await?;
    let why = it.failing(GIT, "fleet", "EmptyGitRepository").await?;
    ensure!(why.contains("git repository is empty"), "{why}");
    let tag = json!({"spec": {"ref": {"branch": null, "tag": "v1.0.0"}}});
    it.patch((GIT, "fleet"), &tag).await?;
    it.failing(GIT, "fleet", "GitOperationFailed").await?;
    Ok(())
}

async fn a_secret_of_an_app_needs_its_provider(it: Tenant) -> Result<()> {
    it.files([("a", "1")]).await?;
    it.secret("app", &[("githubAppID", "1")]).await?;
    it.create(&it.git_repository(&json!({"secretRef": {"name": "app"}}))).await?;
    let why = it.failing(GIT, "fleet", "InvalidProviderConfiguration").await?;
    ensure!(why.contains("has github app data but provider is not set to github"), "{why}");
    let spec = json!({"spec": {"provider": "github", "secretRef": null}});
    it.patch((GIT, "fleet"), &spec).await?;
    let stalled = |it: &Value| condition(it, "Stalled")["reason"] == "InvalidProviderConfiguration";
    it.wait((GIT, "fleet"), "without a Secret it stalls", stalled).await?;
    Ok(())
}

async fn what_is_lost_during_a_suspension_is_noticed_after_it(it: Tenant) -> Result<()> {
    it.files([("a", "1")]).await?;
    let before = git(&it, &json!({})).await?;
    it.patch((GIT, "fleet"), &json!({"spec": {"suspend": true}})).await?;
    let path = before["status"]["artifact"]["path"].as_str().context("a path")?;
    std::fs::remove_file(it.world.storage().join(path))?;
    it.request(GIT, "fleet").await?;
    let now = it.get((GIT, "fleet")).await.context("it is there")?;
    assert_eq!(now["status"]["artifact"], before["status"]["artifact"], "nobody looks");
    it.patch((GIT, "fleet"), &json!({"spec": {"suspend": false}})).await?;
    observed(&it, GIT, "fleet").await?;
    let there = || async {
        let now = it.get((GIT, "fleet")).await.unwrap_or_default();
        served(&now).await.is_ok()
    };
    it.world.objects.eventually("the artifact is served again", there).await
}

/// Publishes an artifact of one file under a name.
fn publish(it: &Tenant, name: &str, layers: &[(&str, &[u8])]) -> String {
    let name = format!("{}/{name}", it.namespace);
    it.world.registry.store().publish_layers(&name, "latest", layers, &BTreeMap::new())
}

async fn oci(it: &Tenant, spec: &Value) -> Result<Value> {
    it.create(&it.oci_repository("app", spec)).await?;
    it.ready(OCI, "app").await
}

async fn a_new_url_with_the_same_digest_pulls_nothing(it: Tenant) -> Result<()> {
    let layer = archive(&[("a", "1")]);
    publish(&it, "app", &[(TAR, &layer)]);
    publish(&it, "copy", &[(TAR, &layer)]);
    let before = oci(&it, &json!({})).await?;
    let url = format!("oci://{}", it.image("copy"));
    it.patch((OCI, "app"), &json!({"spec": {"url": url}})).await?;
    let after = observed(&it, OCI, "app").await?;
    assert_eq!(before["status"]["artifact"], after["status"]["artifact"]);
    assert_eq!(it.world.registry.count(&format!("/{}/copy/blobs/", it.namespace)), 0);
    Ok(())
}

async fn of_an_index_the_image_for_linux_on_amd64_counts(it: Tenant) -> Result<()> {
    let (arm, amd) = (archive(&[("for", "arm64")]), archive(&[("for", "amd64")]));
    let (arm, amd) = (publish(&it, "app", &[(TAR, &arm)]), publish(&it, "app", &[(TAR, &amd)]));
    let name = format!("{}/app", it.namespace);
    let store = it.world.registry.store();
    let child = |digest: &str, architecture: &str| {
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest,
            "size": 1, "platform": {"os": "linux", "architecture": architecture},
        })
    };
    let index = json!({
        "schemaVersion": 2, "mediaType": MEDIA_TYPE_INDEX,
        "manifests": [child(&arm, "arm64"), child(&amd, "amd64")],
    });
    let digest = crate::artifact::sha256(index.to_string().as_bytes());
    store.put(&name, "many", MEDIA_TYPE_INDEX, index.to_string());
    let ready = oci(&it, &json!({"ref": {"tag": "many"}})).await?;
    assert_eq!(ready["status"]["artifact"]["revision"], format!("many@{digest}"));
    assert_eq!(files(&served(&ready).await?)?["for"], "amd64");
    Ok(())
}

async fn a_layer_that_is_no_archive_is_told_unless_it_is_copied(it: Tenant) -> Result<()> {
    publish(&it, "app", &[("text/plain", b"plain"), (TAR, &archive(&[("a", "1")]))]);
    it.create(&it.oci_repository("app", &json!({}))).await?;
    it.failing(OCI, "app", "OCIArtifactLayerOperationFailed").await?;
    // An operation needs no media type: it is that of the first layer.
    let copy = json!({"spec": {"layerSelector": {"operation": "copy"}}});
    it.patch((OCI, "app"), &copy).await?;
    let ready = it.ready(OCI, "app").await?;
    assert_eq!(served(&ready).await?, b"plain");
    let second = json!({"spec": {"layerSelector": {"mediaType": TAR, "operation": null}}});
    it.patch((OCI, "app"), &second).await?;
    let other =
        |now: &Value| now["status"]["artifact"]["digest"] != ready["status"]["artifact"]["digest"];
    let ready = it.wait((OCI, "app"), "the other layer is taken", other).await?;
    assert_eq!(files(&served(&ready).await?)?["a"], "1");
    Ok(())
}

fn repository(it: &Tenant, web: &Web) -> Value {
    it.source(REPOSITORY, "charts", json!({"interval": "1h", "url": web.url("")}), &json!({}))
}

fn chart(it: &Tenant, spec: &Value) -> Value {
    let from = json!({"kind": REPOSITORY, "name": "charts"});
    let usual = json!({"chart": "demo", "interval": "1h", "sourceRef": from});
    it.source(CHART, "demo", usual, spec)
}

/// An archive of `demo`, which has other files besides.
fn tgz(version: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let about = format!("apiVersion: v2\nname: demo\nversion: {version}\n");
    let mut all = vec![("demo/Chart.yaml", about.as_str()), ("demo/values.yaml", "a: 1\n")];
    all.extend_from_slice(more);
    archive(&all)
}

/// A repository with one version of `demo` at these places.
async fn charts(it: &Tenant, places: &[&str]) -> Result<Web> {
    let web = Web::start().await?;
    let urls = places.iter().map(|it| format!("{it:?}")).collect::<Vec<_>>().join(", ");
    let entry = format!("{{apiVersion: v2, name: demo, version: 1.0.0, urls: [{urls}]}}");
    web.put("/index.yaml", format!("apiVersion: v1\nentries:\n  demo:\n  - {entry}\n"));
    web.put("/demo-1.0.0.tgz", tgz("1.0.0", &[("demo/extra.yaml", "b: 2\n")]));
    it.create(&repository(it, &web)).await?;
    it.ready(REPOSITORY, "charts").await?;
    Ok(web)
}

async fn a_repository_may_become_data_and_a_repository_again(it: Tenant) -> Result<()> {
    let web = charts(&it, &["demo-1.0.0.tgz"]).await?;
    let oci = json!({"spec": {"type": "oci", "url": "oci://registry.test/charts"}});
    it.patch((REPOSITORY, "charts"), &oci).await?;
    let bare = |it: &Value| it["status"]["artifact"].is_null();
    it.wait((REPOSITORY, "charts"), "it is only data", bare).await?;
    let back = json!({"spec": {"type": "default", "url": web.url("")}});
    it.patch((REPOSITORY, "charts"), &back).await?;
    let ready = it.ready(REPOSITORY, "charts").await?;
    ensure!(ready["metadata"]["finalizers"].as_array().is_some_and(|it| it.len() == 1), "{ready}");
    served(&ready).await?;
    Ok(())
}

async fn only_the_first_place_of_a_chart_counts(it: Tenant) -> Result<()> {
    let web = charts(&it, &["gone.tgz", "demo-1.0.0.tgz"]).await?;
    it.create(&chart(&it, &json!({}))).await?;
    let why = it.failing(CHART, "demo", "ChartPullError").await?;
    ensure!(why.contains("404"), "{why}");
    ensure!(web.asked().iter().all(|it| it.target != "/demo-1.0.0.tgz"), "the second is not tried");
    Ok(())
}

async fn a_version_that_is_pushed_again_is_not_noticed(it: Tenant) -> Result<()> {
    let web = charts(&it, &["demo-1.0.0.tgz"]).await?;
    it.create(&chart(&it, &json!({}))).await?;
    let before = it.ready(CHART, "demo").await?;
    web.put("/demo-1.0.0.tgz", tgz("1.0.0", &[]));
    let after = it.request(CHART, "demo").await?;
    assert_eq!(before["status"]["artifact"], after["status"]["artifact"]);
    // A new generation takes everything anew.
    it.patch((CHART, "demo"), &json!({"spec": {"interval": "2h"}})).await?;
    let digest = |it: &Value| it["status"]["artifact"]["digest"].clone();
    let anew = |it: &Value| digest(it) != digest(&before);
    it.wait((CHART, "demo"), "it is fetched again", anew).await?;
    Ok(())
}

async fn values_files_are_observed_only_where_some_may_be_missing(it: Tenant) -> Result<()> {
    let _web = charts(&it, &["demo-1.0.0.tgz"]).await?;
    it.create(&chart(&it, &json!({"valuesFiles": ["values.yaml", "extra.yaml"]}))).await?;
    let ready = it.ready(CHART, "demo").await?;
    ensure!(ready["status"]["observedValuesFiles"].is_null(), "{ready}");
    let missing = json!({"spec": {
        "valuesFiles": ["extra.yaml", "none.yaml"], "ignoreMissingValuesFiles": true,
    }});
    it.patch((CHART, "demo"), &missing).await?;
    let seen = |it: &Value| it["status"]["observedValuesFiles"] == json!(["extra.yaml"]);
    it.wait((CHART, "demo"), "what was found is told", seen).await?;
    Ok(())
}

/// The registry is none of AWS', so that a login there would fail.
async fn a_registry_goes_by_the_pull_secrets_of_the_account_first(it: Tenant) -> Result<()> {
    publish(&it, "app", &[(TAR, &archive(&[("a", "1")]))]);
    let host = it.world.registry.host();
    let config = json!({"auths": {host: {"username": "user", "password": "any"}}}).to_string();
    it.secret("pull", &[(".dockerconfigjson", &config)]).await?;
    it.create(&json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "puller"},
        "imagePullSecrets": [{"name": "pull"}],
    }))
    .await?;
    oci(&it, &json!({"provider": "aws", "serviceAccountName": "puller"})).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_forgets_nothing_over_rules_that_leave_the_keys() -> Result<()> {
    let Some(server) = world::s3::Server::start("data").await? else {
        scenarios::skipped(
            "buckets: rules without effect",
            "gofakes3, built by `cargo xtask setup`",
        );
        return Ok(());
    };
    let world = Arc::new(World::start(Backend::Embedded).await?);
    let it = crate::tenant(&world, "keys").await?;
    server.put("a.yaml", b"1").await?;
    let usual = json!({
        "bucketName": "data", "endpoint": server.host(), "insecure": true, "interval": "1h",
    });
    it.create(&it.source("Bucket", "data", usual, &json!({}))).await?;
    let before = it.ready("Bucket", "data").await?;
    it.patch(("Bucket", "data"), &json!({"spec": {"ignore": "*.txt"}})).await?;
    let after = observed(&it, "Bucket", "data").await?;
    assert_eq!(before["status"]["artifact"], after["status"]["artifact"]);
    ensure!(after["status"]["observedIgnore"].is_null(), "{after}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_of_a_private_authority_needs_its_certificate() -> Result<()> {
    let authority = Authority::new("private")?;
    let tls = Some(Tls::loopback(&authority)?);
    let registry = registry::Options { tls, ..Default::default() };
    let world = Arc::new(World::with(Options { registry, ..Options::default() }).await?);
    let it = crate::tenant(&world, "private").await?;
    publish(&it, "app", &[(TAR, &archive(&[("a", "1")]))]);
    it.create(&it.oci_repository("app", &json!({"insecure": false}))).await?;
    let refused = |it: &Value| {
        let message = condition(it, "Ready")["message"].as_str().unwrap_or_default().to_owned();
        message.contains("certificate")
    };
    it.wait((OCI, "app"), "the certificate is refused", refused).await?;
    it.secret("ca", &[("ca.crt", authority.pem())]).await?;
    let spec = json!({"spec": {"certSecretRef": {"name": "ca"}}});
    it.patch((OCI, "app"), &spec).await?;
    it.ready(OCI, "app").await?;
    Ok(())
}
