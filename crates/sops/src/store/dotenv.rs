//! Lines `NAME=value`, with `\n` for line breaks in values.

use serde_json::Value as Json;

use super::{flat, scalar};
use crate::tree::{Branch, Branches, Item, Value};

/// What the names of metadata begin with.
pub(super) const PREFIX: &str = "sops_";

pub(super) fn load(data: &[u8]) -> Result<(Branches, Json), String> {
    let mut metadata = Vec::new();
    let mut branch = Branch::new();
    for item in load_plain(data)? {
        match item {
            Item::Named(name, value) if name.starts_with(PREFIX) => {
                let text = String::from_utf8_lossy(&value.bytes()).into_owned();
                metadata.push((name[PREFIX.len()..].to_owned(), text));
            }
            item => branch.push(item),
        }
    }
    if metadata.is_empty() {
        return Err("sops metadata not found".to_owned());
    }
    Ok((vec![branch], flat::unflatten(metadata)?))
}

pub(super) fn load_plain(data: &[u8]) -> Result<Branch, String> {
    let lines = data.split(|byte| *byte == b'\n').enumerate();
    lines.filter(|(_, line)| !line.is_empty()).map(|(number, line)| item(number, line)).collect()
}

fn item(number: usize, line: &[u8]) -> Result<Item, String> {
    if let [b'#', comment @ ..] = line {
        return Ok(Item::Comment(String::from_utf8_lossy(comment).into_owned()));
    }
    let equals = line.iter().position(|byte| *byte == b'=');
    let equals = equals.ok_or_else(|| format!("invalid dotenv input line: line {}", number + 1))?;
    let name = String::from_utf8_lossy(&line[..equals]).into_owned();
    Ok(Item::Named(name, Value::Text(replaced(&line[equals + 1..], b"\\n", b"\n"))))
}

pub(super) fn emit(branch: &[Item]) -> Result<Vec<u8>, String> {
    let mut made = Vec::new();
    for item in branch {
        match item {
            Item::Comment(text) => made.extend(format!("#{text}").into_bytes()),
            Item::Named(name, Value::Text(text)) => {
                made.extend(format!("{name}=").into_bytes());
                made.extend(replaced(text, b"\n", b"\\n"));
            }
            Item::Named(name, value) => {
                let text = scalar(value).ok_or_else(|| {
                    format!("cannot use complex value in dotenv file; offending key {name}")
                })?;
                made.extend(format!("{name}={text}").into_bytes());
            }
        }
        made.push(b'\n');
    }
    Ok(made)
}

fn replaced(text: &[u8], needle: &[u8], with: &[u8]) -> Vec<u8> {
    let mut made = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        if let Some(after) = rest.strip_prefix(needle) {
            made.extend_from_slice(with);
            rest = after;
        } else {
            made.push(*first);
            rest = &rest[1..];
        }
    }
    made
}
