use std::process::Output;

use tokio::process::Command;

use super::{Content, Fault, Options, Server, Tls, repository::plain_git_environment};

async fn git(args: &[&str]) -> Output {
    let mut command = Command::new("git");
    plain_git_environment(&mut command);
    command.env_remove("GIT_SSL_CAINFO").args(args).output().await.unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn a_repository_is_what_real_git_says_it_is() {
    let server = Server::start(Options::default()).await.unwrap();
    let repository = server
        .create("fleet", "main", [("apps/a.yaml", "a: 1\n"), ("odd \"name\"", "x")])
        .await
        .unwrap();
    let first = repository.head("main").await.unwrap().unwrap();
    let changes = [
        ("apps/a.yaml", Content::from("a: 2\n")),
        ("odd \"name\"", Content::Absent),
        ("run.sh", Content::Executable(b"#!/bin/sh\n".to_vec())),
        ("link", Content::Symlink("apps/a.yaml".into())),
    ];
    let second = repository.commit("main", changes, "second\n\nbody").await.unwrap();
    repository.commit("other", [("o", "o")], "apart").await.unwrap();

    assert_eq!(repository.files("main").await.unwrap(), ["apps/a.yaml", "link", "run.sh"]);
    let read = repository.read_file("main", "apps/a.yaml").await.unwrap();
    assert_eq!(read.as_deref(), Some(b"a: 2\n".as_slice()));
    assert_eq!(repository.read_file("main", "nope").await.unwrap(), None);
    let log = repository.log("main").await.unwrap();
    assert_eq!(log.len(), 2);
    assert_eq!((log[0].id.as_str(), log[0].message.as_str()), (&*second, "second\n\nbody"));
    assert_eq!(log[0].author, "dev <dev@example.com>");
    assert_eq!(log[0].refs, "HEAD -> main");
    assert!(repository.show("main").await.unwrap().contains("+a: 2"));
    assert_eq!(repository.branches().await.unwrap().len(), 2);

    repository.set_branch("main", &first).await.unwrap();
    assert_eq!(repository.head("main").await.unwrap(), Some(first));
    server.repository("fleet").unwrap().remove().await.unwrap();
    assert!(server.repository("fleet").is_err());
    assert!(server.create("../out", "main", [("a", "b")]).await.is_err());
}

#[tokio::test]
async fn requests_are_counted_and_push_options_kept() {
    let server = Server::start(Options::default()).await.unwrap();
    let repository = server.create("fleet", "main", [("a", "1")]).await.unwrap();
    let url = server.repository_url("fleet");
    let listed = git(&["ls-remote", &url]).await;
    assert!(listed.status.success(), "{}", said(&listed));
    assert_eq!((server.counts().ls_refs, server.counts().fetches), (1, 0));

    let folder = tempfile::tempdir().unwrap();
    let clone = folder.path().join("clone");
    let clone = clone.to_str().unwrap();
    assert!(git(&["clone", "-q", &url, clone]).await.status.success());
    assert_eq!(server.counts().fetches, 1);
    assert!(git(&["-C", clone, "commit", "-q", "--allow-empty", "-m", "x"]).await.status.success());
    let pushed = git(&["-C", clone, "push", "-o", "ci.skip", "-o", "a=b", "origin", "main"]).await;
    assert!(pushed.status.success(), "{}", said(&pushed));
    assert_eq!(server.push_options(), [["ci.skip", "a=b"]]);
    assert_eq!(server.counts().pushes, 1);
    assert_eq!(repository.log("main").await.unwrap().len(), 2);
}

#[tokio::test]
async fn credentials_are_asked_for() {
    let options = Options { basic: Some(("user".into(), "pass".into())), ..Options::default() };
    let server = Server::start(options).await.unwrap();
    server.create("fleet", "main", [("a", "1")]).await.unwrap();
    let url = server.repository_url("fleet");
    assert!(!git(&["ls-remote", &url]).await.status.success());
    assert_eq!(server.counts().authorized, 0);
    assert!(
        git(&["ls-remote", &url.replace("http://", "http://user:pass@")]).await.status.success()
    );
    server.set_fault(Some(Fault::Status(503)));
    let broken = git(&["ls-remote", &url]).await;
    assert!(said(&broken).contains("503"), "{}", said(&broken));
}

#[tokio::test]
async fn tls_asks_for_a_client_certificate() {
    let tls = Some(Tls { client_certificate: true, expired: false });
    let server = Server::start(Options { tls, ..Options::default() }).await.unwrap();
    server.create("fleet", "main", [("a", "1")]).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let identity = server.client_identity().unwrap();
    let ca = format!("http.sslCAInfo={}", write("ca", server.ca_pem().unwrap()));
    let cert = format!("http.sslCert={}", write("cert", &identity.certificate_pem));
    let key = format!("http.sslKey={}", write("key", &identity.key_pem));
    let url = server.repository_url("fleet");
    let without = git(&["-c", &ca, "ls-remote", &url]).await;
    assert!(!without.status.success());
    let with = git(&["-c", &ca, "-c", &cert, "-c", &key, "ls-remote", &url]).await;
    assert!(with.status.success(), "{}", said(&with));
    server.stop().await;
}
