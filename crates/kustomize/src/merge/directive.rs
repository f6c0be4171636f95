//! `$patch`: what a patch says about the mapping or list it stands in.

use crate::Error;
use crate::node::{Map, Node};

pub(super) const KEY: &str = "$patch";

/// What becomes of the mapping or list of the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Directive {
    Merge,
    Replace,
    Delete,
}

fn parse(text: &str) -> Result<Directive, Error> {
    match text {
        "merge" => Ok(Directive::Merge),
        "replace" => Ok(Directive::Replace),
        "delete" => Ok(Directive::Delete),
        _ => Err(Error::Field(format!("unknown patch strategy '{text}'"))),
    }
}

/// Takes the directive out of a mapping.
pub(super) fn take_directive(map: &mut Map) -> Result<Directive, Error> {
    let Some(value) = map.get(KEY) else { return Ok(Directive::Merge) };
    let directive = parse(value.value())?;
    map.remove(KEY);
    Ok(directive)
}

/// Takes the directive out of a list: an item that holds nothing else.
pub(super) fn take_list_directive(items: &mut Vec<Node>) -> Result<Directive, Error> {
    let first = items.iter().filter_map(Node::as_map).find(|map| map.get(KEY).is_some());
    let Some(map) = first.filter(|map| map.pairs.len() == 1) else { return Ok(Directive::Merge) };
    let text = map.get(KEY).map_or("", Node::value).to_owned();
    let directive = parse(&text)?;
    items.retain(|item| !item.is_null() && item.get(KEY).is_none_or(|value| value.value() != text));
    Ok(directive)
}
