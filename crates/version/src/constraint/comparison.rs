//! One comparison of a constraint, such as `^1.2`.

use std::cmp::Ordering;
use std::fmt;

use crate::Version;
use crate::parsed::compare_prerelease;

/// An operator and the version it compares with.
#[derive(Debug, Clone)]
pub(super) struct Comparison {
    /// The operator as it was written.
    pub(super) sign: &'static str,
    pub(super) operator: Operator,
    /// The version with wildcards read as 0.
    pub(super) version: Version,
    pub(super) wildcard: Wildcard,
    /// The version as it was written.
    pub(super) written: String,
}

/// What a comparison asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// The first number of the version that was `x`, `X`, `*` or left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wildcard {
    None,
    Patch,
    Minor,
    Major,
}

/// How a version fails a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Prerelease,
    Equal,
    NotEqual,
    LessOrEqual,
    GreaterOrEqual,
    Less,
    Greater,
    OtherMajor,
    OtherMajorOrMinor,
    OtherMinorOfZero,
    OtherMinor,
    OtherPatchOfZero,
}

impl Comparison {
    pub(super) fn names_prerelease(&self) -> bool {
        !self.version.prerelease().is_empty()
    }

    /// Compares without the pre-release rule, which belongs to the whole AND group.
    pub(super) fn test(&self, version: &Version) -> Result<(), Reason> {
        let order = version.precedence(&self.version);
        match self.operator {
            Operator::Equal if self.wildcard != Wildcard::None => self.tilde(version, order),
            Operator::Equal => require(order.is_eq(), Reason::NotEqual),
            Operator::NotEqual => require(self.differs(version, order), Reason::Equal),
            Operator::Greater => require(self.greater(version, order), Reason::LessOrEqual),
            Operator::Less => require(order.is_lt(), Reason::GreaterOrEqual),
            Operator::GreaterOrEqual => require(order.is_ge(), Reason::Less),
            Operator::LessOrEqual => require(self.at_most(version, order), Reason::Greater),
            Operator::Tilde => self.tilde(version, order),
            Operator::Caret => self.caret(version, order),
        }
    }

    fn differs(&self, version: &Version, order: Ordering) -> bool {
        let wanted = &self.version;
        match self.wildcard {
            Wildcard::None | Wildcard::Major => order.is_ne(),
            Wildcard::Minor => version.major() != wanted.major(),
            Wildcard::Patch => {
                (version.major(), version.minor()) != (wanted.major(), wanted.minor())
                    || compare_prerelease(version.prerelease(), wanted.prerelease()).is_ne()
            }
        }
    }

    fn greater(&self, version: &Version, order: Ordering) -> bool {
        let wanted = &self.version;
        match self.wildcard {
            Wildcard::None | Wildcard::Major => order.is_gt(),
            Wildcard::Minor => version.major() > wanted.major(),
            Wildcard::Patch => {
                (version.major(), version.minor()) > (wanted.major(), wanted.minor())
            }
        }
    }

    fn at_most(&self, version: &Version, order: Ordering) -> bool {
        let wanted = &self.version;
        match self.wildcard {
            Wildcard::None => order.is_le(),
            Wildcard::Minor => version.major() <= wanted.major(),
            // `<=*` reads its missing major as 0, and so means `<=0.0`.
            Wildcard::Patch | Wildcard::Major => {
                (version.major(), version.minor()) <= (wanted.major(), wanted.minor())
            }
        }
    }

    fn tilde(&self, version: &Version, order: Ordering) -> Result<(), Reason> {
        let wanted = &self.version;
        require(order.is_ge(), Reason::Less)?;
        let zero = [wanted.major(), wanted.minor(), wanted.patch()] == [0; 3];
        if zero && matches!(self.wildcard, Wildcard::None | Wildcard::Major) {
            return Ok(());
        }
        require(version.major() == wanted.major(), Reason::OtherMajor)?;
        let same_minor = version.minor() == wanted.minor() || self.wildcard == Wildcard::Minor;
        require(same_minor, Reason::OtherMajorOrMinor)
    }

    fn caret(&self, version: &Version, order: Ordering) -> Result<(), Reason> {
        let wanted = &self.version;
        require(order.is_ge(), Reason::Less)?;
        require(version.major() == wanted.major(), Reason::OtherMajor)?;
        if wanted.major() > 0 || self.wildcard == Wildcard::Minor {
            return Ok(());
        }
        if wanted.minor() > 0 || self.wildcard == Wildcard::Patch {
            return require(version.minor() == wanted.minor(), Reason::OtherMinorOfZero);
        }
        require(version.minor() == 0, Reason::OtherMinor)?;
        require(version.patch() == wanted.patch(), Reason::OtherPatchOfZero)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.sign, self.written)
    }
}

impl Reason {
    /// The sentence Masterminds prints.
    pub(super) fn tell(self, version: &Version, comparison: &Comparison) -> String {
        let written = &comparison.written;
        match self {
            Self::Prerelease => format!(
                "{version} is a prerelease version and the constraint is only looking for release versions"
            ),
            Self::Equal => format!("{version} is equal to {written}"),
            Self::NotEqual => format!("{version} is not equal to {written}"),
            Self::LessOrEqual => format!("{version} is less than or equal to {written}"),
            Self::GreaterOrEqual => format!("{version} is greater than or equal to {written}"),
            Self::Less => format!("{version} is less than {written}"),
            Self::Greater => format!("{version} is greater than {written}"),
            Self::OtherMajor => format!("{version} does not have same major version as {written}"),
            Self::OtherMajorOrMinor => {
                format!("{version} does not have same major and minor version as {written}")
            }
            Self::OtherMinorOfZero => format!(
                "{version} does not have same minor version as {written}. Expected minor versions to match when constraint major version is 0"
            ),
            Self::OtherMinor => format!("{version} does not have same minor version as {written}"),
            Self::OtherPatchOfZero => format!(
                "{version} does not equal {written}. Expect version and constraint to equal when major and minor versions are 0"
            ),
        }
    }
}

fn require(holds: bool, otherwise: Reason) -> Result<(), Reason> {
    if holds { Ok(()) } else { Err(otherwise) }
}
