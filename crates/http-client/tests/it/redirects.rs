//! What a redirect may do.

use http::header::AUTHORIZATION;
use http_client::{Options, Request, Response, Roots};
use url::Url;
use world::registry::{Fault, Misbehaviour, Server};

use crate::{client, get, tls_server};

fn to(location: &str) -> Fault {
    let headers = vec![("location", location.to_owned())];
    Fault::new("/from", 9, Misbehaviour::Answer { status: 302, headers, body: String::new() })
}

async fn follow(url: &str) -> Result<Response, http_client::Error> {
    let request = Request::get(Url::parse(url).unwrap()).header(AUTHORIZATION, "Basic c2VjcmV0");
    client(&Options::default()).send(request).await
}

#[tokio::test]
async fn credentials_stay_with_their_host() {
    let (first, second) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    first.inject(to(&format!("http://localhost:{}/v2/", second.port())));
    let answer = follow(&format!("http://{}/from", first.host())).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(first.requests()[0].header("authorization"), "Basic c2VjcmV0");
    assert_eq!(second.requests()[0].header("authorization"), "");
}

#[tokio::test]
async fn credentials_follow_on_the_same_host() {
    let server = Server::start().await.unwrap();
    server.inject(to("/v2/"));
    follow(&format!("http://{}/from", server.host())).await.unwrap();
    assert_eq!(server.requests()[1].header("authorization"), "Basic c2VjcmV0");
}

#[tokio::test]
async fn internal_addresses_are_out_of_reach() {
    let server = Server::start().await.unwrap();
    for address in ["127.0.0.1", "169.254.169.254", "10.0.0.1", "[::1]", "[::ffff:10.0.0.1]"] {
        server.heal();
        server.inject(to(&format!("http://{address}:1/latest/meta-data")));
        let error = follow(&format!("http://localhost:{}/from", server.port())).await.unwrap_err();
        assert!(error.to_string().contains("SSRF protection"), "{address}: {error}");
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn tls_is_not_given_up() {
    let (server, authority) = tls_server(None).await;
    server.inject(to(&format!("http://localhost:{}/v2/", server.port())));
    let options = Options { roots: Roots::Only(authority.pem().into()), ..Options::default() };
    let error = get(&options, &format!("https://{}/from", server.host())).await.unwrap_err();
    assert!(error.to_string().ends_with("refusing redirect from https to http"), "{error}");
}

#[tokio::test]
async fn a_circle_ends() {
    let server = Server::start().await.unwrap();
    server.inject(Fault::new(
        "/from",
        99,
        Misbehaviour::Answer {
            status: 302,
            headers: vec![("location", "/from".to_owned())],
            body: String::new(),
        },
    ));
    let error = follow(&format!("http://{}/from", server.host())).await.unwrap_err();
    assert!(error.to_string().ends_with("stopped after 10 redirects"), "{error}");
}
