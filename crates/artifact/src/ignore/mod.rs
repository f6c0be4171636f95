//! What is left out of artifacts: `.sourceignore` files, `spec.ignore` and upstream's defaults.
//!
//! The rules are those of go-git's `gitignore` package, which differ from Git's: a file below an
//! ignored folder can be taken in again, and a pattern without a slash matches any part of a path.

mod pattern;

use pattern::{Match, Pattern};

use crate::{Error, tarball::Path};

/// The name of the files with rules.
pub const FILE: &str = ".sourceignore";

/// How many rules one artifact may have.
const MOST: usize = 20_000;

const VERSION_CONTROL: &str = ".git/,.gitignore,.gitmodules,.gitattributes";
const DEFAULTS: &str = "*.jpg,*.jpeg,*.gif,*.png,*.wmv,*.flv,*.tar.gz,*.zip,\
    .github/,.circleci/,.travis.yml,.gitlab-ci.yml,appveyor.yml,.drone.yml,cloudbuild.yaml,\
    codeship-services.yml,codeship-steps.yml,**/.goreleaser.yml,**/.sops.yaml,**/.flux.yaml";

/// The rules for one tree; later ones win.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    patterns: Vec<Pattern>,
}

impl Rules {
    /// No rules: nothing is left out.
    pub fn none() -> Self {
        Self::default()
    }

    /// The rules of an artifact: those of the `files` (folder and text of each `.sourceignore`, in
    /// any order), then those of `spec.ignore`. As soon as there is one of them, only the files of
    /// version control are left out besides.
    ///
    /// # Errors
    /// There are too many rules.
    pub fn of(files: Vec<(Path, String)>, spec: Option<&str>) -> Result<Self, Error> {
        let mut own = Self::read(files)?;
        own.add(&Path::root(), spec.unwrap_or_default())?;
        let defaults = if own.patterns.is_empty() { DEFAULTS } else { "" };
        let mut rules = Self::none();
        let given = [VERSION_CONTROL, defaults].into_iter().flat_map(|all| all.split(','));
        for text in given.filter(|text| !text.is_empty()) {
            rules.patterns.extend(Pattern::parse(text.trim(), &Path::root()));
        }
        rules.patterns.extend(own.patterns);
        Ok(rules)
    }

    /// The rules of the files, then of the text, and no others: what a Bucket has.
    ///
    /// # Errors
    /// There are too many rules.
    pub fn only(files: Vec<(Path, String)>, spec: Option<&str>) -> Result<Self, Error> {
        let mut rules = Self::read(files)?;
        rules.add(&Path::root(), spec.unwrap_or_default())?;
        Ok(rules)
    }

    /// Upstream's defaults, and no others: what an ArtifactGenerator has.
    pub fn defaults() -> Self {
        // Without files and text there is nothing to count.
        Self::of(Vec::new(), None).unwrap_or_default()
    }

    /// Whether the artifact goes without what is at `path`. The root always stays.
    pub fn leaves_out(&self, path: &Path, is_folder: bool) -> bool {
        let parts: Vec<&str> = path.parts().collect();
        let rules = self.patterns.iter().rev();
        let mut told = rules.map(|rule| rule.matches(&parts, is_folder));
        told.find(|told| *told != Match::No) == Some(Match::Exclude)
    }

    fn read(mut files: Vec<(Path, String)>) -> Result<Self, Error> {
        files.retain(|(folder, _)| folder.parts().all(|part| part != ".git"));
        files.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut rules = Self::none();
        files.iter().try_for_each(|(folder, text)| rules.add(folder, text))?;
        Ok(rules)
    }

    fn add(&mut self, folder: &Path, text: &str) -> Result<(), Error> {
        for line in text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)) {
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            if self.patterns.len() >= MOST {
                return Err(Error::limit("the number of ignore rules", MOST.to_string()));
            }
            self.patterns.extend(Pattern::parse(line, folder));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Path, Rules};

    fn left_out(rules: &Rules, path: &str) -> bool {
        rules.leaves_out(&Path::parse(path).unwrap(), false)
    }

    #[test]
    fn defaults_vanish_with_the_first_rule() {
        let defaults = Rules::of(vec![(Path::root(), "# nothing\n\n".into())], Some("")).unwrap();
        for path in ["a.jpg", "x/.flux.yaml", ".git/config", ".github/x", "a/b.tar.gz"] {
            assert!(left_out(&defaults, path), "{path}");
        }
        assert!(!left_out(&defaults, "a.yaml") && !left_out(&defaults, ".sourceignore"));
        let own = Rules::of(Vec::new(), Some("nothing-else")).unwrap();
        assert!(!left_out(&own, "a.jpg") && left_out(&own, ".gitignore"));
        let bucket = Rules::only(Vec::new(), None).unwrap();
        assert!(!left_out(&bucket, ".gitignore"));
    }

    #[test]
    fn files_count_in_their_folders_and_in_order() {
        let at = |path: &str| Path::parse(path).unwrap();
        let files = vec![(at("a/b"), "!keep".into()), (at("a"), "keep\ndrop".into())];
        let rules = Rules::of(files, None).unwrap();
        assert!(left_out(&rules, "a/keep") && left_out(&rules, "a/b/drop"));
        assert!(!left_out(&rules, "a/b/keep") && !left_out(&rules, "keep"));
        let everything = Rules::of(vec![(at("a/b"), "!keep".into())], Some("/*\n!/c")).unwrap();
        assert!(left_out(&everything, "a/b/keep") && !left_out(&everything, "c/d"));
        let hidden = Rules::of(vec![(at("a/.git"), "x".into())], None).unwrap();
        assert!(left_out(&hidden, "a.jpg"), "rules of a repository's own folder do not count");
    }

    #[test]
    fn very_many_rules_are_refused() {
        Rules::of(Vec::new(), Some(&"a\n".repeat(20_001))).unwrap_err();
    }
}
