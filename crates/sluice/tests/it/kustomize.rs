//! `sluice kustomize build`: output, errors, flags, and what is fetched.

use std::path::Path;

use crate::program::{Outcome, finish, sluice};

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let file = folder.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    folder
}

fn build(folder: &Path, arguments: &[&str]) -> Outcome {
    let mut command = sluice(&[&["kustomize", "build"], arguments].concat());
    command.current_dir(folder);
    finish(command)
}

#[test]
fn prints_what_it_builds() {
    let folder =
        folder(&[("k/kustomization.yaml", "bases: []\nresources: [a.yaml]\n"), ("k/a.yaml", POD)]);
    for outcome in [build(folder.path(), &["k"]), build(&folder.path().join("k"), &[])] {
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), POD), "{outcome:?}");
        assert!(outcome.stderr.starts_with("# Warning: 'bases' is deprecated."), "{outcome:?}");
    }
    let outcome = build(folder.path(), &["k", "--reorder=none", "--enable-managedby-label"]);
    assert!(
        outcome.stdout.contains("app.kubernetes.io/managed-by: kustomize-v5.7.1\n"),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("Flag --reorder has been deprecated"), "{outcome:?}");
}

#[test]
fn writes_files() {
    let two = format!("{POD}---\n{}", POD.replace("name: a", "name: b\n  namespace: n2"));
    let folder = folder(&[("kustomization.yaml", "resources: [a.yaml]\n"), ("a.yaml", &two)]);
    assert_eq!(build(folder.path(), &["-o", "out.yaml"]).code, Some(0));
    std::fs::create_dir(folder.path().join("out")).unwrap();
    assert_eq!(build(folder.path(), &["--output", "out"]).code, Some(0));
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("out.yaml"), build(folder.path(), &[]).stdout);
    assert_eq!(read("out/default_v1_pod_a.yaml"), POD);
    assert!(read("out/n2_v1_pod_b.yaml").contains("namespace: n2\n"));
}

#[test]
fn errors_are_told_as_kustomize_tells_them() {
    let folder = folder(&[("kustomization.yaml", "resources: [../b.yaml]\n")]);
    let outcome = build(folder.path(), &[]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
    assert!(outcome.stderr.starts_with("Error: accumulating resources: "), "{outcome:?}");
    for flag in ["--enable-alpha-plugins", "--as-current-user", "--network", "--mount=a", "-e=A=b"]
    {
        let outcome = build(folder.path(), &[flag]);
        assert_eq!(outcome.code, Some(1), "{flag}");
        assert!(outcome.stderr.contains("is refused: nothing is executed here"), "{outcome:?}");
    }
    let outcome = build(folder.path(), &["--load-restrictor", "some"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
}

#[test]
fn fetches_remote_bases() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (server, url) = runtime.block_on(async {
        let server = world::git::Server::start(world::git::Options::default()).await.unwrap();
        let files =
            [("deploy/kustomization.yaml", "resources: [a.yaml]\n"), ("deploy/a.yaml", POD)];
        let repository = server.create("base", "main", files).await.unwrap();
        let head = repository.head("main").await.unwrap().unwrap();
        repository.tag("v1", &head, None).await.unwrap();
        let url = server.repository_url("base");
        (server, url)
    });
    for query in ["", "?ref=v1", "?ref=main"] {
        let base = format!("{url}//deploy{query}");
        let folder =
            folder(&[("kustomization.yaml", &format!("namePrefix: p-\nresources: ['{base}']\n"))]);
        let outcome = build(folder.path(), &[]);
        assert_eq!(outcome.stdout, POD.replace("name: a", "name: p-a"), "{outcome:?}");
        assert_eq!(build(folder.path(), &[&base]).stdout, POD, "{base}");
    }
    let outcome = build(Path::new("/"), &[&format!("{url}//deploy?ref=nope")]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("couldn't find remote ref nope"), "{outcome:?}");
    runtime.block_on(server.stop());
}
