//! All nodes that the path of a replacement's target stands for.

use regex::Regex;

use super::path::{list_index, new_item};
use super::{Map, Node, Scalar};
use crate::{Error, pattern};

/// What is made where a path ends in nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Scalar,
    List,
    Map,
}

type Visit<'v> = &'v mut dyn FnMut(&mut Node) -> Result<(), Error>;

/// Visits the nodes at a path and says how many there were. With `create`, missing ones are made.
pub(crate) fn matching(
    node: &mut Node,
    path: &[String],
    create: Option<Kind>,
    visit: Visit<'_>,
) -> Result<usize, Error> {
    let Some((part, rest)) = path.split_first() else {
        visit(node)?;
        return Ok(1);
    };
    if let Ok(index) = part.parse::<usize>() {
        return by_index(node, index, rest, create, visit);
    }
    if let Some(pair) = list_index(part) {
        let (name, value) = pair?;
        return by_value(node, (name, value), rest, create, visit);
    }
    if part == "*" {
        let mut count = 0;
        for item in list_mut(node)? {
            count += matching(item, rest, create, visit)?;
        }
        return Ok(count);
    }
    by_name(node, part, rest, create, visit)
}

impl Kind {
    fn empty(self) -> Node {
        match self {
            Self::Scalar => Node::plain(""),
            Self::List => Node::List(Vec::new()),
            Self::Map => Node::Map(Map::default()),
        }
    }

    /// What has to stand before the rest of a path.
    fn before(self, rest: &[String]) -> Node {
        match rest.first() {
            None => self.empty(),
            Some(next) if next.starts_with('[') || next.parse::<usize>().is_ok() => {
                Self::List.empty()
            }
            Some(_) => Self::Map.empty(),
        }
    }
}

fn list_mut(node: &mut Node) -> Result<&mut [Node], Error> {
    match node {
        Node::List(items) => Ok(items),
        node if node.is_null() => Ok(&mut []),
        node => Err(node.wrong_kind("SequenceNode")),
    }
}

fn by_name(
    node: &mut Node,
    name: &str,
    rest: &[String],
    create: Option<Kind>,
    visit: Visit<'_>,
) -> Result<usize, Error> {
    if node.is_null() {
        if create.is_none() {
            return Ok(0);
        }
        *node = Kind::Map.empty();
    }
    if !matches!(node, Node::Map(_)) {
        return Err(node.wrong_kind("MappingNode"));
    }
    let Node::Map(map) = node else { return Ok(0) };
    if let Some(create) = create
        && map.get(name).is_none()
    {
        map.pairs.push((Scalar::key(name), create.before(rest)));
    }
    map.get_mut(name).map_or(Ok(0), |field| matching(field, rest, create, visit))
}

fn by_index(
    node: &mut Node,
    index: usize,
    rest: &[String],
    create: Option<Kind>,
    visit: Visit<'_>,
) -> Result<usize, Error> {
    if let (Some(create), Node::List(items)) = (create, &mut *node)
        && items.len() == index
    {
        items.push(create.before(rest));
    }
    let items = list_mut(node)?;
    let found = items.len();
    let item = items.get_mut(index).ok_or_else(|| {
        Error::Field(format!("index {index} specified but only {found} elements found"))
    })?;
    matching(item, rest, create, visit)
}

fn by_value(
    node: &mut Node,
    (name, value): (&str, &str),
    rest: &[String],
    create: Option<Kind>,
    visit: Visit<'_>,
) -> Result<usize, Error> {
    let pattern = pattern::compile(value)?;
    let mut count = 0;
    for item in list_mut(node)? {
        if !selected(item, name, &pattern) {
            continue;
        }
        // A text that is matched by itself is the target; kyaml looks no further.
        let rest = if name.is_empty() { &[] } else { rest };
        count += matching(item, rest, create, visit)?;
    }
    if count > 0 || create.is_none() {
        return Ok(count);
    }
    let Node::List(items) = node else { return Ok(0) };
    items.push(new_item(name, value));
    items.last_mut().map_or(Ok(0), |item| matching(item, rest, create, visit))
}

fn selected(item: &Node, name: &str, pattern: &Regex) -> bool {
    let text = if name.is_empty() { Some(item) } else { item.get(name) };
    matches!(text, Some(Node::Scalar(scalar)) if pattern.is_match(scalar.value.trim()))
}
