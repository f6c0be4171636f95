//! Metadata in formats without nesting: `age__list_0__map_recipient`.

use serde_json::{Map, Value as Json};

const MAP: &str = "__map_";
const LIST: &str = "__list_";

/// How long lists may be.
const MAX_LIST: usize = 1000;

/// Names and texts, sorted by name.
pub(super) fn flatten(metadata: &Json) -> Vec<(String, String)> {
    let mut flat = Vec::new();
    for (name, value) in metadata.as_object().into_iter().flatten() {
        add(&mut flat, name.clone(), value);
    }
    flat.sort();
    flat
}

/// Metadata are three levels deep.
fn add(flat: &mut Vec<(String, String)>, name: String, value: &Json) {
    match value {
        Json::Object(map) => {
            map.iter().for_each(|(key, value)| add(flat, format!("{name}{MAP}{key}"), value));
        }
        Json::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(index, item)| add(flat, format!("{name}{LIST}{index}"), item));
        }
        Json::String(text) => flat.push((name, text.clone())),
        Json::Null => {}
        other => flat.push((name, other.to_string())),
    }
}

/// The metadata of names and texts.
pub(super) fn unflatten(flat: impl IntoIterator<Item = (String, String)>) -> Result<Json, String> {
    let mut root = Json::Object(Map::new());
    for (name, text) in flat {
        let text = Json::String(text.replace("\\n", "\n"));
        let place = place(&mut root, &name)
            .ok_or_else(|| "the names of the metadata contradict each other".to_owned())?;
        *place = text;
    }
    Ok(root)
}

fn place<'r>(root: &'r mut Json, name: &str) -> Option<&'r mut Json> {
    let mut here = root;
    let mut rest = format!("{MAP}{name}");
    while !rest.is_empty() {
        let is_map = rest.starts_with(MAP);
        let body = rest.strip_prefix(if is_map { MAP } else { LIST })?.to_owned();
        let end = [MAP, LIST].iter().filter_map(|mark| body.find(mark)).min();
        let (token, after) = body.split_at(end.unwrap_or(body.len()));
        here = if is_map { in_map(here, token)? } else { in_list(here, token)? };
        rest = after.into();
    }
    Some(here)
}

fn in_map<'r>(here: &'r mut Json, name: &str) -> Option<&'r mut Json> {
    if here.is_null() {
        *here = Json::Object(Map::new());
    }
    Some(here.as_object_mut()?.entry(name).or_insert(Json::Null))
}

fn in_list<'r>(here: &'r mut Json, index: &str) -> Option<&'r mut Json> {
    let index = index.parse::<usize>().ok().filter(|index| *index < MAX_LIST)?;
    if here.is_null() {
        *here = Json::Array(Vec::new());
    }
    let items = here.as_array_mut()?;
    if items.len() <= index {
        items.resize(index + 1, Json::Null);
    }
    items.get_mut(index)
}
