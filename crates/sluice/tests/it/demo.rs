//! `sluice demo`.

use std::path::Path;

use regex::Regex;

use crate::program::{Running, finish, golden, sluice};

/// What differs from run to run, replaced.
fn normal(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, with) in [
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"index [0-9a-f]{7}\.\.[0-9a-f]{7}", "index OLD..NEW"),
        (r"committed [0-9a-f]{7}", "committed COMMIT"),
        (r"in \d+\.\d s", "in SECONDS s"),
        (r"failed after \d+(\.\d+)?m?s", "failed after SECONDS"),
        (r"main@sha1:[0-9a-f]{40}", "main@sha1:COMMIT"),
        (r"shop-[a-z2-7]{10}\b", "shop-BUNDLE"),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, with).into_owned();
    }
    text
}

#[test]
fn shows_images_and_releases_on_their_way() {
    let outcome = finish(sluice(&["demo"]));
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{}", outcome.stdout);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/demo.txt");
    golden(&path, &normal(&outcome.stdout));
}

#[test]
fn keeps_its_files_and_runs_again_in_the_same_folder() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    for _ in 0..2 {
        let outcome = finish(sluice(&["demo", "--dir", dir]));
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(folder.path().join("repositories/fleet.git/HEAD").exists());
    }
    std::fs::write(folder.path().join("thesis.txt"), "").unwrap();
    let outcome = finish(sluice(&["demo", "--dir", dir]));
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("holds files that are not the demo's"), "{outcome:?}");
}

#[test]
fn what_it_tells_to_try_works() {
    let mut demo = Running::start(sluice(&["demo", "--keep"]));
    let git = demo.line("git clone");
    let url = git.split_whitespace().nth(2).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut clone = std::process::Command::new("git");
    clone.args(["clone", "--quiet", url, folder.path().to_str().unwrap()]);
    assert!(clone.status().unwrap().success());
    let file = folder.path().join("apps/podinfo/deployment.yaml");
    assert!(std::fs::read_to_string(file).unwrap().contains("podinfo:6.2.1 # "));
    let kubeconfig = demo.line("kubeconfig  ");
    let kubeconfig = Path::new(kubeconfig.split_whitespace().nth(1).unwrap()).to_owned();
    assert!(kubeconfig.exists());
    assert!(demo.line("get imagerepositories").contains(kubeconfig.to_str().unwrap()));
    assert!(demo.line("patch imagepolicy").contains("6.1.x"));
    let (status, _) = demo.end("TERM");
    assert_eq!(status.code(), Some(0));
    assert!(!kubeconfig.exists(), "the temporary folder is removed");
}
