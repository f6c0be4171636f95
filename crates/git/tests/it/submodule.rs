//! Submodules, near and far.

use git::{Mode, Reference, Remote};
use world::git::{Content, Options, Server};

use crate::fixture::{Mirror, SCOPE, tls_provider};

fn modules(pairs: &[(&str, &str)]) -> String {
    let section = |(path, url): &(&str, &str)| {
        format!("[submodule \"{path}\"]\n\tpath = {path}\n\turl = {url}\n")
    };
    pairs.iter().map(section).collect()
}

/// `fleet` with the submodule `lib/a`, which has the submodule `b`.
async fn nested(server: &Server, url: &str) -> world::git::Repository {
    let b = server.create("b", "main", [("b.txt", "b")]).await.unwrap();
    let b = b.head("main").await.unwrap().unwrap();
    let files = [
        ("a.txt", Content::from("a")),
        (".gitmodules", modules(&[("b", "../b")]).into()),
        ("b", Content::Submodule(b)),
    ];
    let a = server.create("a", "main", files).await.unwrap();
    let a = a.head("main").await.unwrap().unwrap();
    let files = [
        ("x", Content::from("x")),
        (".gitmodules", modules(&[("lib/a", url), ("gone", "../gone")]).into()),
        ("lib/a", Content::Submodule(a.clone())),
        ("unnamed", Content::Submodule(a)),
    ];
    server.create("fleet", "main", files).await.unwrap()
}

async fn fetched(remote: &Remote) -> Result<Vec<git::Submodule>, git::Error> {
    let mirror = Mirror::new();
    let main = Reference::to_branch("main");
    let found = mirror.mirrors.checkout(SCOPE, remote, &main, &[]).await.unwrap();
    mirror.mirrors.submodules(SCOPE, remote, &found.snapshot).await
}

#[tokio::test]
async fn submodules_of_submodules_are_fetched_with_the_same_credentials() {
    tls_provider();
    let basic = Some(("user".to_owned(), "pass".to_owned()));
    let server = Server::start(Options { basic, ..Options::default() }).await.unwrap();
    nested(&server, "../a").await;
    let url = server.repository_url("fleet").replace("://", "://user:pass@");
    let found = fetched(&Remote::anonymous(&url).unwrap()).await.unwrap();
    let paths: Vec<_> = found.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["lib/a", "lib/a/b"]);
    let inner = found[1].snapshot.files("").await.unwrap();
    assert_eq!((inner[0].path.as_str(), inner[0].mode), ("b.txt", Mode::File));
}

#[tokio::test]
async fn credentials_do_not_go_to_the_host_of_a_submodule() {
    tls_provider();
    let basic = Some(("user".to_owned(), "pass".to_owned()));
    let server = Server::start(Options { basic, ..Options::default() }).await.unwrap();
    let basic = Some(("user".to_owned(), "pass".to_owned()));
    let other = Server::start(Options { basic, ..Options::default() }).await.unwrap();
    other.create("a", "main", [("x", "y")]).await.unwrap();
    let url = server.repository_url("fleet").replace("://", "://user:pass@");
    nested(&server, &other.repository_url("a")).await;
    let why = fetched(&Remote::anonymous(&url).unwrap()).await.unwrap_err();
    assert!(why.is_denied(), "with the credentials it would miss the commit: {why}");
    let why = why.to_string();
    assert!(why.starts_with("submodule 'lib/a': ") && !why.contains("pass"), "{why}");
}

#[tokio::test]
async fn malicious_addresses_are_refused() {
    tls_provider();
    for url in
        ["/etc", "file:///etc", "ext::sh -c id", "-uhelp:x", "../../../../etc", "ssh://git@h/x"]
    {
        let server = Server::start(Options::default()).await.unwrap();
        nested(&server, url).await;
        let remote = Remote::anonymous(&server.repository_url("fleet")).unwrap();
        let why = fetched(&remote).await.unwrap_err().to_string();
        assert!(why.starts_with("submodule 'lib/a': "), "{url}: {why}");
    }
}
