//! What was acknowledged survives kill -9; a data directory has one server.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use controlplane::{Error, Options, Server};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{
    Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::{Client, ResourceExt};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;

/// Names the data directory of the process that is to be killed.
const VICTIM: &str = "CONTROLPLANE_TEST_VICTIM";
const ROUNDS: usize = 8;

fn open(folder: &Path) -> Server {
    Server::open(Options { data_dir: Some(folder.to_owned()), ..Options::default() }).unwrap()
}

fn api(server: &Server) -> Api<ConfigMap> {
    Api::default_namespaced(Client::new(server.router(), "default"))
}

/// Creates, changes and deletes objects for ever; prints what was acknowledged.
async fn write_until_killed(folder: &Path) {
    let server = open(folder);
    let api = api(&server);
    let round: u64 = rand::random();
    println!("start");
    stream::iter(0_u64..)
        .map(|n| {
            let api = api.clone();
            async move {
                let name = format!("{round:x}-{n}");
                let object: ConfigMap = serde_json::from_value(
                    json!({"metadata": {"name": name}, "data": {"state": "new"}}),
                )
                .unwrap();
                let made = api.create(&PostParams::default(), &object).await.unwrap();
                println!("made {name} {}", made.resource_version().unwrap());
                if n % 3 == 1 {
                    let patch = Patch::Merge(json!({"data": {"state": "old"}}));
                    let changed = api.patch(&name, &PatchParams::default(), &patch).await.unwrap();
                    println!("changed {name} {}", changed.resource_version().unwrap());
                }
                if n % 3 == 2 {
                    api.delete(&name, &DeleteParams::default()).await.unwrap();
                    println!("deleted {name} 0");
                }
            }
        })
        .buffer_unordered(16)
        .for_each(|()| async {})
        .await;
}

/// What the victim said of each object, the last word counting.
fn let_it_write(folder: &Path, lines: usize) -> Vec<(String, String, u64)> {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "durable::acknowledged_writes_survive_kill_9", "--nocapture"])
        .env(VICTIM, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(victim.stdout.take().unwrap());
    let mut said = Vec::new();
    for line in output.lines() {
        let line = line.unwrap();
        let words: Vec<_> = line.split(' ').collect();
        if let [word @ ("made" | "changed" | "deleted"), name, revision] = words.as_slice() {
            said.push(((*word).to_owned(), (*name).to_owned(), revision.parse().unwrap()));
        }
        if said.len() == lines {
            victim.kill().unwrap();
        }
    }
    victim.wait().unwrap();
    // A line may have been cut by the kill; what was printed whole is what was acknowledged.
    assert!(said.len() >= lines, "the victim died by itself after {} lines", said.len());
    said
}

#[test]
fn acknowledged_writes_survive_kill_9() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(folder) = std::env::var_os(VICTIM) {
        runtime.block_on(write_until_killed(Path::new(&folder)));
    }
    let folder = tempfile::tempdir().unwrap();
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut wanted = BTreeMap::new();
    let mut newest = 0;
    for _ in 0..ROUNDS {
        for (word, name, revision) in let_it_write(folder.path(), random.random_range(1..300)) {
            newest = newest.max(revision);
            wanted.insert(name, word);
        }
        let server = open(folder.path());
        runtime.block_on(check(&server, &wanted, newest));
        server.shutdown();
    }
}

async fn check(server: &Server, wanted: &BTreeMap<String, String>, newest: u64) {
    let api = api(server);
    let list = api.list(&ListParams::default()).await.unwrap();
    let revision: u64 = list.metadata.resource_version.unwrap().parse().unwrap();
    assert!(revision >= newest, "revision {revision} was given out before {newest}");
    let found: BTreeMap<_, _> =
        list.items.iter().map(|o| (o.name_any(), o.data.clone().unwrap_or_default())).collect();
    for (name, word) in wanted {
        let state = found.get(name).and_then(|data| data.get("state")).map(String::as_str);
        match word.as_str() {
            // What came after may have been stored without being acknowledged.
            "made" => assert!(matches!(state, Some("new" | "old") | None), "{name}: {state:?}"),
            "changed" => assert_eq!(state, Some("old"), "{name}"),
            _ => assert_eq!(state, None, "{name}"),
        }
    }
    let made = wanted.iter().filter(|(_, word)| *word == "made");
    for (name, _) in made.filter(|(name, _)| third(name) == 0) {
        assert!(found.contains_key(name), "{name} was acknowledged and is gone");
    }
}

/// What the writer does with an object depends on its number.
fn third(name: &str) -> u64 {
    name.rsplit_once('-').unwrap().1.parse::<u64>().unwrap() % 3
}

#[test]
fn a_data_directory_has_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());
    let options = Options { data_dir: Some(folder.path().to_owned()), ..Options::default() };
    match Server::open(options) {
        Err(Error::DataDirInUse(_)) => {}
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("two servers on one directory"),
    }
    drop(first);
    open(folder.path());
}

#[tokio::test]
async fn watches_go_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let object = |name: &str| -> ConfigMap {
        serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()
    };
    let seen = {
        let server = open(folder.path());
        let api = api(&server);
        let seen = api.create(&PostParams::default(), &object("a")).await.unwrap();
        api.create(&PostParams::default(), &object("b")).await.unwrap();
        api.delete("a", &DeleteParams::default()).await.unwrap();
        seen.resource_version().unwrap()
    };
    let server = open(folder.path());
    let api = api(&server);
    api.create(&PostParams::default(), &object("c")).await.unwrap();
    let watch = api.watch(&WatchParams::default(), &seen).await.unwrap();
    let events: Vec<_> = watch
        .take(3)
        .map_ok(|event| match event {
            WatchEvent::Added(o) => format!("+{}", o.name_any()),
            WatchEvent::Deleted(o) => format!("-{}", o.name_any()),
            other => panic!("{other:?}"),
        })
        .try_collect()
        .await
        .unwrap();
    assert_eq!(events, ["+b", "-a", "+c"]);
}
