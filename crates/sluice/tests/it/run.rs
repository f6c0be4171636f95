//! `sluice run`, on the embedded control plane and on Kubernetes.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Running, at, sluice};

/// A process that stands for election, under an upstream controller's name.
pub(crate) struct Replica {
    pub(crate) running: Running,
    _folder: TempDir,
}

impl Replica {
    fn start(kubeconfig: &Path) -> Self {
        let more = ["--watch-all-namespaces=true", "--events-addr="];
        Self::play("image-reflector-controller", kubeconfig, "default", &more)
    }

    /// Starts the binary under the name `role`, with more flags; `sluice` plays all roles.
    pub(crate) fn play(role: &str, kubeconfig: &Path, namespace: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join(role);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sluice"), &program).unwrap();
        let storage = format!("--storage-path={}", folder.path().join("data").display());
        let flags = [
            "--enable-leader-election",
            "--leader-election-retry-period=100ms",
            "--metrics-addr=127.0.0.1:0",
            "--health-addr=localhost:0",
            "--storage-addr=127.0.0.1:0",
            "--log-level=info",
            "--log-encoding=json",
            "--kube-api-qps=50.5",
            "--storage-value-log-file-size=1024",
            &storage,
        ];
        let verb: &[&str] = if role == "sluice" { &["run"] } else { &[] };
        let mut command = at(&program, &[verb, &flags, more].concat());
        command.env("KUBECONFIG", kubeconfig).env("RUNTIME_NAMESPACE", namespace);
        Self { running: Running::start(command), _folder: folder }
    }

    /// The first line of its log with this message.
    pub(crate) fn log(&mut self, message: &str) -> Value {
        serde_json::from_str(&self.running.line(&format!("\"msg\":\"{message}\""))).unwrap()
    }

    /// The answer of one of its own addresses.
    pub(crate) fn ask(&mut self, server: &str, path: &str) -> String {
        let line = self.log(server);
        let mut socket = TcpStream::connect(line["bindAddress"].as_str().unwrap()).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// Two replicas: one leads, shows its metrics and health, and hands over when it ends.
fn replicas_take_turns(kubeconfig: &Path, host: &str) {
    let mut first = Replica::start(kubeconfig);
    let started = first.log("starting manager");
    assert_eq!(started["level"], "info");
    assert_eq!(started["kinds"], "ImageRepository,ImagePolicy");
    assert_eq!(first.log("leading")["lease"], "image-reflector-controller-leader-election");
    assert!(first.ask("serving health probes", "/healthz").ends_with("ok"));
    assert!(first.ask("serving health probes", "/readyz").starts_with("HTTP/1.1 200"));
    let metrics = first.ask("serving metrics", "/metrics");
    for line in [
        "leader_election_master_status{name=\"image-reflector-controller-leader-election\"} 1",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
        "workqueue_depth{",
        "controller_runtime_max_concurrent_reconciles{controller=\"imagepolicy\"} 4",
        "method=\"GET\"} ",
        &format!("host=\"{host}\""),
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert!(first.ask("serving metrics", "/debug/pprof/").contains("cmdline"));
    assert!(first.ask("serving metrics", "/debug/pprof/heap").starts_with("HTTP/1.1 501"));
    let cmdline = first.ask("serving metrics", "/debug/pprof/cmdline");
    assert!(cmdline.contains("\0--enable-leader-election\0"), "{cmdline}");
    let mut second = Replica::start(kubeconfig);
    let metrics = second.ask("serving metrics", "/metrics");
    assert!(metrics.contains("image-reflector-controller-leader-election\"} 0"), "{metrics}");
    let (status, said) = first.running.end("TERM");
    assert_eq!(status.code(), Some(0), "{said}");
    second.log("starting manager");
    let (status, said) = second.running.end("INT");
    assert_eq!(status.code(), Some(0), "{said}");
}

fn host(kubeconfig: &Path) -> String {
    let text = std::fs::read_to_string(kubeconfig).unwrap();
    let config: Value = serde_json::from_str(&text).unwrap();
    let url = config["clusters"][0]["cluster"]["server"].as_str().unwrap();
    url.strip_prefix("https://").unwrap().to_owned()
}

#[test]
fn on_the_embedded_control_plane() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let mut up = Running::start(sluice(&["up", "--data-dir", dir]));
    up.line("reconciling until interrupted");
    let kubeconfig: PathBuf = folder.path().join("kubeconfig");
    replicas_take_turns(&kubeconfig, &host(&kubeconfig));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_kubernetes() {
    if let Some(missing) = world::kubernetes::missing() {
        println!("run::on_kubernetes: skipped: {missing} not built (cargo xtask setup)");
        return;
    }
    let server =
        world::kubernetes::Server::start(world::kubernetes::Options::default()).await.unwrap();
    let kubeconfig = server.kubeconfig_path();
    // Without the CRDs it says what is missing, and ends when it is told to.
    let mut early = Replica::start(&kubeconfig);
    early.running.line("is its CRD installed?");
    let (status, said) = early.running.end("TERM");
    assert_eq!(status.code(), Some(0), "{said}");
    define(&kubeconfig).await;
    let host = host(&kubeconfig);
    tokio::task::spawn_blocking(move || replicas_take_turns(&kubeconfig, &host)).await.unwrap();
}

/// Applies the CRDs.
async fn define(kubeconfig: &Path) {
    use kube::{
        Api, Client, Config,
        api::{DynamicObject, PostParams},
        config::{KubeConfigOptions, Kubeconfig},
        core::{ApiResource, GroupVersionKind},
        runtime::wait::await_condition,
    };
    let config = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(config, &options).await.unwrap();
    let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let definitions: Api<DynamicObject> =
        Api::all_with(Client::try_from(config).unwrap(), &ApiResource::from_gvk(&kind));
    for definition in api::crd::all() {
        let definition: DynamicObject = serde_json::from_value(definition).unwrap();
        definitions.create(&PostParams::default(), &definition).await.unwrap();
        let name = definition.metadata.name.unwrap();
        let established = |it: Option<&DynamicObject>| {
            let conditions = it.and_then(|it| it.data["status"]["conditions"].as_array());
            conditions.is_some_and(|conditions| {
                conditions.iter().any(|it| it["type"] == "Established" && it["status"] == "True")
            })
        };
        await_condition(definitions.clone(), &name, established).await.unwrap();
    }
}
