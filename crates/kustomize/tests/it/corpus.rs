//! Byte-equal output on the trees of the conformance data.
#![expect(clippy::disallowed_methods, reason = "the conformance data is on disk")]

use std::path::{Path, PathBuf};

use kustomize::{Budget, Inputs, Options, Reorder, build};
use serde_json::Value;
use testkit::{Tally, corpus};

use crate::disk::Disk;

/// Folders with a `case.json`, sorted.
fn cases(root: &Path) -> Vec<PathBuf> {
    let folders = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    };
    let mut cases: Vec<_> = folders(root).iter().flat_map(|group| folders(group)).collect();
    cases.sort();
    cases
}

fn options(case: &Value) -> Options {
    let mut options = Options::default();
    let flags: Vec<&str> =
        case["flags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (index, flag) in flags.iter().enumerate() {
        let value = flags.get(index + 1).copied();
        match *flag {
            "--reorder" if value == Some("none") => options.reorder = Reorder::None,
            "--load-restrictor" => options.unrestricted = value == Some("LoadRestrictionsNone"),
            "--enable-managedby-label" => options.managed_by_label = true,
            _ => {}
        }
    }
    options
}

fn run(folder: &Path, case: &Value) -> Result<(), String> {
    let inside = std::fs::canonicalize(folder.join("in")).map_err(|error| error.to_string())?;
    let target = inside.join(case["path"].as_str().unwrap_or_default());
    let inputs = Inputs::new(&Disk, Budget::default());
    let target = target.to_string_lossy().trim_end_matches("/.").to_owned();
    let built = build(&inputs, &target, &options(case)).and_then(|output| output.to_yaml());
    if case["expect"] == "error" {
        return built.map_or(Ok(()), |_| Err("it builds, but must not".to_owned()));
    }
    let want =
        std::fs::read_to_string(folder.join("want.yaml")).map_err(|error| error.to_string())?;
    match built {
        Ok(got) if got == want => Ok(()),
        Ok(got) => Err(similar(&want, &got)),
        Err(error) => Err(format!("error: {error}")),
    }
}

/// The first lines that differ.
fn similar(want: &str, got: &str) -> String {
    let (want, got): (Vec<&str>, Vec<&str>) = (want.lines().collect(), got.lines().collect());
    let at = want.iter().zip(&got).position(|(a, b)| a != b).unwrap_or(want.len().min(got.len()));
    let show = |lines: &[&str]| {
        let from = at.saturating_sub(3).min(lines.len());
        lines[from..(at + 4).min(lines.len())].join("\n      ")
    };
    format!("line {}\n want {}\n got  {}", at + 1, show(&want), show(&got))
}

#[test]
fn conformance() {
    let Some(root) = corpus("kustomize") else { return };
    let mut tally = Tally::new("kustomize");
    for folder in cases(&root) {
        let text = std::fs::read_to_string(folder.join("case.json")).expect("a case has one");
        let case: Value = serde_json::from_str(&text).expect("well-formed");
        tally.record(case["name"].as_str().unwrap_or_default(), run(&folder, &case));
    }
    tally.finish();
}
