//! Which tags are candidates, and which part of them is compared.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::Error;
use crate::pattern::{Pattern, Template};

/// A tag filter: a pattern that tags must match, and optionally what to take out of them.
#[derive(Debug, Clone)]
pub struct Filter {
    text: String,
    pattern: Pattern,
    extract: Option<Template>,
}

/// A tag and the value that the rule compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate<'t> {
    pub(crate) tag: &'t str,
    pub(crate) value: Cow<'t, str>,
}

impl Filter {
    /// Compiles `pattern` (Go RE2 syntax, unanchored) and `extract` (`$1`, `$name`, `${name}`; the
    /// whole tag is compared if it is empty).
    pub fn new(pattern: &str, extract: &str) -> Result<Self, Error> {
        let compiled = Pattern::new(pattern)
            .map_err(|why| Error::Filter { pattern: pattern.to_owned(), why })?;
        let extract = (!extract.is_empty()).then(|| Template::new(extract, &compiled));
        Ok(Self { text: pattern.to_owned(), pattern: compiled, extract })
    }

    /// The pattern as it was written.
    pub fn pattern(&self) -> &str {
        &self.text
    }

    /// What the rule compares of `tag`; `None` if the tag does not match.
    pub fn extract<'t>(&self, tag: &'t str) -> Option<Cow<'t, str>> {
        self.extract_with(tag, &mut self.pattern.locations())
    }

    fn extract_with<'t>(
        &self,
        tag: &'t str,
        locations: &mut regex::CaptureLocations,
    ) -> Option<Cow<'t, str>> {
        match &self.extract {
            None => self.pattern.is_match(tag).then_some(Cow::Borrowed(tag)),
            Some(template) => self
                .pattern
                .locate(tag, locations)
                .then(|| Cow::Owned(template.expand(tag, locations))),
        }
    }

    /// The matching tags in the given order; of those with the same value only the last.
    pub(crate) fn candidates<'t>(&self, tags: &'t [impl AsRef<str>]) -> Vec<Candidate<'t>> {
        let mut seen = HashSet::new();
        let mut locations = self.pattern.locations();
        let mut candidates = Vec::new();
        for tag in tags.iter().rev().map(AsRef::as_ref) {
            let Some(value) = self.extract_with(tag, &mut locations) else { continue };
            if self.extract.is_none() || seen.insert(value.clone()) {
                candidates.push(Candidate { tag, value });
            }
        }
        candidates.reverse();
        candidates
    }
}
