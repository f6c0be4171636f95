//! The house rules that a compiler does not know.

mod budget;
mod document;
mod ring;
mod text;

use anyhow::{Result, bail};

use crate::codegen;

/// Checks every rule and fails with all that is wrong.
pub(crate) fn run() -> Result<()> {
    let mut problems = ring::problems()?;
    problems.extend(budget::problems()?);
    problems.extend(document::problems()?);
    problems.extend(text::problems());
    problems.extend(codegen::stale()?);
    if problems.is_empty() {
        return Ok(());
    }
    problems.sort();
    bail!("{} house rules broken:\n{}", problems.len(), problems.join("\n"));
}

/// Every file of the work tree that Git knows of or would take, with forward slashes.
fn files() -> Vec<String> {
    crate::run::output("git", &["ls-files", "--cached", "--others", "--exclude-standard"])
        .unwrap_or_default()
        .lines()
        .filter(|path| crate::root().join(path).is_file())
        .map(str::to_owned)
        .collect()
}

/// Whether a path has this extension.
fn is(path: &str, extension: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|it| it == extension)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_house_is_tidy() {
        super::run().unwrap();
    }
}
