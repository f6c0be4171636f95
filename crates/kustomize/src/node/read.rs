//! Documents to trees: aliases are replaced by what they stand for, `<<` by what it brings in.

use std::collections::HashMap;

use yaml::Content;

use super::{Map, Node, Scalar, Style, Tag};
use crate::{Budget, Error};

/// Reads one document.
pub(crate) struct Reader<'n, 'b> {
    budget: &'b Budget,
    /// The last node of each name so far.
    anchors: HashMap<&'n str, &'n yaml::Node>,
    depth: usize,
    /// Within how many aliases this is.
    aliases: usize,
}

impl<'n, 'b> Reader<'n, 'b> {
    pub(crate) fn new(budget: &'b Budget) -> Self {
        Self { budget, anchors: HashMap::new(), depth: 0, aliases: 0 }
    }

    pub(crate) fn node(&mut self, node: &'n yaml::Node) -> Result<Node, Error> {
        self.budget.step()?;
        if self.aliases > 0 {
            self.budget.copy()?;
        }
        self.depth += 1;
        if self.depth > yaml::MAX_DEPTH {
            return Err(Error::Limit("nesting or anchors that contain themselves".to_owned()));
        }
        if let Some(name) = &node.anchor {
            self.anchors.insert(name, node);
        }
        let read = match &node.content {
            Content::Scalar { value, style } => Ok(Node::Scalar(self.scalar(node, value, *style)?)),
            Content::Sequence { items, .. } => {
                items.iter().map(|item| self.node(item)).collect::<Result<_, _>>().map(Node::List)
            }
            Content::Mapping { pairs, .. } => self.map(pairs).map(Node::Map),
            Content::Alias(name) => {
                let target = self.target(name)?;
                self.aliases += 1;
                let read = self.node(target);
                self.aliases -= 1;
                read
            }
        };
        self.depth -= 1;
        read
    }

    fn scalar(&self, node: &yaml::Node, value: &str, style: yaml::Style) -> Result<Scalar, Error> {
        self.budget.bytes(value.len())?;
        let style = match style {
            yaml::Style::Plain => Style::Plain,
            yaml::Style::Folded => Style::Folded,
            _ => Style::Quoted,
        };
        let tag = match node.tag.as_deref() {
            Some(tag) if tag != "!" => Tag::parse(tag),
            _ if style != Style::Plain => Tag::Str,
            _ => Tag::of(yaml::core_kind(value)),
        };
        Ok(Scalar { value: value.to_owned(), tag, style })
    }

    fn target(&self, name: &str) -> Result<&'n yaml::Node, Error> {
        self.anchors
            .get(name)
            .copied()
            .ok_or_else(|| Error::Syntax(format!("yaml: unknown anchor '{name}' referenced")))
    }

    fn map(&mut self, pairs: &'n [(yaml::Node, yaml::Node)]) -> Result<Map, Error> {
        let mut map = Map { pairs: Vec::with_capacity(pairs.len()) };
        let mut merged = Vec::new();
        for (key, value) in pairs {
            let key = match self.node(key)? {
                Node::Scalar(key) => key,
                other => {
                    return Err(Error::Syntax(format!("invalid map key: {}", other.kind_name())));
                }
            };
            if key.tag == Tag::Merge {
                if !merged.is_empty() {
                    return Err(Error::Syntax("duplicate merge key".to_owned()));
                }
                self.merge_sources(value, &mut merged)?;
                continue;
            }
            let value = self.node(value)?;
            map.pairs.push((key, value));
        }
        for source in merged {
            for (key, value) in source.pairs {
                if map.get(&key.value).is_none() {
                    map.pairs.push((key, value));
                }
            }
        }
        Ok(map)
    }

    /// The mappings that a `<<` brings in; an earlier one wins.
    fn merge_sources(&mut self, node: &'n yaml::Node, into: &mut Vec<Map>) -> Result<(), Error> {
        let refused = |why: &str| Err(Error::Syntax(format!("invalid map merge: {why}")));
        match &node.content {
            Content::Sequence { items, .. } => {
                for item in items {
                    if matches!(item.content, Content::Sequence { .. }) {
                        return refused("received a nested sequence");
                    }
                    self.merge_sources(item, into)?;
                }
                Ok(())
            }
            Content::Scalar { .. } => Err(Error::Syntax(
                "map merge requires map or sequence of maps as the value".to_owned(),
            )),
            Content::Mapping { .. } | Content::Alias(_) => match self.node(node)? {
                Node::Map(map) => {
                    into.push(map);
                    Ok(())
                }
                _ => refused("received alias for a non-map value"),
            },
        }
    }
}
