//! Certificate authorities and client certificates.

use http_client::secret::{Secret, tls};
use http_client::{Identity, Options, Pool, Roots};
use world::registry::{Authority, Options as ServerOptions, Server, Tls};

use crate::{get, init, tls_server};

fn trusting(authority: &Authority) -> Options {
    Options { roots: Roots::Added(authority.pem().into()), ..Options::default() }
}

fn identity(authority: &Authority) -> Identity {
    let it = authority.client("robot").unwrap();
    Identity { certificate: it.certificate.into(), key: it.key.into() }
}

#[tokio::test]
async fn an_authority_is_added_or_replaces() {
    let (server, authority) = tls_server(None).await;
    let url = format!("https://{}/v2/", server.host());
    assert_eq!(get(&trusting(&authority), &url).await.unwrap().status, 200);
    let only = Options { roots: Roots::Only(authority.pem().into()), ..Options::default() };
    assert_eq!(get(&only, &url).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_stranger_is_not_trusted() {
    let (server, _) = tls_server(None).await;
    let url = format!("https://{}/v2/", server.host());
    let want = format!(
        "Get \"{url}\": tls: failed to verify certificate: \
         x509: certificate signed by unknown authority"
    );
    for options in [Options::default(), trusting(&Authority::new("other").unwrap())] {
        let error = get(&options, &url).await.unwrap_err();
        assert_eq!(error.to_string(), want);
        assert!(error.is_tls() && !error.is_transient());
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let authority = Authority::new("server CA").unwrap();
    let identity = authority.expired_server(&["127.0.0.1"]).unwrap();
    let tls = Some(Tls { identity, client_ca: None });
    let server = Server::with(ServerOptions { tls, ..ServerOptions::default() }).await.unwrap();
    let error = get(&trusting(&authority), &format!("https://{}/v2/", server.host())).await;
    let text = error.unwrap_err().to_string();
    assert!(text.ends_with("x509: certificate has expired or is not yet valid"), "{text}");
}

#[tokio::test]
async fn another_name_is_refused() {
    let authority = Authority::new("server CA").unwrap();
    let identity = authority.server(&["example.com"]).unwrap();
    let tls = Some(Tls { identity, client_ca: None });
    let server = Server::with(ServerOptions { tls, ..ServerOptions::default() }).await.unwrap();
    let error = get(&trusting(&authority), &format!("https://{}/v2/", server.host())).await;
    let text = error.unwrap_err().to_string();
    assert!(text.ends_with("x509: certificate is not valid for 127.0.0.1"), "{text}");
}

#[tokio::test]
async fn client_certificates_are_shown() {
    let clients = Authority::new("client CA").unwrap();
    let (server, authority) = tls_server(Some(&clients)).await;
    let url = format!("https://{}/v2/", server.host());
    let with = Options { identity: Some(identity(&clients)), ..trusting(&authority) };
    assert_eq!(get(&with, &url).await.unwrap().status, 200);

    let wrong = Options { identity: Some(identity(&authority)), ..trusting(&authority) };
    for options in [wrong, trusting(&authority)] {
        let error = get(&options, &url).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("Get \"{url}\": ")), "{error}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn unusable_material_is_told() {
    init();
    let pool = Pool::new("test");
    let refuse = |options| pool.client(&options).unwrap_err().to_string();
    let rubbish = Options { roots: Roots::Added(b"rubbish".to_vec()), ..Options::default() };
    assert_eq!(refuse(rubbish), "failed to parse CA certificate");
    let (one, two) = (Authority::new("1").unwrap(), Authority::new("2").unwrap());
    let mut mixed = identity(&one);
    mixed.key = identity(&two).key;
    let mixed = Options { identity: Some(mixed), ..Options::default() };
    let text = refuse(mixed);
    assert!(text.starts_with("failed to parse TLS certificate and key: "), "{text}");
    let none = Identity { certificate: b"c".to_vec(), key: b"k".to_vec() };
    let text = refuse(Options { identity: Some(none), ..Options::default() });
    assert!(text.starts_with("failed to parse TLS certificate and key: "), "{text}");
}

#[tokio::test]
async fn a_secret_becomes_options() {
    let clients = Authority::new("client CA").unwrap();
    let (server, authority) = tls_server(Some(&clients)).await;
    let it = clients.client("robot").unwrap();
    let data = [("ca.crt", authority.pem()), ("tls.crt", &it.certificate), ("tls.key", &it.key)]
        .map(|(key, value)| (key.to_owned(), value.into()))
        .into();
    let it = tls(Secret { name: "ns/cert", data: &data }).unwrap();
    let roots = Roots::Added(it.ca.unwrap());
    let options = Options { roots, identity: it.identity, ..Options::default() };
    let answer = get(&options, &format!("https://localhost:{}/v2/", server.port())).await;
    assert_eq!(answer.unwrap().status, 200);
}

#[tokio::test]
async fn clients_of_others_are_configured_alike() {
    let clients = Authority::new("client CA").unwrap();
    let (server, authority) = tls_server(Some(&clients)).await;
    let options = Options { identity: Some(identity(&clients)), ..trusting(&authority) };
    let url = format!("https://{}/v2/", server.host());
    let client = options.configure(reqwest::Client::builder()).unwrap().build().unwrap();
    assert_eq!(client.get(url).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn plain_and_tls_mixed_up_read_as_in_go() {
    let (server, authority) = tls_server(None).await;
    let text = get(&trusting(&authority), &format!("http://{}/v2/", server.host())).await;
    let want = "net/http: HTTP/1.x transport connection broken: malformed HTTP response";
    let text = text.unwrap_err().to_string();
    assert!(text.ends_with(want), "{text}");
    let server = Server::start().await.unwrap();
    let text = get(&Options::default(), &format!("https://{}/v2/", server.host())).await;
    let text = text.unwrap_err().to_string();
    assert!(text.ends_with("http: server gave HTTP response to HTTPS client"), "{text}");
}
