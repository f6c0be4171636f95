//! A day with kubectl.

use std::fmt::Write as _;
use std::process::Command;

use serde_json::json;

use super::tape::Recorder;
use super::{NAMESPACE, commanded, deployment, side};

/// What kubectl is made to do, in this order.
const COMMANDS: [&str; 24] = [
    "apply -f app.json",
    "apply -f app.json",
    "apply -f app2.json",
    "diff -f app.json",
    "apply --server-side -f side.json",
    "apply --server-side --field-manager=other -f side2.json",
    "apply --server-side --field-manager=other --force-conflicts -f side2.json",
    "get deployments,configmaps",
    "get deployment app -o yaml",
    "get configmap side -o name",
    "describe configmap side",
    "label configmap side a=b",
    "annotate configmap side c=d",
    "scale deployment app --replicas=2",
    "set image deployment/app c=nginx:2",
    "patch configmap side --type=merge -p {\"data\":{\"y\":\"2\"}}",
    "patch deployment app --type=json -p [{\"op\":\"replace\",\"path\":\"/spec/paused\",\"value\":false}]",
    "create configmap made --from-literal=a=b",
    "create configmap made --from-literal=a=b",
    "create secret generic hidden --from-literal=a=b",
    "auth can-i create deployments",
    "rollout history deployment/app",
    "delete configmap made --wait=false",
    "delete -f app.json --wait=false",
];

pub(super) async fn record(recorder: &Recorder, address: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("app.json", deployment("nginx:1")),
        ("app2.json", deployment("nginx:3")),
        ("side.json", side(&json!({"x": "1"}))),
        ("side2.json", side(&json!({"x": "2"}))),
    ] {
        std::fs::write(home.path().join(name), content.to_string()).unwrap();
    }
    let mut all = String::new();
    let _ = writeln!(all, "=== a day with kubectl");
    for command in COMMANDS {
        let _ = writeln!(all, "#! kubectl {command}");
        let mut process = Command::new(world::kubernetes::program("kubectl").unwrap());
        process
            .args(["--server", address, "--namespace", NAMESPACE])
            .args(command.split(' '))
            .current_dir(home.path())
            .env("HOME", home.path())
            .env("KUBECONFIG", home.path().join("none"));
        all += &commanded(process, recorder).await;
    }
    all
}
