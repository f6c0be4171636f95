//! Bundles as decisions see them.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use jiff::Timestamp;
use version::Version;

/// What is known of a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bundle {
    /// Name.
    pub name: String,
    /// What people call it.
    pub version: Option<String>,
    /// When it was first seen.
    pub discovered: Timestamp,
    /// Whether it was read from a branch rather than made of new values.
    pub adopted: bool,
    /// Why something of it can no longer be had, if so.
    pub unavailable: Option<String>,
    /// Who does not want it, by stage or `*`.
    pub rejected: BTreeMap<String, String>,
    /// Where it was verified.
    pub verified: BTreeMap<String, Verified>,
    /// Where it failed.
    pub failed: BTreeSet<String>,
}

/// That a bundle was verified in a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// When.
    pub at: Timestamp,
    /// Whether it does not count any more.
    pub withdrawn: bool,
}

/// Which of two bundles is newer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The one that was seen later.
    #[default]
    Discovered,
    /// The one with the greater version.
    SemVer,
}

impl Bundle {
    /// Who does not want it in a stage.
    pub fn rejected_in(&self, stage: &str) -> Option<&str> {
        self.rejected.get(stage).or_else(|| self.rejected.get("*")).map(String::as_str)
    }

    fn parsed(&self) -> Option<Version> {
        self.version.as_deref().and_then(|text| Version::parse(text).ok())
    }
}

impl Order {
    /// Whether `a` comes before (Less) or after (Greater) `b`. What was read from a branch is older
    /// than all that was made, since nobody knows how long it was there; ties go by name.
    pub fn compare(self, a: &Bundle, b: &Bundle) -> Ordering {
        if a.name == b.name {
            return Ordering::Equal;
        }
        let versions = match self {
            Self::Discovered => None,
            Self::SemVer => a.parsed().zip(b.parsed()).map(|(a, b)| a.precedence(&b)),
        };
        versions
            .unwrap_or(Ordering::Equal)
            .then_with(|| b.adopted.cmp(&a.adopted))
            .then_with(|| a.discovered.cmp(&b.discovered))
            .then_with(|| a.name.cmp(&b.name))
    }

    /// The newest that was not read from a branch, or else the newest of all.
    pub fn newest<'a>(self, bundles: impl IntoIterator<Item = &'a Bundle>) -> Option<&'a Bundle> {
        bundles.into_iter().max_by(|a, b| self.compare(a, b))
    }
}
