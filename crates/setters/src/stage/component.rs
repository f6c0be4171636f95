//! What moves through a pipeline.

use super::{Error, Value};

/// One component of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Component {
    /// What it is to be; without one, files are only read.
    pub value: Option<Value>,
    /// What it was before, as far as known: tells whether markers can say the difference.
    pub previous: Option<Value>,
    /// The policies whose `$imagepolicy` markers mean it.
    pub policies: Vec<Policy>,
    /// A stage need not have a place for it.
    pub optional: bool,
}

/// An image policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether it reflects digests, so that its markers have always had one.
    pub reflects_digest: bool,
}

impl Component {
    pub(super) fn check(&self, name: &str) -> Result<(), Error> {
        let wrong = |why| Error::Value { component: name.to_owned(), why };
        self.value.as_ref().map_or(Ok(()), |value| value.check().map_err(wrong))
    }
}
