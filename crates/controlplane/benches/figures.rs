//! The figures that are promised, one JSON line each
//! (`{name, value, unit, target, peer, ratio, server, n}`); exits 1 if a target is missed.
//! `CONTROLPLANE_BENCH_N=100` runs with fewer objects and watches, to see that it runs at all;
//! targets then say nothing.
#![allow(
    clippy::print_stdout,
    clippy::exit,
    clippy::unwrap_used,
    reason = "a bench prints, judges and may stop at the first surprise"
)]

use std::time::{Duration, Instant};

use controlplane::{Options, Server};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{Api, ListParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;

const OBJECTS: usize = 10_000;
const WATCHES: usize = 1_000;
const CHANGES: usize = 200;

/// `usual`, or as many as was asked for if those are fewer.
fn at_most(usual: usize) -> usize {
    let given = std::env::var("CONTROLPLANE_BENCH_N").ok().and_then(|it| it.parse().ok());
    given.map_or(usual, |given: usize| usual.min(given.max(1)))
}
const AT_ONCE: usize = 64;

struct Report {
    missed: bool,
}

impl Report {
    /// Prints a figure that should be at most its target.
    fn line(&mut self, name: &str, (value, unit): (f64, &str), target: f64, n: usize) {
        self.missed |= value > target;
        let line = json!({
            "name": name, "value": value, "unit": unit, "target": target, "peer": null,
            "ratio": null, "server": "embedded", "n": n,
        });
        println!("{line}");
    }
}

fn object(name: &str) -> ConfigMap {
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"app": "bench"}},
        "data": {"key": "a small value", "other": "another one"},
    }))
    .unwrap()
}

fn api(server: &Server) -> Api<ConfigMap> {
    Api::default_namespaced(Client::new(server.router(), "default"))
}

async fn create(api: &Api<ConfigMap>, count: usize) -> Duration {
    let start = Instant::now();
    stream::iter(0..count)
        .map(|n| async move {
            api.create(&PostParams::default(), &object(&format!("o{n:05}"))).await.unwrap();
        })
        .buffer_unordered(AT_ONCE)
        .for_each(|()| async {})
        .await;
    start.elapsed()
}

/// Resident memory of this process in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024.0
}

async fn list(api: &Api<ConfigMap>) -> Duration {
    let start = Instant::now();
    // The text of the answer, as it goes over a wire; parsing is the client's affair.
    let raw = http::Request::get("/api/v1/namespaces/default/configmaps").body(Vec::new()).unwrap();
    let text = api.clone().into_client().request_text(raw).await.unwrap();
    let taken = start.elapsed();
    assert!(text.len() > at_most(OBJECTS) * 100, "everything is listed");
    taken
}

/// The median time from before a change to its sight in a watch.
async fn latency(api: &Api<ConfigMap>) -> Duration {
    let from = api.list(&ListParams::default().limit(1)).await.unwrap();
    let from = from.metadata.resource_version.unwrap();
    let mut watch = api.watch(&WatchParams::default(), &from).await.unwrap().boxed();
    let mut taken = Vec::new();
    for n in 0..at_most(CHANGES) {
        let start = Instant::now();
        api.create(&PostParams::default(), &object(&format!("l{n}"))).await.unwrap();
        match watch.next().await.unwrap().unwrap() {
            WatchEvent::Added(_) => taken.push(start.elapsed()),
            other => unreachable!("only additions happen: {other:?}"),
        }
    }
    taken.sort();
    taken[taken.len() / 2]
}

async fn idle_watches(api: &Api<ConfigMap>) -> (f64, Vec<impl Sized>) {
    let from = api.list(&ListParams::default().limit(1)).await.unwrap();
    let from = from.metadata.resource_version.unwrap();
    let before = resident();
    let mut watches = Vec::new();
    for _ in 0..at_most(WATCHES) {
        let mut watch = api.watch(&WatchParams::default(), &from).await.unwrap().boxed();
        // Polled once, each waits where a real one would.
        assert!(futures::poll!(watch.next()).is_pending(), "nothing happens");
        watches.push(watch);
    }
    (resident() - before, watches)
}

#[tokio::main]
async fn main() {
    let mut report = Report { missed: false };
    let (count, watches, changes) = (at_most(OBJECTS), at_most(WATCHES), at_most(CHANGES));
    let server = Server::open(Options::default()).unwrap();
    report.line("controlplane-empty-memory", (resident(), "MiB"), 60.0, 1);
    let objects = api(&server);
    let taken = create(&objects, count).await;
    report.line("controlplane-creates-in-memory", (taken.as_secs_f64(), "s"), 5.0, count);
    list(&objects).await;
    let taken = list(&objects).await.as_secs_f64() * 1e3;
    report.line("controlplane-list", (taken, "ms"), 150.0, count);
    let (mib, held) = idle_watches(&objects).await;
    report.line("controlplane-idle-watches", (mib, "MiB"), 20.0, watches);
    drop(held);
    let taken = latency(&objects).await.as_secs_f64() * 1e3;
    report.line("controlplane-change-seen", (taken, "ms"), 2.0, changes);
    drop(server);

    let folder = tempfile::tempdir().unwrap();
    let open =
        || Server::open(Options { data_dir: Some(folder.path().to_owned()), ..Options::default() });
    let server = open().unwrap();
    let taken = create(&api(&server), count).await;
    report.line("controlplane-creates-on-disk", (taken.as_secs_f64(), "s"), 5.0, count);
    drop(server);
    let start = Instant::now();
    let server = open().unwrap();
    let taken = start.elapsed().as_secs_f64();
    report.line("controlplane-start", (taken, "s"), 1.0, count);
    drop(server);
    if report.missed && count == OBJECTS {
        std::process::exit(1);
    }
}
