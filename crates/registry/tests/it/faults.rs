//! Registries that misbehave.

use std::sync::Arc;
use std::time::Duration;

use registry::{Access, Client, Options, Scan};
use world::registry::{Fault, Misbehaviour, Server};

use crate::{client, options, repository, tags};

async fn server() -> Server {
    let server = Server::start().await.unwrap();
    server.publish("a", "1");
    server
}

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Misbehaviour {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Misbehaviour::Answer { status, headers, body: body.to_owned() }
}

#[tokio::test]
async fn an_unknown_repository_reads_as_upstream_words_it() {
    let server = server().await;
    let error = tags(&client(), &repository(&server, "no/such"), &Access::default()).await;
    let error = error.unwrap_err();
    let want = format!(
        "GET http://{}/v2/no/such/tags/list?n=1000: \
         NAME_UNKNOWN: repository name not known to registry; map[name:no/such]",
        server.host()
    );
    assert_eq!(error.to_string(), want);
    assert!(error.is_not_found() && !error.is_transient() && !error.is_denied());
}

#[tokio::test]
async fn two_failures_are_borne_and_three_are_not() {
    for status in [408, 499, 500, 502, 503, 504, 522] {
        let server = server().await;
        let (client, repository) = (client(), repository(&server, "a"));
        server.inject(Fault::new("/tags/", 2, answer(status, &[], "")));
        assert_eq!(tags(&client, &repository, &Access::default()).await.unwrap(), ["1"]);
        server.clear_requests();
        server.inject(Fault::new("/tags/", 3, answer(status, &[], "")));
        let error = tags(&client, &repository, &Access::default()).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        assert_eq!(server.count("/tags/"), 3);
        let want = format!("unexpected status code {status} ");
        assert!(error.to_string().contains(&want), "{error}");
    }
}

#[tokio::test]
async fn a_registry_that_asks_to_wait_is_obeyed() {
    let server = server().await;
    let (client, repository) = (client(), repository(&server, "a"));
    server.inject(Fault::new("/tags/", 1, answer(429, &[("retry-after", "120")], "")));
    let error = tags(&client, &repository, &Access::default()).await.unwrap_err();
    assert!(error.is_throttled() && error.is_transient());
    assert_eq!(error.retry_after(), Some(Duration::from_mins(2)));
    assert!(error.to_string().ends_with(": TOOMANYREQUESTS: too many requests"), "{error}");
    assert_eq!(server.count("/tags/"), 1);

    // The same by a date, on the very first request, which is the ping.
    let date = [
        ("date", "Sat, 21 Nov 2026 10:00:00 GMT"),
        ("retry-after", "Sat, 21 Nov 2026 10:00:30 GMT"),
    ];
    server.inject(Fault::new("/v2/", 9, answer(429, &date, "")));
    let error = tags(&crate::client(), &repository, &Access::default()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(30)));
}

#[tokio::test]
async fn truncated_and_odd_answers_are_errors() {
    let server = server().await;
    let (client, repository) = (client(), repository(&server, "a"));
    server.inject(Fault::new("/tags/", 3, Misbehaviour::Truncate(10)));
    let error = tags(&client, &repository, &Access::default()).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().ends_with("unexpected EOF"), "{error}");
    assert_eq!(server.count("/tags/"), 3);

    // Once is borne.
    server.inject(Fault::new("/tags/", 1, Misbehaviour::Truncate(10)));
    assert_eq!(tags(&client, &repository, &Access::default()).await.unwrap(), ["1"]);

    for body in ["<html>", "{\"tags\":", "{\"tags\":[1]}", "[]", ""] {
        server.inject(Fault::new("/tags/", 1, answer(200, &[], body)));
        let error = tags(&client, &repository, &Access::default()).await.unwrap_err();
        assert!(error.to_string().contains("unreadable list of tags"), "{body}: {error}");
    }
    server.inject(Fault::new("/tags/", 1, answer(403, &[], "<html>forbidden")));
    let error = tags(&client, &repository, &Access::default()).await.unwrap_err();
    assert!(error.is_denied());
    let want = "unexpected status code 403 Forbidden: <html>forbidden";
    assert!(error.to_string().ends_with(want), "{error}");
}

#[tokio::test]
async fn endless_pages_end() {
    let server = server().await;
    let link = [("link", "</v2/a/tags/list?n=1000>; rel=\"next\"")];
    server.inject(Fault::new("/tags/", usize::MAX, answer(200, &link, r#"{"tags":["1"]}"#)));
    let error = tags(&client(), &repository(&server, "a"), &Access::default()).await.unwrap_err();
    assert!(error.to_string().contains("names itself"), "{error}");
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let server = server().await;
    server.inject(Fault::new("/tags/", 1, Misbehaviour::Hang));
    let scan = Scan { timeout: Duration::from_millis(200), previous: None };
    let repository = repository(&server, "a");
    let error = client().list_tags(&repository, &Access::default(), &scan).await.unwrap_err();
    let want = format!(
        "Get \"http://{}/v2/a/tags/list?n=1000\": context deadline exceeded",
        server.host()
    );
    assert_eq!(error.to_string(), want);
    assert!(error.is_transient());
}

#[tokio::test]
async fn requests_to_one_host_are_bounded() {
    let server = server().await;
    let client = Client::new(Options { per_host: 1, ..options() });
    let repository = Arc::new(repository(&server, "a"));
    tags(&client, &repository, &Access::default()).await.unwrap();
    server.clear_requests();
    server.inject(Fault::new("/tags/", 1, Misbehaviour::Hang));
    let first = {
        let (client, repository) = (client.clone(), Arc::clone(&repository));
        tokio::spawn(async move { tags(&client, &repository, &Access::default()).await })
    };
    while server.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    // The second finds no room as long as the first one hangs, however long it waits.
    let scan = Scan { timeout: Duration::from_millis(200), previous: None };
    let second = client.list_tags(&repository, &Access::default(), &scan).await;
    assert!(second.unwrap_err().to_string().ends_with("context deadline exceeded"));
    assert_eq!(server.requests().len(), 1);
    // Other hosts are not affected.
    let other = Server::start().await.unwrap();
    other.publish("a", "1");
    let elsewhere = crate::repository(&other, "a");
    assert_eq!(tags(&client, &elsewhere, &Access::default()).await.unwrap(), ["1"]);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(tags(&client, &repository, &Access::default()).await.unwrap(), ["1"]);
}
