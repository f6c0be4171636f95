//! Events to trees.

use std::collections::HashSet;

use crate::Error;
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

    /// The root of the next document, or nothing at the end of the text.
    pub(crate) fn next_document(&mut self) -> Result<Option<Node>, Error> {
        let mut root = None;
        loop {
            match self.parser.next()?.kind {
                EventKind::StreamEnd => return Ok(None),
                EventKind::DocumentStart { .. } => {
                    self.anchors.clear();
                    root = Some(self.root()?);
                }
                EventKind::DocumentEnd { .. } => return Ok(root),
                _ => {}
            }
        }
    }

    fn root(&mut self) -> Result<Node, Error> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let event = self.parser.next()?;
            let done = match event.kind {
                EventKind::SequenceEnd | EventKind::MappingEnd => open.pop().map(|mut done| {
                    done.node.span.end = event.end.byte;
                    done.node
                }),
                _ => self.node(event, &mut open)?,
            };
            let Some(node) = done else { continue };
            match open.last_mut() {
                Some(parent) => parent.add(node),
                None => return Ok(node),
            }
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
        let node = Node { content, tag: properties.tag, anchor: properties.anchor, span, line };
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
    fn add(&mut self, node: Node) {
        match &mut self.node.content {
            Content::Sequence { items, .. } => items.push(node),
            Content::Mapping { pairs, .. } => match self.key.take() {
                Some(key) => pairs.push((key, node)),
                None => self.key = Some(node),
            },
            Content::Scalar { .. } | Content::Alias(_) => {}
        }
    }
}
