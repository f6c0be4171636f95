//! Server-side apply by chance: sequences of applies and updates of several managers, made from
//! printed seeds, and what kube-apiserver made of them, recorded.
//!
//! `CONTROLPLANE_VECTORS_RECORD=1` asks a kube-apiserver anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use testkit::Tally;

use super::backend::Backend;
use super::scenario::{Scenario, Step};
use super::{answers, difference};

/// How many sequences there are.
const SEEDS: u64 = 80;
/// How many requests each has.
const LENGTH: usize = 6;

/// Numbers by chance that are the same everywhere and for ever.
struct Chance(u64);

impl Chance {
    fn next(&mut self, below: u64) -> u64 {
        // The generator of Knuth's MMIX; the upper bits are the good ones.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.next(of.len() as u64)).unwrap()]
    }

    fn data(&mut self) -> Value {
        let mut data = Map::new();
        for key in ["a", "b", "c"] {
            if self.next(2) == 0 {
                data.insert(key.to_owned(), json!(self.one(&["1", "2"])));
            }
        }
        Value::Object(data)
    }

    /// A `ConfigMap` with some labels and data.
    fn map(&mut self) -> Value {
        let mut map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "v"}});
        if self.next(3) > 0 {
            map["data"] = self.data();
        }
        if self.next(3) == 0 {
            map["metadata"]["labels"] = self.data();
        }
        if self.next(5) == 0 {
            map["metadata"]["finalizers"] = json!([self.one(&["x.example/a", "x.example/b"])]);
        }
        map
    }

    /// A Service, whose ports are a list by key.
    fn service(&mut self) -> Value {
        let mut ports = Vec::new();
        for (port, name) in [(80, "http"), (443, "https"), (53, "dns")] {
            if self.next(2) == 0 || (ports.is_empty() && port == 53) {
                let mut one = json!({"name": name, "port": port});
                if self.next(3) == 0 {
                    one["targetPort"] = json!(self.one(&["main", "other"]));
                }
                ports.push(one);
            }
        }
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "v"},
            "spec": {"clusterIP": "None", "selector": self.data(), "ports": ports}})
    }
}

fn sequence(seed: u64) -> Scenario {
    let mut chance = Chance(seed);
    let service = seed % 2 == 1;
    let plural = if service { "services" } else { "configmaps" };
    let path = format!("/api/v1/namespaces/$NS/{plural}/v");
    let steps = (0..LENGTH).map(|at| {
        let object = if service { chance.service() } else { chance.map() };
        let manager = chance.one(&["one", "two", "three"]);
        let force = ["", "&force=true"][usize::from(chance.next(3) == 0)];
        // The first makes the object, so that there is one to change.
        let (media, line) = if at == 0 || chance.next(3) > 0 {
            ("application/apply-patch+yaml", format!("PATCH {path}?fieldManager={manager}{force}"))
        } else {
            ("application/merge-patch+json", format!("PATCH {path}?fieldManager={manager}"))
        };
        let headers = vec![("Content-Type".to_owned(), media.to_owned())];
        Step { line, headers, body: object.to_string() }
    });
    Scenario {
        noun: "vectors".to_owned(),
        name: format!("seed {seed}"),
        id: format!("zv{seed:04}"),
        steps: steps.collect(),
        differs: None,
    }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/vectors.jsonl")
}

/// Writes down what kube-apiserver answers, a line for each seed.
async fn record(sequences: &[Scenario]) {
    let real = answers(&Backend::kubernetes().await, sequences).await;
    let lines = sequences.iter().zip(real).map(|(sequence, answers)| {
        format!("{}\n", json!({"name": sequence.name, "answers": answers}))
    });
    std::fs::write(file(), lines.collect::<String>()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors() {
    let sequences: Vec<_> = (0..SEEDS).map(sequence).collect();
    if std::env::var_os("CONTROLPLANE_VECTORS_RECORD").is_some() {
        record(&sequences).await;
    }
    let text = std::fs::read_to_string(file()).unwrap();
    let recorded: BTreeMap<String, Vec<Value>> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| {
            let answers = line["answers"].as_array().unwrap().clone();
            (line["name"].as_str().unwrap().to_owned(), answers)
        })
        .collect();
    let embedded = answers(&Backend::embedded(), &sequences).await;
    let mut tally = Tally::new("server-side-apply vectors");
    for (sequence, embedded) in sequences.iter().zip(&embedded) {
        let real = &recorded[&sequence.name];
        let same = embedded == real;
        let result = if same { Ok(()) } else { Err(difference(sequence, embedded, real)) };
        tally.record(&sequence.name, result);
    }
    tally.finish();
}
