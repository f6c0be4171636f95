//! `sluice up` on a chart in a Git repository, as a process that can be killed, and Helm's records of
//! the release it makes.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use helm::release::Record;
use scenarios::{Objects, condition};
use serde_json::{Value, json};
use world::git;

use crate::process::{Process, text};

pub(crate) const GROUP: &str = "helm.toolkit.fluxcd.io/v2";

/// The namespace of everything.
pub(crate) const SPACE: &str = "apps";

const METADATA: &str = "apiVersion: v2\nname: chart\nversion: 1.0.0\nappVersion: '7'\n";

/// What the chart says if nobody says otherwise.
const VALUES: &str = "message: chart\nparts: []\n";

/// One ConfigMap always, and one for each part.
const CONFIG: &str = r"apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  message: {{ .Values.message | quote }}
{{- range .Values.parts }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $.Release.Name }}-{{ . }}
data:
  message: {{ $.Values.message | quote }}
{{- end }}
";

/// A hook that runs as long as its value says.
const HOOK: &str = r"{{- with .Values.hook }}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $.Release.Name }}-hook
  annotations:
    helm.sh/hook: pre-install,pre-upgrade,pre-rollback
    simulator.sluice.dev/behaviour: {{ . }}
spec:
  backoffLimit: 0
  template:
    spec: {restartPolicy: Never, containers: [{name: app, image: app}]}
{{- end }}
";

/// A Deployment that behaves as its value says.
const WORK: &str = r"{{- with .Values.behaviour }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $.Release.Name }}
spec:
  selector: {matchLabels: {app: {{ $.Release.Name }}}}
  template:
    metadata:
      labels: {app: {{ $.Release.Name }}}
      annotations: {simulator.sluice.dev/behaviour: {{ . }}}
    spec: {containers: [{name: app, image: app}]}
{{- end }}
";

/// The files of the chart.
pub(crate) const CHART: [(&str, &str); 6] = [
    ("Chart.yaml", METADATA),
    ("values.yaml", VALUES),
    ("templates/config.yaml", CONFIG),
    ("templates/hook.yaml", HOOK),
    ("templates/work.yaml", WORK),
    ("templates/NOTES.txt", "{{ .Release.Name }} says {{ .Values.message }}\n"),
];

/// The process, and what outlives it.
pub(crate) struct Fleet {
    pub(crate) process: Process,
    pub(crate) objects: Objects,
    _git: git::Server,
}

impl Fleet {
    /// Starts everything, and creates the release, of these values.
    pub(crate) async fn start(values: &Value, spec: &Value) -> Result<Self> {
        let mut process = Process::new()?;
        let git = git::Server::start(git::Options::default()).await?;
        for (path, content) in CHART {
            let path = process.path("chart").join(path);
            std::fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
            std::fs::write(path, content)?;
        }
        let files = CHART.map(|(path, content)| (format!("chart/{path}"), content));
        git.create("fleet", "main", files).await?;
        let mut release = release(values);
        for (key, value) in spec.as_object().into_iter().flatten() {
            release["spec"][key] = value.clone();
        }
        let manifests = [
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}),
            json!({
                "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
                "metadata": {"name": "fleet", "namespace": SPACE},
                "spec": {
                    "url": git.repository_url("fleet"), "interval": "1h",
                    "ref": {"branch": "main"},
                },
            }),
            release,
        ];
        let manifests: Vec<String> = manifests.iter().map(ToString::to_string).collect();
        let path = process.path("objects.yaml");
        std::fs::write(&path, manifests.join("\n---\n"))?;
        process.spawn(&["--simulate", "-f", text(&path)?])?;
        let objects = process.answers().await?;
        Ok(Self { process, objects, _git: git })
    }

    /// Kills the process and starts it on what it left.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.process.kill().await?;
        self.process.spawn(&["--simulate"])?;
        self.objects = self.process.answers().await?;
        Ok(())
    }

    /// Merges into the release's spec.
    pub(crate) async fn spec(&self, spec: &Value) -> Result<()> {
        let kind = (GROUP, "HelmRelease");
        self.objects.patch(kind, (SPACE, "app"), &json!({ "spec": spec })).await
    }

    /// The release, once this holds.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Result<Value> {
        let get = || async { self.objects.get(GROUP, "HelmRelease", SPACE, "app").await };
        let check = || async { get().await.is_some_and(|it| holds(&it)) };
        if let Err(why) = self.objects.eventually(what, check).await {
            let now = get().await.unwrap_or_default();
            anyhow::bail!("{why}: {:#}\n{}", now["status"], self.process.log());
        }
        get().await.context("the release is there")
    }

    /// The release once it is ready as it is now.
    pub(crate) async fn ready(&self) -> Result<Value> {
        self.until("the release is ready", |it| {
            let ready = condition(it, "Ready");
            ready["status"] == "True"
                && ready["observedGeneration"] == it["metadata"]["generation"]
                && it["status"]["observedGeneration"] == it["metadata"]["generation"]
        })
        .await
    }

    /// Helm's records of the release, oldest first.
    pub(crate) async fn records(&self) -> Result<Vec<Record>> {
        records(&self.objects, SPACE, "app").await
    }

    /// Versions and states of the records.
    pub(crate) async fn history(&self) -> Result<Vec<String>> {
        let shown = |it: &Record| format!("{} {}", it.version, it.info.status);
        Ok(self.records().await?.iter().map(shown).collect())
    }

    /// The release's ConfigMaps, and what they say.
    pub(crate) async fn messages(&self) -> Result<BTreeMap<String, String>> {
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        let all = self.objects.list("v1", "ConfigMap", SPACE).await?;
        let ours = all.into_iter().filter(|it| {
            it["metadata"]["annotations"]["meta.helm.sh/release-name"] == "app"
                && it["metadata"]["deletionTimestamp"].is_null()
        });
        Ok(ours.map(|it| (text(&it["metadata"]["name"]), text(&it["data"]["message"]))).collect())
    }

    /// The folder of the chart on this disk.
    pub(crate) fn chart(&self) -> std::path::PathBuf {
        self.process.path("chart")
    }

    pub(crate) fn kubeconfig(&self) -> std::path::PathBuf {
        Path::new(&self.process.path("data")).join("kubeconfig")
    }
}

/// Helm's records of a release, oldest first.
pub(crate) async fn records(objects: &Objects, namespace: &str, name: &str) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for secret in objects.list("v1", "Secret", namespace).await? {
        if secret["type"] != "helm.sh/release.v1" || secret["metadata"]["labels"]["name"] != name {
            continue;
        }
        let data = secret["data"]["release"].as_str().context("a record has data")?;
        records.push(Record::decode(&BASE64_STANDARD.decode(data)?)?);
    }
    records.sort_by_key(|it| it.version);
    Ok(records)
}

/// The release of the chart.
fn release(values: &Value) -> Value {
    json!({
        "apiVersion": GROUP, "kind": "HelmRelease",
        "metadata": {"name": "app", "namespace": SPACE},
        "spec": {
            "chart": {"spec": {
                "chart": "./chart", "sourceRef": {"kind": "GitRepository", "name": "fleet"},
            }},
            "interval": "1h", "values": values,
        },
    })
}
