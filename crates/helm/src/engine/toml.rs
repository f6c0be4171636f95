//! TOML as the library `BurntSushi/toml` writes and reads it.

use std::fmt::Write as _;

use gotemplate::{List, Map, Str, Value};

/// How deep values may nest.
const MAX_DEPTH: usize = 200;

/// The TOML text of a map.
///
/// # Errors
/// The text of Go's error for what TOML has no form for.
pub(super) fn print(value: &Value) -> Result<String, String> {
    let mut writer = Writer { text: String::new() };
    match plain(value) {
        Value::Map(map) => writer.table(&[], &map)?,
        Value::List(_) if is_table_list(value)? => return Err(NO_KEY.to_owned()),
        other => writer.element(&other, 0)?,
    }
    Ok(writer.text)
}

const NO_KEY: &str = "toml: top-level values must be Go maps or structs";

/// The value without its declared type; a struct is a map of its fields.
fn plain(value: &Value) -> Value {
    let Value::Object(object) = value else { return value.clone() };
    object.underlying().unwrap_or_else(|| {
        Value::map(object.fields().into_iter().map(|(name, value)| (Str::from(name), value)))
    })
}

fn is_nil(value: &Value) -> bool {
    value.is_nil()
}

/// Whether a value is written under a head of its own.
fn is_table(value: &Value) -> Result<bool, String> {
    Ok(match plain(value) {
        Value::Map(map) => !map.is_nil(),
        Value::List(_) => is_table_list(value)?,
        _ => false,
    })
}

fn is_table_list(value: &Value) -> Result<bool, String> {
    let Value::List(list) = plain(value) else { return Ok(false) };
    let items = list.items();
    if items.iter().any(is_nil) {
        return Err("toml: cannot encode array with nil element".to_owned());
    }
    Ok(!items.is_empty() && items.iter().all(|item| matches!(plain(item), Value::Map(_))))
}

struct Writer {
    text: String,
}

impl Writer {
    fn line(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    /// The entries of a table: first those that take a line, then those with a head.
    fn table(&mut self, path: &[String], map: &Map) -> Result<(), String> {
        if path.len() > MAX_DEPTH {
            return Err("toml: value is nested too deep".to_owned());
        }
        let (lines, heads) = sorted(map)?;
        for (key, value) in lines.into_iter().chain(heads) {
            let mut path = path.to_vec();
            path.push(key);
            self.entry(&path, &value)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &[String], value: &Value) -> Result<(), String> {
        let indent = "  ".repeat(path.len() - 1);
        match plain(value) {
            Value::Map(map) => {
                if path.len() == 1 {
                    self.line();
                }
                let _ = write!(self.text, "{indent}[{}]", joined(path));
                self.line();
                self.table(path, &map)
            }
            Value::List(list) if is_table_list(value)? => self.tables(path, &indent, &list),
            other => {
                let key = path.last().map(|key| quoted_key(key)).unwrap_or_default();
                let _ = write!(self.text, "{indent}{key} = ");
                self.element(&other, 0)?;
                self.line();
                Ok(())
            }
        }
    }

    fn tables(&mut self, path: &[String], indent: &str, list: &List) -> Result<(), String> {
        for item in list.items() {
            let Value::Map(map) = plain(&item) else { continue };
            self.line();
            let _ = write!(self.text, "{indent}[[{}]]", joined(path));
            self.line();
            self.table(path, &map)?;
        }
        Ok(())
    }

    /// A value in a line.
    fn element(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err("toml: value is nested too deep".to_owned());
        }
        match plain(value) {
            Value::Bool(truth) => self.text.push_str(&truth.to_string()),
            Value::Int(number, _) => self.text.push_str(&number.to_string()),
            Value::Uint(number, _) => self.text.push_str(&number.to_string()),
            Value::Float(number) => self.text.push_str(&float(number)),
            Value::String(text) => self.text.push_str(&quoted(&text.text())),
            Value::List(list) => {
                self.text.push('[');
                for (at, item) in list.items().iter().enumerate() {
                    self.text.push_str(if at > 0 { ", " } else { "" });
                    self.element(item, depth + 1)?;
                }
                self.text.push(']');
            }
            Value::Map(map) => {
                self.text.push('{');
                let (lines, heads) = sorted(&map)?;
                for (at, (key, value)) in lines.into_iter().chain(heads).enumerate() {
                    self.text.push_str(if at > 0 { ", " } else { "" });
                    let _ = write!(self.text, "{} = ", quoted_key(&key));
                    self.element(&value, depth + 1)?;
                }
                self.text.push('}');
            }
            other => return Err(format!("unexpected type: {}", other.type_name())),
        }
        Ok(())
    }
}

type Entries = Vec<(String, Value)>;

/// The entries that are not nil, in the order of their keys: those for lines, those with heads.
fn sorted(map: &Map) -> Result<(Entries, Entries), String> {
    let (mut lines, mut heads) = (Vec::new(), Vec::new());
    for (key, value) in map.entries() {
        let Some(key) = key.text() else {
            return Err("toml: cannot encode a map with non-string key type".to_owned());
        };
        if is_nil(&value) {
            continue;
        }
        let kind = if is_table(&value)? { &mut heads } else { &mut lines };
        kind.push((key.to_string(), value));
    }
    Ok((lines, heads))
}

fn joined(path: &[String]) -> String {
    path.iter().map(|key| quoted_key(key)).collect::<Vec<_>>().join(".")
}

fn quoted_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { quoted(key) }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\x1f' | '\x7f' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    let text = number.to_string();
    if number.is_infinite() || text.contains('.') { text } else { format!("{text}.0") }
}

/// The map that a TOML text holds.
///
/// # Errors
/// What is wrong with it; the words are not those of Go's library.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let table: ::toml::Table =
        text.parse().map_err(|error: ::toml::de::Error| format!("toml: {}", error.message()))?;
    Ok(from_table(table))
}

fn from_table(table: ::toml::Table) -> Value {
    Value::map(table.into_iter().map(|(key, value)| (Str::from(key), from(value))))
}

/// The parser bounds the depth.
fn from(value: ::toml::Value) -> Value {
    match value {
        ::toml::Value::String(text) => text.into(),
        ::toml::Value::Integer(number) => Value::int64(number),
        ::toml::Value::Float(number) => number.into(),
        ::toml::Value::Boolean(truth) => truth.into(),
        ::toml::Value::Datetime(time) => time.to_string().into(),
        ::toml::Value::Array(items) => {
            let tables = !items.is_empty() && items.iter().all(::toml::Value::is_table);
            let items: Vec<Value> = items.into_iter().map(from).collect();
            if tables {
                Value::List(List::new(gotemplate::Type::dict(), items))
            } else {
                Value::list(items)
            }
        }
        ::toml::Value::Table(table) => from_table(table),
    }
}
