use std::collections::BTreeMap;

use git::{Auth, Error, Network, Options, Reference, Remote};
use http_client::{Identity, Proxy, Roots, secret::Secret};
use world::git::{Fault, Options as ServerOptions, Server};
use world::proxy::Kind;

use crate::fixture::{Mirror, commit, fleet, only, onto, text};

fn basic() -> ServerOptions {
    ServerOptions { basic: Some(("user".into(), "pa55:w0rd".into())), ..ServerOptions::default() }
}

fn named(data: &BTreeMap<String, Vec<u8>>) -> Secret<'_> {
    Secret { name: "flux-system/git", data }
}

fn credentials(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect()
}

#[tokio::test]
async fn basic_auth_clones_and_pushes() {
    let (server, repository, _) = fleet(basic()).await;
    let secret = credentials(&[("username", "user"), ("password", "pa55:w0rd")]);
    let remote =
        Remote::from_secret(&server.repository_url("fleet"), Some(named(&secret))).unwrap();
    let mirror = Mirror::new();
    let checkout = mirror.main(&remote).await.unwrap();
    let new = commit(&checkout.snapshot, "apps/a.yaml", "image: a:2\n").await;
    let pushed = mirror.mirrors.push(&remote, onto("main", &new)).await.unwrap();
    assert_eq!(only(&pushed), &git::Outcome::Ok);
    assert_eq!(repository.head("main").await.unwrap(), Some(new.id().to_string()));
    assert_eq!(server.counts().refused, 0);
}

#[tokio::test]
async fn wrong_credentials_are_told_and_kept_quiet() {
    let (server, _, _) = fleet(basic()).await;
    let secret = credentials(&[("username", "user"), ("password", "hunter2")]);
    let url = server.repository_url("fleet");
    let remote = Remote::from_secret(&url, Some(named(&secret))).unwrap();
    let why = Mirror::new().main(&remote).await.unwrap_err();
    assert!(why.is_denied() && !why.is_transient(), "{why:?}");
    assert_eq!(why.to_string(), format!("unable to clone '{url}': authentication required: "));
    assert!(!format!("{why:?}").contains("hunter2"));
    let why = Mirror::new().main(&Remote::anonymous(&url).unwrap()).await.unwrap_err();
    assert!(why.is_denied(), "{why:?}");
}

#[tokio::test]
async fn nothing_is_served_from_cache_once_credentials_fail() {
    let (server, _, _) = fleet(basic()).await;
    let url = server.repository_url("fleet");
    let good = credentials(&[("username", "user"), ("password", "pa55:w0rd")]);
    let good = Remote::from_secret(&url, Some(named(&good))).unwrap();
    let mirror = Mirror::new();
    mirror.main(&good).await.unwrap();
    let bad = credentials(&[("username", "user"), ("password", "old")]);
    let bad = Remote::from_secret(&url, Some(named(&bad))).unwrap();
    assert!(mirror.main(&bad).await.unwrap_err().is_denied());
    assert!(mirror.main(&Remote::anonymous(&url).unwrap()).await.unwrap_err().is_denied());

    // The very mirror that is warm is of no use either when its credentials no longer hold.
    let mut token = Remote::anonymous(&url).unwrap();
    token.auth = Auth::Bearer("one".to_owned());
    server.set_bearer(Some("one".to_owned()));
    mirror.main(&token).await.unwrap();
    server.set_bearer(Some("two".to_owned()));
    assert!(mirror.main(&token).await.unwrap_err().is_denied());
}

#[tokio::test]
async fn bearer_tokens() {
    let options = ServerOptions { bearer: Some("t0ken".to_owned()), ..ServerOptions::default() };
    let (server, _, _) = fleet(options).await;
    let secret = credentials(&[("bearerToken", "t0ken")]);
    let remote =
        Remote::from_secret(&server.repository_url("fleet"), Some(named(&secret))).unwrap();
    let checkout = Mirror::new().main(&remote).await.unwrap();
    assert_eq!(text(&checkout.snapshot, "apps/a.yaml").await.unwrap(), "image: a:1\n");
}

#[tokio::test]
async fn a_custom_authority_is_needed_and_enough() {
    let tls = Some(world::git::Tls::default());
    let (server, _, plain) = fleet(ServerOptions { tls, ..ServerOptions::default() }).await;
    let why = Mirror::new().main(&plain).await.unwrap_err();
    assert!(
        why.to_string().ends_with(
            "tls: failed to verify certificate: x509: certificate signed by unknown authority"
        ),
        "{why}"
    );
    let secret = credentials(&[("ca.crt", server.ca_pem().unwrap())]);
    let remote =
        Remote::from_secret(&server.repository_url("fleet"), Some(named(&secret))).unwrap();
    Mirror::new().main(&remote).await.unwrap();
    let wrong = credentials(&[("caFile", "not a certificate")]);
    let remote = Remote::from_secret(&server.repository_url("fleet"), Some(named(&wrong))).unwrap();
    let why = Mirror::new().main(&remote).await.unwrap_err();
    assert!(!why.is_transient(), "{why:?}");
}

#[tokio::test]
async fn an_expired_certificate_is_told() {
    let tls = Some(world::git::Tls { expired: true, client_certificate: false });
    let (server, _, mut remote) = fleet(ServerOptions { tls, ..ServerOptions::default() }).await;
    remote.http.roots = Roots::Added(server.ca_pem().unwrap().into());
    let why = Mirror::new().main(&remote).await.unwrap_err();
    assert!(why.to_string().contains("certificate has expired or is not yet valid"), "{why}");
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let tls = Some(world::git::Tls { client_certificate: true, expired: false });
    let (server, _, mut remote) = fleet(ServerOptions { tls, ..ServerOptions::default() }).await;
    remote.http.roots = Roots::Added(server.ca_pem().unwrap().into());
    assert!(Mirror::new().main(&remote).await.is_err());
    let identity = server.client_identity().unwrap();
    remote.http.identity = Some(Identity {
        certificate: identity.certificate_pem.clone().into(),
        key: identity.key_pem.clone().into(),
    });
    Mirror::new().main(&remote).await.unwrap();
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect_to_another_host() {
    let (target, _, _) = fleet(ServerOptions::default()).await;
    let options = ServerOptions { redirect: Some(target.url()), ..basic() };
    let (door, _, _) = fleet(options).await;
    let secret = credentials(&[("username", "user"), ("password", "pa55:w0rd")]);
    let remote = Remote::from_secret(&door.repository_url("fleet"), Some(named(&secret))).unwrap();
    let checkout = Mirror::new().main(&remote).await.unwrap();
    assert_eq!(text(&checkout.snapshot, "apps/a.yaml").await.unwrap(), "image: a:1\n");
    assert_eq!(target.counts().authorized, 0);
    assert_eq!(target.counts().fetches, 1);
    assert!(door.counts().authorized > 0);
}

#[tokio::test]
async fn a_client_certificate_is_not_shown_to_another_host() {
    let asks = Some(world::git::Tls { client_certificate: true, expired: false });
    let (target, _, _) = fleet(ServerOptions { tls: asks, ..ServerOptions::default() }).await;
    let options = ServerOptions { redirect: Some(target.url()), ..ServerOptions::default() };
    let (_door, _, mut remote) = fleet(options).await;
    let identity = target.client_identity().unwrap();
    remote.http.roots = Roots::Added(target.ca_pem().unwrap().into());
    remote.http.identity = Some(Identity {
        certificate: identity.certificate_pem.clone().into(),
        key: identity.key_pem.clone().into(),
    });
    assert!(Mirror::new().main(&remote).await.is_err());
    assert_eq!(target.counts().requests, 0, "the handshake failed for want of a certificate");
}

/// A server must know its own address before it has one: a free port is looked up first, and again
/// if another test took it meanwhile.
async fn redirects_to_itself() -> Server {
    loop {
        let first = Server::start(ServerOptions::default()).await.unwrap();
        let redirect = Some(first.url());
        drop(first);
        let port = redirect.as_ref().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        let options = ServerOptions { port, redirect, ..ServerOptions::default() };
        if let Ok(server) = Server::start(options).await {
            return server;
        }
    }
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let server = redirects_to_itself().await;
    let remote = Remote::anonymous(&server.repository_url("fleet")).unwrap();
    let why = Mirror::new().main(&remote).await.unwrap_err();
    assert!(why.to_string().contains("redirects"), "{why}");
}

#[tokio::test]
async fn failures_of_the_server_are_told() {
    let (server, _, mut remote) = fleet(ServerOptions::default()).await;
    let url = server.repository_url("fleet");
    let mirror = Mirror::new();
    for (code, text) in [
        (403, "authorization failed: ".to_owned()),
        (203, "authentication required: sign in".to_owned()),
        (
            500,
            format!(
                "unexpected client error: unexpected requesting \
                 \"{url}/info/refs?service=git-upload-pack\" status code: 500"
            ),
        ),
        (404, "repository not found: ".to_owned()),
    ] {
        server.set_fault(Some(Fault::Status(code)));
        let why = mirror.main(&remote).await.unwrap_err();
        assert_eq!(why.to_string(), format!("unable to clone '{url}': {text}"));
        assert_eq!(why.is_transient(), code == 500);
    }
    server.set_fault(Some(Fault::Html));
    let why = mirror.main(&remote).await.unwrap_err();
    assert!(why.to_string().contains("is not served by a Git server"), "{why}");
    server.set_fault(Some(Fault::Truncate(20)));
    let why = mirror.main(&remote).await.unwrap_err();
    assert!(why.is_transient(), "{why:?}");
    server.set_fault(Some(Fault::Hang));
    remote.timeout = std::time::Duration::from_millis(300);
    let why = mirror.main(&remote).await.unwrap_err();
    assert_eq!(why.to_string(), format!("unable to clone '{url}': context deadline exceeded"));
    server.set_fault(None);
    remote.timeout = std::time::Duration::from_mins(1);
    mirror.main(&remote).await.unwrap();
}

#[tokio::test]
async fn a_host_that_does_not_answer() {
    crate::fixture::tls_provider();
    let remote = Remote::anonymous("http://127.0.0.1:1/x.git").unwrap();
    let why = Mirror::new().main(&remote).await.unwrap_err();
    assert_eq!(
        why.to_string(),
        "unable to clone 'http://127.0.0.1:1/x.git': \
         Get \"http://127.0.0.1:1/x.git/info/refs?service=git-upload-pack\": \
         dial tcp 127.0.0.1:1: connect: connection refused"
    );
    assert!(why.is_transient());
}

#[tokio::test]
async fn proxies_are_used_and_told_who_we_are() {
    let tls = Some(world::git::Tls::default());
    let (plain, _, _) = fleet(ServerOptions::default()).await;
    let (secure, _, _) = fleet(ServerOptions { tls, ..ServerOptions::default() }).await;
    for kind in [Kind::Http, Kind::Socks5] {
        let login = Some(("me", "p:w"));
        let proxy = world::proxy::Proxy::start(kind, login).await.unwrap();
        let scheme = if kind == Kind::Http { "http" } else { "socks5" };
        let way = |password: &str| {
            Proxy::Url(format!("{scheme}://me:{password}@{}", proxy.host()).parse().unwrap())
        };
        for server in [&plain, &secure] {
            let url = server.repository_url("fleet").replace("127.0.0.1", "localhost");
            let mut remote = Remote::anonymous(&url).unwrap();
            if let Some(pem) = server.ca_pem() {
                remote.http.roots = Roots::Added(pem.into());
            }
            remote.http.proxy = way("p%3Aw");
            let checkout = Mirror::new().main(&remote).await.unwrap();
            assert_eq!(text(&checkout.snapshot, "apps/a.yaml").await.unwrap(), "image: a:1\n");
            let target = url.split('/').nth(2).unwrap().to_owned();
            assert!(proxy.targets().contains(&target), "{:?}", proxy.targets());
            remote.http.proxy = way("wrong");
            let why = Mirror::new().main(&remote).await.unwrap_err();
            assert!(proxy.refused() > 0, "{why}");
        }
    }
    let mut remote = Remote::anonymous(&plain.repository_url("fleet")).unwrap();
    remote.http.proxy = Proxy::Url("nonsense://x".parse().unwrap());
    assert!(matches!(Mirror::new().main(&remote).await.unwrap_err().cause(), Error::Config(_)));
}

#[tokio::test]
async fn observing_lists_and_does_not_fetch() {
    let (server, repository, remote) = fleet(ServerOptions::default()).await;
    let network = Network::new(Options::default());
    let head = repository.head("main").await.unwrap().unwrap();
    repository.tag("v1.0.0", "main", Some("first")).await.unwrap();
    let observe = |reference: Reference| {
        let (network, remote) = (&network, &remote);
        async move { reference.observe(network, remote).await.unwrap() }
    };
    let main = observe(Reference::to_branch("main")).await;
    assert_eq!(main, Some(format!("main@sha1:{head}")));
    let tag = Reference { tag: Some("v1.0.0".into()), ..Reference::default() };
    assert_eq!(observe(tag).await, Some(format!("v1.0.0@sha1:{head}")));
    let name = Reference { name: Some("refs/heads/main".into()), ..Reference::default() };
    assert_eq!(observe(name).await, Some(format!("refs/heads/main@sha1:{head}")));
    assert_eq!(observe(Reference::to_branch("none")).await, None);
    assert_eq!(server.counts().fetches, 0);
    assert_eq!(server.counts().ls_refs, 4);
}
