//! HelmRepository and HelmChart, as their users, their consumers and the servers see them.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Result, ensure};
use scenarios::{Options, Tenant, World, condition};
use serde_json::{Value, json};

use crate::{
    artifact::{archive, files, served, sha256},
    gpg::Gpg,
    web::Web,
};

scenarios! {
    an_index_becomes_an_artifact_and_is_asked_for_with_conditions,
    an_index_that_is_none_is_told_and_the_old_one_stays,
    a_repository_of_the_oci_kind_is_left_alone,
    passwords_go_to_the_own_host_unless_the_spec_says_otherwise,
    a_chart_of_a_repository_is_stored_byte_for_byte,
    values_files_are_merged_and_the_version_says_so,
    a_version_that_is_not_there_stalls_until_the_index_has_it,
    a_chart_in_git_is_packaged_with_its_dependencies,
    a_chart_in_git_follows_its_version_or_the_revision,
    a_chart_of_a_registry_is_pulled_by_range,
    verification_of_a_chart_from_a_web_server_is_refused,
    provenance_is_checked_on_request,
    bad_charts_are_told,
}

const REPOSITORY: &str = "HelmRepository";
const CHART: &str = "HelmChart";
const LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

fn repository(it: &Tenant, spec: &Value) -> Value {
    it.source(REPOSITORY, "charts", json!({"interval": "1h"}), spec)
}

fn chart(it: &Tenant, spec: &Value) -> Value {
    let usual = json!({
        "chart": "demo",
        "interval": "1h",
        "sourceRef": {"kind": REPOSITORY, "name": "charts"},
    });
    it.source(CHART, "demo", usual, spec)
}

pub(crate) fn tgz(version: &str) -> Vec<u8> {
    archive(&[
        ("demo/Chart.yaml", &format!("apiVersion: v2\nname: demo\nversion: {version}\n")),
        ("demo/values.yaml", "tag: '1'\nlist: [a]\n"),
        ("demo/extra.yaml", "list: [b]\nmore: true\n"),
        ("demo/templates/cm.yaml", "kind: ConfigMap\n"),
    ])
}

/// An index with these versions of `demo`, each beside it.
pub(crate) fn index(versions: &[&str]) -> String {
    let mut text = "apiVersion: v1\nentries:\n  demo:\n".to_owned();
    for version in versions {
        let urls = ["[demo-", version, ".tgz]"].concat();
        let entry =
            ["  - {apiVersion: v2, name: demo, version: ", version, ", urls: ", &urls, "}\n"];
        text += &entry.concat();
    }
    text
}

/// A repository with these versions of `demo`, which is ready.
pub(crate) async fn with_charts(it: &Tenant, versions: &[&str]) -> Result<(Web, Value)> {
    let web = Web::start().await?;
    for version in versions {
        web.put(&format!("/c/demo-{version}.tgz"), tgz(version));
    }
    web.put("/c/index.yaml", index(versions));
    it.create(&repository(it, &json!({"url": web.url("/c")}))).await?;
    let ready = it.ready(REPOSITORY, "charts").await?;
    Ok((web, ready))
}

async fn ready(it: &Tenant, spec: Value) -> Result<Value> {
    it.create(&chart(it, &spec)).await?;
    it.ready(CHART, "demo").await
}

fn message(it: &Value) -> String {
    condition(it, "Ready")["message"].as_str().unwrap_or_default().to_owned()
}

async fn an_index_becomes_an_artifact_and_is_asked_for_with_conditions(it: Tenant) -> Result<()> {
    let (web, charts) = with_charts(&it, &["1.0.0", "1.1.0"]).await?;
    let revision = sha256(index(&["1.0.0", "1.1.0"]).as_bytes());
    assert_eq!(charts["status"]["artifact"]["revision"], revision);
    assert_eq!(message(&charts), format!("stored artifact: revision '{revision}'"));
    let stored: Value = serde_json::from_slice(&served(&charts).await?)?;
    assert_eq!(stored["entries"]["demo"][0]["version"], "1.1.0", "sorted, as JSON");
    let url = charts["status"]["url"].as_str().unwrap_or_default();
    ensure!(url.ends_with("/charts/index.yaml"), "{url}");
    let event = it.event(REPOSITORY, "charts", "NewArtifact").await?;
    ensure!(event.message.starts_with("stored fetched index of size "), "{event:?}");
    web.asked();
    it.request(REPOSITORY, "charts").await?;
    let asked = web.asked();
    assert_eq!((asked.len(), asked[0].conditional, asked[0].status), (1, true, 304), "{asked:?}");
    // Another text is another revision, even if it says the same.
    web.put("/c/index.yaml", format!("{}\n", index(&["1.0.0", "1.1.0"])));
    let charts = it.request(REPOSITORY, "charts").await?;
    assert_ne!(charts["status"]["artifact"]["revision"], revision);
    Ok(())
}

async fn an_index_that_is_none_is_told_and_the_old_one_stays(it: Tenant) -> Result<()> {
    let (web, good) = with_charts(&it, &["1.0.0"]).await?;
    for bad in ["", "entries: {}\n", "- a\n", "apiVersion: v1\napiVersion: v1\n"] {
        web.put("/c/index.yaml", bad);
        it.request(REPOSITORY, "charts").await?;
        let why = it.failing(REPOSITORY, "charts", "IndexationFailed").await?;
        ensure!(why.starts_with("failed to load Helm repository from index YAML: "), "{why}");
        let now = it.get((REPOSITORY, "charts")).await.unwrap_or_default();
        assert_eq!(now["status"]["artifact"], good["status"]["artifact"]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_beyond_the_limit_is_refused() -> Result<()> {
    let flags = |setup: &mut sluice::controllers::Setup| setup.source.helm_index_max_size = 200;
    let world = Arc::new(World::with(Options { flags, ..Options::default() }).await?);
    let it = world.tenant("limit").await?;
    let web = Web::start().await?;
    web.put("/index.yaml", vec![b' '; 201]);
    it.create(&repository(&it, &json!({"url": web.url("")}))).await?;
    let why = it.failing(REPOSITORY, "charts", "Failed").await?;
    let want = "failed to fetch Helm repository index: failed to cache index to temporary file: \
                index exceeds the maximum index file size of 200 bytes";
    assert_eq!(why, want);
    Ok(())
}

async fn a_repository_of_the_oci_kind_is_left_alone(it: Tenant) -> Result<()> {
    let (_web, charts) = with_charts(&it, &["1.0.0"]).await?;
    ensure!(charts["metadata"]["finalizers"].is_array(), "it has a finalizer");
    let oci = json!({"spec": {"type": "oci", "url": "oci://registry.test/charts"}});
    it.patch((REPOSITORY, "charts"), &oci).await?;
    let bare = |it: &Value| {
        it["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty)
            && it["status"].as_object().is_none_or(serde_json::Map::is_empty)
    };
    it.wait((REPOSITORY, "charts"), "it is only data", bare).await?;
    let folder = it.world.storage().join(format!("helmrepository/{}/charts", it.namespace));
    ensure!(!folder.exists(), "its artifact is gone");
    Ok(())
}

async fn passwords_go_to_the_own_host_unless_the_spec_says_otherwise(it: Tenant) -> Result<()> {
    let (own, other) = (Web::start().await?, Web::start().await?);
    own.want("Basic dTpw");
    other.put("/demo-1.0.0.tgz", tgz("1.0.0"));
    let elsewhere = index(&["1.0.0"]).replace("demo-1.0.0.tgz", &other.url("/demo-1.0.0.tgz"));
    own.put("/index.yaml", elsewhere);
    it.secret("login", &[("username", "u"), ("password", "p")]).await?;
    let spec = json!({"url": own.url("/?t=1"), "secretRef": {"name": "login"}});
    it.create(&repository(&it, &spec)).await?;
    it.ready(REPOSITORY, "charts").await?;
    assert_eq!(own.asked()[0].target, "/index.yaml?t=1", "the query stays");
    ready(&it, json!({})).await?;
    assert_eq!(other.asked()[0].authorization, None);
    other.want("Basic dTpw");
    it.patch((REPOSITORY, "charts"), &json!({"spec": {"passCredentials": true}})).await?;
    it.ready(REPOSITORY, "charts").await?;
    it.patch((CHART, "demo"), &json!({"spec": {"version": "1.0.0"}})).await?;
    let pulled = |now: &Value| now["status"]["observedGeneration"] == 2;
    it.wait((CHART, "demo"), "it is pulled again", pulled).await?;
    ensure!(other.asked().iter().any(|it| it.status == 200), "the password was sent");
    it.secret("half", &[("username", "u")]).await?;
    it.patch((REPOSITORY, "charts"), &json!({"spec": {"secretRef": {"name": "half"}}})).await?;
    let why = it.failing(REPOSITORY, "charts", "AuthenticationFailed").await?;
    ensure!(why.contains("malformed basic auth"), "{why}");
    Ok(())
}

async fn a_chart_of_a_repository_is_stored_byte_for_byte(it: Tenant) -> Result<()> {
    let (web, charts) = with_charts(&it, &["1.0.0", "1.1.0", "2.0.0-rc.1"]).await?;
    let demo = ready(&it, json!({})).await?;
    assert_eq!(served(&demo).await?, tgz("1.1.0"), "the highest stable version");
    let status = &demo["status"];
    assert_eq!(status["artifact"]["revision"], "1.1.0");
    let path = format!("helmchart/{}/demo/demo-1.1.0.tgz", it.namespace);
    assert_eq!(status["artifact"]["path"], path);
    assert_eq!(status["observedChartName"], "demo");
    let observed = &status["observedSourceArtifactRevision"];
    assert_eq!(*observed, charts["status"]["artifact"]["revision"]);
    let ready = condition(&demo, "Ready");
    assert_eq!(ready["reason"], "ChartPullSucceeded");
    assert_eq!(ready["message"], "pulled 'demo' chart with version '1.1.0'");
    let event = it.event(CHART, "demo", "ChartPullSucceeded").await?;
    assert_eq!(event.message, "pulled 'demo' chart with version '1.1.0'");
    web.asked();
    it.request(CHART, "demo").await?;
    assert_eq!(web.asked(), [], "nothing is fetched again");
    it.patch((CHART, "demo"), &json!({"spec": {"version": ">=2.0.0-0"}})).await?;
    let newer = |it: &Value| it["status"]["artifact"]["revision"] == "2.0.0-rc.1";
    it.wait((CHART, "demo"), "the range is followed", newer).await?;
    Ok(())
}

async fn values_files_are_merged_and_the_version_says_so(it: Tenant) -> Result<()> {
    let (_web, _) = with_charts(&it, &["1.0.0"]).await?;
    let own = ready(&it, json!({"valuesFiles": ["values.yaml"]})).await?;
    assert_eq!(own["status"]["artifact"]["revision"], "1.0.0", "the chart's own are none");
    let spec = json!({"spec": {"valuesFiles": ["values.yaml", "extra.yaml"]}});
    it.patch((CHART, "demo"), &spec).await?;
    let merged = |it: &Value| it["status"]["artifact"]["revision"] == "1.0.0+2";
    let demo = it.wait((CHART, "demo"), "values are merged", merged).await?;
    let got = files(&served(&demo).await?)?;
    assert_eq!(got["demo/values.yaml"], "list:\n- b\nmore: true\ntag: \"1\"\n");
    ensure!(got["demo/Chart.yaml"].contains("version: 1.0.0+2"), "{got:?}");
    let want = "packaged 'demo' chart with version '1.0.0+2' and merged values files \
                [values.yaml extra.yaml]";
    assert_eq!(message(&demo), want);
    let spec = json!({"spec": {"valuesFiles": ["none.yaml"]}});
    it.patch((CHART, "demo"), &spec).await?;
    let why = it.failing(CHART, "demo", "ValuesFilesError").await?;
    let want = "values files merge error: failed to merge chart values: no values file found at \
                path 'none.yaml'";
    assert_eq!(why, want);
    let spec = json!({"spec": {"ignoreMissingValuesFiles": true}});
    it.patch((CHART, "demo"), &spec).await?;
    let empty = |it: &Value| it["status"]["artifact"]["revision"] == "1.0.0+4";
    let demo = it.wait((CHART, "demo"), "all are missing", empty).await?;
    assert_eq!(files(&served(&demo).await?)?["demo/values.yaml"], "");
    Ok(())
}

async fn a_version_that_is_not_there_stalls_until_the_index_has_it(it: Tenant) -> Result<()> {
    let (web, _) = with_charts(&it, &["1.0.0"]).await?;
    it.create(&chart(&it, &json!({"version": "2.x"}))).await?;
    let why = it.failing(CHART, "demo", "InvalidChartReference").await?;
    let want = "invalid chart reference: failed to get chart version for remote reference: no \
                'demo' chart with version matching '2.x' found";
    assert_eq!(why, want);
    let stalled = |it: &Value| condition(it, "Stalled")["reason"] == "InvalidChartReference";
    it.wait((CHART, "demo"), "it is stalled", stalled).await?;
    web.put("/c/demo-2.1.0.tgz", tgz("2.1.0"));
    web.put("/c/index.yaml", index(&["1.0.0", "2.1.0"]));
    it.request(REPOSITORY, "charts").await?;
    it.ready(CHART, "demo").await?;
    Ok(())
}

const DEMO: &str = "apiVersion: v2\nname: demo\nversion: 0.1.0\n";

fn in_git(spec: &Value) -> Value {
    let mut usual = json!({
        "chart": "./charts/demo",
        "sourceRef": {"kind": "GitRepository", "name": "fleet"},
    });
    if let (Some(usual), Some(more)) = (usual.as_object_mut(), spec.as_object()) {
        usual.extend(more.clone());
    }
    usual
}

async fn a_chart_in_git_is_packaged_with_its_dependencies(it: Tenant) -> Result<()> {
    let (_web, _) = with_charts(&it, &["1.0.0"]).await?;
    let charts = it.get((REPOSITORY, "charts")).await.unwrap_or_default();
    let url = charts["spec"]["url"].as_str().unwrap_or_default().to_owned();
    let needs = format!(
        "{DEMO}dependencies:\n- {{name: near, version: 0.x, repository: 'file://../near'}}\n\
         - {{name: demo, alias: far, version: 1.x, repository: {url}/}}\n"
    );
    it.files([
        ("charts/demo/Chart.yaml", needs.as_str()),
        ("charts/demo/values.yaml", "a: 1\n"),
        ("charts/demo/.helmignore", "*.bak\n"),
        ("charts/demo/old.bak", "x"),
        ("charts/demo/templates/cm.yaml", "kind: ConfigMap\n"),
        ("charts/near/Chart.yaml", "apiVersion: v2\nname: near\nversion: 0.2.0\n"),
        ("values/prod.yaml", "a: 2\n"),
    ])
    .await?;
    it.create(&it.git_repository(&json!({}))).await?;
    let spec = in_git(&json!({"valuesFiles": ["values/prod.yaml"]}));
    let demo = ready(&it, spec).await?;
    assert_eq!(demo["status"]["artifact"]["revision"], "0.1.0+1");
    let got = files(&served(&demo).await?)?;
    assert_eq!(got["demo/values.yaml"], "a: 2\n", "paths begin at the root of the source");
    ensure!(got.contains_key("demo/charts/near/Chart.yaml"), "{got:?}");
    ensure!(got.contains_key("demo/charts/far/templates/cm.yaml"), "{got:?}");
    ensure!(!got.contains_key("demo/old.bak"), "{got:?}");
    assert_eq!(condition(&demo, "Ready")["reason"], "ChartPackageSucceeded");
    it.event(CHART, "demo", "resolved 2 chart dependencies").await?;
    Ok(())
}

async fn a_chart_in_git_follows_its_version_or_the_revision(it: Tenant) -> Result<()> {
    let chart = [("charts/demo/Chart.yaml", DEMO), ("charts/demo/values.yaml", "a: 1\n")];
    let git = it.files(chart).await?;
    it.create(&it.git_repository(&json!({}))).await?;
    let first = ready(&it, in_git(&json!({}))).await?;
    assert_eq!(first["status"]["artifact"]["revision"], "0.1.0");
    let revision = |it: &Value| it["status"]["observedSourceArtifactRevision"].clone();
    git.commit("main", [("charts/demo/values.yaml", "a: 2\n")], "values").await?;
    it.request("GitRepository", "fleet").await?;
    let moved = |it: &Value| revision(it) != revision(&first);
    let second = it.wait((CHART, "demo"), "the source is observed", moved).await?;
    assert_eq!(second["status"]["artifact"], first["status"]["artifact"], "same version");
    let strategy = json!({"spec": {"reconcileStrategy": "Revision"}});
    it.patch((CHART, "demo"), &strategy).await?;
    let now = revision(&second).as_str().unwrap_or_default().to_owned();
    let hash = now.rsplit_once(':').map(|(_, hash)| hash[..12].to_owned()).unwrap_or_default();
    let want = format!("0.1.0+{hash}");
    let by_revision = |it: &Value| it["status"]["artifact"]["revision"] == want;
    let third = it.wait((CHART, "demo"), "the revision is in the version", by_revision).await?;
    assert_eq!(files(&served(&third).await?)?["demo/values.yaml"], "a: 2\n");
    Ok(())
}

async fn a_chart_of_a_registry_is_pulled_by_range(it: Tenant) -> Result<()> {
    let name = format!("{}/charts/demo", it.namespace);
    for (tag, version) in [("1.0.0", "1.0.0"), ("1.2.0_build", "1.2.0+build"), ("latest", "9.9.9")]
    {
        let layers = [("application/prov", &b"p"[..]), (LAYER, &tgz(version))];
        it.world.registry.store().publish_layers(&name, tag, &layers, &BTreeMap::default());
    }
    let url = format!("oci://{}", it.image("charts"));
    let spec = json!({"type": "oci", "url": url, "insecure": true});
    it.create(&repository(&it, &spec)).await?;
    let demo = ready(&it, json!({"version": "1.x"})).await?;
    assert_eq!(demo["status"]["artifact"]["revision"], "1.2.0+build");
    assert_eq!(served(&demo).await?, tgz("1.2.0+build"));
    let lists = || it.world.registry.count(&format!("/{name}/tags/list"));
    let known = lists();
    it.patch((CHART, "demo"), &json!({"spec": {"version": "1.0.0"}})).await?;
    let exact = |it: &Value| it["status"]["artifact"]["revision"] == "1.0.0";
    it.wait((CHART, "demo"), "the exact version is pulled", exact).await?;
    assert_eq!(lists(), known, "a whole version is believed");
    // One that is not there may yet come: it is tried again, not stalled.
    it.patch((CHART, "demo"), &json!({"spec": {"version": "7.0.0"}})).await?;
    let why = it.failing(CHART, "demo", "ChartPullError").await?;
    ensure!(why.contains("MANIFEST_UNKNOWN"), "{why}");
    let now = it.get((CHART, "demo")).await.unwrap_or_default();
    assert_eq!(condition(&now, "Stalled"), Value::Null);
    Ok(())
}

async fn verification_of_a_chart_from_a_web_server_is_refused(it: Tenant) -> Result<()> {
    let (_web, _) = with_charts(&it, &["1.0.0"]).await?;
    it.create(&chart(&it, &json!({"verify": {"provider": "cosign"}}))).await?;
    let why = it.failing(CHART, "demo", "VerificationError").await?;
    assert_eq!(why, "chart verification error: not implemented");
    let demo = it.get((CHART, "demo")).await.unwrap_or_default();
    assert_eq!(condition(&demo, "BuildFailed")["reason"], "ChartVerificationError");
    Ok(())
}

/// The provenance file of an archive of `demo`.
fn provenance(gpg: &Gpg, version: &str, archive: &[u8]) -> Result<String> {
    let metadata = format!("apiVersion: v2\nname: demo\nversion: {version}\n");
    let sums = format!("files:\n  demo-{version}.tgz: {}\n", sha256(archive));
    gpg.clearsign(&format!("{metadata}\n...\n{sums}"))
}

async fn provenance_is_checked_on_request(it: Tenant) -> Result<()> {
    if !Gpg::available() {
        scenarios::skipped("provenance_is_checked_on_request", "gpg");
        return Ok(());
    }
    let (own, other) = (Gpg::new()?, Gpg::new()?);
    for (gpg, name) in [(&own, "keys"), (&other, "others")] {
        gpg.key("bot <bot@example.com>", "")?;
        it.secret(name, &[("key.asc", &gpg.public()?)]).await?;
    }
    let (web, _) = with_charts(&it, &["1.0.0", "1.1.0"]).await?;
    let named = |secret: &str| json!({"metadata": {"annotations": {"source.sluice.dev/provenance": secret}}});
    let mut asking = chart(&it, &json!({"version": "1.0.0"}));
    asking["metadata"]["annotations"] = named("keys")["metadata"]["annotations"].clone();
    it.create(&asking).await?;
    let why = it.failing(CHART, "demo", "VerificationError").await?;
    let want = "chart verification error: failed to verify provenance of demo-1.0.0: ";
    ensure!(why.starts_with(want) && why.ends_with("404 Not Found"), "{why}");
    // Another archive was signed, and then the right one.
    for (archive, keys, want) in [
        (b"other".to_vec(), "keys", "sha256 sum does not match for demo-1.0.0.tgz"),
        (tgz("1.0.0"), "others", "openpgp: signature made by unknown entity"),
        (tgz("1.0.0"), "missing", "not found"),
    ] {
        web.put("/c/demo-1.0.0.tgz.prov", provenance(&own, "1.0.0", &archive)?);
        it.patch((CHART, "demo"), &named(keys)).await?;
        it.request(CHART, "demo").await?;
        let told = |it: &Value| message(it).contains(want);
        let failed = it.wait((CHART, "demo"), want, told).await?;
        ensure!(failed["status"]["artifact"].is_null(), "{failed}");
        assert_eq!(condition(&failed, "SourceVerified")["status"], "False");
    }
    it.patch((CHART, "demo"), &named("keys")).await?;
    it.request(CHART, "demo").await?;
    let demo = it.ready(CHART, "demo").await?;
    assert_eq!(served(&demo).await?, tgz("1.0.0"));
    let verified = condition(&demo, "SourceVerified");
    assert_eq!(verified["message"], "verified signature of version 1.0.0");
    web.asked();
    it.request(CHART, "demo").await?;
    assert_eq!(web.asked(), [], "what was checked is not fetched again");
    // A chart that was stored without being asked for it is checked when it is.
    let mut plain = chart(&it, &json!({"version": "1.1.0"}));
    plain["metadata"]["name"] = json!("plain");
    it.create(&plain).await?;
    it.ready(CHART, "plain").await?;
    it.patch((CHART, "plain"), &named("keys")).await?;
    it.request(CHART, "plain").await?;
    it.failing(CHART, "plain", "VerificationError").await?;
    Ok(())
}

async fn bad_charts_are_told(it: Tenant) -> Result<()> {
    let (web, _) = with_charts(&it, &["1.0.0"]).await?;
    let cases = [
        (archive(&[("demo/Chart.yaml", "apiVersion: v2\n")]), "validation: chart.metadata.name"),
        (archive(&[("demo/values.yaml", "a: 1\n")]), "Chart.yaml file is missing"),
        (b"no chart".to_vec(), "gzip: invalid header"),
    ];
    for (at, (bytes, want)) in cases.into_iter().enumerate() {
        web.put("/c/demo-1.0.0.tgz", bytes);
        let name = format!("bad-{at}");
        let mut bad = chart(&it, &json!({}));
        bad["metadata"]["name"] = json!(name);
        it.create(&bad).await?;
        let why = it.failing(CHART, &name, "ChartPullError").await?;
        ensure!(why.starts_with("chart pull error: ") && why.contains(want), "{why}");
    }
    let mut odd = chart(&it, &json!({"chart": "../demo"}));
    odd["metadata"]["name"] = json!("odd");
    it.create(&odd).await?;
    let why = it.failing(CHART, "odd", "InvalidChartReference").await?;
    ensure!(why.starts_with("invalid chart reference: invalid chart name '../demo'"), "{why}");
    Ok(())
}
