//! HTTP and SOCKS5 proxies, for plain requests and through tunnels.

use std::collections::BTreeMap;

use http_client::secret::{Secret, proxy};
use http_client::{Options, Proxy, Roots};
use world::proxy::{Kind, Proxy as Server};

use crate::{get, tls_server};

fn from_secret(kind: Kind, server: &Server, login: Option<(&str, &str)>) -> Proxy {
    let scheme = if kind == Kind::Http { "http" } else { "socks5" };
    let mut data = BTreeMap::new();
    let mut put = |key: &str, value: &str| data.insert(key.to_owned(), value.into());
    put("address", &format!("{scheme}://{}", server.host()));
    if let Some((username, password)) = login {
        put("username", username);
        put("password", password);
    }
    proxy(Secret { name: "ns/proxy", data: &data }).unwrap()
}

#[tokio::test]
async fn both_kinds_carry_plain_and_tls_with_credentials() {
    for kind in [Kind::Http, Kind::Socks5] {
        let login = ("user", "p@ss:w/rd");
        let hop = Server::start(kind, Some(login)).await.unwrap();
        let proxy = from_secret(kind, &hop, Some(login));
        let plain = world::registry::Server::start().await.unwrap();
        let options = Options { proxy, ..Options::default() };
        let answer = get(&options, &format!("http://{}/v2/", plain.host())).await.unwrap();
        assert_eq!(answer.status, 200, "{kind:?}");

        let (secure, authority) = tls_server(None).await;
        let roots = Roots::Only(authority.pem().into());
        // The name exists in the proxy's world alone, so the proxy resolves it.
        let url = format!("https://localhost:{}/v2/", secure.port());
        let answer = get(&Options { roots, ..options }, &url).await.unwrap();
        assert_eq!(answer.status, 200, "{kind:?}");
        let targets = [plain.host(), format!("localhost:{}", secure.port())];
        assert_eq!((hop.targets(), hop.refused()), (targets.to_vec(), 0), "{kind:?}");
    }
}

#[tokio::test]
async fn wrong_credentials_reach_nobody() {
    let plain = world::registry::Server::start().await.unwrap();
    let url = format!("http://{}/v2/", plain.host());
    for kind in [Kind::Http, Kind::Socks5] {
        let hop = Server::start(kind, Some(("user", "right"))).await.unwrap();
        let proxy = from_secret(kind, &hop, Some(("user", "wrong")));
        match get(&Options { proxy, ..Options::default() }, &url).await {
            Ok(answer) => assert_eq!(answer.status, 407),
            Err(error) => assert!(!error.to_string().contains("wrong"), "{error}"),
        }
        assert!(hop.refused() > 0);
    }
    assert!(plain.requests().is_empty());
}

#[tokio::test]
async fn a_dead_proxy_is_named() {
    let hop = Server::start(Kind::Http, None).await.unwrap();
    let proxy = from_secret(Kind::Http, &hop, None);
    let host = hop.host();
    drop(hop);
    let options = Options { proxy, ..Options::default() };
    // The port closes when the server's task has noticed that it shall end.
    let error = loop {
        if let Err(error) = get(&options, "http://localhost:1/v2/").await {
            let text = error.to_string();
            if text.contains("refused") {
                break text;
            }
        }
        tokio::task::yield_now().await;
    };
    let want = format!(
        "Get \"http://localhost:1/v2/\": proxyconnect tcp: dial tcp {host}: connect: connection refused"
    );
    assert_eq!(error, want);
}
