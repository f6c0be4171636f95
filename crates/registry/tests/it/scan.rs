//! Lists of tags and digests.

use std::time::Duration;

use registry::{Access, Limits, Listing, Scan, Validator};
use world::registry::{Fault, Link, Misbehaviour, Options, Paging, Server};

use crate::{SCAN, client, options, repository, tags};

fn paging(cap: usize, refuse_larger: bool, link: Link) -> Options {
    Options { paging: Paging { cap, refuse_larger, link }, ..Options::default() }
}

async fn server(options: Options, count: usize) -> Server {
    let server = Server::with(options).await.unwrap();
    server.store().publish_many("a/b", (0..count).map(|it| format!("v{it:06}")));
    server
}

#[tokio::test]
async fn one_page_costs_one_request_once_the_session_is_known() {
    let server = server(Options::default(), 3).await;
    let (client, repository) = (client(), repository(&server, "a/b"));
    let found = tags(&client, &repository, &Access::default()).await.unwrap();
    assert_eq!(found, ["v000000", "v000001", "v000002"]);
    assert_eq!(server.requests().len(), 2);
    tags(&client, &repository, &Access::default()).await.unwrap();
    assert_eq!(server.requests().len(), 3);
    assert_eq!(server.requests()[2].target, "/v2/a/b/tags/list?n=1000");
}

#[tokio::test]
async fn pages_are_followed_by_relative_and_absolute_links() {
    for link in [Link::Relative, Link::Absolute] {
        let server = server(paging(2, false, link), 5).await;
        let repository = repository(&server, "a/b");
        let found = tags(&client(), &repository, &Access::default()).await.unwrap();
        assert_eq!(found.len(), 5);
        assert_eq!(server.count("/tags/list"), 3);
    }
}

#[tokio::test]
async fn links_to_another_host_are_refused() {
    let other = Server::start().await.unwrap();
    let elsewhere = Link::Elsewhere(format!("http://{}", other.host()));
    let server = server(paging(2, false, elsewhere), 5).await;
    let repository = repository(&server, "a/b");
    let error = tags(&client(), &repository, &Access::default()).await.unwrap_err();
    assert!(error.to_string().contains("does not match registry host"), "{error}");
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn a_registry_that_refuses_large_pages_gets_smaller_wishes() {
    let server = server(paging(100, true, Link::Relative), 250).await;
    let (client, repository) = (client(), repository(&server, "a/b"));
    assert_eq!(tags(&client, &repository, &Access::default()).await.unwrap().len(), 250);
    assert_eq!((server.count("n=1000"), server.count("n=100")), (1, 4));
    server.clear_requests();
    tags(&client, &repository, &Access::default()).await.unwrap();
    assert_eq!((server.count("n=1000"), server.count("n=100")), (0, 3));
}

#[tokio::test]
async fn a_registry_that_refuses_all_pages_is_quoted() {
    let server = server(paging(10, true, Link::Relative), 20).await;
    let error = tags(&client(), &repository(&server, "a/b"), &Access::default()).await.unwrap_err();
    let want = format!(
        "GET http://{}/v2/a/b/tags/list?n=1000: PAGINATION_NUMBER_INVALID: \
         invalid number of results requested; map[n:1000]",
        server.host()
    );
    assert_eq!(error.to_string(), want);
}

#[tokio::test]
async fn tags_that_come_twice_count_once() {
    let server = server(paging(2, false, Link::Relative), 4).await;
    // Between the pages a tag appears in front of those already seen, and one goes.
    let change = Misbehaviour::Change(Box::new(|store| {
        store.retag("a/b", "v000000", "a-new-one");
        store.delete("a/b", "v000003");
    }));
    server.inject(Fault::new("last=v000001", 1, change));
    let found = tags(&client(), &repository(&server, "a/b"), &Access::default()).await.unwrap();
    assert_eq!(found, ["v000000", "v000001", "v000002"]);

    let body = r#"{"name":"a/b","tags":["v2","v1","v2"]}"#.to_owned();
    let what = Misbehaviour::Answer { status: 200, headers: vec![], body };
    server.inject(Fault::new("/tags/list", 1, what));
    let found = tags(&client(), &repository(&server, "a/b"), &Access::default()).await.unwrap();
    assert_eq!(found, ["v1", "v2"]);
}

#[tokio::test]
async fn an_empty_repository_has_no_tags() {
    let server = Server::start().await.unwrap();
    server.publish("a/b", "1");
    server.delete("a/b", "1");
    let repository = repository(&server, "a/b");
    assert!(tags(&client(), &repository, &Access::default()).await.unwrap().is_empty());
    let body = r#"{"name":"a/b","tags":null}"#.to_owned();
    let what = Misbehaviour::Answer { status: 200, headers: vec![], body };
    server.inject(Fault::new("/tags/list", 1, what));
    assert!(tags(&client(), &repository, &Access::default()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_hundred_thousand_tags_are_listed() {
    let server = server(Options::default(), 100_000).await;
    let found = tags(&client(), &repository(&server, "a/b"), &Access::default()).await.unwrap();
    assert_eq!((found.len(), server.count("/tags/list")), (100_000, 100));
}

#[tokio::test]
async fn limits_hold() {
    let server = server(paging(10, false, Link::Relative), 100).await;
    let repository = repository(&server, "a/b");
    for limits in [
        Limits { pages: 9, ..Limits::default() },
        Limits { tags: 99, ..Limits::default() },
        Limits { tag_bytes: 699, ..Limits::default() },
        Limits { page_bytes: 100, ..Limits::default() },
    ] {
        let client = registry::Client::new(registry::Options { limits, ..options() });
        let error = tags(&client, &repository, &Access::default()).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("more than") || text.contains("larger than"), "{text}");
        assert!(!error.is_transient());
    }
}

async fn scan(server: &Server, client: &registry::Client, previous: Option<&Validator>) -> Listing {
    let scan = Scan { previous, ..SCAN };
    client.list_tags(&repository(server, "a/b"), &Access::default(), &scan).await.unwrap()
}

#[tokio::test]
async fn unchanged_lists_are_not_sent_again() {
    for cap in [1000, 2] {
        let mut options = paging(cap, false, Link::Relative);
        options.etags = true;
        let server = server(options, 5).await;
        let client = client();
        let Listing::Tags { tags, validator } = scan(&server, &client, None).await else {
            panic!("unchanged, although there was nothing before");
        };
        assert_eq!(tags.len(), 5);
        // The validator survives being stored.
        let stored = serde_json::to_string(&validator.unwrap()).unwrap();
        let validator: Validator = serde_json::from_str(&stored).unwrap();
        server.clear_requests();
        assert_eq!(scan(&server, &client, Some(&validator)).await, Listing::Unchanged);
        assert!(server.requests().iter().all(|it| it.status == 304));

        // A change on the last page alone is noticed too.
        server.retag("a/b", "v000000", "z");
        let Listing::Tags { tags, validator } = scan(&server, &client, Some(&validator)).await
        else {
            panic!("a new tag was missed");
        };
        assert_eq!(tags.last().unwrap(), "z");
        assert_eq!(scan(&server, &client, validator.as_ref()).await, Listing::Unchanged);
    }
}

#[tokio::test]
async fn registries_without_entity_tags_give_no_validator() {
    let server = server(Options::default(), 5).await;
    assert!(matches!(scan(&server, &client(), None).await, Listing::Tags { validator: None, .. }));
}

#[tokio::test]
async fn a_digest_is_what_the_tag_points_to() {
    let server = Server::start().await.unwrap();
    let digest = server.publish("a/b", "1.0");
    let (client, repository) = (client(), repository(&server, "a/b"));
    let ask = async |tag: &str| {
        client.digest(&repository, tag, &Access::default(), Duration::from_mins(1)).await
    };
    assert_eq!(ask("1.0").await.unwrap(), digest);
    assert_eq!(server.requests().last().unwrap().method, "HEAD");

    let newer = server.publish("a/b", "1.0");
    assert_eq!(ask("1.0").await.unwrap(), newer);

    // A registry that cannot do HEAD, or does not tell the digest.
    for (status, body) in [(405, ""), (200, "{}")] {
        let what = Misbehaviour::Answer { status, headers: vec![], body: body.into() };
        server.inject(Fault::new("/manifests/", 1, what));
        assert_eq!(ask("1.0").await.unwrap(), newer);
        assert_eq!(server.requests().last().unwrap().method, "GET");
    }

    let error = ask("2.0").await.unwrap_err();
    assert!(error.is_not_found());
    let want = format!(
        "HEAD http://{}/v2/a/b/manifests/2.0: unexpected status code 404 Not Found \
         (HEAD responses have no body, use GET for details)",
        server.host()
    );
    assert_eq!(error.to_string(), want);
    for tag in ["", "../../x", "a/b", "a?b", "..", "ü"] {
        assert!(ask(tag).await.unwrap_err().to_string().starts_with("could not parse reference"));
    }
}
