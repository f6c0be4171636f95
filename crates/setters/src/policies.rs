//! The policies that markers may name.

use std::collections::HashMap;

use crate::marker::{Marker, Part};
use crate::outcome::Outcome;
use crate::{Error, reference};

/// The image that a policy has chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The repository as the user writes it.
    pub name: String,
    /// The tag.
    pub tag: String,
    /// The digest with its algorithm, if the policy reflects digests.
    pub digest: Option<String>,
}

/// The policies in scope of one update.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    namespace: Option<String>,
    images: HashMap<(String, String), Option<Image>>,
}

impl Image {
    fn part(&self, part: Part) -> String {
        match part {
            Part::Whole => self.to_string(),
            Part::Name => self.name.clone(),
            Part::Tag => self.tag.clone(),
            Part::Digest => self.digest.clone().unwrap_or_default(),
        }
    }
}

/// `name:tag` or `name:tag@digest`.
impl std::fmt::Display for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)?;
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

impl Policies {
    /// No policy yet; `namespace` is the only one that markers may name, if given.
    pub fn new(namespace: Option<&str>) -> Self {
        Self { namespace: namespace.map(str::to_owned), images: HashMap::new() }
    }

    /// Adds a policy; without an image it is not ready. Fails if the image is no valid reference.
    pub fn insert(
        &mut self,
        namespace: &str,
        name: &str,
        image: Option<Image>,
    ) -> Result<(), Error> {
        let text = image.as_ref().map(ToString::to_string);
        if let Some(text) = text.filter(|text| !reference::is_valid(text)) {
            return Err(Error::InvalidImage(text));
        }
        self.images.insert((namespace.to_owned(), name.to_owned()), image);
        Ok(())
    }

    /// The value that `marker` asks for, or why there is none.
    pub(crate) fn value(&self, marker: &Marker) -> Result<String, Outcome> {
        let (namespace, name, part) = marker.target().ok_or(Outcome::Malformed)?;
        if self.namespace.as_ref().is_some_and(|own| own != namespace) {
            return Err(Outcome::OtherNamespace);
        }
        let policy = self.images.get(&(namespace.to_owned(), name.to_owned()));
        let image = policy.ok_or(Outcome::UnknownPolicy)?.as_ref();
        image.map(|image| image.part(part)).ok_or(Outcome::NotReady)
    }
}
