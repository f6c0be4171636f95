//! `.helmignore`.

use super::pattern::matches;
use crate::Error;

/// Rules for the files of a folder that do not belong to the chart.
#[derive(Debug, Clone)]
pub struct Rules(Vec<Rule>);

#[derive(Debug, Clone)]
struct Rule {
    pattern: String,
    negated: bool,
    /// It names folders only.
    folder: bool,
    /// It is about the last part of a path.
    base: bool,
}

impl Rules {
    /// Reads `.helmignore`. Hidden files below `templates/` are always ignored.
    ///
    /// # Errors
    /// [`Error::Ignore`] for `**` and broken patterns.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut rules = Vec::new();
        for line in text.lines().chain(["templates/.?*"]) {
            rules.extend(Rule::parse(line.trim())?);
        }
        Ok(Self(rules))
    }

    /// Whether a file does not belong to the chart: a rule ignores it, or a folder it is in.
    pub fn hides(&self, path: &str) -> bool {
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        folders.into_iter().any(|folder| self.ignores(folder, true)) || self.ignores(path, false)
    }

    /// Whether a rule ignores the path itself. A negated rule ignores all it does not match.
    pub fn ignores(&self, path: &str, is_folder: bool) -> bool {
        if matches!(path, "" | "." | "./") {
            return false;
        }
        for rule in &self.0 {
            let matched = (is_folder || !rule.folder) && rule.matches(path);
            if matched != rule.negated {
                return true;
            }
        }
        false
    }
}

impl Rule {
    fn parse(line: &str) -> Result<Option<Self>, Error> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        if line.contains("**") {
            return Err(Error::Ignore("double-star (**) syntax is not supported".to_owned()));
        }
        matches(line, "abc")?;
        let (negated, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
        let (folder, line) = line.strip_suffix('/').map_or((false, line), |rest| (true, rest));
        let base = !line.contains('/');
        let pattern = line.strip_prefix('/').unwrap_or(line).to_owned();
        Ok(Some(Self { pattern, negated, folder, base }))
    }

    fn matches(&self, path: &str) -> bool {
        let base = path.rsplit('/').next().unwrap_or(path);
        matches(&self.pattern, if self.base { base } else { path }).unwrap_or(false)
    }
}
