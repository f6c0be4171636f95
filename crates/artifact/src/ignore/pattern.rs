//! One rule, matched as go-git's `gitignore` package matches it.

use crate::{glob::Glob, tarball::Path};

/// What a rule says of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    No,
    Exclude,
    Include,
}

#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// The folder it counts in.
    domain: Path,
    includes: bool,
    folders_only: bool,
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    /// No slash in it: matches any part of a path.
    Name(Glob),
    /// Parts between slashes.
    Parts(Vec<Part>),
}

#[derive(Clone, Debug)]
enum Part {
    /// Between two slashes, or before the first.
    Empty,
    /// `**`
    Any,
    /// A name that holds `**` and therefore matches nothing.
    Nothing,
    One(Glob),
}

impl Pattern {
    /// The rule of a line; none if it can match nothing.
    pub(super) fn parse(line: &str, domain: &Path) -> Option<Self> {
        let (includes, line) = match line.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let line = if line.ends_with("\\ ") { line } else { line.trim_end_matches(' ') };
        let (folders_only, line) = match line.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let shape = if line.contains('/') {
            Shape::Parts(line.split('/').map(part).collect())
        } else {
            Shape::Name(Glob::parse(line)?)
        };
        Some(Self { domain: domain.clone(), includes, folders_only, shape })
    }

    pub(super) fn matches(&self, path: &[&str], is_folder: bool) -> Match {
        let domain = self.domain.parts().count();
        if path.len() <= domain || !self.domain.parts().eq(path[..domain].iter().copied()) {
            return Match::No;
        }
        let path = &path[domain..];
        let matched = match &self.shape {
            Shape::Name(glob) => self.name(glob, path, is_folder),
            Shape::Parts(parts) => self.parts(parts, path, is_folder),
        };
        match (matched, self.includes) {
            (false, _) => Match::No,
            (true, true) => Match::Include,
            (true, false) => Match::Exclude,
        }
    }

    fn name(&self, glob: &Glob, path: &[&str], is_folder: bool) -> bool {
        let Some(at) = path.iter().position(|name| glob.matches(name)) else { return false };
        !(self.folders_only && !is_folder && at == path.len() - 1)
    }

    fn parts(&self, parts: &[Part], mut path: &[&str], is_folder: bool) -> bool {
        let mut matched = false;
        let mut anywhere = false;
        for (at, part) in parts.iter().enumerate() {
            match part {
                Part::Empty => anywhere = false,
                Part::Any if at == parts.len() - 1 => break,
                Part::Any => anywhere = true,
                Part::Nothing => return false,
                Part::One(_) if path.is_empty() => return false,
                Part::One(glob) if anywhere => {
                    anywhere = false;
                    let found = path.iter().position(|name| glob.matches(name));
                    matched = found.is_some();
                    path = found.map_or(&[], |found| &path[found + 1..]);
                }
                Part::One(glob) => {
                    if !glob.matches(path[0]) {
                        return false;
                    }
                    matched = true;
                    path = &path[1..];
                }
            }
        }
        matched && !(self.folders_only && !is_folder && path.is_empty())
    }
}

fn part(text: &str) -> Part {
    match text {
        "" => Part::Empty,
        "**" => Part::Any,
        text if text.contains("**") => Part::Nothing,
        text => Glob::parse(text).map_or(Part::Nothing, Part::One),
    }
}
