//! HTTPS, HTTP, client certificates and proxies.

use std::sync::Arc;

use http_client::{Identity, Options as Http, Proxy, Roots};
use registry::{Access, Repository};
use url::Url;
use world::proxy::{Kind, Proxy as Hop};
use world::registry::{Auth, Authority, Options, Server, Tls};

use crate::{client, repository, tags};

async fn server(client_ca: Option<&Authority>, auth: Auth) -> (Server, Authority) {
    let authority = Authority::new("server CA").unwrap();
    let mut tls = Tls::loopback(&authority).unwrap();
    tls.client_ca = client_ca.map(|it| it.pem().to_owned());
    let options = Options { tls: Some(tls), auth, ..Options::default() };
    let server = Server::with(options).await.unwrap();
    server.publish("a", "1");
    (server, authority)
}

fn access(http: Http) -> Access {
    Access { http: Arc::new(http), ..Access::default() }
}

fn trusting(authority: &Authority) -> Http {
    Http { roots: Roots::Added(authority.pem().into()), ..Http::default() }
}

#[tokio::test]
async fn local_registries_are_asked_by_https_first() {
    let (server, authority) = server(None, Auth::None).await;
    let repository = repository(&server, "a");
    let found = tags(&client(), &repository, &access(trusting(&authority))).await;
    assert_eq!(found.unwrap(), ["1"]);
}

#[tokio::test]
async fn both_failures_are_told_where_both_ways_are_allowed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let repository = Repository::parse(&format!("{host}/a"), false).unwrap();
    let error = tags(&client(), &repository, &Access::default()).await.unwrap_err();
    let refused = format!("dial tcp {host}: connect: connection refused");
    let want =
        format!("Get \"https://{host}/v2/\": {refused}; Get \"http://{host}/v2/\": {refused}");
    assert_eq!(error.to_string(), want);
    assert!(error.is_transient());
}

/// Connections through a proxy that knows every name as this machine.
async fn everywhere() -> (Hop, Access) {
    let hop = Hop::start(Kind::Http, None).await.unwrap();
    let proxy = Proxy::Url(Url::parse(&format!("http://{}", hop.host())).unwrap());
    (hop, access(Http { proxy, ..Http::default() }))
}

#[tokio::test]
async fn plain_http_is_not_spoken_to_public_names() {
    let server = Server::start().await.unwrap();
    server.publish("a", "1");
    let (hop, access) = everywhere().await;
    let image = format!("registry.invalid:{}/a", server.port());
    let repository = Repository::parse(&image, false).unwrap();
    let error = tags(&client(), &repository, &access).await.unwrap_err();
    let want = format!(
        "Get \"https://registry.invalid:{}/v2/\": \
         http: server gave HTTP response to HTTPS client",
        server.port()
    );
    assert_eq!(error.to_string(), want);
    assert!(server.requests().is_empty() && !hop.targets().is_empty());
    // Unless that is asked for.
    let repository = Repository::parse(&image, true).unwrap();
    assert_eq!(tags(&client(), &repository, &access).await.unwrap(), ["1"]);
}

#[tokio::test]
async fn an_unknown_authority_is_told() {
    let (server, _) = server(None, Auth::None).await;
    let error = tags(&client(), &repository(&server, "a"), &Access::default()).await.unwrap_err();
    let want = format!(
        "Get \"https://{}/v2/\": tls: failed to verify certificate: \
         x509: certificate signed by unknown authority; ",
        server.host()
    );
    assert!(error.to_string().starts_with(&want), "{error}");
}

#[tokio::test]
async fn client_certificates_open_the_door() {
    let clients = Authority::new("client CA").unwrap();
    let auth = Auth::Basic { username: "user".into(), password: "pass".into() };
    let (server, authority) = server(Some(&clients), auth).await;
    let it = clients.client("robot").unwrap();
    let identity = Some(Identity { certificate: it.certificate.into(), key: it.key.into() });
    let with = Access {
        http: Arc::new(Http { identity, ..trusting(&authority) }),
        ..crate::basic("user", "pass")
    };
    let repository = repository(&server, "a");
    assert_eq!(tags(&client(), &repository, &with).await.unwrap(), ["1"]);
    let without = access(trusting(&authority));
    assert!(tags(&client(), &repository, &without).await.is_err());
}

#[tokio::test]
async fn proxies_carry_everything_to_names_only_they_know() {
    for (kind, scheme) in [(Kind::Http, "http"), (Kind::Socks5, "socks5")] {
        let auth = Auth::Token {
            username: "user".into(),
            password: "pass".into(),
            anonymous_pull: true,
            expires_in: std::time::Duration::from_mins(5),
        };
        let plain = Server::with(Options { auth, ..Options::default() }).await.unwrap();
        plain.publish("a", "1");
        let hop = Hop::start(kind, Some(("me", "secret"))).await.unwrap();
        let url = Url::parse(&format!("{scheme}://me:secret@{}", hop.host())).unwrap();
        let image = format!("registry.invalid:{}/a", plain.port());
        let repository = Repository::parse(&image, true).unwrap();
        let access = access(Http { proxy: Proxy::Url(url), ..Http::default() });
        assert_eq!(tags(&client(), &repository, &access).await.unwrap(), ["1"], "{kind:?}");
        let place = format!("registry.invalid:{}", plain.port());
        assert!(hop.targets().iter().all(|it| *it == place), "{:?}", hop.targets());
        assert_eq!((hop.refused(), plain.count("/token")), (0, 1));
    }
}

#[tokio::test]
async fn unusable_options_are_found_before_a_request() {
    let roots = Roots::Added(b"rubbish".to_vec());
    let error = client().check(&access(Http { roots, ..Http::default() })).unwrap_err();
    assert_eq!(error.to_string(), "failed to parse CA certificate");
    assert!(!error.is_transient());
    client().check(&Access::default()).unwrap();
}
