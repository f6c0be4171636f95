//! ImageRepository, as its users and the registry see it.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use controller::clock::{self, Clock as _};
use scenarios::{Options, Tenant, World, condition};
use serde_json::{Value, json};
use world::{
    proxy::{Kind, Proxy},
    registry::{self, Auth, Authority, Fault, Link, Misbehaviour, Paging, Tls},
};

scenarios! {
    revisions_are_upstreams_whatever_the_order_of_the_tags,
    names_with_scheme_tag_or_digest_stall_until_they_are_fixed,
    the_crd_refuses_what_upstreams_does,
    a_bad_exclusion_is_a_failed_scan,
    only_other_content_of_the_exclusions_is_scanned_at_once,
    a_request_is_scanned_before_the_interval_is_over,
    a_suspended_repository_is_not_scanned_and_acknowledges_requests,
    two_repositories_of_one_image_do_not_influence_each_other,
    a_failed_scan_keeps_the_last_result,
    a_deleted_repository_leaves_no_finalizer,
    a_cloud_provider_ignores_the_secret,
}

const REPOSITORY: &str = "ImageRepository";

fn message(it: &Value) -> String {
    condition(it, "Ready")["message"].as_str().unwrap_or_default().to_owned()
}

/// How often the tags of `app` were asked for.
fn scans(it: &Tenant) -> usize {
    it.world.registry.count(&format!("/v2/{}/app/tags/list", it.namespace))
}

async fn special(registry: registry::Options) -> Result<Tenant> {
    let world = World::with(Options { registry, ..Options::default() }).await?;
    Arc::new(world).tenant("apps").await
}

/// Applies a repository of `app` and waits until it is scanned.
async fn scanned(it: &Tenant, spec: Value) -> Result<Value> {
    it.create(&it.image_repository("app", &spec)).await?;
    it.ready(REPOSITORY, "app").await
}

async fn revisions_are_upstreams_whatever_the_order_of_the_tags(it: Tenant) -> Result<()> {
    it.publish("app", &["1.0.0", "latest", "1.2.0-rc.1", "1.1.0"]);
    it.publish("other", &["1.1.0", "1.2.0-rc.1", "latest", "1.0.0"]);
    let app = scanned(&it, json!({})).await?;
    it.create(&it.image_repository("other", &json!({}))).await?;
    let other = it.ready(REPOSITORY, "other").await?;
    // As upstream's controller reported for these tags.
    assert_eq!(message(&app), "successful scan: found 4 tags with checksum 3393063173");
    assert_eq!(message(&other), message(&app));
    let result = &app["status"]["lastScanResult"];
    assert_eq!(result["latestTags"], json!(["latest", "1.2.0-rc.1", "1.1.0", "1.0.0"]));
    assert_eq!(app["status"]["canonicalImageName"], it.image("app"));

    it.publish("app", &["1.3.0"]);
    let app = it.request(REPOSITORY, "app").await?;
    assert_eq!(app["status"]["lastScanResult"]["tagCount"], 5);
    assert_ne!(app["status"]["lastScanResult"]["revision"], result["revision"]);
    Ok(())
}

async fn names_with_scheme_tag_or_digest_stall_until_they_are_fixed(it: Tenant) -> Result<()> {
    it.publish("app", &["1.0.0"]);
    let digest = format!("{}@sha256:{}", it.image("app"), "0".repeat(64));
    let names =
        [format!("https://{}", it.image("app")), format!("{}:1.0.0", it.image("app")), digest];
    for (index, image) in names.iter().enumerate() {
        let name = format!("bad-{index}");
        it.create(&it.image_repository(&name, &json!({"image": image}))).await?;
        it.failing(REPOSITORY, &name, "ImageURLInvalid").await?;
        let stalled = |it: &Value| condition(it, "Stalled")["reason"] == "ImageURLInvalid";
        it.wait((REPOSITORY, &name), "it is stalled", stalled).await?;
        it.patch((REPOSITORY, &name), &json!({"spec": {"image": it.image("app")}})).await?;
        let fixed = it.ready(REPOSITORY, &name).await?;
        assert_eq!(condition(&fixed, "Stalled"), Value::Null);
    }
    Ok(())
}

async fn the_crd_refuses_what_upstreams_does(it: Tenant) -> Result<()> {
    let with = |spec: Value| it.image_repository("bad", &spec);
    let list = |length: usize| vec!["x"; length];
    for (spec, part) in [
        (json!({"timeout": "1h"}), "spec.timeout"),
        (json!({"interval": "1d"}), "spec.interval"),
        (json!({"interval": null}), "spec.interval"),
        (json!({"exclusionList": list(26)}), "spec.exclusionList"),
        (json!({"provider": "oracle"}), "spec.provider"),
        (json!({"serviceAccountName": "x".repeat(254)}), "spec.serviceAccountName"),
    ] {
        let why = it.refused(&with(spec.clone())).await?;
        ensure!(why.contains(part), "{spec}: {why}");
    }
    it.create(&it.image_repository("minutes", &json!({"timeout": "60m", "suspend": true}))).await?;
    it.create(&it.image_repository("many", &json!({"exclusionList": list(25), "suspend": true})))
        .await
}

async fn a_bad_exclusion_is_a_failed_scan(it: Tenant) -> Result<()> {
    it.publish("app", &["1.0.0"]);
    it.create(&it.image_repository("app", &json!({"exclusionList": ["[a-z"]}))).await?;
    let why = it.failing(REPOSITORY, "app", "ReadOperationFailed").await?;
    ensure!(why.starts_with("scan failed: failed to compile regex"), "{why}");
    Ok(())
}

async fn only_other_content_of_the_exclusions_is_scanned_at_once(it: Tenant) -> Result<()> {
    it.publish("app", &["1.0.0", "a", "b"]);
    let before = scanned(&it, json!({"exclusionList": ["^a$", "^b$"]})).await?;
    assert_eq!(before["status"]["lastScanResult"]["tagCount"], 1);
    let exclude = async |list: Value| {
        it.patch((REPOSITORY, "app"), &json!({"spec": {"exclusionList": list}})).await?;
        it.ready(REPOSITORY, "app").await
    };
    let turned = exclude(json!(["^b$", "^a$"])).await?;
    assert_eq!(turned["status"]["observedExclusionList"], json!(["^b$", "^a$"]));
    assert_eq!(scans(&it), 1);
    let other = exclude(json!(["^b$"])).await?;
    assert_eq!(other["status"]["lastScanResult"]["tagCount"], 2);
    assert_eq!(scans(&it), 2);
    Ok(())
}

async fn a_request_is_scanned_before_the_interval_is_over(it: Tenant) -> Result<()> {
    it.publish("app", &["1.0.0"]);
    scanned(&it, json!({})).await?;
    it.request(REPOSITORY, "app").await?;
    assert_eq!(scans(&it), 2);
    it.event(REPOSITORY, "app", "tags did not change, next scan in 1h0m0s").await?;
    Ok(())
}

async fn a_suspended_repository_is_not_scanned_and_acknowledges_requests(it: Tenant) -> Result<()> {
    it.publish("app", &["1.0.0"]);
    it.create(&it.image_repository("app", &json!({"suspend": true}))).await?;
    it.request(REPOSITORY, "app").await?;
    assert_eq!(scans(&it), 0);
    it.patch((REPOSITORY, "app"), &json!({"spec": {"suspend": false}})).await?;
    it.ready(REPOSITORY, "app").await?;
    assert_eq!(scans(&it), 1);
    Ok(())
}

async fn two_repositories_of_one_image_do_not_influence_each_other(it: Tenant) -> Result<()> {
    it.publish("app", &["1.0.0", "1.1.0"]);
    scanned(&it, json!({})).await?;
    let image = it.image("app");
    let older = json!({"image": image, "exclusionList": ["^1\\.1"]});
    it.create(&it.image_repository("older", &older)).await?;
    it.ready(REPOSITORY, "older").await?;
    for (name, want) in [("app", "1.1.0"), ("older", "1.0.0")] {
        let choice = json!({"semver": {"range": "*"}});
        let policy = it.image_policy(name, &choice, &json!({"imageRepositoryRef": {"name": name}}));
        it.create(&policy).await?;
        let policy = it.ready("ImagePolicy", name).await?;
        assert_eq!(policy["status"]["latestRef"]["tag"], want, "{name}");
    }
    it.delete((REPOSITORY, "older")).await?;
    let app = it.request(REPOSITORY, "app").await?;
    assert_eq!(app["status"]["lastScanResult"]["tagCount"], 2);
    Ok(())
}

async fn a_failed_scan_keeps_the_last_result(it: Tenant) -> Result<()> {
    it.publish("app", &["1.0.0"]);
    let before = scanned(&it, json!({})).await?;
    let repository = format!("{}/app", it.namespace);
    it.world.registry.store().delete_repository(&repository);
    it.patch((REPOSITORY, "app"), &requested()).await?;
    let why = it.failing(REPOSITORY, "app", "ReadOperationFailed").await?;
    ensure!(why.contains("NAME_UNKNOWN"), "{why}");
    let failed = it.get((REPOSITORY, "app")).await.unwrap_or_default();
    assert_eq!(failed["status"]["lastScanResult"], before["status"]["lastScanResult"]);
    assert_eq!(condition(&failed, "Reconciling")["reason"], "ProgressingWithRetry");
    it.event(REPOSITORY, "app", "NAME_UNKNOWN").await?;

    it.publish("app", &["1.1.0"]);
    let again = it.ready(REPOSITORY, "app").await?;
    assert_eq!(again["status"]["lastScanResult"]["latestTags"], json!(["1.1.0"]));
    Ok(())
}

fn requested() -> Value {
    json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}})
}

async fn a_deleted_repository_leaves_no_finalizer(it: Tenant) -> Result<()> {
    it.publish("app", &["1.0.0"]);
    let app = scanned(&it, json!({})).await?;
    assert_eq!(app["metadata"]["finalizers"], json!(["finalizers.fluxcd.io"]));
    it.delete((REPOSITORY, "app")).await
}

async fn a_cloud_provider_ignores_the_secret(it: Tenant) -> Result<()> {
    let spec = json!({"provider": "aws", "secretRef": {"name": "nowhere"}});
    it.create(&it.image_repository("app", &spec)).await?;
    let why = it.failing(REPOSITORY, "app", "AuthenticationFailed").await?;
    ensure!(why.starts_with("failed to configure authentication options: "), "{why}");
    ensure!(!why.contains("nowhere"), "{why}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_merged() -> Result<()> {
    for link in [Link::Relative, Link::Absolute] {
        let paging = Paging { cap: 3, refuse_larger: false, link };
        let it = special(registry::Options { paging, ..Default::default() }).await?;
        it.publish("app", &["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"]);
        let app = scanned(&it, json!({})).await?;
        assert_eq!(app["status"]["lastScanResult"]["tagCount"], 5);
        assert_eq!(scans(&it), 2);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_that_change_between_pages_are_found_by_the_next_scan() -> Result<()> {
    let paging = Paging { cap: 2, refuse_larger: false, link: Link::Relative };
    let it = special(registry::Options { paging, ..Default::default() }).await?;
    it.publish("app", &["1.0.0", "1.1.0", "1.2.0", "1.3.0"]);
    let change = |store: &registry::Store| {
        store.delete("apps/app", "1.3.0");
        store.publish("apps/app", "0.9.0");
        store.publish("apps/app", "1.9.0");
    };
    let change = Misbehaviour::Change(Box::new(change));
    it.world.registry.inject(Fault::new("last=", 1, change));
    scanned(&it, json!({})).await?;
    let app = it.request(REPOSITORY, "app").await?;
    let tags = json!(["1.9.0", "1.2.0", "1.1.0", "1.0.0", "0.9.0"]);
    assert_eq!(app["status"]["lastScanResult"]["latestTags"], tags);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_may_fail_twice_within_one_scan() -> Result<()> {
    let it = crate::alone("apps").await?;
    it.publish("app", &["1.0.0"]);
    let broken = || Misbehaviour::Answer { status: 500, headers: Vec::new(), body: String::new() };
    it.world.registry.inject(Fault::new("tags/list", 2, broken()));
    scanned(&it, json!({})).await?;
    assert_eq!(scans(&it), 3);
    let events = it.events(REPOSITORY, "app").await?;
    ensure!(events.iter().all(|event| event.kind == "Normal"), "{events:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_answer_is_a_failed_scan_that_is_tried_again() -> Result<()> {
    let it = crate::alone("apps").await?;
    it.publish("app", &["1.0.0"]);
    for what in [
        || Misbehaviour::Truncate(7),
        || Misbehaviour::Answer { status: 200, headers: Vec::new(), body: "<p>hello".to_owned() },
        || Misbehaviour::Answer { status: 403, headers: Vec::new(), body: String::new() },
    ] {
        it.world.registry.inject(Fault::new("tags/list", usize::MAX, what()));
        it.create(&it.image_repository("app", &json!({}))).await?;
        let why = it.failing(REPOSITORY, "app", "ReadOperationFailed").await?;
        ensure!(why.starts_with("scan failed: "), "{why}");
        it.event(REPOSITORY, "app", &why).await?;
        it.world.registry.heal();
        it.ready(REPOSITORY, "app").await?;
        it.delete((REPOSITORY, "app")).await?;
    }
    Ok(())
}

/// A world whose time is advanced by the test.
async fn timed(flags: fn(&mut sluice::controllers::Setup)) -> Result<(clock::Manual, Tenant)> {
    let clock = clock::Manual::new(jiff::Timestamp::now());
    let time = Arc::new(clock.clone());
    let world = World::with(Options { clock: time, flags, ..Options::default() }).await?;
    Ok((clock, Arc::new(world).tenant("apps").await?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_asks_for_time_gets_it() -> Result<()> {
    let (clock, it) = timed(|_| ()).await?;
    it.publish("app", &["1.0.0"]);
    let headers = vec![("retry-after", "300".to_owned())];
    let busy = Misbehaviour::Answer { status: 429, headers, body: String::new() };
    it.world.registry.inject(Fault::new("tags/list", 1, busy));
    it.create(&it.image_repository("app", &json!({}))).await?;
    let why = it.failing(REPOSITORY, "app", "ReadOperationFailed").await?;
    ensure!(why.contains("TOOMANYREQUESTS"), "{why}");
    let before = clock.now();
    let ready = async || it.get((REPOSITORY, "app")).await.is_some_and(|it| is_ready(&it));
    while !ready().await {
        clock.advance(Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(scans(&it), 2, "one was refused, and one is good");
    ensure!(clock.now().duration_since(before).as_secs() >= 300);
    Ok(())
}

fn is_ready(it: &Value) -> bool {
    condition(it, "Ready")["status"] == "True"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_interval_counts_from_the_last_scan() -> Result<()> {
    let (clock, it) = timed(|_| ()).await?;
    it.publish("app", &["1.0.0"]);
    let app = scanned(&it, json!({"interval": "10m"})).await?;
    let first = app["status"]["lastScanResult"]["scanTime"].clone();
    let later = |app: &Value| app["status"]["lastScanResult"]["scanTime"] != first;
    while !it.get((REPOSITORY, "app")).await.is_some_and(|app| later(&app)) {
        clock.advance(Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(scans(&it), 2);
    let time = |app: &Value| {
        let time = app["status"]["lastScanResult"]["scanTime"].as_str().unwrap_or_default();
        time.parse::<jiff::Timestamp>()
    };
    let now = it.get((REPOSITORY, "app")).await.unwrap_or_default();
    let passed = time(&now)?.duration_since(time(&app)?).as_secs();
    ensure!(passed >= 599, "scanned after {passed} s");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_tags_are_scanned_and_chosen_from() -> Result<()> {
    let it = crate::alone("apps").await?;
    let tags = (0..100_000).map(|n| format!("1.{}.{}", n / 1000, n % 1000));
    it.world.registry.store().publish_many("apps/app", tags);
    let app = scanned(&it, json!({})).await?;
    assert_eq!(app["status"]["lastScanResult"]["tagCount"], 100_000);
    assert_eq!(app["status"]["lastScanResult"]["latestTags"].as_array().map(Vec::len), Some(10));
    let choice = json!({"semver": {"range": "1.x"}});
    it.create(&it.image_policy("app", &choice, &json!({}))).await?;
    let policy = it.ready("ImagePolicy", "app").await?;
    assert_eq!(policy["status"]["latestRef"]["tag"], "1.99.999");
    Ok(())
}

/// A dockerconfigjson Secret.
async fn docker_config(it: &Tenant, name: &str, entries: &[(&str, &str, &str)]) -> Result<()> {
    let auths: serde_json::Map<String, Value> = entries
        .iter()
        .map(|(place, user, password)| {
            ((*place).to_owned(), json!({"username": user, "password": password}))
        })
        .collect();
    it.create(&json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": json!({"auths": auths}).to_string()},
    }))
    .await
}

const PASSWORD: &str = "pa55-of-registry";

fn basic() -> Auth {
    Auth::Basic { username: "user".to_owned(), password: PASSWORD.to_owned() }
}

fn token() -> Auth {
    let (username, password) = ("user".to_owned(), PASSWORD.to_owned());
    let expires_in = Duration::from_mins(5);
    Auth::Token { username, password, anonymous_pull: false, expires_in }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_most_specific_entry_of_the_secret_logs_in() -> Result<()> {
    for auth in [basic(), token()] {
        let it = special(registry::Options { auth, ..Default::default() }).await?;
        it.publish("app", &["1.0.0"]);
        let (host, path) = (it.world.registry.host(), it.image("app"));
        let wrong = "wr0ng-password";
        docker_config(&it, "good", &[(&host, "user", wrong), (&path, "user", PASSWORD)]).await?;
        docker_config(&it, "bad", &[(&host, "user", wrong)]).await?;
        it.create(&it.image_repository("app", &json!({"secretRef": {"name": "bad"}}))).await?;
        let why = it.failing(REPOSITORY, "app", "ReadOperationFailed").await?;
        ensure!(why.contains("UNAUTHORIZED"), "{why}");
        it.patch((REPOSITORY, "app"), &json!({"spec": {"secretRef": {"name": "good"}}})).await?;
        it.ready(REPOSITORY, "app").await?;
        let said = it.everything_said().await?;
        ensure!(!said.contains(PASSWORD) && !said.contains(wrong), "{said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_secret_is_named() -> Result<()> {
    let it = special(registry::Options { auth: basic(), ..Default::default() }).await?;
    it.publish("app", &["1.0.0"]);
    it.create(&it.image_repository("app", &json!({"secretRef": {"name": "later"}}))).await?;
    let why = it.failing(REPOSITORY, "app", "AuthenticationFailed").await?;
    ensure!(why.contains("\"later\" not found"), "{why}");
    docker_config(&it, "later", &[(&it.world.registry.host(), "user", PASSWORD)]).await?;
    it.ready(REPOSITORY, "app").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pull_secrets_of_a_service_account_log_in() -> Result<()> {
    let it = special(registry::Options { auth: token(), ..Default::default() }).await?;
    it.publish("app", &["1.0.0"]);
    docker_config(&it, "pull", &[(&it.world.registry.host(), "user", PASSWORD)]).await?;
    it.create(&json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "puller"},
        "imagePullSecrets": [{"name": "pull"}],
    }))
    .await?;
    scanned(&it, json!({"serviceAccountName": "puller"})).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_of_a_private_authority_needs_its_certificate() -> Result<()> {
    let authority = Authority::new("private")?;
    let tls = Some(Tls::loopback(&authority)?);
    let it = special(registry::Options { tls, ..Default::default() }).await?;
    it.publish("app", &["1.0.0"]);
    it.secret("ca", &[("ca.crt", authority.pem())]).await?;
    it.secret("other", &[("ca.crt", Authority::new("other")?.pem())]).await?;
    it.create(&it.image_repository("app", &json!({"insecure": false}))).await?;
    it.failing(REPOSITORY, "app", "ReadOperationFailed").await?;
    for (secret, good) in [("other", false), ("ca", true)] {
        it.patch((REPOSITORY, "app"), &json!({"spec": {"certSecretRef": {"name": secret}}}))
            .await?;
        if good {
            it.ready(REPOSITORY, "app").await?;
        } else {
            let why = it.failing(REPOSITORY, "app", "ReadOperationFailed").await?;
            ensure!(why.contains("certificate"), "{why}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_certificate_is_refused() -> Result<()> {
    let authority = Authority::new("private")?;
    let identity = authority.expired_server(&["127.0.0.1"])?;
    let tls = Some(Tls { identity, client_ca: None });
    let it = special(registry::Options { tls, ..Default::default() }).await?;
    it.secret("ca", &[("ca.crt", authority.pem())]).await?;
    let spec = json!({"insecure": false, "certSecretRef": {"name": "ca"}});
    it.create(&it.image_repository("app", &spec)).await?;
    let why = it.failing(REPOSITORY, "app", "ReadOperationFailed").await?;
    ensure!(why.contains("expired"), "{why}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_certificate_is_shown() -> Result<()> {
    let authority = Authority::new("private")?;
    let mut tls = Tls::loopback(&authority)?;
    tls.client_ca = Some(authority.pem().to_owned());
    let it = special(registry::Options { tls: Some(tls), ..Default::default() }).await?;
    it.publish("app", &["1.0.0"]);
    let client = authority.client("sluice")?;
    let (certificate, key) = (client.certificate.as_str(), client.key.as_str());
    it.secret("ca", &[("ca.crt", authority.pem())]).await?;
    it.secret("half", &[("ca.crt", authority.pem()), ("tls.crt", certificate)]).await?;
    let all = [("ca.crt", authority.pem()), ("tls.crt", certificate), ("tls.key", key)];
    it.secret("all", &all).await?;
    let spec = json!({"insecure": false, "certSecretRef": {"name": "ca"}});
    it.create(&it.image_repository("app", &spec)).await?;
    it.failing(REPOSITORY, "app", "ReadOperationFailed").await?;
    let with = |name: &str| json!({"spec": {"certSecretRef": {"name": name}}});
    it.patch((REPOSITORY, "app"), &with("half")).await?;
    it.failing(REPOSITORY, "app", "AuthenticationFailed").await?;
    it.patch((REPOSITORY, "app"), &with("all")).await?;
    it.ready(REPOSITORY, "app").await?;
    let said = it.everything_said().await?;
    ensure!(!said.contains("PRIVATE KEY"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxies_with_credentials_are_used() -> Result<()> {
    for (kind, scheme) in [(Kind::Http, "http"), (Kind::Socks5, "socks5")] {
        let it = crate::alone("apps").await?;
        it.publish("app", &["1.0.0"]);
        let proxy = Proxy::start(kind, Some(("user", "pa55-of-proxy"))).await?;
        let address = format!("{scheme}://{}", proxy.host());
        let with =
            |password| [("address", &*address), ("username", "user"), ("password", password)];
        it.secret("wrong", &with("wr0ng-password")).await?;
        it.secret("right", &with("pa55-of-proxy")).await?;
        // Only the proxy knows where this host is.
        let host = format!("registry.example:{}", it.world.registry.port());
        let image = format!("{host}/apps/app");
        let spec = json!({"image": image, "proxySecretRef": {"name": "wrong"}});
        it.create(&it.image_repository("app", &spec)).await?;
        it.failing(REPOSITORY, "app", "ReadOperationFailed").await?;
        ensure!(proxy.refused() > 0 && proxy.targets().is_empty(), "{proxy:?}");
        let right = json!({"spec": {"proxySecretRef": {"name": "right"}}});
        it.patch((REPOSITORY, "app"), &right).await?;
        let app = it.ready(REPOSITORY, "app").await?;
        assert_eq!(app["status"]["canonicalImageName"], image);
        ensure!(proxy.targets().iter().all(|target| *target == host), "{:?}", proxy.targets());
        let said = it.everything_said().await?;
        ensure!(!said.contains("pa55-of-proxy") && !said.contains("wr0ng"), "{said}");
    }
    Ok(())
}
