//! Tokens of installations.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use cloud::{CacheOptions, Clock};
use forge::{App, Caller, Error, Forge, InvolvedObject, Token};
use http_client::secret::Secret;
use http_client::{Options, Pool, Proxy};
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use crate::{data, key, pkcs8};

/// 2026-11-21T10:00:00Z.
const NOW: i64 = 1_795_255_200;

/// GitHub with App 12, installed as number 34 for the organisation `my-org` and as number 56 for
/// the user `me`; it checks each JWT against the key.
struct GitHub {
    base: Url,
    asked: Arc<Mutex<Vec<String>>>,
}

impl GitHub {
    async fn start(prefix: &'static str) -> Self {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&asked);
        let router = Router::new().fallback(move |request: Request| {
            let line = format!("{} {}", request.method(), request.uri());
            let number = {
                let mut log = log.lock().unwrap();
                log.push(line.clone());
                log.len()
            };
            async move { answer(prefix, &line, &request, number) }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let base = Url::parse(&format!("http://{address}{prefix}")).unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn app(&self, pairs: &[(&str, &str)]) -> App {
        let key = pkcs8();
        let mut all =
            vec![("githubAppPrivateKey", &*key), ("githubAppBaseURL", self.base.as_str())];
        if !pairs.iter().any(|(key, _)| *key == "githubAppID") {
            all.push(("githubAppID", "12"));
        }
        all.extend_from_slice(pairs);
        App::parse(Secret { name: "ns/app", data: &data(&all) }).unwrap()
    }
}

fn answer(prefix: &str, line: &str, request: &Request, number: usize) -> Response {
    let header = |name: &str| request.headers().get(name).map_or("", |it| it.to_str().unwrap());
    let respond = |status: u16, body: String| {
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status.try_into().unwrap();
        response
    };
    assert_eq!(header("accept"), "application/vnd.github+json");
    assert_eq!(header("x-github-api-version"), "2022-11-28");
    if issuer(header("authorization")) != "12" {
        return respond(401, r#"{"message":"Bad credentials"}"#.to_owned());
    }
    match line.replacen(prefix, "/", 1).as_str() {
        "POST /app/installations/34/access_tokens" | "POST /app/installations/56/access_tokens" => {
            let token =
                format!(r#"{{"token":"ghs_{number}","expires_at":"2026-11-21T11:00:00Z"}}"#);
            respond(201, token)
        }
        "GET /orgs/my-org/installation" => respond(200, r#"{"id":34}"#.to_owned()),
        "GET /users/me/installation" => respond(200, r#"{"id":56}"#.to_owned()),
        _ => respond(404, r#"{"message":"Not Found"}"#.to_owned()),
    }
}

/// Who a JWT says it is from, after checking its signature and times.
fn issuer(authorization: &str) -> String {
    let jwt = authorization.strip_prefix("Bearer ").unwrap();
    let (text, signature) = jwt.rsplit_once('.').unwrap();
    let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &key().1)
        .verify(text.as_bytes(), &decode(signature))
        .unwrap();
    let (header, claims) = text.split_once('.').unwrap();
    let header: Value = serde_json::from_slice(&decode(header)).unwrap();
    assert_eq!(header, serde_json::json!({"alg": "RS256", "typ": "JWT"}));
    let claims: Value = serde_json::from_slice(&decode(claims)).unwrap();
    let (issued, expires) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    assert_eq!(expires - issued, 120);
    assert!(issued >= NOW - 30, "{issued}");
    claims["iss"].as_str().unwrap().to_owned()
}

/// A forge whose time the test sets.
fn forge() -> (Forge, Arc<AtomicI64>) {
    // The second call in one process is refused, which is fine.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let seconds = Arc::new(AtomicI64::new(NOW));
    let read = Arc::clone(&seconds);
    let clock: Clock =
        Arc::new(move || Timestamp::from_second(read.load(Ordering::SeqCst)).unwrap());
    (Forge::new(Pool::new("test"), clock, CacheOptions::default()), seconds)
}

fn caller(tenant: &str) -> Caller<'_> {
    let object = InvolvedObject {
        kind: "ImageUpdateAutomation",
        name: "fleet",
        namespace: tenant,
        operation: "reconcile",
    };
    Caller { tenant, object }
}

async fn token(forge: &Forge, app: &App, tenant: &str) -> Result<Token, Error> {
    forge.app_token(app, &caller(tenant), &Options::default(), Duration::from_mins(1)).await
}

#[tokio::test]
async fn an_installation_by_number_costs_one_request() {
    let github = GitHub::start("/").await;
    let app = github.app(&[("githubAppInstallationID", "34")]);
    let (forge, seconds) = forge();
    let it = token(&forge, &app, "a").await.unwrap();
    assert_eq!((&*it.token, it.expires_at.as_second()), ("ghs_1", NOW + 3600));
    assert!(!format!("{it:?}").contains("ghs_"));
    assert_eq!(github.asked(), ["POST /app/installations/34/access_tokens"]);
    for (pass, want) in [(2879, "ghs_1"), (1, "ghs_2")] {
        seconds.fetch_add(pass, Ordering::SeqCst);
        assert_eq!(token(&forge, &app, "a").await.unwrap().token, want);
    }
}

#[tokio::test]
async fn an_installation_is_found_by_its_owner() {
    for (owner, want) in [
        (
            "my-org",
            vec!["GET /orgs/my-org/installation", "POST /app/installations/34/access_tokens"],
        ),
        (
            "me",
            vec![
                "GET /orgs/me/installation",
                "GET /users/me/installation",
                "POST /app/installations/56/access_tokens",
            ],
        ),
    ] {
        let github = GitHub::start("/").await;
        let app = github.app(&[("githubAppInstallationOwner", owner)]);
        token(&forge().0, &app, "a").await.unwrap();
        assert_eq!(github.asked(), want);
    }
}

#[tokio::test]
async fn an_enterprise_server_has_its_own_prefix() {
    let github = GitHub::start("/api/v3/").await;
    let app = github.app(&[("githubAppInstallationID", "34")]);
    token(&forge().0, &app, "a").await.unwrap();
    assert_eq!(github.asked(), ["POST /api/v3/app/installations/34/access_tokens"]);
}

#[tokio::test]
async fn tenants_never_share_tokens() {
    let github = GitHub::start("/").await;
    let app = github.app(&[("githubAppInstallationID", "34")]);
    let (forge, _) = forge();
    assert_eq!(token(&forge, &app, "a").await.unwrap().token, "ghs_1");
    assert_eq!(token(&forge, &app, "b").await.unwrap().token, "ghs_2");
    let other = github.app(&[("githubAppInstallationID", "56")]);
    assert_eq!(token(&forge, &other, "a").await.unwrap().token, "ghs_3");
}

#[tokio::test]
async fn refusals_read_as_upstream_words_them() {
    let github = GitHub::start("/").await;
    let (forge, _) = forge();
    let base = &github.base;
    let app = github.app(&[("githubAppInstallationID", "99")]);
    let error = token(&forge, &app, "a").await.unwrap_err();
    let want = format!("POST {base}app/installations/99/access_tokens: 404 Not Found []");
    assert_eq!(error.to_string(), want);
    assert!(error.is_not_found() && !error.is_denied() && !error.is_transient());

    let app = github.app(&[("githubAppInstallationOwner", "nobody")]);
    let error = token(&forge, &app, "a").await.unwrap_err();
    let want = format!(
        "failed to find organization installation: GET {base}orgs/nobody/installation: 404 Not Found []\n\
         failed to find user installation: GET {base}users/nobody/installation: 404 Not Found []"
    );
    assert_eq!(error.to_string(), want);
    assert!(error.is_not_found());

    let app = github.app(&[("githubAppID", "13"), ("githubAppInstallationID", "34")]);
    let error = token(&forge, &app, "a").await.unwrap_err();
    assert!(error.is_denied(), "{error}");
    assert!(error.to_string().ends_with(": 401 Bad credentials []"), "{error}");
}

#[tokio::test]
async fn the_objects_proxy_is_used() {
    let github = GitHub::start("/").await;
    let hop = world::proxy::Proxy::start(world::proxy::Kind::Http, None).await.unwrap();
    let proxy = Proxy::Url(Url::parse(&format!("http://{}", hop.host())).unwrap());
    let options = Options { proxy, ..Options::default() };
    let app = github.app(&[("githubAppInstallationID", "34")]);
    forge().0.app_token(&app, &caller("a"), &options, Duration::from_mins(1)).await.unwrap();
    assert_eq!(hop.targets(), [github.base.authority()]);
}
