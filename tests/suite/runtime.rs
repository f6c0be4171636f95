//! What holds of all image kinds: metrics, events, restarts, older versions, requests.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use controller::clock;
use scenarios::{Options, Tenant, World};
use serde_json::{Value, json};

use crate::automation::{AUTOMATION, fleet, pushed};

scenarios! {
    objects_of_the_older_version_are_the_same_objects,
    one_good_run_is_told_once,
    a_failure_is_told_and_so_is_the_recovery,
    owned_conditions_follow_the_generation,
    labels_and_other_conditions_are_left_alone,
    columns_for_people_are_upstreams,
}

const KINDS: [&str; 3] = ["ImageRepository", "ImagePolicy", AUTOMATION];

/// The name of the object of each kind that [`all_kinds`] makes.
fn name(kind: &str) -> &'static str {
    if kind == AUTOMATION { "fleet" } else { "app" }
}

async fn all_kinds(it: &Tenant) -> Result<()> {
    fleet(it, [("a.yaml", it.line("1.0.0").as_str())], &["1.0.0", "1.1.0"]).await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    pushed(it, "fleet").await?;
    Ok(())
}

async fn objects_of_the_older_version_are_the_same_objects(it: Tenant) -> Result<()> {
    const OLDER: &str = "image.toolkit.fluxcd.io/v1beta2";
    it.publish("app", &["1.0.0"]);
    let mut repository = it.image_repository("app", &json!({}));
    let mut policy = it.image_policy("app", &json!({"semver": {"range": "1.x"}}), &json!({}));
    repository["apiVersion"] = json!(OLDER);
    policy["apiVersion"] = json!(OLDER);
    it.create(&repository).await?;
    it.create(&policy).await?;
    let policy = it.ready("ImagePolicy", "app").await?;
    assert_eq!(policy["apiVersion"], "image.toolkit.fluxcd.io/v1");
    let older = it.world.objects.get(OLDER, "ImagePolicy", &it.namespace, "app").await;
    let older = older.context("it is served")?;
    assert_eq!((&older["spec"], &older["status"]), (&policy["spec"], &policy["status"]));
    Ok(())
}

async fn one_good_run_is_told_once(it: Tenant) -> Result<()> {
    all_kinds(&it).await?;
    for kind in KINDS {
        let before = it.events(kind, name(kind)).await?;
        ensure!(before.iter().all(|event| event.kind == "Normal"), "{before:#?}");
        let told = before.iter().filter(|event| event.message.contains("1.1.0"));
        ensure!(told.clone().all(|event| event.count == 1), "{before:#?}");
    }
    let image = it.image("app");
    let wanted = format!("Latest image tag for {image} resolved to 1.1.0");
    it.event("ImagePolicy", "app", &wanted).await?;
    let policy = it.events("ImagePolicy", "app").await?;
    assert_eq!(policy.iter().filter(|event| event.message == wanted).count(), 1, "{policy:#?}");
    Ok(())
}

async fn a_failure_is_told_and_so_is_the_recovery(it: Tenant) -> Result<()> {
    it.create(&it.image_repository("app", &json!({}))).await?;
    let why = it.failing("ImageRepository", "app", "ReadOperationFailed").await?;
    let event = it.event("ImageRepository", "app", &why).await?;
    assert_eq!((event.kind.as_str(), event.reason.as_str()), ("Warning", "ReadOperationFailed"));
    it.publish("app", &["1.0.0"]);
    it.ready("ImageRepository", "app").await?;
    let event = it.event("ImageRepository", "app", "successful scan: found 1 tags").await?;
    assert_eq!((event.kind.as_str(), event.reason.as_str()), ("Normal", "Succeeded"));
    Ok(())
}

async fn owned_conditions_follow_the_generation(it: Tenant) -> Result<()> {
    all_kinds(&it).await?;
    for kind in KINDS {
        it.patch((kind, name(kind)), &json!({"spec": {"suspend": true}})).await?;
        it.patch((kind, name(kind)), &json!({"spec": {"suspend": false}})).await?;
        let object = it.ready(kind, name(kind)).await?;
        assert_eq!(object["metadata"]["generation"], 3, "{kind}");
        assert_eq!(object["status"]["observedGeneration"], 3, "{kind}");
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let kinds: Vec<&Value> = conditions.iter().map(|it| &it["type"]).collect();
        assert_eq!(kinds, ["Ready"], "{kind}");
    }
    Ok(())
}

async fn labels_and_other_conditions_are_left_alone(it: Tenant) -> Result<()> {
    it.publish("app", &["1.0.0"]);
    let mut repository = it.image_repository("app", &json!({}));
    repository["metadata"]["labels"] = json!({"team": "blue"});
    repository["metadata"]["finalizers"] = json!(["example.com/hold"]);
    it.create(&repository).await?;
    it.ready("ImageRepository", "app").await?;
    let object = it.request("ImageRepository", "app").await?;
    assert_eq!(object["metadata"]["labels"], json!({"team": "blue"}));
    let finalizers = json!(["example.com/hold", "finalizers.fluxcd.io"]);
    assert_eq!(object["metadata"]["finalizers"], finalizers);
    // It waits for whoever else has something to finish, and takes back its own.
    let kind = ("image.toolkit.fluxcd.io/v1", "ImageRepository");
    it.world.objects.delete(kind, (&it.namespace, "app")).await?;
    let theirs = |it: &Value| it["metadata"]["finalizers"] == json!(["example.com/hold"]);
    it.wait(("ImageRepository", "app"), "only the other finalizer is left", theirs).await?;
    it.patch(("ImageRepository", "app"), &json!({"metadata": {"finalizers": null}})).await?;
    let gone = || async { it.get(("ImageRepository", "app")).await.is_none() };
    it.world.objects.eventually("it is gone", gone).await
}

async fn columns_for_people_are_upstreams(it: Tenant) -> Result<()> {
    for (plural, wanted) in [
        (
            "imagerepositories",
            &["Name", "Image", "Tags", "Ready", "Status", "Last scan", "Age"][..],
        ),
        ("imagepolicies", &["Name", "Image", "Tag", "Ready", "Status", "Age"]),
        ("imageupdateautomations", &["Name", "Ready", "Status", "Last run", "Age"]),
    ] {
        let path = format!("/apis/image.toolkit.fluxcd.io/v1/namespaces/{}/{plural}", it.namespace);
        let request = http::Request::get(path)
            .header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
            .body(Vec::new())?;
        let table: Value = it.world.objects.client().request(request).await?;
        let columns = table["columnDefinitions"].as_array().cloned().unwrap_or_default();
        let names: Vec<&str> = columns.iter().filter_map(|it| it["name"].as_str()).collect();
        assert_eq!(names, wanted, "{plural}");
    }
    Ok(())
}

/// The value of a series, if there is one.
fn series(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let has = |line: &&str| {
        line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label))
    };
    text.lines().find(has)?.rsplit_once(' ')?.1.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_upstreams_and_end_with_their_object() -> Result<()> {
    let it = crate::alone("apps").await?;
    all_kinds(&it).await?;
    // A run is counted when all of it is over, the report of its status included.
    let counted = || async {
        let text = it.world.metrics.text().unwrap_or_default();
        let ran = |kind: &&str| {
            let label = format!("kind=\"{kind}\"");
            series(&text, "gotk_reconcile_duration_seconds_count", &[&label]) >= Some(1.0)
        };
        KINDS.iter().all(ran)
    };
    it.world.objects.eventually("a run of each kind is counted", counted).await?;
    let text = it.world.metrics.text()?;
    for kind in KINDS {
        let (of, name) = (format!("kind=\"{kind}\""), format!("name=\"{}\"", name(kind)));
        let labels = [of.as_str(), &name, "namespace=\"apps\""];
        let runs = series(&text, "gotk_reconcile_duration_seconds_count", &labels);
        ensure!(runs.is_some(), "{kind} has other labels");
        let ready = [&labels[..], &["type=\"Ready\"", "status=\"True\""]].concat();
        assert_eq!(series(&text, "gotk_reconcile_condition", &ready), Some(1.0), "{kind}");
        assert_eq!(series(&text, "gotk_suspend_status", &labels), Some(0.0), "{kind}");
    }
    for controller in ["imagerepository", "imagepolicy", "imageupdateautomation"] {
        let label = format!("controller=\"{controller}\"");
        for name in [
            "controller_runtime_reconcile_total",
            "controller_runtime_reconcile_errors_total",
            "controller_runtime_terminal_reconcile_errors_total",
            "controller_runtime_reconcile_panics_total",
            "controller_runtime_reconcile_time_seconds_count",
            "controller_runtime_max_concurrent_reconciles",
            "controller_runtime_active_workers",
            "workqueue_depth",
            "workqueue_adds_total",
            "workqueue_queue_duration_seconds_count",
            "workqueue_work_duration_seconds_count",
            "workqueue_unfinished_work_seconds",
            "workqueue_longest_running_processor_seconds",
            "workqueue_retries_total",
        ] {
            ensure!(series(&text, name, &[&label]).is_some(), "{name} of {controller}");
        }
    }
    it.patch((AUTOMATION, "fleet"), &json!({"spec": {"suspend": true}})).await?;
    let suspended = || async {
        let text = it.world.metrics.text().unwrap_or_default();
        series(&text, "gotk_suspend_status", &["kind=\"ImageUpdateAutomation\""]) == Some(1.0)
    };
    it.world.objects.eventually("the automation counts as suspended", suspended).await?;
    for kind in KINDS {
        it.delete((kind, name(kind))).await?;
    }
    let silent = || async {
        let text = it.world.metrics.text().unwrap_or_default();
        let is_ours = |line: &str| {
            let of_kind = KINDS.iter().any(|kind| line.contains(&format!("kind=\"{kind}\"")));
            of_kind && line.contains("namespace=\"apps\"")
        };
        !text.lines().any(|line| line.starts_with("gotk_") && is_ours(line))
    };
    it.world.objects.eventually("no series is left", silent).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_repeats_neither_commits_nor_news() -> Result<()> {
    let it = crate::alone("apps").await?;
    all_kinds(&it).await?;
    let repository = it.world.git.repository(&it.repository_name())?;
    let before = repository.log("main").await?.len();
    let pushes = it.world.git.counts().pushes;
    it.world.restart_controllers().await?;
    for kind in KINDS {
        it.request(kind, name(kind)).await?;
    }
    it.release("1.2.0").await?;
    crate::automation::landed(&it, (&repository, "main", "a.yaml"), ":1.2.0").await?;
    assert_eq!(repository.log("main").await?.len(), before + 1);
    assert_eq!(it.world.git.counts().pushes, pushes + 1);
    for kind in KINDS {
        let events = it.events(kind, name(kind)).await?;
        ensure!(events.iter().all(|event| event.kind == "Normal"), "{events:#?}");
    }
    let told = || async {
        let events = it.events(AUTOMATION, "fleet").await.unwrap_or_default();
        let ours = events.iter().filter(|event| event.message.starts_with("pushed commit"));
        ours.map(|event| event.count).sum::<i64>()
    };
    it.world.objects.eventually("both pushes are told", || async { told().await >= 2 }).await?;
    assert_eq!(told().await, 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registries_that_hang_are_given_up_in_time() -> Result<()> {
    let it = crate::alone("apps").await?;
    it.publish("app", &["1.0.0"]);
    for n in 0..8 {
        let slow = format!("slow-{n}");
        it.publish(&slow, &["1.0.0"]);
        let hang = world::registry::Misbehaviour::Hang;
        let part = format!("apps/{slow}/");
        it.world.registry.inject(world::registry::Fault::new(&part, usize::MAX, hang));
        it.create(&it.image_repository(&slow, &json!({"timeout": "2s"}))).await?;
    }
    it.create(&it.image_repository("app", &json!({}))).await?;
    it.ready("ImageRepository", "app").await?;
    let why = it.failing("ImageRepository", "slow-0", "ReadOperationFailed").await?;
    ensure!(why.contains("deadline exceeded"), "{why}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_changing_at_once_share_a_commit() -> Result<()> {
    // While the clock stands still, a burst does not settle.
    let clock = clock::Manual::new(jiff::Timestamp::now());
    let world = World::with(Options { clock: Arc::new(clock.clone()), ..Options::default() });
    let it = Arc::new(world.await?).tenant("apps").await?;
    let policies: Vec<String> = (0..20).map(|n| format!("p{n}")).collect();
    let marker =
        |policy: &String| format!("{policy}: old # {{\"$imagepolicy\": \"apps:{policy}:tag\"}}\n");
    let text: String = policies.iter().map(marker).collect();
    let repository = it.files([("a.yaml", text.as_str())]).await?;
    it.publish("app", &["1.0.0"]);
    it.create(&it.image_repository("app", &json!({}))).await?;
    for policy in &policies {
        let choice = json!({"semver": {"range": "1.x"}});
        it.create(&it.image_policy(policy, &choice, &json!({}))).await?;
        it.ready("ImagePolicy", policy).await?;
    }
    it.create(&it.git_repository(&json!({}))).await?;
    it.create(&it.automation("fleet", &json!({}))).await?;
    pushed(&it, "fleet").await?;
    let before = repository.log("main").await?.len();
    it.publish("app", &["1.1.0"]);
    it.request("ImageRepository", "app").await?;
    for policy in &policies {
        let chosen = |it: &Value| it["status"]["latestRef"]["tag"] == "1.1.0";
        it.wait(("ImagePolicy", policy), "1.1.0 is chosen", chosen).await?;
    }
    let all = || async {
        clock.advance(Duration::from_millis(20));
        let text = crate::automation::read(&repository, "main", "a.yaml").await;
        text.is_ok_and(|text| text.matches(": 1.1.0 ").count() == policies.len())
    };
    it.world.objects.eventually("all markers are new", all).await?;
    // The last of the changes may have been on its way when the clock went on.
    let commits = repository.log("main").await?.len() - before;
    ensure!(commits <= 2, "{commits} commits");
    Ok(())
}
