//! The documents at the root are there and speak of every crate.

use anyhow::{Context as _, Result};

/// Documents that must exist.
const DOCUMENTS: [&str; 8] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "DIFFERENCES.md",
    "LICENSE",
    "README.md",
    "RELEASE.md",
    "STYLE.md",
];
/// Lines of ARCHITECTURE.md beyond which nobody reads it.
const MAP: usize = 200;

/// What is missing.
pub(super) fn problems() -> Result<Vec<String>> {
    let mut problems: Vec<String> = DOCUMENTS
        .iter()
        .filter(|name| !crate::root().join(name).is_file())
        .map(|name| format!("{name} is missing at the root"))
        .collect();
    let map = std::fs::read_to_string(crate::root().join("ARCHITECTURE.md"))
        .context("cannot read ARCHITECTURE.md")?;
    if map.lines().count() > MAP {
        problems.push(format!("ARCHITECTURE.md has more than {MAP} lines"));
    }
    for path in super::files() {
        let parts: Vec<&str> = path.split('/').collect();
        if let ["crates", name, "Cargo.toml"] = parts.as_slice() {
            if !map.contains(&format!("`{name}`")) {
                problems.push(format!("ARCHITECTURE.md does not speak of `{name}`"));
            }
            let manifest = std::fs::read_to_string(crate::root().join(&path))?;
            if !manifest.contains(&format!("\nname = \"{name}\"\n")) {
                problems.push(format!("{path}: the crate is not named like its folder"));
            }
        }
    }
    Ok(problems)
}
