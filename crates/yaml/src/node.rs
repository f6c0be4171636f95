//! The tree of a document as it is written.

use std::ops::Range;

use crate::Style;

/// One node as it is written: nothing is resolved, no alias is followed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) content: Content,
    /// The tag given to it, in full.
    pub(crate) tag: Option<String>,
    pub(crate) anchor: Option<String>,
    /// Bytes of its content.
    pub(crate) span: Range<usize>,
    /// Line on which it starts, tag and anchor included, from 1.
    pub(crate) line: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    Scalar { value: String, style: Style },
    Sequence { items: Vec<Node>, flow: bool },
    Mapping { pairs: Vec<(Node, Node)>, flow: bool },
    Alias(String),
}

impl Node {
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
