//! However often a process is killed while it applies: the inventory holds everything that is there,
//! and nothing is pruned that is still wanted.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use scenarios::{Objects, condition};
use serde_json::{Value, json};
use world::git::{self, Content};

use crate::process::{Process, kills, seed, text};

const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io/v1";

/// How many ConfigMaps there may be; the first of them are part of every commit.
const ALL: usize = 12;
const ALWAYS: usize = 3;

/// What a commit wants: names and values.
type Wanted = BTreeMap<String, String>;

fn name(n: usize) -> String {
    format!("config-{n}")
}

fn manifest(name: &str, value: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": value},
    })
    .to_string()
}

fn manifests(git: &git::Server) -> [Value; 3] {
    [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apps"}}),
        json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": "fleet", "namespace": "apps"},
            "spec": {"url": git.repository_url("fleet"), "interval": "1s", "ref": {"branch": "main"}},
        }),
        json!({
            "apiVersion": KUSTOMIZE, "kind": "Kustomization",
            "metadata": {"name": "app", "namespace": "apps"},
            "spec": {
                "sourceRef": {"kind": "GitRepository", "name": "fleet"}, "path": "./",
                "interval": "1h", "retryInterval": "1s", "prune": true, "targetNamespace": "apps",
            },
        }),
    ]
}

/// Commits any of the ConfigMaps, with new values.
async fn commit(
    repository: &git::Repository,
    random: &mut StdRng,
    round: usize,
) -> Result<(String, Wanted)> {
    let (mut wanted, mut files) = (Wanted::new(), Vec::new());
    for n in 0..ALL {
        let (path, value) = (format!("{}.yaml", name(n)), format!("{round}"));
        if n < ALWAYS || random.random_bool(0.5) {
            files.push((path, Content::from(manifest(&name(n), &value).as_str())));
            wanted.insert(name(n), value);
        } else if repository.read_file("main", &path).await?.is_some() {
            files.push((path, Content::Absent));
        }
    }
    let id = repository.commit("main", files, &format!("round {round}")).await?;
    Ok((format!("main@sha1:{id}"), wanted))
}

/// The ConfigMaps that belong to the Kustomization.
async fn present(objects: &Objects) -> Result<BTreeMap<String, Value>> {
    let all = objects.list("v1", "ConfigMap", "apps").await?;
    let ours = all.into_iter().filter(|it| {
        it["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] == "app"
            && it["metadata"]["deletionTimestamp"].is_null()
    });
    let named = ours.map(|it| (it["metadata"]["name"].as_str().unwrap_or_default().to_owned(), it));
    Ok(named.collect())
}

/// The names in the inventory.
async fn inventory(objects: &Objects) -> Result<BTreeSet<String>> {
    let it = objects.get(KUSTOMIZE, "Kustomization", "apps", "app").await;
    let it = it.context("the Kustomization is lost")?;
    let entries = it["status"]["inventory"]["entries"].as_array().cloned().unwrap_or_default();
    let name = |entry: &Value| Some(entry["id"].as_str()?.split('_').nth(1)?.to_owned());
    Ok(entries.iter().filter_map(name).collect())
}

/// Everything that is there is in the inventory. What was listed before may have been pruned since.
async fn nothing_is_orphaned(objects: &Objects) -> Result<()> {
    let there = present(objects).await?;
    let known = inventory(objects).await?;
    let unknown: Vec<&String> = there.keys().filter(|name| !known.contains(*name)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let still = present(objects).await?;
    let orphans: Vec<_> = unknown.iter().filter(|name| still.contains_key(**name)).collect();
    ensure!(orphans.is_empty(), "{orphans:?} are not in the inventory {known:?}");
    Ok(())
}

/// What every commit wants was never deleted.
async fn uids(objects: &Objects) -> Result<BTreeMap<String, Value>> {
    let there = present(objects).await?;
    let uid = |n: usize| {
        let it = there.get(&name(n)).with_context(|| format!("{} is gone", name(n)))?;
        Ok((name(n), it["metadata"]["uid"].clone()))
    };
    (0..ALWAYS).map(uid).collect()
}

/// Waits until a revision is applied, and all is as it says.
async fn settled(objects: &Objects, (revision, wanted): (&str, &Wanted), log: &str) -> Result<()> {
    let applied = || async {
        let it = objects.get(KUSTOMIZE, "Kustomization", "apps", "app").await.unwrap_or_default();
        it["status"]["lastAppliedRevision"] == revision
            && condition(&it, "Ready")["status"] == "True"
    };
    let applied_in_time = objects.eventually(&format!("{revision} is applied"), applied).await;
    applied_in_time.with_context(|| log.to_owned())?;
    let there = present(objects).await?;
    let value = |it: &Value| it["data"]["value"].as_str().unwrap_or_default().to_owned();
    let got: Wanted = there.iter().map(|(name, it)| (name.clone(), value(it))).collect();
    ensure!(got == *wanted, "there is {got:?} instead of {wanted:?}");
    let known = inventory(objects).await?;
    ensure!(known == wanted.keys().cloned().collect(), "{known:?} instead of {wanted:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_no_inventory_and_prunes_nothing_wanted() -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed());
    let git = git::Server::start(git::Options::default()).await?;
    let repository = git.create("fleet", "main", [("README.md", "fleet")]).await?;
    let mut victim = Process::new()?;
    let objects: Vec<String> = manifests(&git).iter().map(ToString::to_string).collect();
    std::fs::write(victim.path("objects.yaml"), objects.join("\n---\n"))?;
    let mut last = commit(&repository, &mut random, 0).await?;
    let manifests = victim.path("objects.yaml");
    victim.spawn(&["-f", text(&manifests)?])?;
    let objects = victim.answers().await?;
    settled(&objects, (&last.0, &last.1), &victim.log()).await?;
    let first = uids(&objects).await?;
    for round in 1..=kills(5) {
        last = commit(&repository, &mut random, round).await?;
        // From before the fetch to after the last write, and now and then in the middle of a start.
        tokio::time::sleep(Duration::from_millis(random.random_range(0..1800))).await;
        victim.kill().await?;
        victim.spawn(&[])?;
        while random.random_bool(0.3) {
            tokio::time::sleep(Duration::from_millis(random.random_range(0..900))).await;
            victim.kill().await?;
            victim.spawn(&[])?;
        }
        let objects = victim.answers().await?;
        nothing_is_orphaned(&objects).await?;
        ensure!(uids(&objects).await? == first, "{}", victim.log());
        if random.random_bool(0.3) {
            settled(&objects, (&last.0, &last.1), &victim.log()).await?;
        }
    }
    let objects = victim.answers().await?;
    settled(&objects, (&last.0, &last.1), &victim.log()).await?;
    ensure!(uids(&objects).await? == first);
    Ok(())
}
