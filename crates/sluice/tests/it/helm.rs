//! `sluice helm` and charts in kustomizations: from folders, repositories and registries.

use std::path::Path;

use axum::Router;
use helm::chart::{Chart, File, package};
use kube::{Api, api::PostParams};
use serde_json::json;
use tempfile::TempDir;
use world::registry;

use crate::{
    program::{Outcome, Running, finish, sluice},
    up,
};

const LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

const TEMPLATE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}'}\n\
                        data: {size: '{{ .Values.size }}', version: '{{ .Chart.Version }}'}\n";
const HOOK: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: check\n  annotations: \
                    {helm.sh/hook: test}\n";

fn files(version: &str) -> Vec<(&'static str, String)> {
    let about = format!("apiVersion: v2\nname: demo\nversion: {version}\n");
    vec![
        ("Chart.yaml", about),
        ("values.yaml", "size: small\n".to_owned()),
        ("templates/map.yaml", TEMPLATE.to_owned()),
        ("templates/check.yaml", HOOK.to_owned()),
    ]
}

fn archive(version: &str) -> Vec<u8> {
    let files = files(version).into_iter().map(|(name, text)| File::new(name, text));
    package(&Chart::from_files(files.collect()).unwrap()).unwrap()
}

/// A repository of two versions; its URL.
async fn repository() -> String {
    let versions = ["1.0.0", "1.1.0"];
    let entry = |version| {
        json!({"apiVersion": "v2", "name": "demo", "version": version,
                                  "urls": [format!("charts/demo-{version}.tgz")]})
    };
    let entries: Vec<_> = versions.iter().rev().map(entry).collect();
    let index = json!({"apiVersion": "v1", "entries": {"demo": entries}}).to_string();
    let mut router = Router::new().route("/all/index.yaml", axum::routing::get(|| async { index }));
    for version in versions {
        let bytes = archive(version);
        let path = format!("/all/charts/demo-{version}.tgz");
        router = router.route(&path, axum::routing::get(|| async { bytes }));
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}/all")
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn run(folder: &Path, arguments: &[&str]) -> Outcome {
    let mut command = sluice(arguments);
    command.current_dir(folder);
    finish(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn charts_are_fetched_to_be_rendered() {
    let folder = tempfile::tempdir().unwrap();
    let url = repository().await;
    let template = |more: &[&str]| {
        let outcome = run(folder.path(), &[&["helm", "template", "app"], more].concat());
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome.stdout
    };
    assert!(template(&["demo", "--repo", &url]).contains("version: '1.1.0'"));
    assert!(template(&["demo", "--repo", &url, "--version", "~1.0"]).contains("version: '1.0.0'"));
    let server = registry::Server::start().await.unwrap();
    for version in ["1.0.0", "1.2.0"] {
        let layer = archive(version);
        let none = std::collections::BTreeMap::new();
        server.store().publish_layers("charts/demo", version, &[(LAYER, &layer)], &none);
    }
    let address = format!("oci://{}/charts/demo", server.host());
    assert!(template(&[&address]).contains("version: '1.2.0'"));
    assert!(template(&[&address, "--version", "1.0.0"]).contains("version: '1.0.0'"));

    let absent = run(folder.path(), &["helm", "template", "other", "--repo", &url]);
    assert_eq!(absent.code, Some(1));
    assert!(absent.stderr.contains("chart \"other\" not found in http://"), "{absent:?}");
    let lost = run(folder.path(), &["helm", "template", "demo", "--repo", "http://127.0.0.1:1"]);
    assert!(
        lost.stderr.contains("is not a valid chart repository or cannot be reached"),
        "{lost:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn kustomizations_inflate_charts() {
    let folder = tempfile::tempdir().unwrap();
    let url = repository().await;
    for (name, text) in files("0.1.0") {
        write(folder.path(), &format!("charts/local/{name}"), &text.replace("demo", "local"));
    }
    let kustomization = format!(
        "helmCharts:\n- {{name: local, releaseName: here, valuesInline: {{size: large}}, skipTests: \
         true}}\n- {{name: demo, releaseName: there, repo: \"{url}\", version: 1.0.0, namespace: n}}\n"
    );
    write(folder.path(), "kustomization.yaml", &kustomization);
    let built = run(folder.path(), &["kustomize", "build", "--enable-helm"]);
    let want = "apiVersion: v1\ndata:\n  size: large\n  version: 0.1.0\nkind: ConfigMap\nmetadata:\n  \
                name: here\n";
    assert_eq!(built.code, Some(0), "{built:?}");
    assert!(built.stdout.contains(want), "{built:?}");
    assert!(built.stdout.contains("name: there\n") && built.stdout.contains("kind: Pod\n"));
    assert!(!folder.path().join("charts/demo-1.0.0").exists(), "nothing is written");
    let refused = run(folder.path(), &["kustomize", "build"]);
    assert!(refused.stderr.contains("must specify --enable-helm"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_is_compared_with_the_release() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files("1.0.0") {
        write(folder.path(), &format!("demo/{name}"), &text);
    }
    let mut command = sluice(&["up", "--data-dir", "state"]);
    command.current_dir(folder.path());
    let mut plane = Running::start(command);
    plane.line("reconciling until interrupted");
    release(&folder).await;
    let diff = |more: &[&str]| {
        let mut command = sluice(&[&["helm", "diff", "app", "demo"], more].concat());
        command.current_dir(folder.path());
        command.env("KUBECONFIG", folder.path().join("state/kubeconfig"));
        finish(command)
    };
    let same = diff(&[]);
    assert_eq!((same.code, same.stdout.as_str()), (Some(0), ""), "{same:?}");
    let changed = diff(&["--set", "size=large"]);
    assert_eq!(changed.code, Some(1), "{changed:?}");
    let want = "► ConfigMap/default/app changed\n\ndata.size\n± value change\n- small\n+ large\n\n";
    assert_eq!(changed.stdout, want);
    assert_eq!(diff(&["-n", "kube-system"]).stdout, "► ConfigMap/kube-system/app created\n");
    assert_eq!(diff(&["--timeout", "soon"]).code, Some(2));
}

/// Writes what an installation of the chart would.
async fn release(folder: &TempDir) {
    use helm::{release::*, render};
    let files = files("1.0.0").into_iter().map(|(name, text)| File::new(name, text));
    let chart = Chart::from_files(files.collect()).unwrap();
    let options = render::Options::new("app", "default");
    let rendered = render::render(chart, &helm::values::Values::new(), &options).unwrap();
    let record = Record {
        name: "app".into(),
        info: Info { status: Status::Deployed, ..Info::default() },
        manifest: rendered.manifest(),
        chart: rendered.chart,
        config: helm::values::Values::new(),
        hooks: Vec::new(),
        version: 1,
        namespace: "default".into(),
    };
    let secret = json!({"metadata": {"name": secret_name("app", 1), "labels": {"owner": "helm",
        "name": "app", "status": "deployed", "version": "1"}}, "type": "helm.sh/release.v1",
        "stringData": {"release": record.encode()}});
    let kubeconfig = std::fs::read_to_string(folder.path().join("state/kubeconfig")).unwrap();
    let secrets: Api<k8s_openapi::api::core::v1::Secret> =
        Api::namespaced(up::client(&kubeconfig).await, "default");
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
}
