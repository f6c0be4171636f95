//! The tree of a document as it is written.

use std::ops::Range;

use crate::resolve::{Resolved, resolve_1_2};
use crate::{Comments, Error, Style, Value, decode};

/// One node as it is written: nothing is resolved, no alias is followed.
///
/// A tree can be changed in place; what is not touched keeps its style and comments when it is
/// printed. Two nodes are equal if they would print the same.
#[derive(Debug, Clone)]
pub struct Node {
    /// The scalar, the collection or the alias.
    pub content: Content,
    /// The tag given to it, in full (`tag:yaml.org,2002:str` for `!!str`).
    pub tag: Option<String>,
    /// The name other nodes can refer to it by, without `&`.
    pub anchor: Option<String>,
    /// The comments that belong to it.
    pub comments: Comments,
    /// The bytes of its content in the text it was read from, without tag and anchor; empty for a
    /// node that was made. Stale once anything before it has changed.
    pub span: Range<usize>,
    /// The line it was read from, from 1; 0 for a node that was made.
    pub line: usize,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// One value, not resolved.
    Scalar {
        /// What it says, unescaped and unfolded.
        value: String,
        /// How it is written.
        style: Style,
    },
    /// A list.
    Sequence {
        /// Its entries.
        items: Vec<Node>,
        /// Written in brackets. Inside of a flow collection everything is.
        flow: bool,
    },
    /// Keys, which may be any nodes, with their values.
    Mapping {
        /// In the order of the text. A foot comment of an entry is that of its key.
        pairs: Vec<(Node, Node)>,
        /// Written in braces. Inside of a flow collection everything is.
        flow: bool,
    },
    /// A reference to the last node before it with this anchor.
    Alias(String),
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.content == other.content
            && self.tag == other.tag
            && self.anchor == other.anchor
            && self.comments == other.comments
    }
}

impl From<Content> for Node {
    fn from(content: Content) -> Self {
        let comments = Comments::default();
        Self { content, tag: None, anchor: None, comments, span: 0..0, line: 0 }
    }
}

impl Node {
    /// A plain scalar, whose type follows from its look: `scalar("1")` is a number.
    pub fn scalar(value: &str) -> Self {
        Content::Scalar { value: value.to_owned(), style: Style::Plain }.into()
    }

    /// A text, in quotes if go-yaml v3 would take it for something else.
    pub fn text(value: &str) -> Self {
        let mut node = Self::scalar("");
        node.set_text(value);
        node
    }

    /// Makes this a text and keeps its quotes, if it has any, and its comments.
    pub fn set_text(&mut self, text: &str) {
        let old = match self.content {
            Content::Scalar { style, .. } => style,
            _ => Style::Plain,
        };
        let style = match (old, resolve_1_2(text)) {
            (Style::Plain, Resolved::Str) => Style::Plain,
            (Style::Plain, _) => Style::DoubleQuoted,
            _ => old,
        };
        self.tag = None;
        self.content = Content::Scalar { value: text.to_owned(), style };
    }

    /// What a scalar says.
    pub fn as_str(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { value, .. } => Some(value),
            _ => None,
        }
    }

    /// The entries of a sequence.
    pub fn items(&self) -> &[Self] {
        match &self.content {
            Content::Sequence { items, .. } => items,
            _ => &[],
        }
    }

    /// The keys and values of a mapping.
    pub fn pairs(&self) -> &[(Self, Self)] {
        match &self.content {
            Content::Mapping { pairs, .. } => pairs,
            _ => &[],
        }
    }

    /// The value of a scalar key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let (_, value) = self.pairs().iter().find(|(name, _)| name.as_str() == Some(key))?;
        Some(value)
    }

    /// As `get`, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        let Content::Mapping { pairs, .. } = &mut self.content else { return None };
        let (_, value) = pairs.iter_mut().find(|(name, _)| name.as_str() == Some(key))?;
        Some(value)
    }

    /// The value it has by itself, read as by [`crate::parse`]. Aliases are followed within it, so
    /// one that refers to a node outside of it is an error.
    pub fn value(&self) -> Result<Value, Error> {
        decode::decode(self, false)
    }

    /// Whether its type follows from the look of its value: plain and without a tag, or with the
    /// tag `!`, as go-yaml counts it.
    pub(crate) fn is_implicit(&self) -> bool {
        match &self.content {
            Content::Scalar { style, .. } => match self.tag.as_deref() {
                None => *style == Style::Plain,
                Some(tag) => tag == "!",
            },
            _ => false,
        }
    }
}
