//! `sluice build|diff|tree|trace|reconcile` and `envsubst`: from local files to the cluster and back.

use std::path::Path;

use tempfile::TempDir;
use world::git::{Options, Server};

use crate::program::{Outcome, Running, finish, finish_with, sluice};

const APP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app, namespace: apps}\n\
                   data: {colour: '${colour}', size: small}\n";
const MORE: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: more, namespace: apps}\n\
                    stringData: {password: tiger}\n";
const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: apps}\n";

/// A fleet in a Git server and on the disk, and a control plane that applies it.
struct Fleet {
    folder: TempDir,
    up: Running,
    _git: Server,
}

impl Fleet {
    async fn start() -> Self {
        let git = Server::start(Options::default()).await.unwrap();
        let files = [
            ("app/app.yaml", APP),
            ("app/more.yaml", MORE),
            ("app/namespace.yaml", NAMESPACE),
            ("root/child.yaml", &child()),
        ];
        git.create("fleet", "main", files).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            write(folder.path(), &format!("fleet/{path}"), text);
        }
        let url = git.repository_url("fleet");
        write(folder.path(), "m/fleet.yaml", &objects(&url));
        let up = start(folder.path());
        Self { folder, up, _git: git }
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let mut command = sluice(arguments);
        command.current_dir(self.folder.path());
        command.env("KUBECONFIG", self.folder.path().join("state/kubeconfig"));
        finish(command)
    }

    /// Runs what shall succeed.
    fn said(&self, arguments: &[&str]) -> String {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, Some(0), "{arguments:?}: {outcome:?}");
        outcome.stdout
    }
}

fn start(folder: &Path) -> Running {
    let mut command = sluice(&["up", "--data-dir", "state", "-f", "m"]);
    command.current_dir(folder);
    let mut up = Running::start(command);
    up.line("reconciling until interrupted");
    up
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn kustomization(name: &str, path: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}, \
         namespace: flux-system}}\nspec: {{interval: 1h, prune: true, path: {path}, sourceRef: \
         {{kind: GitRepository, name: fleet}}, postBuild: {{substitute: {{colour: red}}}}}}\n"
    )
}

fn child() -> String {
    kustomization("app", "./app")
}

fn objects(url: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: flux-system}}\n---\n\
         apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {{name: fleet, \
         namespace: flux-system}}\nspec: {{interval: 1h, url: \"{url}\", ref: {{branch: main}}}}\n\
         ---\n{}",
        kustomization("root", "./root")
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_reconciled_and_looked_at() {
    let fleet = Fleet::start().await;
    let root = fleet.run(&["reconcile", "kustomization", "root", "--with-source"]);
    assert_eq!(root.code, Some(0), "{root:?}");
    for line in [
        "► annotating GitRepository fleet in flux-system namespace",
        "✔ fetched revision main@sha1:",
        "◎ waiting for Kustomization reconciliation",
        "✔ applied revision main@sha1:",
    ] {
        assert!(root.stderr.contains(line), "{line}: {}", root.stderr);
    }
    fleet.said(&["reconcile", "ks", "app"]);
    assert_eq!(
        fleet.said(&["tree", "ks", "root"]),
        "Kustomization/flux-system/root\n└── Kustomization/flux-system/app\n    \
         ├── Namespace/apps\n    ├── ConfigMap/apps/app\n    └── Secret/apps/more\n"
    );
    let compact = fleet.said(&["tree", "ks", "root", "--compact", "-o", "json"]);
    let compact: serde_json::Value = serde_json::from_str(&compact).unwrap();
    assert_eq!(compact["resources"][0]["resource"]["Name"], "app");
    let traced = fleet.said(&["trace", "cm/app", "-n", "apps"]);
    for line in [
        "Object:          ConfigMap/app\nNamespace:       apps\nStatus:          Managed by Flux\n---\n",
        "Kustomization:   app\nNamespace:       flux-system\nPath:            ./app\nRevision:        main@sha1:",
        "GitRepository:   fleet\nNamespace:       flux-system\nURL:             http://",
        "Branch:          main\n",
    ] {
        assert!(traced.contains(line), "{line}: {traced}");
    }
    let stray = fleet.run(&["trace", "ns/default"]);
    assert_eq!(stray.code, Some(1));
    assert!(stray.stderr.contains("object not managed by Flux"), "{stray:?}");

    previews(&fleet);
    drop(fleet.up);
}

/// What `build` and `diff` say of local files.
fn previews(fleet: &Fleet) {
    let app = ["app", "--path", "fleet/app"];
    let built = fleet.said(&[&["build", "kustomization"], &app[..]].concat());
    let owned = "labels:\n    kustomize.toolkit.fluxcd.io/name: app\n    \
                 kustomize.toolkit.fluxcd.io/namespace: flux-system\n";
    assert!(built.contains(owned) && built.contains("colour: red\n"), "{built}");
    let diff = |more: &[&str]| fleet.run(&[&["diff", "ks"], &app[..], more].concat());
    let same = diff(&[]);
    assert_eq!((same.code, same.stdout.as_str()), (Some(0), ""), "{same:?}");

    let edited = APP.replace("small", "large");
    write(fleet.folder.path(), "fleet/app/app.yaml", &edited);
    write(fleet.folder.path(), "fleet/app/more.yaml", &MORE.replace("tiger", "lion"));
    let new = "apiVersion: v1\nkind: Namespace\nmetadata: {name: new}\n---\n\
               apiVersion: v1\nkind: ConfigMap\nmetadata: {name: late, namespace: new}\n";
    write(fleet.folder.path(), "fleet/app/new.yaml", new);
    let changed = diff(&[]);
    assert_eq!(changed.code, Some(1), "{changed:?}");
    for line in [
        "► Namespace/new created\n",
        "► ConfigMap/new/late created\n",
        "► ConfigMap/apps/app drifted\n\ndata.size\n± value change\n- small\n+ large\n\n",
        "data.password\n± value change\n- *** (before)\n+ *** (after)\n",
    ] {
        assert!(changed.stdout.contains(line), "{line}: {}", changed.stdout);
    }
    assert!(!format!("{changed:?}").contains("bGlvbg"), "no value of a Secret is shown");

    // What is gone would be pruned; the folder is as it was.
    for file in ["app", "more", "new"] {
        std::fs::remove_file(fleet.folder.path().join(format!("fleet/app/{file}.yaml"))).unwrap();
    }
    let pruned = diff(&[]);
    assert_eq!(pruned.stdout, "► ConfigMap/apps/app deleted\n► Secret/apps/more deleted\n");
    let left: Vec<_> = std::fs::read_dir(fleet.folder.path().join("fleet/app")).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing is written to the folder");

    let absent = fleet.run(&["diff", "ks", "absent", "--path", "fleet/app"]);
    assert_eq!(absent.code, Some(2), "{absent:?}");
    assert!(absent.stderr.contains("give --kustomization-file"), "{absent:?}");
    write(fleet.folder.path(), "absent.yaml", &kustomization("absent", "./app"));
    let file = ["--path", "fleet/app", "--kustomization-file", "absent.yaml"];
    let planned = fleet.run(&[&["diff", "ks", "absent"], &file[..]].concat());
    assert_eq!(planned.code, Some(1), "{planned:?}");
}

#[test]
fn builds_without_a_cluster() {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("root/child.yaml", child().as_str()),
        ("app/app.yaml", APP),
        ("app/notes.yaml", "no: manifest\n"),
        ("ks.yaml", &format!("a: b\n---\n{}", kustomization("root", "./root"))),
    ] {
        write(folder.path(), path, text);
    }
    let build = |more: &[&str]| {
        let own = ["build", "ks", "root", "--path", "root", "--kustomization-file", "ks.yaml"];
        let mut command = sluice(&[&own[..], &["--dry-run"], more].concat());
        command.current_dir(folder.path());
        finish(command)
    };
    let flat = build(&[]);
    assert_eq!(flat.code, Some(0), "{flat:?}");
    assert_eq!(flat.stdout.matches("---\n").count(), 1);
    let lost = build(&["-r"]);
    assert!(
        lost.stderr.contains("--local-sources GitRepository/flux-system/fleet=DIR"),
        "{lost:?}"
    );
    let sources = ["-r", "--local-sources", "GitRepository/flux-system/fleet=."];
    let broken = build(&sources);
    assert!(broken.stderr.contains("failed to decode Kubernetes YAML"), "{broken:?}");
    let all = build(&[&sources[..], &["--ignore-paths", "notes.yaml"]].concat());
    assert!(all.stdout.contains("colour: red\n"), "{all:?}");
}

#[test]
fn envsubst_replaces_variables_of_the_environment() {
    let run = |arguments: &[&str], input: &str| {
        let mut command = sluice(&[&["envsubst"], arguments].concat());
        command.env("COLOUR", "red");
        finish_with(command, input)
    };
    let plain = run(&[], "a ${COLOUR}\nb ${NOBODY_SETS_THIS:-x} $COLOUR\n${NOBODY_SETS_THIS}\n");
    assert_eq!((plain.code, plain.stdout.as_str()), (Some(0), "a red\nb x $COLOUR\n\n"));
    let strict = run(&["--strict"], "a\n${NOBODY_SETS_THIS}\n");
    assert_eq!(strict.code, Some(1));
    assert!(strict.stderr.contains("line 2"), "{strict:?}");
    assert!(strict.stderr.contains("NOBODY_SETS_THIS"), "{strict:?}");
}
