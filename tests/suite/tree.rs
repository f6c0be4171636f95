//! Trees of Flux' own examples, pushed to a Git server and reconciled: what is applied is what
//! kustomize builds of them, and the inventory says so.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use scenarios::{Options, Tenant, World, condition};
use serde_json::{Value, json};
use testkit::{Tally, corpus};
use world::git::Content;

/// The repositories whose trees are reconciled.
const GROUPS: [&str; 3] =
    ["fluxcd-flux2-kustomize-helm-example", "fluxcd-flux2-multi-tenancy", "stefanprodan-podinfo"];

/// The namespace of objects that name none.
const HOME: &str = "home";

/// Kinds in the trees that are in no namespace.
const CLUSTER_SCOPED: [&str; 6] = [
    "Namespace",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "ClusterIssuer",
    "GatewayClass",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trees_of_examples_are_applied_as_kustomize_builds_them() -> Result<()> {
    let Some(root) = corpus("kustomize") else { return Ok(()) };
    let mut cases: Vec<PathBuf> = Vec::new();
    for group in GROUPS {
        let Ok(found) = std::fs::read_dir(root.join(group)) else { continue };
        cases.extend(found.flatten().map(|it| it.path()));
    }
    cases.sort();
    let shown = futures::future::join_all(cases.iter().map(|case| reconciled(case))).await;
    let mut tally = Tally::new("trees");
    for (case, shown) in cases.iter().zip(shown) {
        let name = case.strip_prefix(&root)?.display().to_string();
        tally.record(&name, shown.map_err(|why| format!("{why:#}")));
    }
    tally.finish();
    Ok(())
}

/// An example with workloads that get ready, and another address of the repository.
async fn example(name: &str, namespace: &str, manifests: &[&str]) -> Result<Tenant> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
    let options = Options { workloads: true, ..Options::default() };
    let it = Arc::new(World::with(options).await?).tenant(namespace).await?;
    let files = files(&example.join("fleet"))?;
    it.files(files.iter().map(|(path, content)| (path.as_str(), content.clone()))).await?;
    let url = it.world.git.repository_url(&it.repository_name());
    for name in manifests {
        let manifests = std::fs::read_to_string(example.join(name))?;
        for object in objects(&manifests.replace("http://127.0.0.1:5051/fleet.git", &url))? {
            it.create(&object).await?;
        }
    }
    Ok(it)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gitops_example_gets_ready() -> Result<()> {
    let manifests = ["repository.yaml", "kustomizations.yaml"];
    let it = example("gitops", "flux-system", &manifests).await?;
    it.ready("Kustomization", "apps").await?;
    let objects = &it.world.objects;
    let podinfo =
        objects.get("apps/v1", "Deployment", "apps", "podinfo").await.context("podinfo")?;
    ensure!(podinfo["status"]["readyReplicas"] == 2, "{podinfo}");
    objects.delete(("v1", "Service"), ("apps", "podinfo")).await?;
    let is_back = || async { objects.get("v1", "Service", "apps", "podinfo").await.is_some() };
    objects.eventually("the Service is there again", is_back).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_helm_example_gets_ready() -> Result<()> {
    let manifests = ["repository.yaml", "values.yaml", "releases.yaml"];
    let it = example("helm", "apps", &manifests).await?;
    let frontend = it.ready("HelmRelease", "frontend").await?;
    ensure!(condition(&frontend, "TestSuccess")["status"] == "True", "{frontend:#}");
    let deployment = it.get(("Deployment", "frontend")).await.context("frontend")?;
    ensure!(deployment["status"]["readyReplicas"] == 2, "{deployment}");

    let values = json!({"data": {"values.yaml": "message: something else"}});
    it.patch(("ConfigMap", "frontend-values"), &values).await?;
    let newer = |it: &Value| it["data"]["PODINFO_UI_MESSAGE"] == "something else";
    it.wait(("ConfigMap", "frontend"), "newer values are released at once", newer).await?;

    it.patch(("Deployment", "backend"), &json!({"spec": {"replicas": 5}})).await?;
    it.request("HelmRelease", "backend").await?;
    it.event("HelmRelease", "backend", "DriftCorrected").await?;
    let deployment = it.get(("Deployment", "backend")).await.context("backend")?;
    ensure!(deployment["spec"]["replicas"] == 1, "{deployment}");
    Ok(())
}

async fn reconciled(case: &Path) -> Result<()> {
    let about: Value = serde_json::from_slice(&std::fs::read(case.join("case.json"))?)?;
    if about["expect"] != "ok" {
        return Ok(());
    }
    let mut wanted = objects(&std::fs::read_to_string(case.join("want.yaml"))?)?;
    // What names no namespace needs one from the Kustomization.
    let homeless = |it: &&mut Value| {
        it["metadata"]["namespace"].is_null() && !CLUSTER_SCOPED.contains(&text(&it["kind"]))
    };
    let mut target = Value::Null;
    for object in wanted.iter_mut().filter(homeless) {
        target = HOME.into();
        object["metadata"]["namespace"] = HOME.into();
    }
    let it = Arc::new(World::with(Options::default()).await?).tenant("flux-system").await?;
    prepare(&it, &wanted).await?;
    let files = files(&case.join("in"))?;
    it.files(files.iter().map(|(path, content)| (path.as_str(), content.clone()))).await?;
    let mut source = it.git_repository(&json!({}));
    source["metadata"]["name"] = json!("trees");
    it.create(&source).await?;
    let spec = json!({
        "path": about["path"], "targetNamespace": target, "sourceRef": {"name": "trees"},
    });
    it.create(&it.kustomization("trees", &spec)).await?;
    let ready = it.ready("Kustomization", "trees").await?;
    let inventory = ready["status"]["inventory"]["entries"].as_array().cloned().unwrap_or_default();
    let listed: BTreeSet<String> =
        inventory.iter().filter_map(|entry| Some(entry["id"].as_str()?.to_owned())).collect();
    let expected: BTreeSet<String> = wanted.iter().map(id).collect();
    ensure!(listed == expected, "inventory\n  want {expected:?}\n  got {listed:?}");
    for object in &wanted {
        let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
        let (version, namespace) =
            (text(&object["apiVersion"]), text(&object["metadata"]["namespace"]));
        let got = it.world.objects.get(version, kind, namespace, name).await;
        let got = got.with_context(|| format!("{} is not there", id(object)))?;
        within(object, &got).map_err(|at| {
            anyhow::anyhow!("{} differs at {at}\n  want {object:#}\n  got {got:#}", id(object))
        })?;
        let owner = &got["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"];
        ensure!(owner == "trees", "{} belongs to {owner}", id(object));
    }
    ensure!(condition(&ready, "Ready")["reason"] == "ReconciliationSucceeded");
    Ok(())
}

/// Makes what the objects need: namespaces that are not among them, and kinds.
async fn prepare(it: &Tenant, wanted: &[Value]) -> Result<()> {
    let own: BTreeSet<&str> = wanted
        .iter()
        .filter(|it| it["kind"] == "Namespace")
        .map(|it| text(&it["metadata"]["name"]))
        .collect();
    let needed: BTreeSet<&str> =
        wanted.iter().map(|it| text(&it["metadata"]["namespace"])).collect();
    for namespace in needed.difference(&own).filter(|name| !name.is_empty()) {
        if *namespace != it.namespace && *namespace != "default" {
            it.world.objects.namespace(namespace).await?;
        }
    }
    let foreign = |it: &&Value| {
        let group = group(it);
        group.contains('.') && !group.ends_with(".k8s.io") && !group.ends_with("fluxcd.io")
    };
    let kinds: BTreeMap<(&str, &str), &Value> = wanted
        .iter()
        .filter(foreign)
        .map(|it| ((text(&it["apiVersion"]), text(&it["kind"])), it))
        .chain(
            wanted
                .iter()
                .filter(|it| group(it).starts_with("gateway."))
                .map(|it| ((text(&it["apiVersion"]), text(&it["kind"])), it)),
        )
        .collect();
    for ((version, kind), object) in kinds {
        it.world.objects.apply_crd(&definition(version, kind, object)).await?;
    }
    Ok(())
}

/// A definition of a kind that takes anything.
fn definition(version: &str, kind: &str, object: &Value) -> Value {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let lower = kind.to_lowercase();
    let is_namespaced = object["metadata"]["namespace"].is_string();
    let mut definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{lower}s.{group}")},
        "spec": {
            "group": group, "scope": if is_namespaced { "Namespaced" } else { "Cluster" },
            "names": {"kind": kind, "plural": format!("{lower}s"), "singular": lower},
            "versions": [{"name": version, "served": true, "storage": true, "schema": {
                "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            }}],
        },
    });
    if group.ends_with(".k8s.io") {
        definition["metadata"]["annotations"] = json!({
            "api-approved.kubernetes.io": "unapproved, for tests",
        });
    }
    definition
}

pub(crate) fn objects(yaml: &str) -> Result<Vec<Value>> {
    let mut objects = Vec::new();
    for document in yaml::parse_all(yaml)? {
        let object: Value = serde_json::from_str(&document.to_json()?)?;
        if object.is_object() {
            objects.push(object);
        }
    }
    Ok(objects)
}

/// All files below a folder.
pub(crate) fn files(root: &Path) -> Result<Vec<(String, Content)>> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root)?.display().to_string();
                found.push((name, Content::File(std::fs::read(&path)?)));
            }
        }
    }
    Ok(found)
}

/// An object's identifier in an inventory.
fn id(object: &Value) -> String {
    let metadata = &object["metadata"];
    let name = text(&metadata["name"]).replace(':', "__");
    format!("{}_{name}_{}_{}", text(&metadata["namespace"]), group(object), text(&object["kind"]))
}

fn group(object: &Value) -> &str {
    text(&object["apiVersion"]).split_once('/').map_or("", |(group, _)| group)
}

/// Whether everything that is wanted is there; else where it is not. The API server adds defaults
/// and writes quantities in its own way.
fn within(want: &Value, got: &Value) -> Result<(), String> {
    match (want, got) {
        (Value::Object(want), Value::Object(got)) => want.iter().try_for_each(|(key, want)| {
            let is_empty =
                want.is_null() || want.as_object().is_some_and(serde_json::Map::is_empty);
            match got.get(key) {
                None if is_empty || key == "creationTimestamp" => Ok(()),
                None => Err(format!("{key}: missing")),
                Some(got) => within(want, got).map_err(|at| format!("{key}.{at}")),
            }
        }),
        (Value::Array(want), Value::Array(got)) if want.len() == got.len() => {
            let pairs = want.iter().zip(got).enumerate();
            pairs.into_iter().try_for_each(|(n, (want, got))| {
                within(want, got).map_err(|at| format!("{n}.{at}"))
            })
        }
        (want, got) if want == got || quantity(want) == quantity(got) => Ok(()),
        (want, got) => Err(format!(" want {want}, got {got}")),
    }
}

/// Quantities that are written in more than one way; whatever else a value is, its text.
fn quantity(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.strip_suffix('m').and_then(|milli| milli.parse::<u64>().ok()) {
        Some(milli) if milli % 1000 == 0 => (milli / 1000).to_string(),
        _ => text,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
