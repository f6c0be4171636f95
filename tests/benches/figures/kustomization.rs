//! Figures of many Kustomizations on one repository.

use std::time::{Duration, Instant};

use anyhow::Result;
use scenarios::{Backend, Objects, Options, World};
use serde_json::{Value, json};

use crate::{Figure, create_all, create_with, resident, until_all, until_by};

const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io/v1";
const FLEET: (&str, &str) = (KUSTOMIZE, "Kustomization");
const SOURCE: &str = "source.toolkit.fluxcd.io/v1";

/// Seconds from `n` Kustomizations that wait for health to all Ready, and memory then; seconds until
/// a commit that touches one of them is live, and until all are at its revision; seconds until an
/// edit by hand is put back where that is watched. The memory is that of the whole process, Git
/// server and client included, and the embedded control plane where there is no other.
pub(super) async fn figures(backend: Backend, n: usize) -> Result<Vec<Figure>> {
    let figure = |name, value, unit, target| Figure {
        name,
        value,
        unit,
        target,
        server: backend,
        n,
        peer: None,
    };
    let world = World::with(Options { backend, workloads: true, ..Options::default() }).await?;
    world.objects.namespace("bench").await?;
    let files = (0..n).map(|at| (path(at), app(at, "1").into_bytes()));
    let fleet = world.git.create("fleet", "main", files).await?;
    create_with(&world.objects, &source(&world)).await?;
    let started = Instant::now();
    create_all(&world.objects, (0..n).map(kustomization)).await?;
    until_all(&world.objects, FLEET, n, |it| is_ready(it, None)).await?;
    let all_ready = started.elapsed().as_secs_f64();
    let memory = resident("self")?;

    let changed = [(path(0), app(0, "2").into_bytes())];
    let started = Instant::now();
    let id = fleet.commit("main", changed, "change one").await?;
    let revision = format!("main@sha1:{id}");
    look(&world.objects, 1).await?;
    until_by(Duration::from_millis(5), Duration::from_mins(5), || async {
        value(&world.objects, 0).await.as_deref() == Some("2")
    })
    .await?;
    let live = started.elapsed().as_secs_f64();
    until_all(&world.objects, FLEET, n, |it| is_ready(it, Some(&revision))).await?;
    let moved = started.elapsed().as_secs_f64();

    let watch = json!({"metadata": {"annotations": {"kustomize.sluice.dev/drift": "watch"}}});
    world.objects.patch((KUSTOMIZE, "Kustomization"), ("bench", "app0"), &watch).await?;
    let put_back = put_back(&world.objects).await?;
    Ok(vec![
        figure("kustomizations-ready", all_ready, "s", 40.0),
        figure("kustomizations-memory", memory, "MiB", 150.0),
        figure("commit-live", live, "s", 2.0),
        figure("commit-moved", moved, "s", 10.0),
        figure("drift-put-back", put_back, "s", 1.0),
    ])
}

/// The slowest of ten edits by hand, in seconds, once the watch is there.
async fn put_back(objects: &Objects) -> Result<f64> {
    let mut slowest: f64 = 0.0;
    for turn in 0..11 {
        let edit = json!({"data": {"value": format!("by hand {turn}")}});
        let started = Instant::now();
        objects.patch(("v1", "ConfigMap"), ("bench", "app0"), &edit).await?;
        let limit = Duration::from_mins(1);
        if turn == 0 {
            // What opts in is a request for nothing by itself.
            let request = json!({"metadata": {"annotations": {
                "reconcile.fluxcd.io/requestedAt": "drift"}}});
            objects.patch((KUSTOMIZE, "Kustomization"), ("bench", "app0"), &request).await?;
        }
        until_by(Duration::from_millis(5), limit, || async {
            value(objects, 0).await.as_deref() == Some("2")
        })
        .await?;
        if turn > 0 {
            slowest = slowest.max(started.elapsed().as_secs_f64());
        }
    }
    Ok(slowest)
}

fn path(n: usize) -> String {
    format!("apps/app{n}/app.yaml")
}

/// A Deployment scaled to 0, a Service, a ServiceAccount and a ConfigMap.
fn app(n: usize, value: &str) -> String {
    let name = format!("app{n}");
    let labels = json!({"app": name});
    let of = |api_version: &str, kind: &str, rest: Value| {
        let mut object =
            json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
        if let (Some(object), Value::Object(rest)) = (object.as_object_mut(), rest) {
            object.extend(rest);
        }
        object.to_string()
    };
    let pod = json!({
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "app", "image": "app:1.0.0"}]},
    });
    let deployment =
        json!({"spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}});
    let service = json!({"spec": {"selector": labels, "ports": [{"port": 80}]}});
    [
        of("apps/v1", "Deployment", deployment),
        of("v1", "Service", service),
        of("v1", "ServiceAccount", json!({})),
        of("v1", "ConfigMap", json!({"data": {"value": value}})),
    ]
    .join("\n---\n")
}

fn source(world: &World) -> Value {
    json!({
        "apiVersion": SOURCE, "kind": "GitRepository",
        "metadata": {"name": "fleet", "namespace": "bench"},
        "spec": {
            "url": world.git.repository_url("fleet"), "interval": "1h", "ref": {"branch": "main"},
        },
    })
}

fn kustomization(n: usize) -> Value {
    json!({
        "apiVersion": KUSTOMIZE, "kind": "Kustomization",
        "metadata": {"name": format!("app{n}"), "namespace": "bench"},
        "spec": {
            "sourceRef": {"kind": "GitRepository", "name": "fleet"},
            "path": format!("./apps/app{n}"), "targetNamespace": "bench",
            "interval": "1h", "timeout": "5m", "prune": true, "wait": true,
        },
    })
}

/// Has the source looked at.
async fn look(objects: &Objects, n: usize) -> Result<()> {
    let request =
        json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": n.to_string()}}});
    objects.patch((SOURCE, "GitRepository"), ("bench", "fleet"), &request).await
}

async fn value(objects: &Objects, n: usize) -> Option<String> {
    let it = objects.get("v1", "ConfigMap", "bench", &format!("app{n}")).await?;
    Some(it["data"]["value"].as_str()?.to_owned())
}

/// How many Kustomizations are ready, at a revision if one is given.
fn is_ready(it: &Value, revision: Option<&str>) -> bool {
    let is_ready = scenarios::condition(it, "Ready")["status"] == "True";
    is_ready && revision.is_none_or(|wanted| it["status"]["lastAppliedRevision"] == wanted)
}
