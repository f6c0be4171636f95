//! One version of a chart in an index.

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::Error;
use crate::chart::Metadata;
use crate::decode::Fields;

/// The zero of Go's times.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// One version of a chart, and where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What its Chart.yaml says.
    pub metadata: Metadata,
    /// Where the archive is; relative ones are below the repository.
    pub urls: Vec<String>,
    /// When it was made, RFC 3339; empty if that is not told.
    pub created: String,
    /// It was taken back.
    pub removed: bool,
    /// SHA-256 of the archive in hex, if it is told.
    pub digest: String,
}

impl Entry {
    pub(super) fn read(value: &yaml::Value) -> Result<Self, Error> {
        let mut metadata = Metadata::read(value)?;
        if metadata.api_version.is_empty() {
            metadata.api_version.push_str("v1");
        }
        let fields = Fields::of(value, "ChartVersion", "repo.ChartVersion")?;
        Ok(Self {
            metadata,
            urls: fields.texts("urls")?,
            created: fields.text("created")?,
            removed: fields.bool("removed")?,
            digest: fields.text("digest")?,
        })
    }

    /// Whether the metadata keep the rules that count in an index: that several dependencies have one
    /// name is forgiven, because some repositories lose the aliases.
    pub(super) fn check(&mut self) -> Result<(), Error> {
        match self.metadata.validate() {
            Err(Error::Validation(why)) if why.starts_with("more than one dependency") => Ok(()),
            result => result,
        }
    }

    /// When it was made; nothing if that is not told, or not in a form that can be read.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.created.parse().ok()
    }

    pub(super) fn to_json(&self) -> Json {
        let built = self.metadata.fields().field("urls", self.urls.clone());
        let built = built.field("created", time(&self.created)).full("removed", self.removed);
        built.full("digest", &*self.digest).into()
    }
}

/// A time as Go's JSON shows it.
pub(super) fn time(text: &str) -> &str {
    if text.is_empty() { NEVER } else { text }
}
