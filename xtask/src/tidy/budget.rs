//! Sizes: files, the table of contents that `turn` is, and one test binary per crate.

use anyhow::Result;

/// Production lines of a file beyond which it must be split.
const FILE: usize = 800;
/// Lines of a `turn`.
const TURN: usize = 60;

/// Every file that is too long.
pub(super) fn problems() -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let files = super::files();
    for path in files.iter().filter(|path| super::is(path, "rs")) {
        let text = std::fs::read_to_string(crate::root().join(path))?;
        let lines = production_lines(&text);
        if lines > FILE && !path.contains("/tests/") {
            problems.push(format!("{path} has {lines} production lines, more than {FILE}"));
        }
        if let Some(lines) = turn_lines(&text)
            && lines > TURN
        {
            problems.push(format!("`turn` in {path} has {lines} lines, more than {TURN}"));
        }
    }
    problems.extend(test_binaries(&files));
    problems.extend(forgotten_tests(&files)?);
    Ok(problems)
}

/// Lines up to the first test module.
fn production_lines(text: &str) -> usize {
    text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count()
}

/// Lines of the function named `turn`, by its indentation.
fn turn_lines(text: &str) -> Option<usize> {
    let mut lines =
        text.lines().skip_while(|line| !line.trim_start().starts_with("async fn turn("));
    let first = lines.next()?;
    let end = format!("{}}}", &first[..first.len() - first.trim_start().len()]);
    lines.position(|line| line == end).map(|count| count + 2)
}

/// A crate's integration tests link once.
fn test_binaries(files: &[String]) -> Vec<String> {
    let binary = |path: &&String| {
        let parts: Vec<&str> = path.split('/').collect();
        matches!(parts.as_slice(), ["crates", _, "tests", file] if super::is(file, "rs"))
            || matches!(parts.as_slice(), ["crates", _, "tests", _, "main.rs"])
    };
    let mut crates: Vec<&str> =
        files.iter().filter(binary).filter_map(|path| path.split('/').nth(1)).collect();
    crates.sort_unstable();
    let twice: Vec<&str> =
        crates.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    twice
        .into_iter()
        .map(|name| format!("crate {name} has more than one integration-test binary"))
        .collect()
}

/// Test files that no binary includes.
fn forgotten_tests(files: &[String]) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for main in files.iter().filter(|path| {
        path.ends_with("/main.rs") && path.contains("tests/") && !path.contains("/src/")
    }) {
        let folder = main.trim_end_matches("main.rs");
        let text = std::fs::read_to_string(crate::root().join(main))?;
        for file in files.iter().filter(|path| path.starts_with(folder) && super::is(path, "rs")) {
            let name = file[folder.len()..].trim_end_matches(".rs").split('/').next();
            let Some(name) = name.filter(|name| *name != "main") else { continue };
            if !text
                .lines()
                .any(|line| line.trim_start_matches("pub ").trim() == format!("mod {name};"))
            {
                problems.push(format!("{file} is included by no test binary"));
            }
        }
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::{production_lines, turn_lines};

    #[test]
    fn counts() {
        assert_eq!(production_lines("a\nb\n#[cfg(test)]\nmod tests {}\n"), 2);
        assert_eq!(
            turn_lines("    async fn turn(\n        x\n    ) {\n        y\n    }\n"),
            Some(5)
        );
        assert_eq!(turn_lines("fn other() {}\n"), None);
    }
}
