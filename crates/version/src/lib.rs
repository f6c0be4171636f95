//! Semantic versions and range constraints by the rules of Masterminds/semver v3.4.0.
//!
//! Flux and Helm users write their ranges for that library, whose grammar and answers differ from
//! those of the `semver` crate: `1.2` is a version, `1.2` is also a range, `^0.2` allows `0.2.9`,
//! pre-releases count only when the AND group names one, and leading zeros are forgiven.
//!
//! ```text
//! "v1.10.0-rc.1" --Version::parse-->    Version    --.
//!                                                    |-- check / validate
//! ">=1.0 <2 || ^3" --Constraint::parse--> Constraint --'
//! ```
//!
//! Invariants: parsing is linear in the text and never recurses; [`Version::precedence`] ignores
//! build metadata; the text a version was parsed from is kept as it was written.
//!
//! ```
//! use version::{Constraint, Version};
//!
//! let range = Constraint::parse("^1.2 || 3.x")?;
//! assert!(range.check(&Version::parse("v1.10.0")?));
//! assert!(!range.check(&Version::parse("1.10.0-rc.1")?));
//! # Ok::<(), version::Error>(())
//! ```
//!
//! It does not choose between versions (crate `policy` does) and does not change them.
#![deny(missing_docs)]

mod constraint;
mod parsed;

pub use constraint::{Constraint, Mismatch};
pub use parsed::Version;

/// What is wrong with a version or a constraint; the texts are those of Masterminds/semver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text does not have the form of a version.
    #[error("invalid semantic version")]
    InvalidVersion,
    /// A strict parse of an empty text.
    #[error("version string empty")]
    Empty,
    /// A numeric part holds something else than digits.
    #[error("invalid characters in version")]
    InvalidCharacters,
    /// A numeric part has a leading zero where that is not allowed.
    #[error("version segment starts with 0")]
    SegmentStartsZero,
    /// The part after `+` is malformed.
    #[error("invalid metadata string")]
    InvalidMetadata,
    /// The part after `-` is malformed.
    #[error("invalid prerelease string")]
    InvalidPrerelease,
    /// A number that does not fit 64 bits, in a loose parse.
    #[error("error parsing version segment: {0}")]
    LooseSegment(Box<Error>),
    /// A number (the text given) that does not fit 64 bits.
    #[error("strconv.ParseUint: parsing \"{0}\": value out of range")]
    SegmentOutOfRange(String),
    /// An empty numeric part, in a strict parse.
    #[error("strconv.ParseUint: parsing \"\": invalid syntax")]
    SegmentEmpty,
    /// An AND group (the text given, after hyphen ranges were rewritten) is not a constraint.
    #[error("improper constraint: {0}")]
    ImproperConstraint(String),
    /// A constraint has the right form, but its version is impossible.
    #[error("constraint parser error")]
    ConstraintVersion,
}
