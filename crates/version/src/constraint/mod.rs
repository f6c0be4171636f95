//! Range constraints: `||` of AND groups of comparisons.

mod comparison;
mod parse;

use std::fmt;

use crate::{Error, Version};
use comparison::{Comparison, Reason};

/// A parsed range such as `>=1.2, <2 || ~3.1`.
#[derive(Debug, Clone)]
pub struct Constraint {
    groups: Vec<Group>,
}

/// Comparisons that must all hold.
#[derive(Debug, Clone)]
struct Group {
    comparisons: Vec<Comparison>,
    /// Some comparison names a pre-release, so pre-releases are candidates of this group.
    prereleases: bool,
}

/// Why a version does not satisfy one comparison of a [`Constraint`], in Masterminds' words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    text: String,
}

impl Constraint {
    /// Parses a range.
    ///
    /// Comparisons are joined by comma or space (AND) and `||` (OR). Operators are none, `=`,
    /// `!=`, `>`, `<`, `>=`, `=>`, `<=`, `=<`, `~`, `~>`, `^`; `a - b` is a closed range; a number
    /// may be `x`, `X`, `*` or missing.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let rewritten = parse::rewrite_hyphen_ranges(text);
        let groups = rewritten.split("||").map(Group::parse).collect::<Result<_, _>>()?;
        Ok(Self { groups })
    }

    /// Whether `version` satisfies the constraint.
    pub fn check(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| group.check(version))
    }

    /// Like [`Constraint::check`], but tells every comparison that failed.
    pub fn validate(&self, version: &Version) -> Result<(), Vec<Mismatch>> {
        let mut mismatches = Vec::new();
        let mut told_prerelease = false;
        for group in &self.groups {
            if group.check(version) {
                return Ok(());
            }
            for comparison in &group.comparisons {
                let Err(reason) = group.test(comparison, version) else { continue };
                let prerelease = reason == Reason::Prerelease;
                if !(prerelease && told_prerelease) {
                    mismatches.push(Mismatch { text: reason.tell(version, comparison) });
                }
                told_prerelease |= prerelease;
            }
        }
        Err(mismatches)
    }

    /// Whether `version` is refused only because no AND group asks for pre-releases.
    ///
    /// Lets a caller tell users how many candidates the pre-release rule left out.
    pub fn excludes_prerelease(&self, version: &Version) -> bool {
        !version.prerelease().is_empty()
            && !self.check(version)
            && self.groups.iter().any(|group| {
                !group.prereleases && group.comparisons.iter().all(|c| c.test(version).is_ok())
            })
    }
}

impl Group {
    fn parse(text: &str) -> Result<Self, Error> {
        let comparisons = parse::comparisons(text)?;
        let prereleases = comparisons.iter().any(Comparison::names_prerelease);
        Ok(Self { comparisons, prereleases })
    }

    fn check(&self, version: &Version) -> bool {
        self.comparisons.iter().all(|comparison| self.test(comparison, version).is_ok())
    }

    fn test(&self, comparison: &Comparison, version: &Version) -> Result<(), Reason> {
        if !self.prereleases && !version.prerelease().is_empty() {
            return Err(Reason::Prerelease);
        }
        comparison.test(version)
    }
}

/// The normal form: operators next to their versions, ` ` for AND, ` || ` for OR.
impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, group) in self.groups.iter().enumerate() {
            if index > 0 {
                f.write_str(" || ")?;
            }
            for (index, comparison) in group.comparisons.iter().enumerate() {
                if index > 0 {
                    f.write_str(" ")?;
                }
                comparison.fmt(f)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
