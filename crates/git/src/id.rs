//! Object ids.

use std::{fmt, str::FromStr};

use crate::Error;

/// The id of a Git object, 40 (SHA-1) or 64 (SHA-256) hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(gix::ObjectId);

impl Id {
    pub(crate) fn new(id: gix::ObjectId) -> Self {
        Self(id)
    }

    pub(crate) fn raw(self) -> gix::ObjectId {
        self.0
    }

    /// The first seven digits, as people write commits.
    pub fn short(&self) -> String {
        self.0.to_hex_with_len(7).to_string()
    }

    /// `sha1:<hex>`, as Flux writes ids in revisions.
    pub fn digest(&self) -> String {
        let algorithm = if self.0.as_bytes().len() == 20 { "sha1" } else { "<unknown>" };
        format!("{algorithm}:{self}")
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.to_hex().fmt(f)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Id {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        gix::ObjectId::from_hex(text.as_bytes())
            .map(Self)
            .map_err(|_| Error::Config(format!("'{text}' is not a commit id")))
    }
}
