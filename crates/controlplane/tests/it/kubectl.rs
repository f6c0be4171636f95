//! Through stock kubectl on a loopback socket.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use controlplane::{Options, Server};
use tempfile::TempDir;

use crate::toy;

/// The kubectl that was built once, else that of the machine.
fn program() -> PathBuf {
    world::kubernetes::program("kubectl").unwrap_or_else(|| "kubectl".into())
}

/// kubectl with a home of its own, and the server it talks to.
struct Kubectl {
    home: TempDir,
    _server: Server,
}

impl Kubectl {
    /// `None`, told by name, where kubectl is missing.
    async fn start(test: &str) -> Option<Self> {
        if Command::new(program()).args(["version", "--client"]).output().is_err() {
            println!("{test}: skipped, no kubectl on this machine");
            return None;
        }
        let server = Server::open(Options::default()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // kubectl sends credentials over TLS only, so there is nobody to tell apart here.
        let router = server.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let home = tempfile::tempdir().unwrap();
        let config = format!(
            "{{apiVersion: v1, kind: Config, current-context: c,
               clusters: [{{name: c, cluster: {{server: \"http://{address}\"}}}}],
               users: [{{name: u, user: {{}}}}],
               contexts: [{{name: c, context: {{cluster: c, user: u}}}}]}}"
        );
        std::fs::write(home.path().join("config"), config).unwrap();
        let kubectl = Self { home, _server: server };
        kubectl.file("toy.json", &serde_json::to_string(&toy::definition()).unwrap());
        Some(kubectl)
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    async fn run(&self, arguments: &str) -> Output {
        let mut command = Command::new(program());
        command
            .args(arguments.split_whitespace())
            .current_dir(self.home.path())
            .env("KUBECONFIG", self.home.path().join("config"))
            .env("HOME", self.home.path())
            .env("KUBE_EDITOR", self.home.path().join("editor"));
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// Runs a command that must succeed; gives what it printed.
    async fn ok(&self, arguments: &str) -> String {
        let output = self.run(arguments).await;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "kubectl {arguments}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a command that must fail; gives its complaint.
    async fn fails(&self, arguments: &str) -> String {
        let output = self.run(arguments).await;
        assert!(!output.status.success(), "kubectl {arguments} succeeded");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

const WIDGET: &str = r"
apiVersion: toys.example/v1
kind: Widget
metadata: {name: w}
spec: {size: small, parts: [{name: a, weight: 1}]}
";

#[tokio::test(flavor = "multi_thread")]
async fn built_in_objects_live() {
    let Some(k) = Kubectl::start("kubectl::built_in_objects_live").await else { return };
    k.ok("create configmap x --from-literal=a=b").await;
    k.ok("create secret generic s --from-literal=p=q").await;
    k.ok("create namespace other").await;
    k.ok("create deployment d --image=nginx --replicas=0 -n other").await;
    let table = k.ok("get cm x -o wide").await;
    assert!(table.starts_with("NAME   DATA   AGE\nx      1 "), "{table}");
    assert!(k.ok("get deploy -A -o wide").await.contains("nginx"), "the image is shown");
    assert!(k.ok("describe cm x").await.contains("a:\n----\nb"), "describe shows the data");
    k.ok("scale deploy d -n other --replicas=3").await;
    assert_eq!(k.ok("get deploy d -n other -o jsonpath={.spec.replicas}").await, "3");
    k.ok("label cm x color=red").await;
    assert_eq!(k.ok("get cm -l color=red -o name").await, "configmap/x\n");
    k.ok("delete ns other --wait").await;
    let error = k.fails("get deploy d -n other").await;
    assert!(error.contains("(NotFound)"), "{error}");
    k.ok("wait --for=jsonpath={.data.a}=b cm/x --timeout=20s").await;
    k.ok("delete cm x").await;
    assert_eq!(k.ok("auth can-i create pods").await, "yes\n");
    assert!(k.ok("auth whoami").await.contains("system:admin"), "who is trusted");
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_resources_are_applied() {
    let Some(k) = Kubectl::start("kubectl::custom_resources_are_applied").await else { return };
    k.ok("apply -f toy.json").await;
    k.ok("wait --for=condition=established crd/widgets.toys.example --timeout=20s").await;
    k.file("w.yaml", WIDGET);
    assert_eq!(k.ok("apply -f w.yaml").await, "widget.toys.example/w created\n");
    assert_eq!(k.ok("apply -f w.yaml").await, "widget.toys.example/w unchanged\n");
    k.file("w.yaml", &WIDGET.replace("small", "large"));
    assert_eq!(k.ok("apply -f w.yaml").await, "widget.toys.example/w configured\n");
    let table = k.ok("get wd").await;
    assert!(table.starts_with("NAME   SIZE    READY   AGE\nw      large "), "{table}");
    let wide = k.ok("get wd -o wide").await;
    assert!(wide.starts_with("NAME   SIZE    READY   AGE   REPLICAS\n"), "{wide}");
    let taught = k.ok("explain widget.spec").await;
    assert!(taught.contains("What the widget shall be."), "{taught}");
    assert!(k.ok("explain widget.spec.size").await.contains("How large it is."), "a leaf");
    k.file("bad.yaml", &WIDGET.replace("size: small", "size: small, sise: large"));
    let error = k.fails("apply -f bad.yaml").await;
    assert!(error.contains("unknown field \"spec.sise\""), "{error}");
    k.ok("delete widget w").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_conflict() {
    let Some(k) = Kubectl::start("kubectl::managers_conflict").await else { return };
    k.ok("apply -f toy.json").await;
    k.file("w.yaml", WIDGET);
    let applied = k.ok("apply --server-side --field-manager=one -f w.yaml").await;
    assert_eq!(applied, "widget.toys.example/w serverside-applied\n");
    k.file("w.yaml", &WIDGET.replace("small", "large"));
    let error = k.fails("apply --server-side --field-manager=two -f w.yaml").await;
    assert!(error.contains("conflict with \"one\": .spec.size"), "{error}");
    k.ok("apply --server-side --field-manager=two --force-conflicts -f w.yaml").await;
    assert_eq!(k.ok("get widget w -o jsonpath={.spec.size}").await, "large");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_edited() {
    let Some(k) = Kubectl::start("kubectl::objects_are_edited").await else { return };
    k.ok("apply -f toy.json").await;
    k.file("w.yaml", WIDGET);
    k.ok("create -f w.yaml").await;
    let editor = k.file("editor", "#!/bin/sh\nsed -i 's/size: small/size: large/' \"$1\"\n");
    executable(&editor);
    assert_eq!(k.ok("edit widget w").await, "widget.toys.example/w edited\n");
    assert_eq!(k.ok("get widget w -o jsonpath={.spec.size}").await, "large");
    k.ok("create configmap x --from-literal=a=size:small").await;
    let editor = k.file("editor", "#!/bin/sh\nsed -i 's/a: size:small/a: changed/' \"$1\"\n");
    executable(&editor);
    assert_eq!(k.ok("edit cm x").await, "configmap/x edited\n");
    assert_eq!(k.ok("get cm x -o jsonpath={.data.a}").await, "changed");
}

fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_show_rows() {
    let Some(k) = Kubectl::start("kubectl::watches_show_rows").await else { return };
    k.ok("apply -f toy.json").await;
    k.file("w.yaml", WIDGET);
    k.ok("create -f w.yaml").await;
    let mut watch = Command::new("kubectl")
        .args(["get", "widgets", "-w", "--output-watch-events"])
        .env("KUBECONFIG", k.home.path().join("config"))
        .env("HOME", k.home.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let output = std::io::BufReader::new(watch.stdout.take().unwrap());
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::BufRead::lines(output) {
            if sender.send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    let mut next = async || {
        let line = lines.recv().await.unwrap();
        line.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(next().await, "EVENT NAME SIZE");
    assert_eq!(next().await, "ADDED w small");
    k.ok(r#"patch widget w --type=merge -p {"spec":{"size":"large"}}"#).await;
    assert_eq!(next().await, "MODIFIED w large");
    k.ok("delete widget w").await;
    assert_eq!(next().await, "DELETED w large");
    watch.kill().unwrap();
    watch.wait().unwrap();
}
