//! `sluice trace`.

use std::{fmt::Write as _, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use kube::{Client, api::GroupVersionKind, discovery};
use serde_json::Value;

use super::{
    cluster,
    object::{self, Named},
};
use crate::term::Term;

/// Say where an object comes from: what applied it, from which source, at which revision
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    sluice trace deployment my-app -n apps\n  \
    sluice trace deploy/my-app cm/settings -n apps\n  \
    sluice trace my-app --kind=Deployment --api-version=apps/v1 -n apps")]
pub(super) struct Arguments {
    /// KIND NAME, or KIND/NAME as often as wanted
    #[arg(required = true, value_name = "OBJECT")]
    objects: Vec<String>,
    /// Kind of the object that is named alone
    #[arg(long, requires = "api_version")]
    kind: Option<String>,
    /// API version of the kind, such as apps/v1
    #[arg(long, requires = "kind", value_name = "GROUP/VERSION")]
    api_version: Option<String>,
    #[command(flatten)]
    cluster: cluster::Arguments,
}

/// A kind that applies objects, and how wide the first column is.
struct Applier {
    kind: &'static str,
    group: &'static str,
    width: usize,
}

const APPLIERS: [Applier; 2] = [
    Applier { kind: "Kustomization", group: "kustomize.toolkit.fluxcd.io", width: 17 },
    Applier { kind: "HelmRelease", group: "helm.toolkit.fluxcd.io", width: 16 },
];

/// How far owners are followed.
const OWNERS: usize = 20;

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let client = arguments.cluster.access.client().await?;
    let work = traced(&client, &arguments);
    let Ok(texts) = tokio::time::timeout(arguments.cluster.access.timeout, work).await else {
        bail!("it took longer than {:?}; --timeout allows more", arguments.cluster.access.timeout);
    };
    Term::detect().line(texts?.join("\n---\n").trim_end_matches('\n'));
    Ok(ExitCode::SUCCESS)
}

async fn traced(client: &Client, arguments: &Arguments) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for (kind, name) in wanted(client, arguments).await? {
        let all = object::all(client, &kind, &arguments.cluster.namespace);
        let shown = format!("{}/{name}", kind.resource.kind);
        let found = all.get(&name).await;
        let found = found.with_context(|| format!("failed to find object {shown}"))?;
        let mut object = serde_json::to_value(found)?;
        object["kind"] = kind.resource.kind.clone().into();
        let text = trace(client, &object).await;
        texts.push(text.with_context(|| format!("failed to trace {shown}"))?);
    }
    Ok(texts)
}

/// The objects that are asked for.
async fn wanted(client: &Client, arguments: &Arguments) -> Result<Vec<(Named, String)>> {
    if let (Some(kind), Some(version)) = (&arguments.kind, &arguments.api_version) {
        let kind = exact(client, version, kind).await?;
        let Some(name) = arguments.objects.first() else { bail!("object name is required") };
        return Ok(vec![(kind, name.clone())]);
    }
    let mut wanted = Vec::new();
    match arguments.objects.as_slice() {
        [kind, names @ ..] if !kind.contains('/') && !names.is_empty() => {
            for name in names {
                wanted.push((object::named(client, kind).await?, name.clone()));
            }
        }
        objects => {
            for object in objects {
                let Some((kind, name)) = object.split_once('/') else {
                    bail!("either KIND/NAME or KIND NAME is required, not {object}");
                };
                wanted.push((object::named(client, kind).await?, name.to_owned()));
            }
        }
    }
    Ok(wanted)
}

async fn exact(client: &Client, version: &str, kind: &str) -> Result<Named> {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let kind = GroupVersionKind::gvk(group, version, kind);
    let found = discovery::pinned_kind(client, &kind).await;
    let (resource, caps) =
        found.with_context(|| format!("the cluster has no kind {}", kind.kind))?;
    Ok(Named { resource, is_namespaced: caps.scope == discovery::Scope::Namespaced })
}

async fn trace(client: &Client, object: &Value) -> Result<String> {
    for applier in &APPLIERS {
        if let Some((namespace, name)) = owner(client, object, applier.group).await {
            let it = object::read(client, applier.kind, &namespace, &name).await?;
            let mut text = String::from("\n");
            let kind = object["kind"].as_str().unwrap_or_default();
            let metadata = &object["metadata"];
            let shown = format!("{kind}/{}", metadata["name"].as_str().unwrap_or_default());
            row(&mut text, applier.width, "Object", &shown.into());
            row(&mut text, applier.width, "Namespace", &metadata["namespace"]);
            row(&mut text, applier.width, "Status", &"Managed by Flux".into());
            applied(&mut text, applier, &it);
            for (kind, place) in sources(&it) {
                let source = object::read(client, kind, &place.0, &place.1).await?;
                fetched(&mut text, applier.width, kind, &source);
            }
            return Ok(text);
        }
    }
    bail!("object not managed by Flux")
}

/// The block about what applied the object.
fn applied(text: &mut String, applier: &Applier, it: &Value) {
    let (width, spec, status) = (applier.width, &it["spec"], &it["status"]);
    block(text, width, applier.kind, it);
    row(text, width, "Target", &spec["targetNamespace"]);
    if applier.kind == "Kustomization" {
        row(text, width, "Path", &spec["path"]);
        row(text, width, "Revision", &status["lastAppliedRevision"]);
    } else {
        row(text, width, "Revision", &status["lastAttemptedRevision"]);
    }
    ready(text, width, it, false);
}

/// The block about a source.
fn fetched(text: &mut String, width: usize, kind: &str, it: &Value) {
    let (spec, status) = (&it["spec"], &it["status"]);
    block(text, width, kind, it);
    row(text, width, "URL", &spec["url"]);
    if kind == "HelmChart" {
        row(text, width, "Chart", &spec["chart"]);
        row(text, width, "Version", &spec["version"]);
    }
    if kind == "ExternalArtifact" {
        let source = &spec["sourceRef"];
        let part = |field: &str| source[field].as_str().unwrap_or_default();
        let shown = format!("{}/{}/{}", part("kind"), part("namespace"), part("name"));
        row(text, width, "Source", &shown.into());
    }
    let reference = &spec["ref"];
    let fields = [("tag", "Tag"), ("semver", "Tag"), ("branch", "Branch"), ("digest", "Digest")];
    if let Some((field, title)) = fields.iter().find(|(field, _)| reference[field].is_string()) {
        row(text, width, title, &reference[field]);
    }
    row(text, width, "Revision", &status["artifact"]["revision"]);
    let metadata = &status["artifact"]["metadata"];
    row(text, width, "Origin Source", &metadata["org.opencontainers.image.source"]);
    row(text, width, "Origin Revision", &metadata["org.opencontainers.image.revision"]);
    ready(text, width, it, true);
}

fn block(text: &mut String, width: usize, kind: &str, it: &Value) {
    text.push_str("---\n");
    row(text, width, kind, &it["metadata"]["name"]);
    row(text, width, "Namespace", &it["metadata"]["namespace"]);
}

/// A line, if there is something to tell.
fn row(text: &mut String, width: usize, title: &str, value: &Value) {
    if let Some(value) = value.as_str().filter(|value| !value.is_empty()) {
        let _ = writeln!(text, "{:<width$}{value}", format!("{title}:"));
    }
}

fn ready(text: &mut String, width: usize, it: &Value, tells_failure: bool) {
    let conditions = it["status"]["conditions"].as_array();
    let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
    let Some(ready) = ready else {
        return row(text, width, "Status", &"Unknown".into());
    };
    let what = if tells_failure && ready["status"] == "False" {
        "Last reconciliation failed at"
    } else {
        "Last reconciled at"
    };
    // As Go prints a time.
    let at = ready["lastTransitionTime"].as_str().unwrap_or_default();
    let at = at.replacen('T', " ", 1).replacen('Z', " +0000 UTC", 1);
    row(text, width, "Status", &format!("{what} {at}").into());
    row(text, width, "Message", &ready["message"]);
}

/// What is read to get to the files: kinds, and namespaces with names.
fn sources(it: &Value) -> Vec<(&'static str, (String, String))> {
    const KINDS: [&str; 6] = [
        "GitRepository",
        "OCIRepository",
        "HelmRepository",
        "HelmChart",
        "Bucket",
        "ExternalArtifact",
    ];
    let own = it["metadata"]["namespace"].as_str().unwrap_or_default();
    let mut sources = Vec::new();
    let chart = it["status"]["helmChart"].as_str().and_then(|chart| chart.split_once('/'));
    if let Some((namespace, name)) = chart {
        sources.push(("HelmChart", (namespace.to_owned(), name.to_owned())));
    }
    let spec = &it["spec"];
    for reference in [&spec["sourceRef"], &spec["chartRef"], &spec["chart"]["spec"]["sourceRef"]] {
        let kind = KINDS.into_iter().find(|kind| reference["kind"] == **kind);
        if let (Some(kind), Some(name)) = (kind, reference["name"].as_str()) {
            let namespace = reference["namespace"].as_str().unwrap_or(own);
            let place = (namespace.to_owned(), name.to_owned());
            if !sources.contains(&(kind, place.clone())) {
                sources.push((kind, place));
            }
        }
    }
    sources
}

/// Who applied an object, or what owns it: namespace and name.
async fn owner(client: &Client, object: &Value, group: &str) -> Option<(String, String)> {
    let mut object = object.clone();
    for _ in 0..OWNERS {
        let labels = &object["metadata"]["labels"];
        let label = |key: &str| labels[format!("{group}/{key}")].as_str().map(str::to_owned);
        if let Some(name) = label("name") {
            return Some((label("namespace").unwrap_or_default(), name));
        }
        let reference = object["metadata"]["ownerReferences"].get(0)?.clone();
        let text = |field: &str| reference[field].as_str().unwrap_or_default();
        let kind = exact(client, text("apiVersion"), text("kind")).await.ok()?;
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        let found = object::all(client, &kind, namespace).get(text("name")).await.ok()?;
        object = serde_json::to_value(found).ok()?;
    }
    None
}
