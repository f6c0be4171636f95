//! Conformance data made by the real tools, found through `$SLUICE_CORPUS`.
#![allow(clippy::print_stdout, reason = "the tally line is the interface of a conformance test")]

use std::path::{Path, PathBuf};

/// The folder of one conformance suite, or `None` after saying that it is skipped.
///
/// `$SLUICE_CORPUS` names the folder of all suites; without it, `../shared/corpus` beside the
/// workspace is used.
pub fn corpus(suite: &str) -> Option<PathBuf> {
    let folder = root().join(suite);
    if folder.exists() {
        return Some(folder);
    }
    println!("{suite}: skipped, no such folder in the corpus");
    None
}

fn root() -> PathBuf {
    std::env::var_os("SLUICE_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    )
}

/// Counts the cases of one suite and prints the line that tools look for.
#[derive(Debug)]
pub struct Tally {
    suite: String,
    passed: usize,
    failures: Vec<String>,
}

impl Tally {
    /// Starts counting `suite`.
    pub fn new(suite: &str) -> Self {
        Self { suite: suite.to_owned(), passed: 0, failures: Vec::new() }
    }

    /// Records one case; `Err` carries what differs.
    pub fn record(&mut self, case: &str, result: Result<(), String>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(why) => self.failures.push(format!("{case}: {why}")),
        }
    }

    /// Records one case by comparing two values.
    pub fn compare<T: PartialEq + std::fmt::Debug>(&mut self, case: &str, want: &T, got: &T) {
        let result =
            if want == got { Ok(()) } else { Err(format!("want {want:?}\n     got {got:?}")) };
        self.record(case, result);
    }

    /// Prints `<suite>: N passed, M failed` and fails the test if anything differs.
    ///
    /// # Panics
    /// When a case failed, or when no case ran at all: a suite that is present must test something.
    pub fn finish(self) {
        for failure in &self.failures {
            println!("FAIL {failure}");
        }
        println!("\n{}: {} passed, {} failed", self.suite, self.passed, self.failures.len());
        assert!(self.failures.is_empty(), "{}: {} failed", self.suite, self.failures.len());
        assert!(self.passed > 0, "{}: no case ran", self.suite);
    }
}
