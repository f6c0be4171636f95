//! Candidate tags and a rule in, the chosen tag and the reason out.
//!
//! ```text
//! tags of a registry --Exclusions--> Scan (sorted, revision)
//!                                      |
//!                    Filter (pattern, extract) --> candidates
//!                                      |
//!                    Rule (range | alphabetical | numerical) --> Choice (tag, reason)
//! ```
//!
//! The answers and the error texts are those of Flux' image-reflector-controller v1.0.4, whose
//! users see them: versions by Masterminds/semver, patterns by Go's `regexp`, numbers by Go's
//! `strconv.ParseFloat`, revisions as its tag database computes them.
//!
//! Invariants: the same tags, rule and filter always give the same choice; matching takes time
//! linear in the tag; a compiled pattern has bounded size, and deep nesting is refused.
//!
//! ```
//! use policy::{Exclusions, Filter, Rule, Scan, select};
//!
//! let tags = ["1.0.0-alpine", "1.1.0-alpine", "1.2.0", "1.1.0-alpine.sig"].map(String::from);
//! let scan = Scan::new(tags.to_vec(), &Exclusions::new::<String>(&[])?);
//! let filter = Filter::new(r"^(?P<v>.*)-alpine$", "$v")?;
//! let choice = select(scan.tags(), &Rule::semver("1.x")?, Some(&filter))?;
//! assert_eq!(choice.tag, "1.1.0-alpine");
//! assert_eq!(choice.extracted.as_deref(), Some("1.1.0"));
//! # Ok::<(), policy::Error>(())
//! ```
//!
//! It does not talk to registries, and knows nothing of digests.
#![deny(missing_docs)]

mod choice;
mod filter;
mod number;
mod pattern;
mod rule;
mod scan;

pub use choice::{Choice, select};
pub use filter::Filter;
pub use pattern::{Pattern, PatternError};
pub use rule::{Order, Range, Rule};
pub use scan::{Exclusions, Scan, revision};

/// Why nothing can be chosen; the texts are upstream's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The range of a semver rule is invalid.
    #[error(transparent)]
    Range(#[from] version::Error),
    /// The pattern of a filter is invalid.
    #[error("invalid regular expression pattern '{pattern}': {why}")]
    Filter {
        /// The pattern as it was written.
        pattern: String,
        /// What is wrong with it.
        why: PatternError,
    },
    /// An exclusion pattern is invalid.
    #[error("failed to compile regex {pattern}: {why}")]
    Exclusion {
        /// The pattern as it was written.
        pattern: String,
        /// What is wrong with it.
        why: PatternError,
    },
    /// There is no tag, or the filter matches none.
    #[error("version list argument cannot be empty")]
    NoTags,
    /// No tag is a version within the range.
    #[error("unable to determine latest version from provided list")]
    NoneInRange,
    /// A candidate of a numerical rule is not a number.
    #[error("failed to parse invalid numeric value '{0}'")]
    NotNumeric(String),
}
