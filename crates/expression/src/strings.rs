//! The library of strings. Positions count characters.

use crate::error::Stop;
use crate::value::Value;

/// What a method of strings, or `join` of a list, makes; nothing if there is no such method.
pub(crate) fn call(name: &str, operands: &[Value]) -> Option<Result<Value, Stop>> {
    match operands {
        [Value::List(items), rest @ ..] if name == "join" => joined(items, rest),
        [Value::String(text)] => alone(name, text),
        [Value::String(text), Value::String(other), rest @ ..] => {
            with_text(name, (text, other), rest)
        }
        [Value::String(text), Value::Int(at), rest @ ..] => at_position(name, text, (*at, rest)),
        _ => None,
    }
}

fn alone(name: &str, text: &str) -> Option<Result<Value, Stop>> {
    let made = match name {
        "lowerAscii" => text.to_ascii_lowercase(),
        "upperAscii" => text.to_ascii_uppercase(),
        "trim" => text.trim().to_owned(),
        "reverse" => text.chars().rev().collect(),
        _ => return None,
    };
    Some(Ok(Value::text(made)))
}

fn with_text(
    name: &str,
    (text, other): (&str, &str),
    rest: &[Value],
) -> Option<Result<Value, Stop>> {
    match (name, rest) {
        ("contains", []) => Some(Ok(Value::Bool(text.contains(other)))),
        ("startsWith", []) => Some(Ok(Value::Bool(text.starts_with(other)))),
        ("endsWith", []) => Some(Ok(Value::Bool(text.ends_with(other)))),
        ("indexOf", []) => Some(Ok(position(text.find(other), text))),
        ("indexOf", [Value::Int(from)]) => Some(index_from(text, other, *from)),
        ("lastIndexOf", []) => Some(Ok(position(text.rfind(other), text))),
        ("lastIndexOf", [Value::Int(from)]) => Some(last_index_from(text, other, *from)),
        ("split", []) => Some(Ok(split(text, other, -1))),
        ("split", [Value::Int(limit)]) => Some(Ok(split(text, other, *limit))),
        ("replace", [Value::String(with)]) => Some(Ok(Value::text(text.replace(other, with)))),
        ("replace", [Value::String(with), Value::Int(limit)]) => {
            let made = match usize::try_from(*limit) {
                Ok(limit) => text.replacen(other, with, limit),
                Err(_) => text.replace(other, with),
            };
            Some(Ok(Value::text(made)))
        }
        _ => None,
    }
}

fn at_position(name: &str, text: &str, (at, rest): (i64, &[Value])) -> Option<Result<Value, Stop>> {
    match (name, rest) {
        ("charAt", []) => Some(char_at(text, at)),
        ("substring", []) => Some(substring(text, at, None)),
        ("substring", [Value::Int(end)]) => Some(substring(text, at, Some(*end))),
        _ => None,
    }
}

fn out_of_range(at: i64) -> Stop {
    Stop::new(format!("index out of range: {at}"))
}

/// The number of characters before a byte, or -1.
fn position(byte: Option<usize>, text: &str) -> Value {
    byte.map_or(Value::Int(-1), |byte| Value::size(text[..byte].chars().count()))
}

/// The byte of the character at a position, or the end.
fn byte_at(text: &str, at: i64) -> Option<usize> {
    let at = usize::try_from(at).ok()?;
    let ends = text.char_indices().map(|(byte, _)| byte).chain([text.len()]);
    ends.take(at.saturating_add(1))
        .enumerate()
        .find(|(index, _)| *index == at)
        .map(|(_, byte)| byte)
}

fn index_from(text: &str, other: &str, from: i64) -> Result<Value, Stop> {
    if from < 0 {
        return Err(out_of_range(from));
    }
    let Some(start) = byte_at(text, from) else { return Ok(Value::Int(-1)) };
    Ok(position(text[start..].find(other).map(|byte| start + byte), text))
}

fn last_index_from(text: &str, other: &str, from: i64) -> Result<Value, Stop> {
    if from < 0 {
        return Err(out_of_range(from));
    }
    let start = byte_at(text, from).unwrap_or(text.len());
    let mut end = start.saturating_add(other.len()).min(text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    Ok(position(text[..end].rfind(other), text))
}

fn char_at(text: &str, at: i64) -> Result<Value, Stop> {
    let start = byte_at(text, at).ok_or_else(|| out_of_range(at))?;
    Ok(Value::text(text[start..].chars().take(1).collect::<String>()))
}

fn substring(text: &str, start: i64, end: Option<i64>) -> Result<Value, Stop> {
    let from = byte_at(text, start).ok_or_else(|| out_of_range(start))?;
    let Some(end) = end else { return Ok(Value::text(&text[from..])) };
    let to = byte_at(text, end).ok_or_else(|| out_of_range(end))?;
    if to < from {
        let range = format!("invalid substring range. start: {start}, end: {end}");
        return Err(Stop::new(range));
    }
    Ok(Value::text(&text[from..to]))
}

fn split(text: &str, separator: &str, limit: i64) -> Value {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let parts: Vec<Value> = if limit == 0 {
        Vec::new()
    } else if separator.is_empty() {
        characters(text, limit)
    } else {
        text.splitn(limit, separator).map(Value::text).collect()
    };
    Value::list(parts)
}

/// Each character by itself; the last of `limit` parts is the rest.
fn characters(text: &str, limit: usize) -> Vec<Value> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(rune) = rest.chars().next() {
        let (first, after) = rest.split_at(rune.len_utf8());
        if parts.len() + 1 == limit {
            parts.push(Value::text(rest));
            break;
        }
        parts.push(Value::text(first));
        rest = after;
    }
    parts
}

fn joined(items: &[Value], rest: &[Value]) -> Option<Result<Value, Stop>> {
    let separator = match rest {
        [] => "",
        [Value::String(separator)] => separator,
        _ => return None,
    };
    let texts: Option<Vec<&str>> = items
        .iter()
        .map(|item| if let Value::String(text) = item { Some(&**text) } else { None })
        .collect();
    texts.map(|texts| Ok(Value::text(texts.join(separator))))
}

/// `strings.quote`: with double quotes, control characters escaped.
pub(crate) fn quoted(operands: &[Value]) -> Option<Result<Value, Stop>> {
    let [Value::String(text)] = operands else { return None };
    let mut made = String::from('"');
    for rune in text.chars() {
        match rune {
            '\u{7}' => made.push_str("\\a"),
            '\u{8}' => made.push_str("\\b"),
            '\u{c}' => made.push_str("\\f"),
            '\n' => made.push_str("\\n"),
            '\r' => made.push_str("\\r"),
            '\t' => made.push_str("\\t"),
            '\u{b}' => made.push_str("\\v"),
            '\\' => made.push_str("\\\\"),
            '"' => made.push_str("\\\""),
            other => made.push(other),
        }
    }
    made.push('"');
    Some(Ok(Value::text(made)))
}
