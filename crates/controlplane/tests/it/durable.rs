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

/// How often the server is killed.
fn rounds() -> usize {
    if std::env::var_os("SLUICE_FULL").is_some() { 200 } else { 8 }
}

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
    let given = std::env::var("CONTROLPLANE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = given.unwrap_or_else(rand::random);
    println!("seed {seed} (CONTROLPLANE_TEST_SEED)");
    let mut random = StdRng::seed_from_u64(seed);
    let mut wanted = BTreeMap::new();
    let mut newest = 0;
    for _ in 0..rounds() {
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

/// Changes the bytes of a file.
type Damage = fn(&mut Vec<u8>);

#[test]
fn a_damaged_log_says_what_to_do() {
    let damages: [(&str, Damage); 4] = [
        ("another file", |bytes| *bytes = b"this is no database".repeat(1000)),
        ("no start", |bytes| bytes[..4096].fill(0)),
        ("half", |bytes| bytes.truncate(bytes.len() / 2)),
        ("holes", |bytes| {
            let length = bytes.len();
            bytes[length / 8..].fill(0xAA);
        }),
    ];
    for (name, damage) in damages {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).shutdown();
        let path = folder.path().join("state.redb");
        let mut bytes = std::fs::read(&path).unwrap();
        damage(&mut bytes);
        std::fs::write(&path, &bytes).unwrap();
        let options = Options { data_dir: Some(folder.path().to_owned()), ..Options::default() };
        let error = Server::open(options).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("move this file away to start with nothing"), "{name}: {error:?}");
        assert!(error.contains("state.redb is damaged"), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_restart_gives_back_space() {
    let folder = tempfile::tempdir().unwrap();
    let size = || std::fs::metadata(folder.path().join("state.redb")).unwrap().len();
    {
        let server = open(folder.path());
        let api = api(&server);
        let text = "x".repeat(500_000);
        for n in 0..40 {
            let object: ConfigMap = serde_json::from_value(
                json!({"metadata": {"name": format!("m{n}")}, "data": {"text": text}}),
            )
            .unwrap();
            api.create(&PostParams::default(), &object).await.unwrap();
        }
        api.delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
        // What is forgotten is only what watchers cannot ask for any more.
        for n in 0..40 {
            let object: ConfigMap =
                serde_json::from_value(json!({"metadata": {"name": format!("s{n}")}})).unwrap();
            api.create(&PostParams::default(), &object).await.unwrap();
        }
    }
    let before = size();
    let server = open(folder.path());
    assert!(size() < before / 3 * 2, "{} of {before}", size());
    assert_eq!(api(&server).list(&ListParams::default()).await.unwrap().items.len(), 40);
}

/// Names the folder of the process that is to run out of space.
const CRAMPED: &str = "CONTROLPLANE_TEST_CRAMPED";

/// Writes until the disk is full, and once more when it is not.
async fn fill(folder: &Path) {
    let (mut kept, mut refused) = (Vec::new(), 0);
    {
        let server = open(folder);
        let api = api(&server);
        let text = "x".repeat(100_000);
        for n in 0..70 {
            let object: ConfigMap = serde_json::from_value(
                json!({"metadata": {"name": format!("m{n}")}, "data": {"text": text}}),
            )
            .unwrap();
            match api.create(&PostParams::default(), &object).await {
                Ok(_) => kept.push(format!("m{n}")),
                Err(kube::Error::Api(status)) => {
                    assert_eq!(status.code, 503, "{status:?}");
                    assert!(status.message.starts_with("the change was not stored"), "{status:?}");
                    refused += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert!(refused > 0, "the disk never was full");
        let list = api.list(&ListParams::default()).await.unwrap();
        assert_eq!(list.items.len(), kept.len(), "what was refused is not shown");
    }
    let grown = Command::new("mount").args(["-o", "remount,size=64m"]).arg(folder).status();
    assert!(grown.unwrap().success());
    let server = open(folder);
    let api = api(&server);
    for name in &kept {
        assert!(api.get_opt(name).await.unwrap().is_some(), "{name} was acknowledged and is gone");
    }
    let object: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "after"}})).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
    println!("kept {} refused {refused}", kept.len());
}

#[test]
fn a_full_disk_loses_nothing() {
    if let Some(folder) = std::env::var_os(CRAMPED) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(fill(Path::new(&folder)));
    }
    let folder = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=6m tmpfs \"$1\" || exit 77; exec \"$2\" --exact durable::a_full_disk_loses_nothing --nocapture";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", mount, "sh"])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .env(CRAMPED, folder.path())
        .output();
    let output = match output {
        Ok(output)
            if !matches!(output.status.code(), Some(77 | 1)) || !output.stdout.is_empty() =>
        {
            output
        }
        _ => {
            println!("skipped: a_full_disk_loses_nothing: no small disk can be mounted here");
            return;
        }
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("kept "), "{said}");
}
