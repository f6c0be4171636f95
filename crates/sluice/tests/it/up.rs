//! `sluice up`.

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use kube::{
    Api, Client, Config,
    api::{DynamicObject, ListParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::{ApiResource, GroupVersionKind},
};
use tempfile::TempDir;
use world::registry::Server;

use crate::program::{Outcome, Running, finish, finish_with, sluice};

/// One image, its policy, and a place for state.
struct Bench {
    registry: Server,
    folder: TempDir,
}

impl Bench {
    async fn new() -> Self {
        let registry = Server::start().await.unwrap();
        for tag in ["1.0.0", "1.1.0", "2.0.0"] {
            registry.publish("app", tag);
        }
        let bench = Self { registry, folder: tempfile::tempdir().unwrap() };
        bench.write("m/app.yaml", &bench.objects("app"));
        bench
    }

    fn objects(&self, image: &str) -> String {
        format!(
            "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {{name: app, \
             namespace: apps}}\nspec: {{imageRepositoryRef: {{name: app}}, policy: {{semver: \
             {{range: 1.x}}}}}}\n---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: \
             ImageRepository\nmetadata: {{name: app, namespace: apps}}\nspec: {{image: \"{}\", \
             interval: 1h}}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: apps}}\n",
            self.registry.image(image)
        )
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = sluice(&["up", "--data-dir", "state"]);
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    fn up(&self, arguments: &[&str]) -> Outcome {
        finish(self.command(arguments))
    }

    fn kubeconfig(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("state/kubeconfig")).unwrap()
    }

    async fn client(&self) -> Client {
        client(&self.kubeconfig()).await
    }
}

/// A client by the text of a kubeconfig.
pub(crate) async fn client(kubeconfig: &str) -> Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    Client::try_from(Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap()).unwrap()
}

fn policies(client: Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("image.toolkit.fluxcd.io", "v1", "ImagePolicy");
    Api::all_with(client, &ApiResource::from_gvk_with_plural(&kind, "imagepolicies"))
}

#[tokio::test(flavor = "multi_thread")]
async fn until_ready_is_a_step_of_ci() {
    let bench = Bench::new().await;
    let first = bench.up(&["-f", "m", "--until", "ready"]);
    assert_eq!((first.code, first.stderr.as_str()), (Some(0), ""), "{first:?}");
    for line in [
        "namespace/apps created",
        "imagepolicy.image.toolkit.fluxcd.io/app created",
        "✔ ImagePolicy/apps/app: Latest image tag for ",
        "✔ ImageRepository/apps/app: successful scan: found 3 tags",
    ] {
        assert!(first.stdout.contains(line), "{line}: {}", first.stdout);
    }
    // The state was kept: nothing is new, and idle is ready.
    let before = bench.kubeconfig();
    let second = bench.up(&["-f", "m/app.yaml", "--until", "idle"]);
    assert_eq!((second.code, second.stderr.as_str()), (Some(0), ""), "{second:?}");
    assert!(second.stdout.contains("imagepolicy.image.toolkit.fluxcd.io/app unchanged"));
    assert_eq!(bench.kubeconfig(), before, "port, token and authority are kept");
    let token = std::fs::read_to_string(bench.folder.path().join("state/pki/admin.token")).unwrap();
    assert!(!token.is_empty() && !format!("{first:?}{second:?}").contains(&token));
    for (path, mode) in
        [("state", 0o700), ("state/kubeconfig", 0o600), ("state/pki/tls.key", 0o600)]
    {
        let metadata = std::fs::metadata(bench.folder.path().join(path)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn says_why_something_is_not_ready() {
    let bench = Bench::new().await;
    bench.write("m/app.yaml", &bench.objects("absent"));
    let late = bench.up(&["-f", "m", "--until", "ready", "--timeout", "1s"]);
    assert_eq!(late.code, Some(1));
    assert!(late.stderr.contains("error: 2 of 2 objects are not ready after 1s"), "{late:?}");
    // Idle is what failed and is due later only.
    let idle = bench.up(&["--until", "idle"]);
    assert_eq!(idle.code, Some(1));
    assert!(idle.stdout.contains("✗ ImageRepository/apps/app: scan failed: "), "{idle:?}");
    assert!(idle.stderr.contains("not ready although nothing is left to do\n"), "{idle:?}");

    // What never will be ready is not waited for; it is not in the way of what is.
    let wrong = bench.objects("app").replace("image: \"", "image: \"https://");
    bench.write("m/app.yaml", wrong.split_once("---\n").unwrap().1);
    let other = Bench { registry: Server::start().await.unwrap(), ..bench };
    std::fs::remove_dir_all(other.folder.path().join("state")).unwrap();
    let stalled = other.up(&["-f", "m", "--until", "ready", "--timeout", "1h"]);
    assert_eq!(stalled.code, Some(1));
    assert!(stalled.stdout.contains("should not include URL scheme"), "{stalled:?}");
    assert!(stalled.stderr.contains("error: 1 of 1 objects are not ready\n"), "{stalled:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_without_a_controller_are_named_and_not_waited_for() {
    let bench = Bench::new().await;
    let provider = "{apiVersion: notification.toolkit.fluxcd.io/v1beta3, kind: Provider, \
                    metadata: {name: fleet}, spec: {type: generic, address: 'https://example.com'}}";
    let outcome = finish_with(bench.command(&["-f", "-", "--until", "ready"]), provider);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    assert!(outcome.stdout.contains("Provider has no controller here and is not waited for"));
    assert!(outcome.stdout.contains("nothing to wait for"));
    let nothing = finish_with(bench.command(&["-f", "-", "--until", "idle"]), "");
    assert_eq!(nothing.code, Some(0), "{nothing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_manifests_are_told_with_their_place() {
    let bench = Bench::new().await;
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ";
    let cases = [
        ("a: [\n", "error: cannot read bad.yaml\n  because yaml: line "),
        (
            "a: 1\n",
            "error: bad.yaml:1\n  because this is no Kubernetes object\n  because `apiVersion` is missing\n",
        ),
        (
            &*format!("{map}a\n---\n{map}no\n"),
            "error: bad.yaml:6\n  because `metadata.name` is false and no text; put it in quotes\n",
        ),
        (
            &*format!("{map}A_\n"),
            "error: bad.yaml:1\n  because ConfigMap A_ was refused\n  because the API server says: ConfigMap \"A_\" is invalid: metadata.name: ",
        ),
        (
            &*format!("{map}a\n  namespace: nowhere\n"),
            "says: namespaces \"nowhere\" not found\nhint: write the Namespace into the manifests too",
        ),
        (
            &*map.replace("ConfigMap", "Teapot").replace("name: ", "name: a"),
            "there is no kind Teapot in v1 here; if it is a custom resource, give the file of its CRD too\n",
        ),
        (
            &*bench.objects("app").replace("1h", "soon"),
            "error: bad.yaml:6\n  because ImageRepository app was refused\n  because the API server says: ImageRepository.image.toolkit.fluxcd.io \"app\" is invalid: spec.interval: ",
        ),
    ];
    for (text, said) in cases {
        bench.write("bad.yaml", text);
        let outcome = bench.up(&["-f", "bad.yaml", "--until", "ready"]);
        assert_eq!(outcome.code, Some(1), "{text}");
        assert!(outcome.stderr.contains(said), "{text}\n{}\n{said}", outcome.stderr);
    }
    std::fs::write(bench.folder.path().join("bad.yaml"), [b'a', 0xff]).unwrap();
    let binary = bench.up(&["-f", "bad.yaml"]);
    assert!(
        binary.stderr.starts_with("error: cannot read bad.yaml\n  because yaml: "),
        "{binary:?}"
    );
    let absent = bench.up(&["-f", "absent.yaml"]);
    assert_eq!(
        absent.stderr,
        "error: cannot read absent.yaml\n  because no such file or directory\n"
    );
    std::fs::create_dir(bench.folder.path().join("empty")).unwrap();
    let empty = bench.up(&["-f", "empty"]);
    assert_eq!(empty.stderr, "error: there is no .yaml, .yml or .json file in empty\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_is_taken_is_told() {
    let bench = Bench::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let outcome = bench.up(&["--listen", &address]);
    assert_eq!(
        outcome.stderr,
        format!(
            "error: cannot listen on {address}\n  because address already in use\nhint: another \
             process has this port; choose another one, or port 0\n"
        )
    );
    let mut first = Running::start(bench.command(&[]));
    first.line("reconciling until interrupted");
    let second = bench.up(&[]);
    assert_eq!(second.code, Some(1));
    assert!(
        second.stderr.contains("is in use by another process: end it, or choose"),
        "{second:?}"
    );
    bench.write("file", "");
    let file =
        finish(sluice(&["up", "--data-dir", bench.folder.path().join("file").to_str().unwrap()]));
    assert!(file.stderr.ends_with("hint: give the path of a folder\n"), "{file:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn serves_its_kubeconfig_and_nobody_else() {
    let bench = Bench::new().await;
    let mut up = Running::start(bench.command(&["-f", "m", "--listen", "0.0.0.0:0"]));
    up.line("reconciling until interrupted");
    let found = policies(bench.client().await).list(&ListParams::default()).await.unwrap();
    assert_eq!(found.items.len(), 1);
    let token = std::fs::read_to_string(bench.folder.path().join("state/pki/admin.token")).unwrap();
    let stranger = client(&bench.kubeconfig().replace(token.trim(), "guessed")).await;
    let refused = policies(stranger).list(&ListParams::default()).await.unwrap_err();
    assert!(matches!(refused, kube::Error::Api(status) if status.code == 401));
    let (status, said) = up.end("TERM");
    assert_eq!(status.code(), Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn survives_being_killed() {
    let bench = Bench::new().await;
    let mut up = Running::start(bench.command(&["-f", "m"]));
    up.line("reconciling until interrupted");
    let uid = |client| async {
        policies(client).list(&ListParams::default()).await.unwrap().items[0].metadata.uid.clone()
    };
    let before = uid(bench.client().await).await;
    up.end("KILL");
    let mut up = Running::start(bench.command(&[]));
    up.line("reconciling until interrupted");
    assert_eq!(uid(bench.client().await).await, before);
    let (status, _) = up.end("INT");
    assert_eq!(status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_interrupted_has_not_succeeded() {
    let bench = Bench::new().await;
    bench.write("m/app.yaml", &bench.objects("absent"));
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut up = Running::start(bench.command(&["-f", "m", "--until", "ready"]));
        up.line("imagerepository.image.toolkit.fluxcd.io/app");
        let (status, said) = up.end(signal);
        assert_eq!(status.code(), Some(code), "{said}");
    }
    assert!(Path::new(&bench.folder.path().join("state/kubeconfig")).exists());
}
