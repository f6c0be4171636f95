//! The rules a policy may have, and how each picks from candidates.

use version::{Constraint, Version};

use crate::choice::Facts;
use crate::filter::Candidate;
use crate::{Error, number};

/// How the best tag is found.
#[derive(Debug, Clone)]
pub enum Rule {
    /// The highest semantic version within a range.
    SemVer(Range),
    /// By bytes.
    Alphabetical(Order),
    /// By the number that each tag is.
    Numerical(Order),
}

/// A version range, compiled, with the text it came from.
#[derive(Debug, Clone)]
pub struct Range {
    text: String,
    constraint: Constraint,
}

/// The order in which tags are thought to be sorted; the last one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The greatest wins.
    Ascending,
    /// The least wins.
    Descending,
}

impl Rule {
    /// A rule for the highest version within `range` (Masterminds/semver syntax).
    pub fn semver(range: &str) -> Result<Self, Error> {
        let constraint = Constraint::parse(range)?;
        Ok(Self::SemVer(Range { text: range.to_owned(), constraint }))
    }

    /// The place of the best candidate and what is worth telling about it.
    pub(crate) fn best(&self, candidates: &[Candidate<'_>]) -> Result<(usize, Facts<'_>), Error> {
        if candidates.is_empty() {
            return Err(Error::NoTags);
        }
        match self {
            Self::SemVer(range) => range.best(candidates),
            Self::Alphabetical(order) => {
                Ok((alphabetical(*order, candidates), Facts::Alphabetical(*order)))
            }
            Self::Numerical(order) => {
                Ok((numerical(*order, candidates)?, Facts::Numerical(*order)))
            }
        }
    }
}

impl Range {
    /// The range as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The highest version; of equal ones the first.
    fn best(&self, candidates: &[Candidate<'_>]) -> Result<(usize, Facts<'_>), Error> {
        let mut best: Option<(usize, Version)> = None;
        let (mut matching, mut prereleases) = (0, 0);
        for (index, candidate) in candidates.iter().enumerate() {
            let Some(version) = three_parts(&candidate.value) else { continue };
            if !self.constraint.check(&version) {
                prereleases += usize::from(self.constraint.excludes_prerelease(&version));
                continue;
            }
            matching += 1;
            if best.as_ref().is_none_or(|(_, highest)| version.precedence(highest).is_gt()) {
                best = Some((index, version));
            }
        }
        let (index, _) = best.ok_or(Error::NoneInRange)?;
        Ok((index, Facts::SemVer { range: &self.text, matching, prereleases }))
    }
}

/// Parses a version that has at least two dots: `1` and `1.2` are no candidates, for they are
/// tags that move.
fn three_parts(tag: &str) -> Option<Version> {
    (tag.bytes().filter(|&byte| byte == b'.').count() >= 2).then(|| Version::parse(tag).ok())?
}

fn alphabetical(order: Order, candidates: &[Candidate<'_>]) -> usize {
    let mut best = 0;
    for (index, candidate) in candidates.iter().enumerate() {
        let better = match order {
            Order::Ascending => candidate.value > candidates[best].value,
            Order::Descending => candidate.value < candidates[best].value,
        };
        if better {
            best = index;
        }
    }
    best
}

/// The greatest or least number; of equal ones the last. A single tag that is no number is an
/// error, and nothing compares with NaN, which therefore always gives way and never yields.
fn numerical(order: Order, candidates: &[Candidate<'_>]) -> Result<usize, Error> {
    let mut best: Option<(usize, f64)> = None;
    for (index, candidate) in candidates.iter().enumerate() {
        let value = number::parse(&candidate.value)
            .ok_or_else(|| Error::NotNumeric(candidate.value.to_string()))?;
        let worse = best.is_some_and(|(_, best)| match order {
            Order::Ascending => value < best,
            Order::Descending => value > best,
        });
        if !worse {
            best = Some((index, value));
        }
    }
    best.map(|(index, _)| index).ok_or(Error::NoTags)
}
