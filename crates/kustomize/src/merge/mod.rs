//! Strategic merge: a patch into a resource, lists by the keys that the schema names.

mod directive;
mod list;

use crate::Error;
use crate::node::{Map, Node};
use crate::schema::{Place, Schema};
use directive::{Directive, take_directive};

/// The resource with a patch in it; nothing if the patch deletes it.
pub(crate) fn merge(dest: Node, patch: Node, schema: &Schema) -> Result<Option<Node>, Error> {
    let merger = Merger { schema };
    merger.nodes(Some(dest), Some(patch), None, 0)
}

struct Merger<'s> {
    schema: &'s Schema,
}

/// Null and nothing count the same.
fn missing(node: Option<&Node>) -> bool {
    node.is_none_or(Node::is_null)
}

impl<'s> Merger<'s> {
    fn nodes(
        &self,
        dest: Option<Node>,
        patch: Option<Node>,
        place: Option<Place<'s>>,
        depth: usize,
    ) -> Result<Option<Node>, Error> {
        if depth > yaml::MAX_DEPTH {
            return Err(Error::Limit("nesting of a patch".to_owned()));
        }
        let place =
            place.or_else(|| self.kind_of(dest.as_ref()).or_else(|| self.kind_of(patch.as_ref())));
        let leading = if missing(dest.as_ref()) { patch.as_ref() } else { dest.as_ref() };
        match leading {
            Some(Node::Scalar(scalar)) if scalar.tag != crate::node::Tag::Null => {
                require(&[&dest, &patch], "ScalarNode", |node| matches!(node, Node::Scalar(_)))?;
                Ok(patch.or(dest))
            }
            Some(Node::List(_)) => {
                require(&[&dest, &patch], "SequenceNode", |node| matches!(node, Node::List(_)))?;
                match place.and_then(Place::merge_keys) {
                    Some(keys) => {
                        let keys: Vec<&str> = keys.iter().map(AsRef::as_ref).collect();
                        self.lists(dest, patch, &keys, (place, depth))
                    }
                    None => Ok(patch.or(dest)),
                }
            }
            _ => {
                require(&[&dest, &patch], "MappingNode", |node| matches!(node, Node::Map(_)))?;
                self.maps(dest, patch, place, depth)
            }
        }
    }

    /// The place of a node that says what kind it is.
    fn kind_of(&self, node: Option<&Node>) -> Option<Place<'s>> {
        let map = node?.as_map()?;
        let (api_version, kind) = (map.get("apiVersion")?.value(), map.get("kind")?.value());
        if api_version.is_empty() || kind.is_empty() {
            return None;
        }
        self.schema.kind(api_version, kind)
    }

    fn maps(
        &self,
        dest: Option<Node>,
        patch: Option<Node>,
        place: Option<Place<'s>>,
        depth: usize,
    ) -> Result<Option<Node>, Error> {
        if missing(dest.as_ref()) {
            return self.new_map(dest, patch, place, depth);
        }
        if patch.as_ref().is_some_and(Node::is_null) {
            return Ok(None);
        }
        let Some(Node::Map(mut dest)) = dest else { return Ok(None) };
        let mut patch = match patch {
            Some(Node::Map(patch)) => patch,
            _ => Map::default(),
        };
        match take_directive(&mut patch)? {
            Directive::Delete => return Ok(None),
            Directive::Replace => return self.new_map(None, Some(Node::Map(patch)), place, depth),
            Directive::Merge => {}
        }
        dest.remove(directive::KEY);
        self.fields(&mut dest, patch, place, depth)?;
        Ok(Some(Node::Map(dest)))
    }

    /// All fields are walked, also those the patch does not name: an explicit null stays, one that
    /// is only empty goes.
    fn fields(
        &self,
        dest: &mut Map,
        mut patch: Map,
        place: Option<Place<'s>>,
        depth: usize,
    ) -> Result<(), Error> {
        for (key, value) in std::mem::take(&mut dest.pairs) {
            let place = place.and_then(|place| place.field(&key.value));
            let style = value.style();
            let new = patch.remove(&key.value);
            let patched = new.is_some();
            let Some(mut merged) = self.nodes(Some(value), new, place, depth + 1)? else {
                continue;
            };
            if patched {
                if merged.is_null() {
                    continue;
                }
                // What is put in the place of a scalar takes over its quotes.
                if let Node::Scalar(scalar) = &mut merged {
                    scalar.style = style;
                }
            }
            dest.pairs.push((key, merged));
        }
        for (key, value) in patch.pairs {
            let place = place.and_then(|place| place.field(&key.value));
            if let Some(value) = self.nodes(None, Some(value), place, depth + 1)? {
                dest.set(&key.value, value);
            }
        }
        Ok(())
    }

    /// A mapping that is only in the patch, or only in the resource.
    fn new_map(
        &self,
        dest: Option<Node>,
        patch: Option<Node>,
        place: Option<Place<'s>>,
        depth: usize,
    ) -> Result<Option<Node>, Error> {
        let Some(patch) = patch else {
            return Ok(dest.filter(|dest| !dest.value().is_empty()));
        };
        let Node::Map(mut map) = patch else {
            return Ok(Some(patch).filter(|patch| !patch.is_null()));
        };
        // What else a directive says is of no use without something to merge into.
        if matches!(take_directive(&mut map), Ok(Directive::Delete)) {
            return Ok(None);
        }
        let pairs = std::mem::take(&mut map.pairs);
        for (key, value) in pairs {
            let place = place.and_then(|place| place.field(&key.value));
            if let Some(value) = self.alone(value, place, depth + 1)? {
                map.pairs.push((key, value));
            }
        }
        Ok(Some(Node::Map(map)))
    }

    /// A node of a patch where the resource has nothing. kyaml walks it against itself.
    fn alone(
        &self,
        node: Node,
        place: Option<Place<'s>>,
        depth: usize,
    ) -> Result<Option<Node>, Error> {
        let copy = node.clone();
        self.nodes(Some(node), Some(copy), place, depth)
    }
}

fn require(
    nodes: &[&Option<Node>],
    expected: &str,
    fits: impl Fn(&Node) -> bool,
) -> Result<(), Error> {
    let wrong =
        nodes.iter().filter_map(|node| node.as_ref()).find(|node| !node.is_null() && !fits(node));
    wrong.map_or(Ok(()), |node| Err(node.wrong_kind(expected)))
}
