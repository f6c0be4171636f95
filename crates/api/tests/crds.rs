//! The definitions against upstream's, by the comparison that comes with the conformance data.
#![allow(clippy::print_stdout, reason = "conformance results are printed")]

use std::process::Command;

#[test]
fn structurally_equal_to_upstream() {
    let Some(corpus) = testkit::corpus("crds") else { return };
    let folder = tempfile::tempdir().unwrap();
    for crd in api::crd::all() {
        let name = crd["metadata"]["name"].as_str().unwrap().to_owned();
        std::fs::write(folder.path().join(format!("{name}.json")), crd.to_string()).unwrap();
    }
    let mut tally = testkit::Tally::new("crds");
    let output = Command::new("python3")
        .arg(corpus.join("compare.py"))
        .arg(folder.path())
        .output()
        .expect("the comparison is a Python program");
    record(&mut tally, &String::from_utf8_lossy(&output.stdout));
    tally.finish();
}

/// Counts every version of every kind.
fn record(tally: &mut testkit::Tally, output: &str) {
    let mut lines = output.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(case) = line.strip_prefix("ok   ") {
            tally.record(case, Ok(()));
        } else if let Some(case) = line.strip_prefix("FAIL ") {
            let mut why = Vec::new();
            while let Some(detail) = lines.next_if(|line| line.starts_with("     ")) {
                why.push(detail.trim());
            }
            tally.record(case, Err(why.join("\n")));
        }
    }
}
