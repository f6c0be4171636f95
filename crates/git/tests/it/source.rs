//! What a source reference means.

use git::{Error, Reference, Remote};
use world::git::{Options, Server};

use crate::fixture::{Mirror, SCOPE, fleet, tls_provider};

fn tag(name: &str) -> Reference {
    Reference { tag: Some(name.to_owned()), ..Reference::default() }
}

#[tokio::test]
async fn the_precedence_is_commit_name_tag_semver_branch() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    let first = repository.head("main").await.unwrap().unwrap();
    repository.tag("v1.0.0", "main", None).await.unwrap();
    let second = repository.commit("main", [("b", "2")], "second").await.unwrap();
    repository.tag("v1.1.0", "main", Some("annotated")).await.unwrap();
    let third = repository.commit("dev", [("c", "3")], "third").await.unwrap();
    let head = repository.commit("main", [("d", "4")], "fourth").await.unwrap();

    let mirror = Mirror::new();
    let resolve = |reference: Reference| {
        let (mirrors, remote) = (mirror.mirrors.clone(), remote.clone());
        async move { mirrors.checkout(SCOPE, &remote, &reference, &[]).await.unwrap() }
    };
    let mut reference = Reference::to_branch("main");
    let found = resolve(reference.clone()).await;
    assert_eq!(found.revision, format!("main@sha1:{head}"));
    reference.semver = Some(">=1.0.0".to_owned());
    let found = resolve(reference.clone()).await;
    assert_eq!(found.revision, format!("v1.1.0@sha1:{second}"));
    assert_eq!(found.reference.as_deref(), Some("refs/tags/v1.1.0"));
    reference.tag = Some("v1.0.0".to_owned());
    assert_eq!(resolve(reference.clone()).await.revision, format!("v1.0.0@sha1:{first}"));
    reference.name = Some("refs/heads/dev".to_owned());
    assert_eq!(resolve(reference.clone()).await.revision, format!("refs/heads/dev@sha1:{third}"));
    reference.commit = Some(second.clone());
    assert_eq!(resolve(reference.clone()).await.revision, format!("refs/heads/dev@sha1:{second}"));
    reference.name = None;
    assert_eq!(resolve(reference.clone()).await.revision, format!("main@sha1:{second}"));
    reference.branch = None;
    let found = resolve(reference).await;
    assert_eq!((found.revision, found.reference), (format!("sha1:{second}"), None));
}

#[tokio::test]
async fn a_reference_of_nothing_is_master() {
    tls_provider();
    let server = Server::start(Options::default()).await.unwrap();
    let repository = server.create("old", "master", [("a", "1")]).await.unwrap();
    let remote = Remote::anonymous(&server.repository_url("old")).unwrap();
    let mirror = Mirror::new();
    let found = mirror.mirrors.checkout(SCOPE, &remote, &Reference::default(), &[]).await.unwrap();
    let head = repository.head("master").await.unwrap().unwrap();
    assert_eq!(found.revision, format!("master@sha1:{head}"));
}

#[tokio::test]
async fn what_does_not_exist_is_told_in_upstreams_words() {
    let (server, _, remote) = fleet(Options::default()).await;
    let url = server.repository_url("fleet");
    let mirror = Mirror::new();
    let fail = |reference: Reference| {
        let (mirrors, remote) = (mirror.mirrors.clone(), remote.clone());
        async move {
            let why = mirrors.checkout(SCOPE, &remote, &reference, &[]).await.unwrap_err();
            assert!(!why.is_transient(), "{why:?}");
            why.to_string()
        }
    };
    assert_eq!(
        fail(Reference::to_branch("nope")).await,
        format!("unable to clone '{url}': couldn't find remote ref \"refs/heads/nope\"")
    );
    assert_eq!(
        fail(tag("v9")).await,
        format!("unable to clone '{url}': couldn't find remote ref \"refs/tags/v9\"")
    );
    let range = Reference { semver: Some(">=1.0.0".into()), ..Reference::default() };
    assert_eq!(fail(range).await, "no match found for semver: >=1.0.0");
    let name = |name: &str| Reference { name: Some(name.to_owned()), ..Reference::default() };
    assert_eq!(fail(name("refs/x")).await, "unable to resolve ref 'refs/x' to a specific commit");
    assert_eq!(
        fail(name("/refs/x")).await,
        "ref /refs/x is invalid; Git refs cannot begin or end with a slash '/'"
    );
    let commit = "1234567890123456789012345678901234567890";
    let commit = Reference { commit: Some(commit.to_owned()), ..Reference::default() };
    assert_eq!(
        fail(commit).await,
        "unable to resolve commit object for '1234567890123456789012345678901234567890': \
         object not found"
    );
}

#[tokio::test]
async fn an_empty_repository_is_a_case_of_its_own() {
    tls_provider();
    let server = Server::start(Options::default()).await.unwrap();
    server.create_empty("empty", "main").await.unwrap();
    let url = server.repository_url("empty");
    let remote = Remote::anonymous(&url).unwrap();
    let mirror = Mirror::new();
    let why = mirror.main(&remote).await.unwrap_err();
    assert_eq!(why, Error::Empty);
    let why = mirror.mirrors.checkout(SCOPE, &remote, &tag("v1"), &[]).await.unwrap_err();
    assert!(why.is_empty_repository());
    assert_eq!(
        why.to_string(),
        format!("unable to clone: remote repository is empty: git repository: '{url}'")
    );
    let network = mirror.mirrors.network();
    assert_eq!(network.ls_remote(&remote, &[]).await.unwrap(), []);
}

#[tokio::test]
async fn a_repository_that_goes_away() {
    let (server, repository, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    mirror.main(&remote).await.unwrap();
    repository.remove().await.unwrap();
    let why = mirror.main(&remote).await.unwrap_err();
    assert!(why.is_not_found());
    let url = server.repository_url("fleet");
    assert_eq!(why.to_string(), format!("unable to clone '{url}': repository not found: "));
}

#[tokio::test]
async fn a_second_branch_comes_along_if_it_exists() {
    let (server, repository, remote) = fleet(Options::default()).await;
    let mirror = Mirror::new();
    let main = Reference::to_branch("main");
    let bumps = "refs/heads/bumps";
    let also = [bumps];
    let both = || mirror.mirrors.checkout(SCOPE, &remote, &main, &also);
    assert_eq!(both().await.unwrap().fetched.commit(bumps), None);
    let id = repository.commit("bumps", [("x", "y")], "bump").await.unwrap();
    let found = both().await.unwrap().fetched;
    let commit = found.commit(bumps).unwrap();
    assert_eq!(commit.to_string(), id);
    let snapshot = found.snapshot(commit).await.unwrap();
    assert_eq!(snapshot.files("").await.unwrap().len(), 1);
    assert_eq!(server.counts().fetches, 2);
}

#[tokio::test]
async fn of_equal_versions_the_newest_commit_wins() {
    let (_server, repository, remote) = fleet(Options::default()).await;
    let make = |time: &'static str, name: &'static str| {
        let repository = repository.clone();
        async move {
            let tree = repository.git(["rev-parse", "main^{tree}"]).await.unwrap();
            let text = format!(
                "tree {tree}author x <x@y> {time} +0000\ncommitter x <x@y> {time} +0000\n\n{name}\n"
            );
            let file = repository.path().join("raw-commit");
            std::fs::write(&file, text).unwrap();
            let file = file.to_str().unwrap().to_owned();
            let id = repository.git(["hash-object", "-t", "commit", "-w", &file]).await.unwrap();
            repository.tag(name, id.trim(), None).await.unwrap();
        }
    };
    make("1700000300", "v1.0.0+old").await;
    make("1700000500", "v1.0.0+new").await;
    make("1700000400", "v1.0.0+zzz").await;
    let semver = Reference { semver: Some("1.x".into()), ..Reference::default() };
    let mirror = Mirror::new();
    let found = mirror.mirrors.checkout(SCOPE, &remote, &semver, &[]).await.unwrap();
    assert_eq!(found.reference.as_deref(), Some("refs/tags/v1.0.0+new"));
}

#[tokio::test]
async fn a_pinned_commit_and_a_range_are_observed_without_a_fetch() {
    let (server, repository, remote) = fleet(Options::default()).await;
    let id = repository.head("main").await.unwrap().unwrap();
    repository.tag("v1.0.0", "main", Some("annotated")).await.unwrap();
    let mirror = Mirror::new();
    let network = mirror.mirrors.network();
    let observe = async |reference: Reference| reference.observe(network, &remote).await.unwrap();
    let range = |range: &str| Reference { semver: Some(range.into()), ..Reference::default() };
    assert_eq!(observe(range("1.x")).await, Some(format!("v1.0.0@sha1:{id}")));
    assert_eq!(observe(range("2.x")).await, None);
    repository.tag("v1.0.0+twin", "main", None).await.unwrap();
    assert_eq!(observe(range("1.x")).await, None, "only a fetch can tell which is newer");
    let mut pinned = Reference { commit: Some(id.clone()), ..Reference::default() };
    assert_eq!(observe(pinned.clone()).await, Some(format!("sha1:{id}")));
    pinned.branch = Some("main".into());
    assert_eq!(observe(pinned.clone()).await, Some(format!("main@sha1:{id}")));
    pinned.branch = Some("gone".into());
    assert_eq!(observe(pinned).await, None);
    assert_eq!(server.counts().fetches, 0);
}
