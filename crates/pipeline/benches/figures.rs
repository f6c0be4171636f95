//! The figure that is promised, as one JSON line
//! (`{name, value, unit, target, peer, ratio, server, n}`); exits 1 if the target is missed.
#![allow(clippy::print_stdout, clippy::exit, reason = "a bench prints and judges")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::{collections::BTreeMap, time::Instant};

use jiff::{SignedDuration, Timestamp};
use pipeline::{
    bundle::{Bundle, Order, Verified},
    choice::{Edge, Pick, Upstream, Wants, choose},
    graph::{self, Node},
    stage::{Branch, Current, Drift, Facts, OnFailure, State, decide},
};
use serde_json::json;

const STAGES: usize = 500;
const BUNDLES: usize = 50;
/// Stages that are fed by one.
const FAN_OUT: usize = 5;
const ROUNDS: usize = 200;

fn name(at: usize) -> String {
    format!("stage-{at}")
}

fn bundles(now: Timestamp) -> Vec<Bundle> {
    let verified = |at: usize| {
        let of = |stage| (name(stage), Verified { at: now, withdrawn: false });
        // The older, the farther.
        (0..STAGES * (BUNDLES - at) / BUNDLES).map(of).collect::<BTreeMap<_, _>>()
    };
    (0..BUNDLES)
        .map(|at| Bundle {
            name: format!("shop-{at}"),
            version: Some(format!("1.{at}.0")),
            discovered: now + SignedDuration::from_secs(i64::try_from(at).unwrap_or_default()),
            verified: verified(at),
            ..Bundle::default()
        })
        .collect()
}

/// Everything that is decided when something moved: the graph, the candidate, what the stage does.
fn decision(at: usize, nodes: &[Node], bundles: &[Bundle], now: Timestamp) -> usize {
    let problems = graph::problems("shop", nodes);
    let from = nodes[at].from.iter();
    let edge = |stage: &String| Edge { stage: stage.clone(), ..Edge::default() };
    let current = bundles[0].name.clone();
    let wants = Wants {
        stage: name(at),
        from: from.clone().map(edge).collect(),
        current: Some(current.clone()),
        order: Order::SemVer,
        ..Wants::default()
    };
    let upstream = |stage: &String| {
        (stage.clone(), Upstream { current: Some(current.clone()), healthy_since: Some(now) })
    };
    let upstreams: BTreeMap<String, Upstream> = from.map(upstream).collect();
    let choice = choose(&wants, bundles, &upstreams, now);
    let runs = Current { bundle: current.clone(), since: now, ..Current::default() };
    let state = State { current: Some(runs), ..State::default() };
    let (commit, author) = ("0123".to_owned(), "bot".to_owned());
    let decided = decide(
        &state,
        &Facts {
            now,
            pipeline: "shop",
            stage: &wants.stage,
            auto: true,
            stopped: !problems.is_empty(),
            replaces: true,
            pick: Pick::Newest,
            order: Order::SemVer,
            on_failure: OnFailure::default(),
            drift: Drift::Adopt,
            choice: &choice,
            bundles,
            attempts: &[],
            edited: None,
            branch: Branch::Holds { bundle: current, commit, author, alike: Vec::new() },
            hold: None,
            resume: false,
            verify: false,
        },
    );
    decided.create.map_or(0, |it| it.bundle.len())
}

fn main() {
    let now = Timestamp::UNIX_EPOCH;
    let nodes: Vec<Node> = (0..STAGES)
        .map(|at| Node {
            stage: name(at),
            pipeline: "shop".to_owned(),
            from: if at == 0 { Vec::new() } else { vec![name((at - 1) / FAN_OUT)] },
        })
        .collect();
    let bundles = bundles(now);
    let mut taken: Vec<f64> = Vec::with_capacity(ROUNDS);
    let mut made = 0;
    for round in 0..ROUNDS {
        let started = Instant::now();
        made += decision(round * 7 % STAGES, &nodes, &bundles, now);
        taken.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    assert!(made > 0, "nothing was decided");
    taken.sort_by(f64::total_cmp);
    let (value, target) = (taken[ROUNDS * 95 / 100], 5.0);
    let line = json!({
        "name": "promotion-decision", "value": value, "unit": "ms", "target": target, "peer": null,
        "ratio": null, "server": null, "n": STAGES,
    });
    println!("{line}");
    if value > target {
        std::process::exit(1);
    }
}
