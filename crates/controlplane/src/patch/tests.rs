//! Strategic merge patches as recorded from k8s.io/apimachinery 0.34.
//!
//! Each line of `recorded.jsonl` is a case: a kind, a document, a patch and what came of it.

use serde_json::Value;

use super::strategic;
use crate::fields::Type;
use crate::schema::value::equal;

const RECORDED: &str = include_str!("recorded.jsonl");

fn run(case: &Value) -> Result<(), String> {
    let name = |n: usize| case["type"][n].as_str().unwrap();
    let ty = Type::builtin(name(0), name(1), name(2)).unwrap();
    let result = strategic(&case["document"], &case["patch"], &ty);
    match (result, case.get("want"), case.get("err")) {
        (Ok(got), Some(want), _) if equal(&got, want) => Ok(()),
        (Err(got), _, Some(want)) if *want == got.to_string() => Ok(()),
        (got, want, err) => Err(format!("want {want:?} {err:?}\n got {got:?}")),
    }
}

#[test]
fn strategic_merges_are_as_recorded() {
    let mut tally = testkit::Tally::new("strategic-merge");
    for (number, line) in RECORDED.lines().enumerate() {
        let case: Value = serde_json::from_str(line).unwrap();
        let name = format!("{number} {} {}", case["document"], case["patch"]);
        tally.record(&name, run(&case));
    }
    tally.finish();
}
