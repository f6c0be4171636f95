//! ImagePolicy, as its users see it.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, ensure};
use controller::clock;
use scenarios::{Options, Tenant, World, condition};
use serde_json::{Value, json};

scenarios! {
    rules_choose_as_upstreams,
    of_tags_with_one_extract_always_the_same_is_chosen,
    invalid_rules_stall_and_say_why,
    the_message_names_what_was_chosen_before,
    if_not_present_keeps_the_digest_of_a_tag,
    never_drops_a_digest,
    the_crd_ties_the_interval_to_always,
    other_namespaces_need_to_be_let_in,
    a_policy_waits_for_its_repository,
    an_empty_repository_is_waited_for,
    a_suspended_policy_keeps_its_choice,
    a_deleted_policy_leaves_no_finalizer,
}

const POLICY: &str = "ImagePolicy";

fn message(it: &Value) -> String {
    condition(it, "Ready")["message"].as_str().unwrap_or_default().to_owned()
}

fn semver(range: &str) -> Value {
    json!({"semver": {"range": range}})
}

async fn repository(it: &Tenant, tags: &[&str]) -> Result<()> {
    it.publish("app", tags);
    it.create(&it.image_repository("app", &json!({}))).await?;
    it.ready("ImageRepository", "app").await?;
    Ok(())
}

async fn rules_choose_as_upstreams(it: Tenant) -> Result<()> {
    repository(
        &it,
        &[
            "v2.0.0",
            "v1.0.0",
            "latest",
            "2.1",
            "2.0.0-rc.2",
            "2.0.0-rc.10",
            "1.10.0",
            "1.9.0",
            "1.0.0",
            "1.11.0-alpha",
            "1.2.3.4",
            "1.10.0-debian-11-r5",
            "build-7",
            "build-30",
        ],
    )
    .await?;
    let builds = json!({"filterTags": {"pattern": "^build-(?P<n>.*)$", "extract": "$n"}});
    let cases = [
        (semver("*"), json!({}), "v2.0.0"),
        (semver(">=1.0.0, <2.0.0"), json!({}), "1.10.0"),
        (semver("1.x-0"), json!({}), "1.11.0-alpha"),
        (semver(">=2.0.0-rc <2.0.0"), json!({}), "2.0.0-rc.10"),
        (json!({"alphabetical": {"order": "asc"}}), json!({}), "v2.0.0"),
        (json!({"alphabetical": {}}), json!({}), "v2.0.0"),
        (json!({"alphabetical": {"order": "desc"}}), json!({}), "1.0.0"),
        (json!({"numerical": {"order": "asc"}}), builds.clone(), "build-30"),
        (json!({"numerical": {"order": "desc"}}), builds.clone(), "build-7"),
        (json!({"alphabetical": {"order": "asc"}}), builds, "build-7"),
        (json!({"semver": {"range": "1.9.x"}, "alphabetical": {}}), json!({}), "1.9.0"),
    ];
    for (index, (choice, spec, want)) in cases.iter().enumerate() {
        let name = format!("p{index}");
        it.create(&it.image_policy(&name, choice, spec)).await?;
        let policy = it.ready(POLICY, &name).await?;
        let reference = json!({"name": it.image("app"), "tag": want});
        assert_eq!(policy["status"]["latestRef"], reference, "{choice}");
        let wanted = format!("Latest image tag for {} resolved to {want}", it.image("app"));
        assert_eq!(message(&policy), wanted);
    }
    Ok(())
}

async fn of_tags_with_one_extract_always_the_same_is_chosen(it: Tenant) -> Result<()> {
    repository(&it, &["b-7", "a-7", "c-7", "b-6"]).await?;
    let filter = json!({"filterTags": {"pattern": "^[a-z]-(?P<n>[0-9]+)$", "extract": "${n}"}});
    for name in ["one", "two", "three"] {
        it.create(&it.image_policy(name, &json!({"numerical": {}}), &filter)).await?;
        let policy = it.ready(POLICY, name).await?;
        assert_eq!(policy["status"]["latestRef"]["tag"], "a-7", "the lowest, as upstream keeps");
    }
    Ok(())
}

async fn invalid_rules_stall_and_say_why(it: Tenant) -> Result<()> {
    repository(&it, &["1.0.0", "latest"]).await?;
    let open = json!({"filterTags": {"pattern": "(", "extract": "$n"}});
    // What a backtracking matcher never ends on is matched, or refused, at once.
    let hostile =
        json!({"filterTags": {"pattern": format!("^(({}){{1000}}){{1000}}$", "a{1000}")}});
    for (name, choice, spec, reason, part) in [
        ("range", semver("latest"), json!({}), "InvalidPolicy", "latest"),
        ("empty", semver(""), json!({}), "InvalidPolicy", ""),
        ("nothing", json!({}), json!({}), "InvalidPolicy", "invalid"),
        ("regex", semver("*"), open, "InvalidPolicy", "("),
        ("hostile", semver("*"), hostile, "InvalidPolicy", ""),
        ("none", semver("2.x"), json!({}), "Failure", "unable to determine latest version"),
        (
            "number",
            json!({"numerical": {}}),
            json!({}),
            "Failure",
            "failed to parse invalid numeric",
        ),
    ] {
        it.create(&it.image_policy(name, &choice, &spec)).await?;
        let why = it.failing(POLICY, name, reason).await?;
        ensure!(why.contains(part), "{name}: {why}");
        let policy = it.get((POLICY, name)).await.unwrap_or_default();
        let stalled = condition(&policy, "Stalled")["status"] == "True";
        assert_eq!(stalled, reason == "InvalidPolicy", "{name}");
        it.event(POLICY, name, &why).await?;
    }
    it.patch((POLICY, "range"), &json!({"spec": {"policy": semver("1.x")}})).await?;
    it.ready(POLICY, "range").await?;
    Ok(())
}

async fn the_message_names_what_was_chosen_before(it: Tenant) -> Result<()> {
    it.app(&["1.0.0"]).await?;
    it.release("1.1.0").await?;
    it.release("1.2.0").await?;
    let policy = it.ready(POLICY, "app").await?;
    let image = it.image("app");
    let wanted =
        format!("Latest image tag for {image} resolved to 1.2.0 (previously {image}:1.1.0)");
    assert_eq!(message(&policy), wanted);
    assert_eq!(policy["status"]["observedPreviousRef"]["tag"], "1.1.0");
    it.event(POLICY, "app", &wanted).await?;
    Ok(())
}

async fn if_not_present_keeps_the_digest_of_a_tag(it: Tenant) -> Result<()> {
    repository(&it, &["1.0.0"]).await?;
    let reflect = json!({"digestReflectionPolicy": "IfNotPresent"});
    it.create(&it.image_policy("app", &semver("1.x"), &reflect)).await?;
    let first = it.ready(POLICY, "app").await?["status"]["latestRef"]["digest"].clone();
    let store = it.world.registry.store();
    let repository = format!("{}/app", it.namespace);
    assert_eq!(json!(store.digest(&repository, "1.0.0")), first);
    it.publish("app", &["0.1.0"]);
    it.world.registry.retag(&repository, "0.1.0", "1.0.0");
    let again = it.request(POLICY, "app").await?;
    assert_eq!(again["status"]["latestRef"]["digest"], first);
    it.release("1.1.0").await?;
    let policy = it.ready(POLICY, "app").await?;
    let digest = store.digest(&repository, "1.1.0").unwrap_or_default();
    assert_eq!(policy["status"]["latestRef"]["digest"], json!(digest));
    let image = it.image("app");
    let first = first.as_str().unwrap_or_default();
    let wanted = format!(
        "Latest image tag for {image} resolved to 1.1.0 with digest {digest} \
         (previously {image}:1.0.0@{first})"
    );
    assert_eq!(message(&policy), wanted);
    Ok(())
}

async fn never_drops_a_digest(it: Tenant) -> Result<()> {
    repository(&it, &["1.0.0"]).await?;
    let reflect = json!({"digestReflectionPolicy": "IfNotPresent"});
    it.create(&it.image_policy("app", &semver("1.x"), &reflect)).await?;
    let with = it.ready(POLICY, "app").await?;
    ensure!(with["status"]["latestRef"]["digest"].is_string());
    let never = json!({"spec": {"digestReflectionPolicy": "Never"}});
    it.patch((POLICY, "app"), &never).await?;
    let without = it.ready(POLICY, "app").await?;
    assert_eq!(without["status"]["latestRef"]["digest"], Value::Null);
    assert_eq!(without["status"]["observedPreviousRef"], with["status"]["latestRef"]);
    Ok(())
}

async fn the_crd_ties_the_interval_to_always(it: Tenant) -> Result<()> {
    let with = |spec: Value| it.image_policy("app", &semver("*"), &spec);
    for spec in [
        json!({"interval": "1m"}),
        json!({"interval": "1m", "digestReflectionPolicy": "IfNotPresent"}),
        json!({"digestReflectionPolicy": "Always"}),
        json!({"digestReflectionPolicy": "Sometimes"}),
        json!({"policy": {"alphabetical": {"order": "up"}}}),
    ] {
        let why = it.refused(&with(spec.clone())).await?;
        ensure!(why.contains("spec"), "{spec}: {why}");
    }
    it.create(&with(json!({"interval": "1m", "digestReflectionPolicy": "Always"}))).await
}

async fn other_namespaces_need_to_be_let_in(it: Tenant) -> Result<()> {
    it.publish("app", &["1.0.0"]);
    let guests = it.world.tenant(&format!("{}-guest", it.namespace)).await?;
    let label = json!({"metadata": {"labels": {"team": "blue"}}});
    it.world.objects.patch(("v1", "Namespace"), ("", &guests.namespace), &label).await?;
    let matching = |labels: Value| json!({"namespaceSelectors": [{"matchLabels": labels}]});
    for (name, access, open) in [
        ("nobody", Value::Null, false),
        ("none", json!({"namespaceSelectors": []}), false),
        ("all", json!({"namespaceSelectors": [{}]}), true),
        ("blue", matching(json!({"team": "blue"})), true),
        ("red", matching(json!({"team": "red"})), false),
    ] {
        let spec = json!({"image": it.image("app"), "accessFrom": access});
        it.create(&it.image_repository(name, &spec)).await?;
        it.ready("ImageRepository", name).await?;
        let reference = json!({"name": name, "namespace": it.namespace});
        let spec = json!({"imageRepositoryRef": reference});
        guests.create(&guests.image_policy(name, &semver("*"), &spec)).await?;
        if open {
            guests.ready(POLICY, name).await?;
        } else {
            guests.failing(POLICY, name, "AccessDenied").await?;
            let policy = guests.get((POLICY, name)).await.unwrap_or_default();
            assert_eq!(condition(&policy, "Stalled"), Value::Null);
            assert_eq!(policy["status"]["latestRef"], Value::Null);
        }
    }
    Ok(())
}

async fn a_policy_waits_for_its_repository(it: Tenant) -> Result<()> {
    it.create(&it.image_policy("app", &semver("*"), &json!({}))).await?;
    it.failing(POLICY, "app", "DependencyNotReady").await?;
    repository(&it, &["1.0.0"]).await?;
    it.ready(POLICY, "app").await?;
    Ok(())
}

async fn an_empty_repository_is_waited_for(it: Tenant) -> Result<()> {
    it.create(&it.image_repository("app", &json!({}))).await?;
    it.failing("ImageRepository", "app", "ReadOperationFailed").await?;
    it.create(&it.image_policy("app", &semver("*"), &json!({}))).await?;
    let why = it.failing(POLICY, "app", "DependencyNotReady").await?;
    assert_eq!(why, "retrying in 30s error: no tags in database");
    it.publish("app", &["1.0.0"]);
    it.ready(POLICY, "app").await?;
    Ok(())
}

async fn a_suspended_policy_keeps_its_choice(it: Tenant) -> Result<()> {
    it.app(&["1.0.0"]).await?;
    it.patch((POLICY, "app"), &json!({"spec": {"suspend": true}})).await?;
    it.publish("app", &["1.1.0"]);
    it.request("ImageRepository", "app").await?;
    // A request is acknowledged only after what was before it.
    let policy = it.request(POLICY, "app").await?;
    assert_eq!(policy["status"]["latestRef"]["tag"], "1.0.0");
    it.patch((POLICY, "app"), &json!({"spec": {"suspend": false}})).await?;
    let policy = it.ready(POLICY, "app").await?;
    assert_eq!(policy["status"]["latestRef"]["tag"], "1.1.0");
    Ok(())
}

async fn a_deleted_policy_leaves_no_finalizer(it: Tenant) -> Result<()> {
    it.app(&["1.0.0"]).await?;
    let policy = it.ready(POLICY, "app").await?;
    assert_eq!(policy["metadata"]["finalizers"], json!(["finalizers.fluxcd.io"]));
    it.delete((POLICY, "app")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn always_follows_the_digest_at_the_interval() -> Result<()> {
    let clock = clock::Manual::new(jiff::Timestamp::now());
    let time = Arc::new(clock.clone());
    let world = World::with(Options { clock: time, ..Options::default() }).await?;
    let it = Arc::new(world).tenant("apps").await?;
    repository(&it, &["1.0.0"]).await?;
    let reflect = json!({"digestReflectionPolicy": "Always", "interval": "5m"});
    it.create(&it.image_policy("app", &semver("1.x"), &reflect)).await?;
    let first = it.ready(POLICY, "app").await?["status"]["latestRef"].clone();
    it.publish("app", &["0.1.0"]);
    it.world.registry.retag("apps/app", "0.1.0", "1.0.0");
    let policy = loop {
        let policy = it.get((POLICY, "app")).await.unwrap_or_default();
        if policy["status"]["latestRef"] != first {
            break policy;
        }
        clock.advance(Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(policy["status"]["latestRef"]["tag"], "1.0.0");
    assert_eq!(policy["status"]["observedPreviousRef"], first);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_flag_closes_all_namespaces() -> Result<()> {
    let flags = |setup: &mut sluice::controllers::Setup| {
        setup.reflector.no_cross_namespace_refs = true;
    };
    let world = Arc::new(World::with(Options { flags, ..Options::default() }).await?);
    let (hosts, guests) = (world.tenant("hosts").await?, world.tenant("guests").await?);
    hosts.publish("app", &["1.0.0"]);
    let open = json!({"accessFrom": {"namespaceSelectors": [{}]}});
    hosts.create(&hosts.image_repository("app", &open)).await?;
    hosts.ready("ImageRepository", "app").await?;
    let spec = json!({"imageRepositoryRef": {"name": "app", "namespace": "hosts"}});
    guests.create(&guests.image_policy("app", &semver("*"), &spec)).await?;
    let why = guests.failing(POLICY, "app", "AccessDenied").await?;
    ensure!(why.contains("cross-namespace"), "{why}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_neither_scans_nor_warns() -> Result<()> {
    let it = crate::alone("apps").await?;
    it.app(&["1.0.0"]).await?;
    it.world.restart_controllers().await?;
    let policy = it.request(POLICY, "app").await?;
    assert_eq!(policy["status"]["latestRef"]["tag"], "1.0.0");
    assert_eq!(it.world.registry.count("tags/list"), 1, "the tags are still there");
    for (kind, name) in [("ImageRepository", "app"), (POLICY, "app")] {
        let events = it.events(kind, name).await?;
        ensure!(events.iter().all(|event| event.kind == "Normal"), "{events:?}");
    }
    Ok(())
}
