//! Reading JSON as a built-in type: what is unknown, what does not fit.

use serde_json::Value;

use super::quantity;
use super::table::{self, Table};
use crate::schema::go;

/// Removes unknown fields; answers their sorted paths.
pub(super) fn prune(object: &mut Value, index: usize) -> Vec<String> {
    let mut unknown = Vec::new();
    prune_type(object, index, "", &mut unknown);
    unknown.sort();
    unknown
}

fn prune_type(value: &mut Value, index: usize, path: &str, unknown: &mut Vec<String>) {
    let table = table::get();
    if table.alias(index).is_some() {
        return;
    }
    let Value::Object(map) = value else { return };
    map.retain(|name, child| {
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let Some(word) = table.word(index, name) else {
            unknown.push(below);
            return false;
        };
        prune_word(child, word, &below, unknown);
        true
    });
}

fn prune_word(value: &mut Value, word: &str, path: &str, unknown: &mut Vec<String>) {
    if let Some(element) = word.strip_prefix("[]") {
        for (n, item) in value.as_array_mut().into_iter().flatten().enumerate() {
            prune_word(item, element, &format!("{path}[{n}]"), unknown);
        }
    } else if let Some(element) = word.strip_prefix("{}") {
        for (key, item) in value.as_object_mut().into_iter().flatten() {
            prune_word(item, element, &format!("{path}.{key}"), unknown);
        }
    } else if let Some(index) = table::get().referred(word) {
        prune_type(value, index, path, unknown);
    }
}

/// The first thing that does not fit, as Go's decoder says it.
pub(super) fn error(object: &Value, index: usize) -> Option<String> {
    let decoder = Decoder { table: table::get() };
    decoder.type_error(object, index, "", None)
}

struct Decoder {
    table: &'static Table,
}

/// Where a value stands: in which struct, under which fields.
#[derive(Clone, Copy)]
struct Place<'a> {
    structure: &'a str,
    path: &'a str,
}

impl Decoder {
    fn type_error(
        &self,
        value: &Value,
        index: usize,
        path: &str,
        place: Option<Place<'_>>,
    ) -> Option<String> {
        if let Some(alias) = self.table.alias(index) {
            return self.alias_error(value, index, alias, place);
        }
        let name = self.table.go_name(index);
        let Value::Object(map) = value else {
            return (!value.is_null()).then(|| misfit(value, &format!("v1.{name}"), place));
        };
        map.iter().find_map(|(field, child)| {
            let word = self.table.word(index, field)?;
            let below = if path.is_empty() { field.clone() } else { format!("{path}.{field}") };
            self.word_error(child, word, Place { structure: name, path: &below })
        })
    }

    fn word_error(&self, value: &Value, word: &str, place: Place<'_>) -> Option<String> {
        if value.is_null() {
            return None;
        }
        if let Some(element) = word.strip_prefix("[]") {
            let Value::Array(items) = value else {
                return Some(misfit(value, &self.go_type(word), Some(place)));
            };
            return items.iter().find_map(|item| self.word_error(item, element, place));
        }
        if let Some(element) = word.strip_prefix("{}") {
            let Value::Object(map) = value else {
                return Some(misfit(value, &self.go_type(word), Some(place)));
            };
            return map.values().find_map(|item| self.word_error(item, element, place));
        }
        if let Some(index) = self.table.referred(word) {
            return self.type_error(value, index, place.path, Some(place));
        }
        let fits = match (word.as_bytes().first(), value) {
            (Some(b's'), Value::String(_))
            | (Some(b'b'), Value::Bool(_))
            | (Some(b'n'), Value::Number(_))
            | (Some(b'o'), Value::Object(_))
            | (Some(b'a'), _) => true,
            (Some(b'i'), Value::Number(n)) => fits_integer(n, word),
            _ => false,
        };
        if !fits {
            return Some(misfit(value, &self.go_type(word), Some(place)));
        }
        (word == "s:byte").then(|| bad_base64(value.as_str()?)).flatten()
    }

    /// Types that read themselves.
    fn alias_error(
        &self,
        value: &Value,
        index: usize,
        alias: &str,
        place: Option<Place<'_>>,
    ) -> Option<String> {
        match (self.table.go_name(index), value) {
            (_, Value::Null) | ("IntOrString", Value::String(_)) => None,
            ("IntOrString", Value::Number(n)) if n.is_i64() => None,
            ("IntOrString", other) => {
                Some(format!("json: cannot unmarshal {} into Go value of type int32", kind(other)))
            }
            ("Quantity", Value::String(text)) => quantity_error(text),
            ("Quantity", Value::Number(n)) => quantity_error(&n.to_string()),
            ("Quantity", _) => quantity_error(""),
            ("Time" | "MicroTime", Value::String(text)) => time_error(text),
            ("Time" | "MicroTime", other) => {
                Some(format!("json: cannot unmarshal {} into Go value of type string", kind(other)))
            }
            (_, Value::Object(_)) if alias == "o" => None,
            (name, other) if alias == "o" => Some(misfit(other, &format!("v1.{name}"), place)),
            _ => None,
        }
    }

    fn go_type(&self, word: &str) -> String {
        if let Some(element) = word.strip_prefix("[]") {
            return format!("[]{}", self.go_type(element));
        }
        if let Some(element) = word.strip_prefix("{}") {
            return format!("map[string]{}", self.go_type(element));
        }
        if let Some(index) = self.table.referred(word) {
            return format!("v1.{}", self.table.go_name(index));
        }
        let name = match word {
            "s:byte" => "[]uint8",
            "i:int32" => "int32",
            "i:int64" => "int64",
            "b" => "bool",
            "o" => "map[string]interface {}",
            _ if word.starts_with('n') => "float64",
            _ if word.starts_with('i') => "int",
            _ => "string",
        };
        name.to_owned()
    }
}

fn fits_integer(number: &serde_json::Number, word: &str) -> bool {
    let Some(value) = number.as_i64() else { return false };
    word != "i:int32" || i32::try_from(value).is_ok()
}

fn misfit(value: &Value, wanted: &str, place: Option<Place<'_>>) -> String {
    let target = match place {
        Some(Place { structure, path }) => {
            format!("Go struct field {structure}.{path} of type {wanted}")
        }
        None => format!("Go value of type {wanted}"),
    };
    let mut what = kind(value).to_owned();
    if let Value::Number(number) = value
        && wanted.starts_with("int")
    {
        what = format!("number {number}");
    }
    format!("json: cannot unmarshal {what} into {target}")
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn quantity_error(text: &str) -> Option<String> {
    let expected = r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$";
    quantity::canonical(text)
        .is_none()
        .then(|| format!("quantities must match the regular expression '{expected}'"))
}

fn time_error(text: &str) -> Option<String> {
    if text.parse::<jiff::Timestamp>().is_ok() {
        return None;
    }
    let quoted = go::quote(text);
    let layout = "2006-01-02T15:04:05Z07:00";
    Some(format!("parsing time {quoted} as \"{layout}\": cannot parse {quoted} as \"2006\""))
}

fn bad_base64(text: &str) -> Option<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let at = match STANDARD.decode(text.replace(['\n', '\r'], "")) {
        Ok(_) => return None,
        Err(
            base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _),
        ) => at,
        Err(base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding) => {
            text.len() / 4 * 4
        }
    };
    Some(format!("illegal base64 data at input byte {at}"))
}
