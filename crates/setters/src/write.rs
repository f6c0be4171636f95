//! Putting values in the place of scalars, and nothing else.

use std::collections::HashMap;

use yaml::{Content, Document, Node};

use crate::Outcome;
use crate::layout::Kind;
use crate::source::{Source, without_returns};
use crate::spell::{Splice, spell};

/// The values that a text is to get.
pub(crate) struct Writer<'s, 'b> {
    source: &'s Source<'b>,
    /// The new values by where the old ones start.
    values: HashMap<usize, String>,
    splices: Vec<Splice>,
}

impl<'s, 'b> Writer<'s, 'b> {
    pub(crate) fn new(source: &'s Source<'b>) -> Self {
        Self { source, values: HashMap::new(), splices: Vec::new() }
    }

    /// What a scalar says, if it can be edited.
    pub(crate) fn value<'n>(&self, scalar: &'n Node) -> Result<&'n str, Outcome> {
        let Content::Scalar { value, .. } = &scalar.content else {
            return Err(Outcome::Unattached);
        };
        let span = self.source.span(scalar);
        if span.is_empty() {
            return Err(Outcome::Unattached);
        }
        // Where a block ends is a matter of taste; the check of the result covers it.
        let token = self.source.layout.scalar_at(span.start);
        if token.is_none_or(|it| it.kind == Kind::Scalar && it.bytes != span) {
            let why = format!("line {} can be read in two ways", scalar.line);
            return Err(Outcome::Disagree(why));
        }
        Ok(value)
    }

    /// Plans that `scalar` says `new`; the outcome is that it is updated or the same.
    pub(crate) fn set(&mut self, scalar: &Node, new: &str) -> Result<Outcome, Outcome> {
        if self.value(scalar)? == new {
            return Ok(Outcome::Same);
        }
        if let Some(tag) = scalar.tag.as_ref().filter(|tag| forbids_strings(tag)) {
            return Err(Outcome::Tagged(tag.clone()));
        }
        let Content::Scalar { style, .. } = &scalar.content else {
            return Err(Outcome::Unattached);
        };
        let span = self.source.span(scalar);
        if let Some(other) = self.values.get(&span.start) {
            let why = format!("line {} is to be '{other}' and '{new}'", scalar.line);
            return if other == new { Ok(Outcome::Updated) } else { Err(Outcome::Disagree(why)) };
        }
        self.splices.extend(spell(self.source.text, &span, *style, new));
        self.values.insert(span.start, new.to_owned());
        Ok(Outcome::Updated)
    }

    /// The new text, if there is one, checked to say what it should.
    pub(crate) fn finish(mut self) -> Result<Option<Vec<u8>>, Outcome> {
        if self.splices.is_empty() {
            return Ok(None);
        }
        self.splices.sort_by_key(|(range, _)| range.start);
        let text = self.source.text;
        let mut edited = String::with_capacity(text.len() + 64);
        let mut end = 0;
        for (range, replacement) in &self.splices {
            edited.push_str(&text[end..range.start]);
            edited.push_str(replacement);
            end = range.end;
        }
        edited.push_str(&text[end..]);
        if self.is_as_planned(&edited) {
            return Ok(Some(edited.into_bytes()));
        }
        Err(Outcome::Disagree("an edit would change more than the marked values".to_owned()))
    }

    /// Whether `edited` reads as before but for the values that were set.
    fn is_as_planned(&self, edited: &str) -> bool {
        let Ok(now) = Document::parse_all(&without_returns(edited).0) else { return false };
        let before = &self.source.documents;
        let mut pairs: Vec<_> =
            before.iter().zip(&now).map(|(before, now)| (&before.root, &now.root)).collect();
        let mut same = before.len() == now.len();
        while let Some((before, now)) = pairs.pop().filter(|_| same) {
            same = (&before.tag, &before.anchor) == (&now.tag, &now.anchor)
                && self.is_same_content(before, now, &mut pairs);
        }
        same
    }

    /// Compares two nodes and leaves what is inside of them to `pairs`.
    fn is_same_content<'n>(
        &self,
        before: &'n Node,
        now: &'n Node,
        pairs: &mut Vec<(&'n Node, &'n Node)>,
    ) -> bool {
        match (&before.content, &now.content) {
            (Content::Scalar { value: old, .. }, Content::Scalar { value: new, .. }) => {
                let span = self.source.span(before);
                let set = self.values.get(&span.start).filter(|_| !span.is_empty());
                new == set.unwrap_or(old)
            }
            (Content::Sequence { items: old, .. }, Content::Sequence { items: new, .. }) => {
                pairs.extend(old.iter().zip(new));
                old.len() == new.len()
            }
            (Content::Mapping { pairs: old, .. }, Content::Mapping { pairs: new, .. }) => {
                let entries = old.iter().zip(new);
                pairs.extend(entries.flat_map(|(old, new)| [(&old.0, &new.0), (&old.1, &new.1)]));
                old.len() == new.len()
            }
            (Content::Alias(old), Content::Alias(new)) => old == new,
            _ => false,
        }
    }
}

/// Whether a tag says that a scalar is something else than a string; a tag of the user's own does
/// not.
fn forbids_strings(tag: &str) -> bool {
    tag.strip_prefix("tag:yaml.org,2002:").is_some_and(|name| name != "str")
}
