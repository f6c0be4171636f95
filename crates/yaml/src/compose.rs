//! Events to trees.

use std::collections::HashSet;

use crate::Error;
use crate::document::Document;
use crate::node::{Content, Node};
use crate::parser::{Dialect, Event, EventKind, Parser};

/// Reads the documents of a text one after the other.
pub(crate) struct Composer<'t> {
    parser: Parser<'t>,
    /// Names that the document at hand has given so far.
    anchors: HashSet<String>,
}

/// A collection whose end has not come yet.
struct Open {
    node: Node,
    /// In a mapping, the key whose value comes next.
    key: Option<Node>,
}

impl<'t> Composer<'t> {
    pub(crate) fn new(text: &'t str, dialect: Dialect) -> Result<Self, Error> {
        Ok(Self { parser: Parser::new(text, dialect)?, anchors: HashSet::new() })
    }

    pub(crate) fn with_comments(text: &'t str) -> Result<Self, Error> {
        Ok(Self { parser: Parser::with_comments(text)?, anchors: HashSet::new() })
    }

    /// The next document, or nothing at the end of the text.
    pub(crate) fn next_document(&mut self) -> Result<Option<Document>, Error> {
        let mut document = None;
        loop {
            let event = self.parser.next()?;
            match event.kind {
                EventKind::StreamEnd => return Ok(None),
                EventKind::DocumentStart { .. } => {
                    self.anchors.clear();
                    let first = self.parser.next()?;
                    let (head, root) = (event.comments.head, self.tree(first)?);
                    document = Some(Document { head, root, foot: String::new() });
                }
                EventKind::DocumentEnd { .. } => {
                    if let Some(document) = &mut document {
                        document.foot = event.comments.foot;
                    }
                    return Ok(document);
                }
                _ => {}
            }
        }
    }

    /// The next event.
    pub(crate) fn event(&mut self) -> Result<Event, Error> {
        self.parser.next()
    }

    /// Whether the document at hand has given any names.
    pub(crate) fn has_anchors(&self) -> bool {
        !self.anchors.is_empty()
    }

    /// The node that starts with an event.
    pub(crate) fn tree(&mut self, first: Event) -> Result<Node, Error> {
        let mut open: Vec<Open> = Vec::new();
        let mut event = first;
        loop {
            let done = match event.kind {
                EventKind::SequenceEnd | EventKind::MappingEnd => {
                    open.pop().map(|done| done.end(event))
                }
                _ => self.node(event, &mut open)?,
            };
            match (done, open.last_mut()) {
                (Some(node), Some(parent)) => parent.add(node),
                (Some(node), None) => return Ok(node),
                (None, _) => {}
            }
            event = self.parser.next()?;
        }
    }

    /// A node that is complete, or nothing if it was opened.
    fn node(&mut self, event: Event, open: &mut Vec<Open>) -> Result<Option<Node>, Error> {
        let (span, line) = (event.body.byte..event.end.byte, event.start.line + 1);
        let (content, properties) = match event.kind {
            EventKind::Alias(name) => {
                if !self.anchors.contains(&name) {
                    return Err(Error::Decode(format!("unknown anchor '{name}' referenced")));
                }
                (Content::Alias(name), None)
            }
            EventKind::Scalar { value, style, properties } => {
                (Content::Scalar { value, style }, Some(properties))
            }
            EventKind::SequenceStart { flow, properties } => {
                (Content::Sequence { items: Vec::new(), flow }, Some(properties))
            }
            EventKind::MappingStart { flow, properties } => {
                (Content::Mapping { pairs: Vec::new(), flow }, Some(properties))
            }
            _ => return Ok(None),
        };
        let properties = properties.unwrap_or_default();
        self.anchors.extend(properties.anchor.clone());
        let (tag, anchor) = (properties.tag, properties.anchor);
        let node = Node { content, tag, anchor, comments: event.comments, span, line };
        match node.content {
            Content::Scalar { .. } | Content::Alias(_) => Ok(Some(node)),
            Content::Sequence { .. } | Content::Mapping { .. } => {
                open.push(Open { node, key: None });
                Ok(None)
            }
        }
    }
}

impl Open {
    fn add(&mut self, mut node: Node) {
        match &mut self.node.content {
            Content::Sequence { items, .. } => items.push(node),
            Content::Mapping { pairs, flow } => {
                let foot = &mut node.comments.foot;
                if let Some(mut key) = self.key.take() {
                    // The foot of an entry is kept with its key.
                    if key.comments.foot.is_empty() {
                        key.comments.foot = std::mem::take(foot);
                    }
                    pairs.push((key, node));
                    return;
                }
                if let Some((before, _)) = pairs.last_mut()
                    && !*flow
                    && !foot.is_empty()
                {
                    before.comments.foot = std::mem::take(foot);
                }
                self.key = Some(node);
            }
            Content::Scalar { .. } | Content::Alias(_) => {}
        }
    }

    fn end(self, event: Event) -> Node {
        let mut node = self.node;
        node.span.end = event.end.byte;
        node.comments.line = event.comments.line;
        node.comments.foot = event.comments.foot;
        if let Content::Mapping { pairs, flow: false } = &mut node.content
            && let Some((last, _)) = pairs.last_mut()
            && !node.comments.foot.is_empty()
        {
            last.comments.foot = std::mem::take(&mut node.comments.foot);
        }
        node
    }
}
