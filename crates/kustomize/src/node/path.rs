//! Fields by path: `spec.containers.[name=app].image`.

use super::{Map, Node, Scalar, Tag};
use crate::Error;

/// Cuts a path at `delimiter`; `\` before one keeps it in the name.
pub(crate) fn split(path: &str, delimiter: char) -> Vec<String> {
    let mut parts = path.split(delimiter).peekable();
    if path.contains(delimiter) && path.starts_with(delimiter) {
        parts.next();
    }
    let mut result: Vec<String> = Vec::new();
    for part in parts {
        match result.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push(delimiter);
                last.push_str(part);
            }
            _ => result.push(part.to_owned()),
        }
    }
    result
}

/// As [`split`], but what stands in brackets stays together: `[name=a.b]`, `[key.with/dots]`.
pub(crate) fn smart_split(path: &str, delimiter: char) -> Vec<String> {
    let mut parts = split(path, delimiter).into_iter();
    let mut result = Vec::new();
    while let Some(part) = parts.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            result.push(part);
            continue;
        }
        let mut joined = part;
        for next in parts.by_ref() {
            joined.push(delimiter);
            joined.push_str(&next);
            if next.ends_with(']') {
                break;
            }
        }
        if !joined.contains('=') {
            result.push(joined.trim_matches(['[', ']']).to_owned());
            continue;
        }
        result.push(joined);
    }
    result
}

/// `[name=value]` as name and value; nothing for a part that stands in no brackets.
pub(crate) fn list_index(part: &str) -> Option<Result<(&str, &str), Error>> {
    let inner = part.strip_prefix('[')?.strip_suffix(']')?;
    Some(inner.split_once('=').ok_or_else(|| {
        Error::Field(
            "list path element must contain fieldName=fieldValue for element to match".to_owned(),
        )
    }))
}

/// The node at a path, if there is one.
pub(crate) fn lookup<'n>(node: &'n Node, path: &[String]) -> Result<Option<&'n Node>, Error> {
    let mut at = node;
    for part in path.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        if at.is_null() {
            return Ok(None);
        }
        let next = if let Some(index) = index(part, at.items().len())? {
            list(at)?.get(index)
        } else if let Some(pair) = list_index(part) {
            let (name, value) = pair?;
            list(at)?.iter().find(|item| item_matches(item, name, value))
        } else {
            at.as_map().ok_or_else(|| at.wrong_kind("MappingNode"))?.get(part)
        };
        match next {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

fn list(node: &Node) -> Result<&[Node], Error> {
    match node {
        Node::List(items) => Ok(items),
        node => Err(node.wrong_kind("SequenceNode")),
    }
}

/// The index that a part of a path is, `-` being the last of `length` items.
fn index(part: &str, length: usize) -> Result<Option<usize>, Error> {
    match (part, part.parse::<i64>()) {
        ("-", _) => Ok(Some(length.saturating_sub(1))),
        ("*", _) => Err(Error::Field("wildcard is not supported in PathGetter".to_owned())),
        (_, Ok(number)) => usize::try_from(number)
            .map(Some)
            .map_err(|_| Error::Field(format!("array index {number} cannot be negative"))),
        (_, Err(_)) => Ok(None),
    }
}

fn item_matches(item: &Node, name: &str, value: &str) -> bool {
    match item {
        Node::Scalar(scalar) => name.is_empty() && scalar.value == value,
        Node::List(_) => false,
        Node::Map(map) => {
            !name.is_empty() && map.get(name).is_some_and(|field| field.value() == value)
        }
    }
}

/// The node at a path of names; what is missing is made, the last as an empty scalar. Nothing below
/// a null.
pub(crate) fn lookup_create<'n>(
    node: &'n mut Node,
    path: &[String],
) -> Result<Option<&'n mut Node>, Error> {
    let mut at = node;
    for (index, part) in path.iter().enumerate() {
        if at.is_null() {
            return Ok(None);
        }
        let next = path.get(index + 1).map(String::as_str);
        if let Some(pair) = list_index(part) {
            let (name, value) = pair?;
            let Node::List(items) = at else { return Err(at.wrong_kind("SequenceNode")) };
            let found = items.iter().position(|item| item_matches(item, name, value));
            let found = found.unwrap_or_else(|| {
                items.push(new_item(name, value));
                items.len() - 1
            });
            at = &mut items[found];
            continue;
        }
        if let Ok(number) = part.parse::<usize>() {
            let Node::List(items) = at else { return Err(at.wrong_kind("SequenceNode")) };
            match items.get_mut(number) {
                Some(item) => at = item,
                None => return Ok(None),
            }
            continue;
        }
        if !matches!(at, Node::Map(_)) {
            return Err(at.wrong_kind("MappingNode"));
        }
        let Node::Map(map) = at else { return Ok(None) };
        if map.get(part).is_none() {
            map.pairs.push((Scalar::key(part), new_part(next)));
        }
        match map.get_mut(part) {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// What stands before the next part of a path.
pub(super) fn new_part(next: Option<&str>) -> Node {
    match next {
        None => Node::plain(""),
        Some(next) if list_index(next).is_some() || next.parse::<usize>().is_ok() => {
            Node::List(Vec::new())
        }
        Some(_) => Node::Map(Map::default()),
    }
}

/// The item that a `[name=value]` asks for.
pub(super) fn new_item(name: &str, value: &str) -> Node {
    let scalar = Scalar::tagged(value, Tag::None);
    if name.is_empty() {
        return Node::Scalar(scalar);
    }
    Node::Map(Map { pairs: vec![(Scalar::tagged(name, Tag::None), Node::Scalar(scalar))] })
}

#[cfg(test)]
mod tests {
    use super::{smart_split, split};

    #[test]
    fn paths_are_cut() {
        assert_eq!(split("/a/b", '/'), ["a", "b"]);
        assert_eq!(split(r"a\/b/c", '/'), ["a/b", "c"]);
        assert_eq!(smart_split("a.[b.c/d].e", '.'), ["a", "b.c/d", "e"]);
        assert_eq!(smart_split("a.[n=x.y].e", '.'), ["a", "[n=x.y]", "e"]);
        assert_eq!(smart_split(r"a.b\.c.0", '.'), ["a", "b.c", "0"]);
    }
}
