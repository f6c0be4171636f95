//! Authentication: Basic, token services, and who may share what.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use registry::{Access, Client, Credential, Options};
use world::registry::{Auth, Fault, Misbehaviour, Server};

use crate::{basic, client, options, repository, tags};

async fn server(auth: Auth) -> Server {
    let server =
        Server::with(world::registry::Options { auth, ..world::registry::Options::default() });
    let server = server.await.unwrap();
    server.publish("team/app", "1.0.0");
    server
}

fn token_auth(anonymous_pull: bool) -> Auth {
    Auth::Token {
        username: "user".into(),
        password: "pass".into(),
        anonymous_pull,
        expires_in: Duration::from_mins(5),
    }
}

fn basic_auth() -> Auth {
    Auth::Basic { username: "user".into(), password: "pass".into() }
}

fn with(credential: Credential) -> Access {
    Access { credential: Arc::new(credential), ..Access::default() }
}

#[tokio::test]
async fn basic_credentials_are_shown() {
    let server = server(basic_auth()).await;
    let repository = repository(&server, "team/app");
    assert_eq!(tags(&client(), &repository, &basic("user", "pass")).await.unwrap(), ["1.0.0"]);
}

#[tokio::test]
async fn wrong_basic_credentials_read_as_upstream_words_them() {
    let server = server(basic_auth()).await;
    let repository = repository(&server, "team/app");
    for access in [basic("user", "wrong"), Access::default()] {
        let error = tags(&client(), &repository, &access).await.unwrap_err();
        let want = format!(
            "GET http://{}/v2/team/app/tags/list?n=1000: UNAUTHORIZED: authentication required; \
             [map[Action:pull Class: Name:team/app Type:repository]]",
            server.host()
        );
        assert_eq!(error.to_string(), want);
        assert!(error.is_denied() && !error.is_transient());
    }
}

#[tokio::test]
async fn tokens_are_fetched_once() {
    let server = server(token_auth(false)).await;
    let (client, repository) = (client(), repository(&server, "team/app"));
    for _ in 0..3 {
        assert_eq!(tags(&client, &repository, &basic("user", "pass")).await.unwrap(), ["1.0.0"]);
    }
    assert_eq!((server.count("/token"), server.count("/tags/")), (1, 3));
    let requests = server.requests();
    let asked = requests.iter().find(|it| it.target.starts_with("/token")).unwrap();
    assert_eq!(asked.target, "/token?scope=repository%3Ateam%2Fapp%3Apull&service=world");
}

#[tokio::test]
async fn anybody_gets_tokens_where_that_is_allowed() {
    let server = server(token_auth(true)).await;
    let repository = repository(&server, "team/app");
    assert_eq!(tags(&client(), &repository, &Access::default()).await.unwrap(), ["1.0.0"]);
}

#[tokio::test]
async fn refresh_tokens_are_exchanged() {
    let server = server(token_auth(false)).await;
    let repository = repository(&server, "team/app");
    let access = with(Credential::Identity("pass".into()));
    assert_eq!(tags(&client(), &repository, &access).await.unwrap(), ["1.0.0"]);
    let requests = server.requests();
    let asked = requests.iter().find(|it| it.target == "/token").unwrap();
    assert_eq!(asked.method, "POST");

    // A token service that does not know the form is asked the other way.
    server.clear_requests();
    let what = Misbehaviour::Answer { status: 404, headers: vec![], body: String::new() };
    server.inject(Fault::new("/token", 1, what));
    assert!(tags(&client(), &repository, &access).await.unwrap_err().is_denied());
    let methods: Vec<String> = server
        .requests()
        .iter()
        .filter(|it| it.target.starts_with("/token"))
        .map(|it| it.method.to_string())
        .collect();
    assert_eq!(methods[..2], ["POST", "GET"]);
}

#[tokio::test]
async fn ready_tokens_are_sent_as_they_are() {
    let server = server(token_auth(false)).await;
    let repository = repository(&server, "team/app");
    let access = with(Credential::Bearer("my-token".into()));
    assert!(tags(&client(), &repository, &access).await.is_err());
    let requests = server.requests();
    let listed = requests.iter().find(|it| it.target.contains("/tags/")).unwrap();
    assert_eq!(listed.header("authorization"), "Bearer my-token");
    assert_eq!(server.count("/token"), 0);
}

#[tokio::test]
async fn a_refused_token_request_is_quoted_without_credentials() {
    let server = server(token_auth(false)).await;
    let repository = repository(&server, "team/app");
    let error = tags(&client(), &repository, &basic("user", "hunter2")).await.unwrap_err();
    let want = format!(
        "GET http://{}/token?scope=repository%3Ateam%2Fapp%3Apull&service=world: \
         UNAUTHORIZED: authentication failed",
        server.host()
    );
    assert_eq!(error.to_string(), want);
    assert!(error.is_denied());
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[tokio::test]
async fn revoked_tokens_are_replaced() {
    let server = server(token_auth(false)).await;
    let (client, repository) = (client(), repository(&server, "team/app"));
    let access = basic("user", "pass");
    tags(&client, &repository, &access).await.unwrap();
    server.revoke_tokens();
    assert_eq!(tags(&client, &repository, &access).await.unwrap(), ["1.0.0"]);
    assert_eq!(server.count("/token"), 2);
}

#[tokio::test]
async fn tokens_are_replaced_before_they_expire() {
    let server = server(token_auth(false)).await;
    let seconds = Arc::new(AtomicI64::new(1_000_000));
    let read = Arc::clone(&seconds);
    let clock: cloud::Clock =
        Arc::new(move || Timestamp::from_second(read.load(Ordering::SeqCst)).unwrap());
    let client = Client::new(Options { clock, ..options() });
    let repository = repository(&server, "team/app");
    let access = basic("user", "pass");
    for (pass, want) in [(0, 1), (239, 1), (1, 2)] {
        seconds.fetch_add(pass, Ordering::SeqCst);
        tags(&client, &repository, &access).await.unwrap();
        assert_eq!(server.count("/token"), want);
    }
}

#[tokio::test]
async fn tenants_and_credentials_never_share_tokens() {
    let server = server(token_auth(false)).await;
    let (client, repository) = (client(), repository(&server, "team/app"));
    let right = Access { tenant: "a".into(), ..basic("user", "pass") };
    tags(&client, &repository, &right).await.unwrap();
    let others = [
        Access { tenant: "b".into(), ..basic("user", "wrong") },
        Access { tenant: "a".into(), ..basic("user", "wrong") },
        Access { tenant: "a".into(), ..Access::default() },
    ];
    for other in others {
        assert!(tags(&client, &repository, &other).await.unwrap_err().is_denied());
    }
    let same_elsewhere = Access { tenant: "b".into(), ..right };
    let before = server.count("/token");
    tags(&client, &repository, &same_elsewhere).await.unwrap();
    assert_eq!(server.count("/token"), before + 1);
}

#[tokio::test]
async fn credentials_go_to_no_other_host() {
    let (server, other) = (server(basic_auth()).await, Server::start().await.unwrap());
    let headers =
        vec![("location", format!("http://localhost:{}/v2/team/app/tags/list", other.port()))];
    let what = Misbehaviour::Answer { status: 307, headers, body: String::new() };
    server.inject(Fault::new("/tags/", 1, what));
    let repository = repository(&server, "team/app");
    let error = tags(&client(), &repository, &basic("user", "pass")).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(other.requests()[0].header("authorization"), "");
}
