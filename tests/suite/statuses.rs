//! What the real controllers say of good and bad objects, replayed on ours.
//!
//! One file of the suite `statuses` is one scenario: objects, images and repositories as given;
//! statuses, events and commits as wanted. Every scenario runs in a namespace of its own, all of
//! them in one world per API server.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::LazyLock,
};

use anyhow::{Context as _, Result};
use regex::Regex;
use scenarios::{Backend, World};
use serde_json::{Value, json};

/// Scenarios whose kinds have a controller here.
const OURS: [&str; 9] =
    ["img-", "pol-", "auto-", "git-", "oci-", "helmrepo-", "helmchart-", "ks-", "hr-"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statuses_are_upstreams() {
    let Some(folder) = testkit::corpus("statuses") else { return };
    let scenarios = read(&folder).unwrap();
    for backend in Backend::available("statuses") {
        let world = World::start(backend).await.unwrap();
        let mut tally = testkit::Tally::new(&format!("statuses ({backend})"));
        let results =
            futures::future::join_all(scenarios.iter().map(|it| replay(&world, it))).await;
        for (scenario, result) in scenarios.iter().zip(results) {
            tally.record(name(scenario), result.map_err(|error| format!("{error:#}")));
        }
        tally.finish();
    }
}

fn read(folder: &Path) -> Result<Vec<Value>> {
    let entries: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.extension().is_some_and(|it| it == "json")
            && OURS.iter().any(|prefix| name.starts_with(prefix))
    });
    files.sort();
    files.iter().map(|path| Ok(serde_json::from_slice(&std::fs::read(path)?)?)).collect()
}

fn name(scenario: &Value) -> &str {
    scenario["name"].as_str().or_else(|| scenario["given"]["name"].as_str()).unwrap_or_default()
}

async fn replay(world: &World, scenario: &Value) -> Result<()> {
    let namespace = name(scenario);
    let scenario = filled(world, namespace, scenario)?;
    let (given, want) = (&scenario["given"], &scenario["want"]);
    world.objects.namespace(namespace).await?;
    set_up(world, namespace, given).await?;
    let mut refused = BTreeMap::new();
    for object in given["objects"].as_array().into_iter().flatten() {
        if let Err(why) = world.objects.create(Some(namespace), object).await? {
            refused.insert(key(object), json!(as_kubectl(object, &why.0)));
        } else {
            settle(world, namespace, object).await;
        }
    }
    compare("refused", &want["refused"], &json!(refused))?;
    let observed = std::sync::Mutex::new(Ok(()));
    let waited = world
        .objects
        .eventually("all is as wanted", || async {
            let result = observe(world, namespace, want).await;
            let holds = result.is_ok();
            *observed.lock().expect("no panic while it is held") = result;
            holds
        })
        .await;
    if waited.is_ok() { Ok(()) } else { observed.into_inner().expect("no panic while it was held") }
}

/// Waits until something is known of a new object, as for a person who applies one after the other.
async fn settle(world: &World, namespace: &str, object: &Value) {
    let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
    if object["spec"]["suspend"] == true {
        return;
    }
    let known = || async {
        let object = world.objects.get(version(kind), kind, namespace, name).await;
        let conditions = object.map(|object| object["status"]["conditions"].clone());
        let conditions = conditions.unwrap_or_default();
        let ready = conditions.as_array().into_iter().flatten().find(|it| it["type"] == "Ready");
        ready.is_some_and(|ready| ready["status"] != "Unknown")
    };
    // What never settles shows in the comparison.
    let _ = world.objects.eventually("the object settles", known).await;
}

/// The scenario with the addresses of this world in the place of its placeholders.
fn filled(world: &World, namespace: &str, scenario: &Value) -> Result<Value> {
    let git = world.git.url();
    let host = git.split_once("://").map_or(git.as_str(), |(_, host)| host);
    let text = scenario
        .to_string()
        .replace("${REGISTRY}", &world.registry.host())
        .replace("${GITHOST}", host)
        .replace("${GIT}", &git)
        .replace("${STORE}", &world.artifacts()?)
        .replace("${NS}", namespace);
    Ok(serde_json::from_str(&text)?)
}

async fn set_up(world: &World, namespace: &str, given: &Value) -> Result<()> {
    for (repository, tags) in given["images"].as_object().into_iter().flatten() {
        for tag in tags.as_array().into_iter().flatten() {
            let tag = tag.as_str().context("a tag is a string")?;
            world.registry.publish(&format!("{namespace}/{repository}"), tag);
        }
    }
    for (repository, tags) in given["artifacts"].as_object().into_iter().flatten() {
        for (tag, files) in tags.as_object().into_iter().flatten() {
            let files = files.as_object().into_iter().flatten();
            let files: Vec<(&str, &str)> =
                files.map(|(path, content)| (path.as_str(), text(content))).collect();
            let layer = crate::artifact::archive(&files);
            let layers = [("application/vnd.cncf.flux.content.v1.tar+gzip", &layer[..])];
            let name = format!("{namespace}/{repository}");
            world.registry.store().publish_layers(&name, tag, &layers, &BTreeMap::new());
        }
    }
    for (repository, files) in given["repos"].as_object().into_iter().flatten() {
        let files = files.as_object().into_iter().flatten().map(|(path, text)| {
            (path.clone(), text.as_str().unwrap_or_default().as_bytes().to_vec())
        });
        world.git.create(&format!("{namespace}-{repository}"), "main", files).await?;
    }
    Ok(())
}

/// Compares everything that can be seen.
async fn observe(world: &World, namespace: &str, want: &Value) -> Result<()> {
    for (key, wanted) in want["objects"].as_object().into_iter().flatten() {
        let (kind, name) = key.split_once('/').context("Kind/name")?;
        let object = world.objects.get(version(kind), kind, namespace, name).await;
        let object = object.with_context(|| format!("{key} is not there"))?;
        let got = json!({
            "finalizers": object["metadata"]["finalizers"],
            "status": normal(&without_times(sized(object["status"].clone()))),
        });
        compare(key, &uncounted(normal(wanted)), &uncounted(got))?;
    }
    compare_events(world, namespace, want).await?;
    for (repository, wanted) in want["commits"].as_object().into_iter().flatten() {
        let got = commits(world, &format!("{namespace}-{repository}")).await?;
        compare(&format!("commits of {repository}"), wanted, &normal(&got))?;
    }
    Ok(())
}

async fn compare_events(world: &World, namespace: &str, want: &Value) -> Result<()> {
    let wanted: BTreeSet<String> = want["events"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| normal(row).to_string())
        .collect();
    let events = world.objects.list("v1", "Event", namespace).await?;
    let got: BTreeSet<String> = events
        .iter()
        .map(|event| {
            let about = &event["involvedObject"];
            let annotations = event["metadata"].get("annotations").cloned();
            let row = json!([
                format!("{}/{}", text(&about["kind"]), text(&about["name"])),
                event["type"],
                event["reason"],
                event["message"],
                event["source"]["component"],
                annotations.unwrap_or_else(|| json!({})),
            ]);
            normal(&row).to_string()
        })
        .collect();
    // What an automation's push makes of its repository's events depends on who came first.
    let pushes = want["objects"]
        .as_object()
        .is_some_and(|objects| objects.keys().any(|key| key.starts_with("ImageUpdateAutomation/")));
    let counts =
        |row: &&String| !(depends_on_order(row) || pushes && row.starts_with("[\"GitRepository/"));
    let missing: Vec<&String> = wanted.difference(&got).filter(counts).collect();
    let extra: Vec<&String> = got.difference(&wanted).filter(counts).collect();
    anyhow::ensure!(
        missing.is_empty() && extra.is_empty(),
        "events\n  missing {missing:#?}\n  extra {extra:#?}"
    );
    Ok(())
}

/// All commits of all branches, newest first, and the diffs of those that are not `init`.
async fn commits(world: &World, repository: &str) -> Result<Value> {
    let repository = world.git.repository(repository)?;
    let format = "--format=%D%x00%an <%ae>%x00%cn%x00%B%x01";
    let log = repository.git(["log", "--all", "--topo-order", format]).await?;
    let rows: Vec<String> = log
        .split('\u{1}')
        .map(|row| row.trim_start_matches('\n'))
        .filter(|row| !row.is_empty())
        .map(|row| row.trim_end().replace('\0', "|"))
        .collect();
    let diff = repository
        .git([
            "log",
            "--all",
            "--topo-order",
            "--invert-grep",
            "--grep=^init$",
            "--format=",
            "-p",
            "-U0",
            "--no-prefix",
        ])
        .await?;
    let lines: Vec<&str> = diff.lines().filter(|line| !line.starts_with("index ")).collect();
    Ok(json!({"log": rows, "diff": lines}))
}

/// The refusal of the API server in the words of kubectl, which recorded the wanted ones.
fn as_kubectl(object: &Value, refusal: &str) -> String {
    let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
    match refusal.split_once(" is invalid: ") {
        Some((_, why)) => format!("The {kind} {name:?} is invalid: {why}"),
        None => refusal.to_owned(),
    }
}

/// Events that depend on who came first: whether an automation ran before its policy was ready,
/// and how often it did.
fn depends_on_order(row: &str) -> bool {
    // Upstream's texts hold the path of a temporary folder, so that its recorder takes them for
    // many; and whether a chart came before the artifact of its source is chance.
    if row.contains("\"(combined from similar events): ") || row.contains("\"NoSourceArtifact\"") {
        return true;
    }
    // Whether a Kustomization ran before what it depends on was ready is chance, too.
    if row.contains("\"Dependencies do not meet ready condition,") {
        return true;
    }
    row.contains("\"ImageUpdateAutomation/")
        && ["\"repository up-to-date\"", "\"no change since last reconciliation\""]
            .iter()
            .any(|message| row.contains(message))
}

/// The version that a kind is served in.
fn version(kind: &str) -> &'static str {
    match kind {
        "Kustomization" => "kustomize.toolkit.fluxcd.io/v1",
        "HelmRelease" => "helm.toolkit.fluxcd.io/v2",
        "GitRepository" | "OCIRepository" | "HelmRepository" | "HelmChart" | "Bucket" => {
            "source.toolkit.fluxcd.io/v1"
        }
        _ => "image.toolkit.fluxcd.io/v1",
    }
}

/// How often and how long something was tried depends on when one looks.
fn uncounted(mut object: Value) -> Value {
    let history = object.pointer_mut("/status/history").and_then(Value::as_array_mut);
    for entry in history.into_iter().flatten() {
        let tried = entry["totalReconciliations"].as_i64().is_some_and(|times| times > 0);
        if entry.get("totalReconciliations").is_some() {
            entry["totalReconciliations"] = json!(tried);
            entry["lastReconciledDuration"] = json!("<duration>");
        }
    }
    if let Some(took) = object.pointer_mut("/status/lastAttemptedReleaseActionDuration") {
        *took = json!("<duration>");
    }
    // Those that grow with time count for being there.
    if let Some(failures) = object.pointer_mut("/status/failures")
        && failures.as_i64().is_some_and(|failures| failures > 2)
    {
        *failures = json!("many");
    }
    object
}

/// The size of an artifact depends on who compressed it.
fn sized(mut status: Value) -> Value {
    if let Some(size) = status.get_mut("artifact").and_then(|it| it.get_mut("size")) {
        *size = json!("<size>");
    }
    status
}

fn key(object: &Value) -> String {
    format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn without_times(mut status: Value) -> Value {
    let conditions = status.get_mut("conditions").and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten() {
        if let Some(condition) = condition.as_object_mut() {
            condition.remove("lastTransitionTime");
        }
    }
    status
}

/// What differs from run to run, as placeholders.
fn normal(value: &Value) -> Value {
    static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        [
            (r"sha256:[0-9a-f]{64}", "sha256:<digest>"),
            (r"\b[0-9a-f]{40}\b", "<commit>"),
            (r"commit '[0-9a-f]{7}'", "commit '<commit>'"),
            (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
            (r"retrying in \S+", "retrying in <duration>"),
            (r"\b(in|of|after) (\d+h)?(\d+m)?\d[\d.]*(ms|µs|s)\b", "$1 <duration>"),
            (r"YAML from /artifact[^\s:]*", "YAML from <tmp>"),
            (r"'/artifact[^\s']*'", "'<tmp>'"),
            // DIFFERENCES.md: what is outside is named by its first folder that is.
            (r"fs-security-constraint .*", "fs-security-constraint <outside>"),
            (r"read /artifact[^\s:]*", "read <tmp>"),
            // DIFFERENCES.md: the path in the repository, not that of a temporary clone.
            (r"stat \S+: no such", "stat <tmp>: no such"),
        ]
        .map(|(pattern, placeholder)| (Regex::new(pattern).expect("a pattern"), placeholder))
        .into()
    });
    match value {
        Value::String(text) => {
            let replace = |text: String, (pattern, placeholder): &(Regex, &str)| {
                pattern.replace_all(&text, *placeholder).into_owned()
            };
            Value::String(PATTERNS.iter().fold(text.clone(), replace))
        }
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), normal(value))).collect(),
        other => other.clone(),
    }
}

fn compare(what: &str, want: &Value, got: &Value) -> Result<()> {
    let sorted = |value: &Value| serde_json::to_string_pretty(&sort(value)).unwrap_or_default();
    let (want, got) = (sorted(want), sorted(got));
    anyhow::ensure!(want == got, "{what}\n  want {want}\n  got {got}");
    Ok(())
}

fn sort(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, Value> = map.iter().map(|(k, v)| (k, sort(v))).collect();
            json!(sorted)
        }
        Value::Array(items) => items.iter().map(sort).collect(),
        other => other.clone(),
    }
}
