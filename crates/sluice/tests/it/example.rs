//! The examples, run by the commands of their pages.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::program::{Outcome, Running, finish, sluice};

/// A copy of the examples, in which the ports are those that were free.
struct Examples {
    folder: TempDir,
    servers: Vec<Running>,
}

impl Examples {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&root().join("examples"), &folder.path().join("examples"));
        Self { folder, servers: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("examples").join(name)
    }

    /// Runs the commands of an example's page up to the first that waits until all is ready.
    fn run(&mut self, name: &str) -> Outcome {
        let page = std::fs::read_to_string(self.path(name).join("README.md")).unwrap();
        for command in commands(&page) {
            if let Some(server) = command.strip_suffix('&') {
                self.serve(name, server);
            } else if command.contains("--until ready") {
                let mut up = sluice(&words(&command));
                up.args(["--data-dir", "state"]).current_dir(self.folder.path());
                return finish(up);
            }
        }
        panic!("the page of {name} waits for nothing");
    }

    /// Starts a server on a free port, which the example's manifests then name.
    fn serve(&mut self, name: &str, command: &str) {
        let mut words = words(command);
        let (usual, free) = match words[0] {
            "git" => ("127.0.0.1:5051", ["--port", "0"]),
            "registry" => ("127.0.0.1:5050", ["--listen", "127.0.0.1:0"]),
            other => panic!("{other} is no server"),
        };
        // A port of the page's own may be taken.
        if let Some(at) = words.iter().position(|it| *it == free[0]) {
            words.drain(at..at + 2);
        }
        let mut command = sluice(&words);
        command.args(free).current_dir(self.folder.path());
        let mut server = Running::start(command);
        let place = place(&server.line("127.0.0.1:"));
        self.servers.push(server);
        for entry in std::fs::read_dir(self.path(name)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "yaml") {
                let text = std::fs::read_to_string(&path).unwrap();
                std::fs::write(&path, text.replace(usual, &place)).unwrap();
            }
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The commands of the first block of a page, without what is said about them.
fn commands(page: &str) -> Vec<String> {
    let (_, block) = page.split_once("```sh\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let whole = block.replace("\\\n", " ");
    let command = |line: &str| line.split("  #").next().unwrap_or_default().trim().to_owned();
    whole.lines().map(command).collect()
}

/// What follows the name of the program.
fn words(command: &str) -> Vec<&str> {
    let mut words = command.split_whitespace();
    assert_eq!(words.next(), Some("sluice"), "{command}");
    words.collect()
}

/// Host and port in what a server says of itself.
fn place(line: &str) -> String {
    let (_, rest) = line.split_once("127.0.0.1:").unwrap();
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    format!("127.0.0.1:{port}")
}

/// Runs an example; these lines are in what is told.
fn shows(name: &str, lines: &[&str]) {
    let outcome = Examples::new().run(name);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    for line in lines {
        assert!(outcome.stdout.contains(line), "{line}: {}", outcome.stdout);
    }
}

#[test]
fn images_become_ready() {
    shows(
        "images",
        &[
            "✔ ImageRepository/apps/podinfo: successful scan: found 3 tags",
            "✔ ImagePolicy/apps/podinfo: Latest image tag for ",
            "✔ ImagePolicy/apps/podinfo-candidate: ",
            "✔ ImagePolicy/apps/worker: ",
        ],
    );
}

#[test]
fn sources_become_ready() {
    shows(
        "sources",
        &[
            "✔ GitRepository/apps/fleet: stored artifact for revision 'main@sha1:",
            "✔ GitRepository/apps/fleet-apps: stored artifact for revision 'main@sha1:",
            "✔ OCIRepository/apps/podinfo: stored artifact for digest '6.2.0@sha256:",
        ],
    );
}

#[test]
fn a_fleet_becomes_ready() {
    shows(
        "gitops",
        &[
            "✔ GitRepository/flux-system/fleet: stored artifact for revision 'main@sha1:",
            "✔ Kustomization/flux-system/infrastructure: Applied revision: main@sha1:",
            "✔ Kustomization/flux-system/apps: Applied revision: main@sha1:",
        ],
    );
}

#[test]
fn releases_become_ready() {
    shows(
        "helm",
        &[
            "✔ GitRepository/apps/fleet: stored artifact for revision 'main@sha1:",
            "✔ HelmRelease/apps/backend: Helm install succeeded for release apps/backend.v1",
            "✔ HelmRelease/apps/frontend: Helm test succeeded for release apps/frontend.v1",
        ],
    );
}

#[test]
fn stages_become_ready() {
    shows(
        "promotion",
        &[
            "✔ Kustomization/flux-system/shop-prod: Applied revision: main@sha1:",
            "✔ Pipeline/flux-system/shop: ",
            "✔ Stage/flux-system/shop-prod: runs 1.8.1",
        ],
    );
}

#[test]
fn every_example_is_run() {
    let main = include_str!("example.rs");
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(main.contains(&format!("        \"{name}\",")), "{name} is forgotten");
    }
}
