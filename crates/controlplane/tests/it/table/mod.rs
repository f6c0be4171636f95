//! The scenario table: the same requests to the embedded server and to kube-apiserver, and the
//! answers compared.
//!
//! ```text
//! scenarios/NOUN.txt     requests        ─> embedded server ──> normalised ─┐
//! scenarios/kinds.txt    kinds ×         ─> kube-apiserver  ──> normalised ─┴─> equal?
//! scenarios/standard.txt what every kind does
//! ```
//! `scenarios/README.md` tells how to write them. A scenario whose answers differ on purpose says so
//! (`differs: WORDS`), and the words must stand in DIFFERENCES.md. `CONTROLPLANE_SCENARIOS=WORD` runs
//! those of one noun or name; `CONTROLPLANE_SCENARIOS_DIFF=FILE` writes down how answers differ.

mod backend;
mod normal;
mod openapi;
mod replay;
mod run;
mod scenario;
mod vector;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use futures::StreamExt as _;
use serde_json::Value;
use testkit::Tally;

use self::backend::Backend;
use self::scenario::Scenario;

/// How many scenarios run at once.
const AT_ONCE: usize = 16;

/// All scenarios, those asked for if any are.
fn scenarios() -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let wanted = std::env::var("CONTROLPLANE_SCENARIOS").unwrap_or_default();
    let mut all = scenario::read(&folder);
    for (position, scenario) in all.iter_mut().enumerate() {
        scenario.id = format!("zq{position:04}");
    }
    let matching =
        |it: &Scenario| wanted.is_empty() || it.noun == wanted || it.name.contains(&wanted);
    all.retain(matching);
    all
}

async fn answers(backend: &Backend, scenarios: &[Scenario]) -> Vec<Vec<Value>> {
    let running = scenarios.iter().map(|scenario| run::run(backend, scenario));
    futures::stream::iter(running).buffered(AT_ONCE).collect().await
}

/// What is meant to differ, and stands in the list of differences.
fn is_listed(words: &str) -> bool {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../DIFFERENCES.md");
    let text = std::fs::read_to_string(path).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ").contains(words)
}

fn verdict(
    scenario: &Scenario,
    embedded: &[Value],
    real: &[Value],
) -> Result<&'static str, String> {
    match (&scenario.differs, embedded == real) {
        (None, true) => Ok("equal"),
        (None, false) => Err(difference(scenario, embedded, real)),
        (Some(_), true) => Err("is said to differ, and does not".to_owned()),
        (Some(words), false) if is_listed(words) => Ok("differs, as listed"),
        (Some(words), false) => Err(format!("DIFFERENCES.md does not say {words:?}")),
    }
}

/// The first answer that differs.
fn difference(scenario: &Scenario, embedded: &[Value], real: &[Value]) -> String {
    let pairs = embedded.iter().zip(real).enumerate();
    let first = pairs.into_iter().find(|(_, (embedded, real))| embedded != real);
    first.map_or_else(
        || "the numbers of answers differ".to_owned(),
        |(step, (embedded, real))| {
            let request = &scenario.steps[step.min(scenario.steps.len() - 1)].line;
            format!("{request}\n{}", normal::difference(embedded, real))
        },
    )
}

/// The answers of kube-apiserver. `CONTROLPLANE_SCENARIOS_KEPT=FILE` keeps them, and asks it for those
/// that are not there yet only: for whoever works on the embedded server.
async fn kubernetes(scenarios: &[Scenario]) -> Vec<Vec<Value>> {
    let Some(file) = std::env::var_os("CONTROLPLANE_SCENARIOS_KEPT") else {
        return answers(&Backend::kubernetes().await, scenarios).await;
    };
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let mut kept: BTreeMap<String, Vec<Value>> = serde_json::from_str(&text).unwrap_or_default();
    let key = |it: &Scenario| format!("{}: {}: {:?}", it.noun, it.name, it.steps);
    let missing: Vec<_> =
        scenarios.iter().filter(|it| !kept.contains_key(&key(it))).cloned().collect();
    if !missing.is_empty() {
        let new = answers(&Backend::kubernetes().await, &missing).await;
        kept.extend(missing.iter().map(key).zip(new));
        std::fs::write(&file, serde_json::to_string(&kept).unwrap()).unwrap();
    }
    scenarios.iter().map(|it| kept[&key(it)].clone()).collect()
}

/// A kube-apiserver is compared with where it is there; elsewhere the rows say so.
#[tokio::test(flavor = "multi_thread")]
async fn table() {
    let scenarios = scenarios();
    let embedded = answers(&Backend::embedded(), &scenarios).await;
    if let Some(missing) = world::kubernetes::missing() {
        println!("controlplane scenarios (kubernetes): skipped: {missing} (cargo xtask setup)");
        return;
    }
    let real = kubernetes(&scenarios).await;
    let mut tally = Tally::new("controlplane scenarios");
    let mut report = String::new();
    let mut nouns = BTreeMap::<&str, usize>::new();
    for ((scenario, embedded), real) in scenarios.iter().zip(&embedded).zip(&real) {
        let result = verdict(scenario, embedded, real);
        let name = format!("{}: {}", scenario.noun, scenario.name);
        let word = result.as_ref().unwrap_or(&"DIFFERS");
        println!("{:<18} {:<70} {}", scenario.noun, scenario.name, word);
        *nouns.entry(&scenario.noun).or_default() += 1;
        if let Err(why) = &result {
            let _ = writeln!(report, "=== {}: {}\n{why}", scenario.noun, scenario.name);
        }
        tally.record(&name, result.map(drop));
    }
    if let Some(file) = std::env::var_os("CONTROLPLANE_SCENARIOS_DIFF") {
        std::fs::write(file, report).unwrap();
    }
    let all = std::env::var_os("CONTROLPLANE_SCENARIOS").is_none();
    for (noun, number) in nouns {
        assert!(!all || number >= 10, "{noun} has but {number} scenarios");
    }
    tally.finish();
}
