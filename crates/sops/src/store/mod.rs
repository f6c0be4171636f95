//! Formats: text to tree and back.

mod dotenv;
mod flat;
mod ini;
mod json;
mod yaml;

use serde_json::Value as Json;

use crate::Format;
use crate::tree::{Branch, Branches, Item, Value};

/// The name under which metadata stand.
const METADATA: &str = "sops";

/// The tree of a document without its metadata, and these.
pub(crate) fn load(data: &[u8], format: Format) -> Result<(Branches, Json), String> {
    match format {
        Format::Yaml => yaml::load(utf8(data)?),
        Format::Json | Format::Binary => json::load(data),
        Format::Dotenv => dotenv::load(data),
        Format::Ini => ini::load(utf8(data)?),
    }
}

/// The tree of a document that is not encrypted.
pub(crate) fn load_plain(data: &[u8], format: Format) -> Result<Branches, String> {
    match format {
        Format::Yaml => yaml::load_plain(utf8(data)?),
        Format::Json => json::load_plain(data),
        Format::Binary => Ok(vec![vec![Item::Named("data".to_owned(), Value::text(data))]]),
        Format::Dotenv => dotenv::load_plain(data).map(|branch| vec![branch]),
        Format::Ini => ini::load_plain(utf8(data)?).map(|branch| vec![branch]),
    }
}

/// The text of a tree.
pub(crate) fn emit(branches: &Branches, format: Format) -> Result<Vec<u8>, String> {
    match format {
        Format::Yaml => Ok(yaml::emit(branches).into_bytes()),
        Format::Json => json::emit(branches),
        Format::Binary => binary(branches),
        Format::Dotenv => dotenv::emit(first(branches)),
        Format::Ini => ini::emit(first(branches)),
    }
}

/// The text of an encrypted tree with its metadata.
pub(crate) fn emit_encrypted(
    mut branches: Branches,
    metadata: &Json,
    format: Format,
) -> Result<Vec<u8>, String> {
    if branches.is_empty() {
        branches.push(Branch::new());
    }
    let named = |value: Value| Item::Named(METADATA.to_owned(), value);
    match format {
        Format::Yaml | Format::Json | Format::Binary => {
            for branch in &mut branches {
                branch.push(named(json::value(metadata)));
            }
            let format = if format == Format::Binary { Format::Json } else { format };
            emit(&branches, format)
        }
        Format::Dotenv => {
            branches[0].extend(flat::flatten(metadata).into_iter().map(|(name, text)| {
                Item::Named(format!("{}{name}", dotenv::PREFIX), Value::text(text))
            }));
            emit(&branches, format)
        }
        Format::Ini => {
            let flat = flat::flatten(metadata).into_iter();
            let section =
                flat.map(|(name, text)| Item::Named(name, Value::text(text.replace('\n', "\\n"))));
            branches[0].push(named(Value::Branch(section.collect())));
            emit(&branches, format)
        }
    }
}

fn first(branches: &Branches) -> &[Item] {
    branches.first().map(Vec::as_slice).unwrap_or_default()
}

fn utf8(data: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(data).map_err(|_| "it is no UTF-8".to_owned())
}

fn binary(branches: &Branches) -> Result<Vec<u8>, String> {
    let data = first(branches).iter().find_map(|item| match item {
        Item::Named(name, value) if name == "data" => Some(value),
        _ => None,
    });
    match data {
        Some(Value::Text(bytes)) => Ok(bytes.clone()),
        Some(_) => {
            Err("error emitting binary store: 'data' key in tree does not have a string value"
                .to_owned())
        }
        None => Err("error emitting binary store: no binary data found in tree".to_owned()),
    }
}

/// A scalar as formats without types write it.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("<nil>".to_owned()),
        Value::Bool(bool) => Some(bool.to_string()),
        Value::Float(float) if float.fract() == 0.0 && float.abs() < 1e15 => {
            Some(format!("{float:.1}"))
        }
        Value::Int(_) | Value::Float(_) | Value::Text(_) | Value::Time(_) => {
            Some(String::from_utf8_lossy(&value.bytes()).into_owned())
        }
        Value::Comment(_) | Value::List(_) | Value::Branch(_) => None,
    }
}
