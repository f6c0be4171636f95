//! Failures of the network and limits.

use std::time::Duration;

use http_client::{Error, Options, Pool, Request, Retry};
use url::Url;
use world::registry::{Fault, Misbehaviour, Server};

use crate::{client, get, init};

#[tokio::test]
async fn nobody_listening_reads_as_in_go() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("http://127.0.0.1:{port}/v2/?n=1");
    let error = get(&Options::default(), &url).await.unwrap_err();
    let want = format!("Get \"{url}\": dial tcp 127.0.0.1:{port}: connect: connection refused");
    assert_eq!(error.to_string(), want);
    assert!(error.is_transient());
}

#[tokio::test]
async fn an_unknown_host_reads_as_in_go() {
    let error = get(&Options::default(), "http://nowhere.invalid/x").await.unwrap_err();
    let text = error.to_string();
    assert_eq!(
        text,
        "Get \"http://nowhere.invalid/x\": dial tcp: lookup nowhere.invalid: no such host"
    );
}

#[tokio::test]
async fn silence_ends_at_the_time_limit() {
    let server = Server::start().await.unwrap();
    server.inject(Fault::new("/v2/", 1, Misbehaviour::Hang));
    let url = Url::parse(&format!("http://{}/v2/", server.host())).unwrap();
    let request = Request::get(url.clone()).timeout(Duration::from_millis(100));
    let error = client(&Options::default()).send(request).await.unwrap_err();
    assert_eq!(error.to_string(), format!("Get \"{url}\": context deadline exceeded"));
}

#[tokio::test]
async fn a_cut_body_is_an_error() {
    let server = Server::start().await.unwrap();
    server.publish("a", "1.0.0");
    server.inject(Fault::new("/tags/", usize::MAX, Misbehaviour::Truncate(5)));
    let url = format!("http://{}/v2/a/tags/list", server.host());
    let error = get(&Options::default(), &url).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(error.to_string(), format!("Get \"{url}\": unexpected EOF"));
}

#[tokio::test]
async fn a_large_body_is_refused() {
    let server = Server::start().await.unwrap();
    server.publish("a", "1.0.0");
    let url = Url::parse(&format!("http://{}/v2/a/tags/list", server.host())).unwrap();
    let client = client(&Options::default());
    let error = client.send(Request::get(url.clone()).limit(8)).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 8, .. }), "{error}");
    assert!(client.send(Request::get(url).limit(4096)).await.is_ok());
}

#[tokio::test]
async fn a_server_error_is_tried_three_times() {
    let server = Server::start().await.unwrap();
    let url = Url::parse(&format!("http://{}/v2/", server.host())).unwrap();
    let client = client(&Options::default());
    let retry = Retry { first_pause: Duration::ZERO, ..Retry::default() };
    let fault = |status, times, headers| {
        Fault::new("", times, Misbehaviour::Answer { status, headers, body: String::new() })
    };
    server.inject(fault(500, 2, vec![]));
    let answer = client.send_retrying(Request::get(url.clone()), &retry).await.unwrap();
    assert_eq!((answer.status.as_u16(), server.requests().len()), (200, 3));

    server.heal();
    server.clear_requests();
    server.inject(fault(503, 9, vec![]));
    let answer = client.send_retrying(Request::get(url.clone()), &retry).await.unwrap();
    assert_eq!((answer.status.as_u16(), server.requests().len()), (503, 3));

    server.heal();
    server.clear_requests();
    server.inject(fault(429, 9, vec![("retry-after", "3".to_owned())]));
    let answer = client.send_retrying(Request::get(url), &retry).await.unwrap();
    assert_eq!((answer.status.as_u16(), server.requests().len()), (429, 1));
}

#[tokio::test]
async fn equal_options_share_connections() {
    init();
    let pool = Pool::new("sluice/test");
    let server = Server::start().await.unwrap();
    let url = Url::parse(&format!("http://{}/v2/", server.host())).unwrap();
    for _ in 0..2 {
        let client = pool.client(&Options::default()).unwrap();
        client.send(Request::get(url.clone())).await.unwrap();
    }
    assert_eq!(server.requests()[1].header("user-agent"), "sluice/test");
}
