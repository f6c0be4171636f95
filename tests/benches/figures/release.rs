//! Figures of many `HelmRelease`s of one chart.

use std::time::Instant;

use anyhow::Result;
use scenarios::{Backend, Options, World, condition};
use serde_json::{Value, json};

use crate::{Figure, create_all, create_with, resident, until_all};

const GROUP: &str = "helm.toolkit.fluxcd.io/v2";

const CHART: &str = "apiVersion: v2\nname: app\nversion: 1.0.0\n";

/// A Deployment scaled to nothing, and what usually is beside it.
const TEMPLATE: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: 0
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: app, image: app}]}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: {{ .Release.Name }}}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {value: {{ .Values.value | quote }}}
";

fn release(at: usize) -> Value {
    json!({
        "apiVersion": GROUP, "kind": "HelmRelease",
        "metadata": {"name": format!("app{at}"), "namespace": "bench"},
        "spec": {
            "interval": "1h", "timeout": "5m", "values": {"value": format!("{at}")},
            "chart": {"spec": {
                "chart": "./chart", "sourceRef": {"kind": "GitRepository", "name": "fleet"},
            }},
        },
    })
}

/// Seconds from `n` `HelmRelease`s that wait for their Deployments to all Ready, and the most memory
/// until then. The memory is that of the whole process, Git server and client included, and the
/// embedded control plane where there is no other.
pub(super) async fn figures(backend: Backend, n: usize) -> Result<Vec<Figure>> {
    let world = World::with(Options { backend, workloads: true, ..Options::default() }).await?;
    world.objects.namespace("bench").await?;
    let files = [
        ("chart/Chart.yaml", CHART),
        ("chart/values.yaml", "value: none\n"),
        ("chart/templates/app.yaml", TEMPLATE),
    ];
    world.git.create("fleet", "main", files).await?;
    let source = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": {"name": "fleet", "namespace": "bench"},
        "spec": {
            "url": world.git.repository_url("fleet"), "interval": "1h", "ref": {"branch": "main"},
        },
    });
    create_with(&world.objects, &source).await?;
    let started = Instant::now();
    create_all(&world.objects, (0..n).map(release)).await?;
    let most = std::sync::Mutex::new(0.0_f64);
    until_all(&world.objects, (GROUP, "HelmRelease"), n, |it| {
        let now = resident("self").unwrap_or_default();
        if let Ok(mut most) = most.lock() {
            *most = most.max(now);
        }
        condition(it, "Ready")["status"] == "True"
    })
    .await?;
    let seconds = started.elapsed().as_secs_f64();
    let memory = most.into_inner().unwrap_or_default();
    let figure = |name, value, unit, target| Figure {
        name,
        value,
        unit,
        target,
        server: backend,
        n,
        peer: None,
    };
    Ok(vec![
        figure("releases-ready", seconds, "s", 30.0),
        figure("releases-memory", memory, "MiB", 200.0),
    ])
}
