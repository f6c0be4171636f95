//! What became of each marker.

use std::fmt;

use crate::ObjectId;

/// One value that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The path of the file as it was given.
    pub file: String,
    /// The object that the scalar belongs to.
    pub object: ObjectId,
    /// The way to it from the root of its object: `spec.containers[0].image`.
    pub path: String,
    /// The value before.
    pub old: String,
    /// The value now.
    pub new: String,
    /// The marker: `namespace:policy` with an optional `:name`, `:tag` or `:digest`.
    pub setter: String,
}

/// One marker, or one file whose markers could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// The path of the file as it was given.
    pub file: String,
    /// The line of the marker, from 1; 0 if it is about the whole file.
    pub line: usize,
    /// The marker as it was written, if it could be read.
    pub setter: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
}

/// Why a scalar was changed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It has a new value.
    Updated,
    /// It had the right value already.
    Same,
    /// No policy in scope has this name.
    UnknownPolicy,
    /// The policy is in another namespace than the automation.
    OtherNamespace,
    /// The policy has not chosen an image yet.
    NotReady,
    /// The comment mentions `$imagepolicy`, but is no marker of the right form.
    Malformed,
    /// The comment belongs to no scalar value: it stands behind a key, a flow collection or an
    /// absent value, or above a key.
    Unattached,
    /// The scalar has an explicit tag (given in full) that the new value would contradict.
    Tagged(String),
    /// The file is no YAML that can be edited; the text says why.
    Unparsable(String),
    /// Two parsers read the file differently; the text says where. Nothing is edited in it.
    Disagree(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Updated => f.write_str("updated"),
            Self::Same => f.write_str("already up to date"),
            Self::UnknownPolicy => f.write_str("no such image policy in scope"),
            Self::OtherNamespace => f.write_str("the image policy is in another namespace"),
            Self::NotReady => f.write_str("the image policy has no image yet"),
            Self::Malformed => f.write_str(
                "not a marker: want {\"$imagepolicy\": \"<namespace>:<name>[:name|:tag|:digest]\"}",
            ),
            Self::Unattached => f.write_str(
                "the marker belongs to no value: put it behind the value, on the same line",
            ),
            Self::Tagged(tag) => write!(f, "the value has the explicit tag {tag}"),
            Self::Unparsable(why) => write!(f, "the file cannot be read: {why}"),
            Self::Disagree(why) => write!(f, "the file is ambiguous: {why}"),
        }
    }
}

impl fmt::Display for Marked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if let Some(setter) = &self.setter {
            write!(f, " {setter}")?;
        }
        write!(f, ": {}", self.outcome)
    }
}
