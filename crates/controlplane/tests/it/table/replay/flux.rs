//! A day with flux.

use std::fmt::Write as _;
use std::process::Command;

use serde_json::{Value, json};

use super::tape::Recorder;
use super::{NAMESPACE, commanded};

/// What flux is made to do, in this order.
const COMMANDS: [&str; 76] = [
    "create source git app --url=https://example.com/app --branch=main --interval=1m",
    "create source git app --url=https://example.com/app --tag=v1 --interval=2m",
    "create source helm charts --url=https://example.com/charts --interval=10m",
    "create source oci images --url=oci://example.com/app --tag=v1 --interval=10m",
    "create source bucket files --bucket-name=files --endpoint=s3.example.com --secret-ref=files",
    "create source chart podinfo --source=HelmRepository/charts --chart=podinfo --interval=1m",
    "create kustomization app --source=GitRepository/app --path=./deploy --prune --interval=5m",
    "create helmrelease app --source=HelmRepository/charts --chart=podinfo --interval=5m",
    "create image repository app --image=example.com/app --interval=1m",
    "create image policy app --image-ref=app --select-semver=1.x",
    "create image update app --git-repo-ref=app --git-repo-path=./deploy --checkout-branch=main \
     --author-name=flux --author-email=flux@example.com --commit-template=text",
    "create alert-provider chat --type=slack --channel=general --address=https://example.com/hook",
    "create alert app --provider-ref=chat --event-severity=error --event-source=Kustomization/app",
    "create receiver app --type=generic --secret-ref=hook --resource=GitRepository/app",
    "create secret git access --url=https://example.com --username=git --password=none",
    "create secret git access --url=https://example.com --username=git --password=other",
    "create secret oci pull --url=example.com --username=u --password=none",
    "create tenant zzrecord-team --with-namespace=ns-zzrecord",
    "get all",
    "get all -A",
    "get sources all -A",
    "get sources git app",
    "get sources git missing",
    "get images all -A",
    "get kustomizations",
    "get helmreleases -l a=b",
    "get alerts",
    "get receivers --status-selector ready=true",
    "reconcile source git app",
    "reconcile source helm charts",
    "reconcile source oci images",
    "reconcile source chart podinfo",
    "reconcile source bucket files",
    "reconcile source git missing",
    "reconcile kustomization app --with-source",
    "reconcile helmrelease app --force --reset",
    "reconcile helmrelease app --with-source",
    "reconcile image repository app",
    "reconcile image policy app",
    "reconcile image update app",
    "reconcile receiver app",
    "suspend source git app",
    "reconcile source git app",
    "resume source git app",
    "suspend kustomization --all",
    "resume kustomization app --wait",
    "suspend helmrelease app",
    "resume helmrelease app",
    "suspend image repository app",
    "resume image repository --all",
    "suspend alert app",
    "resume alert app",
    "export source git --all",
    "export source helm charts --with-credentials",
    "export kustomization app",
    "export helmrelease --all",
    "export image policy --all",
    "export alert-provider --all",
    "events",
    "events -A --types=Warning",
    "events --for=Kustomization/app",
    "tree kustomization app",
    "trace side --kind=ConfigMap --api-version=v1",
    "build kustomization app --path=.",
    "diff kustomization app --path=.",
    "debug kustomization app --show-vars",
    "debug helmrelease app --show-values",
    "stats",
    "check",
    "uninstall --dry-run --silent",
    "delete receiver app --silent",
    "delete alert app --silent",
    "delete image policy app --silent",
    "delete helmrelease app --silent",
    "delete kustomization app --silent",
    "delete source git app --silent",
];

/// Records what flux asks.
pub(super) async fn record(recorder: &Recorder, address: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut side = super::side(&json!({"x": "2"}));
    side["metadata"]["namespace"] = json!(NAMESPACE);
    std::fs::write(home.path().join("side.yaml"), side.to_string()).unwrap();
    let mut all = String::from("=== a day with flux\n");
    for command in COMMANDS {
        println!("flux {command}");
        let _ = writeln!(all, "#! flux {}", command.replace(super::WORD, "$ID"));
        let mut process = Command::new("flux");
        process
            .args(["--server", address, "--namespace", NAMESPACE, "--timeout=10s"])
            .args(command.split_whitespace())
            .current_dir(home.path())
            .env("HOME", home.path())
            .env("KUBECONFIG", home.path().join("none"));
        all += &commanded(process, recorder).await;
    }
    all
}

/// What the controllers of flux do about an object: method, path and body.
pub(super) fn reactions(object: &Value) -> Vec<(&'static str, String, Value)> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (kind, name) = (text("/kind"), text("/metadata/name"));
    let plural = match kind {
        "GitRepository" | "HelmRepository" | "OCIRepository" | "ImageRepository" => {
            format!("{}ies", kind[..kind.len() - 1].to_lowercase())
        }
        "ImagePolicy" => "imagepolicies".to_owned(),
        // These have no status to wait for.
        "Alert" | "Provider" => return Vec::new(),
        _ => format!("{}s", kind.to_lowercase()),
    };
    let group = text("/apiVersion");
    let place = format!("/apis/{group}/namespaces/{NAMESPACE}/{plural}/{name}/status");
    let mut done = vec![("PATCH", place, json!({"status": status(kind, object)}))];
    if kind == "Kustomization" && is_new(object) {
        let mut applied = super::side(&json!({"x": "1"}));
        applied["metadata"]["labels"] = json!({
            "kustomize.toolkit.fluxcd.io/name": name,
            "kustomize.toolkit.fluxcd.io/namespace": NAMESPACE,
        });
        done.push(("POST", format!("/api/v1/namespaces/{NAMESPACE}/configmaps"), applied));
        done.push(("POST", format!("/api/v1/namespaces/{NAMESPACE}/events"), event(object)));
    }
    done
}

/// Whether nobody has written a status yet.
fn is_new(object: &Value) -> bool {
    object.pointer("/status/conditions").is_none()
}

fn event(object: &Value) -> Value {
    let metadata = &object["metadata"];
    json!({
        "metadata": {"name": "app.1"},
        "involvedObject": {"apiVersion": object["apiVersion"], "kind": object["kind"],
            "name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]},
        "reason": "ReconciliationSucceeded", "message": "Applied revision: main@sha1:0123456789",
        "type": "Normal", "count": 1, "source": {"component": "kustomize-controller"},
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z",
    })
}

fn status(kind: &str, object: &Value) -> Value {
    let generation = &object["metadata"]["generation"];
    let revision = "main@sha1:0123456789012345678901234567890123456789";
    let mut status = json!({
        "observedGeneration": generation,
        "conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded",
            "message": format!("stored artifact for revision '{revision}'"),
            "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    });
    let asked = &object["metadata"]["annotations"]["reconcile.fluxcd.io/requestedAt"];
    if !asked.is_null() {
        status["lastHandledReconcileAt"] = asked.clone();
    }
    match kind {
        "GitRepository" | "HelmRepository" | "OCIRepository" | "Bucket" | "HelmChart" => {
            status["artifact"] = json!({"path": "a/b.tar.gz", "url": "http://example.com/a/b.tar.gz",
                "revision": revision, "lastUpdateTime": "2026-01-01T00:00:00Z",
                "digest": format!("sha256:{}", "0".repeat(64))});
        }
        "Kustomization" => {
            status["lastAppliedRevision"] = json!(revision);
            status["lastAttemptedRevision"] = json!(revision);
            status["inventory"] =
                json!({"entries": [{"id": format!("{NAMESPACE}_side__ConfigMap"), "v": "v1"}]});
        }
        "ImageRepository" => {
            status["lastScanResult"] = json!({"tagCount": 2, "scanTime": "2026-01-01T00:00:00Z",
                "latestTags": ["1.1.0", "1.0.0"]});
        }
        "ImagePolicy" => {
            status["latestRef"] = json!({"name": "example.com/app", "tag": "1.1.0"});
        }
        "ImageUpdateAutomation" => status["lastPushCommit"] = json!("0123456789"),
        _ => {}
    }
    status
}
