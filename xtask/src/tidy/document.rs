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
    problems.extend(unproved()?);
    Ok(problems)
}

/// Tests that DIFFERENCES.md names, as `crate: test`, and that are not there.
fn unproved() -> Result<Vec<String>> {
    let path = crate::root().join("DIFFERENCES.md");
    let text = std::fs::read_to_string(path).context("cannot read DIFFERENCES.md")?;
    let files = super::files();
    let sources = files.iter().filter(|path| super::is(path, "rs"));
    let sources: Vec<String> =
        sources.filter_map(|path| std::fs::read_to_string(crate::root().join(path)).ok()).collect();
    let is_test = |name: &str| {
        let (function, module) = (format!("fn {name}("), format!("mod {name};"));
        sources.iter().any(|text| text.contains(&function) || text.contains(&module))
    };
    let missing = text.split('`').skip(1).step_by(2).filter_map(|quoted| {
        let (_, named) = quoted.split_once(": ")?;
        let name = named.rsplit("::").next()?;
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        (plain && !is_test(name)).then(|| format!("DIFFERENCES.md: there is no test `{name}`"))
    });
    Ok(missing.collect())
}
