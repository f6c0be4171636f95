//! Protobuf bodies: how `kubectl create` and Go programs send built-in objects.
//!
//! They are only read, into the JSON form; answers are JSON, which every client accepts beside it. The
//! numbers of fields are those of `types.txt`, made from the Go types of Kubernetes (see `generate`).

#[cfg(test)]
mod generate;
mod table;
mod wire;
mod zero;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Number, Value, json};

use table::{Field, Kind, Scalar, Table};
use wire::{Payload, Reader};
pub(crate) use zero::{complete, empty, forget_empty, forget_zero, is_always_written};

/// The media type.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
/// What every message starts with.
const MAGIC: &[u8] = b"k8s\0";
/// The deepest nesting of messages.
const DEPTH: usize = 100;

/// Decodes a whole body: `k8s\0` and a `runtime.Unknown` with type and content.
///
/// The error says what is wrong, for a message.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value, String> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("it does not start with \"k8s\\0\"")?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    let mut reader = Reader::new(rest);
    while let Some((number, payload)) = reader.next()? {
        match (number, payload) {
            (1, Payload::Bytes(type_meta)) => (api_version, kind) = read_type(type_meta)?,
            (2, Payload::Bytes(content)) => raw = content,
            _ => {}
        }
    }
    let table = table::get();
    let message = table
        .kind(&api_version, &kind)
        .ok_or_else(|| format!("{kind} of {api_version:?} is not known in protobuf"))?;
    let mut object = json!({"apiVersion": api_version, "kind": kind});
    let members = read_struct(table, message, raw, 0)?;
    if let Some(object) = object.as_object_mut() {
        object.extend(members);
    }
    Ok(object)
}

fn read_type(bytes: &[u8]) -> Result<(String, String), String> {
    let (mut api_version, mut kind) = (String::new(), String::new());
    let mut reader = Reader::new(bytes);
    while let Some((number, payload)) = reader.next()? {
        match (number, payload) {
            (1, Payload::Bytes(text)) => api_version = utf8(text)?,
            (2, Payload::Bytes(text)) => kind = utf8(text)?,
            _ => {}
        }
    }
    Ok((api_version, kind))
}

fn read_struct(
    table: &Table,
    message: &str,
    bytes: &[u8],
    depth: usize,
) -> Result<Map<String, Value>, String> {
    if depth > DEPTH {
        return Err(format!("nested more than {DEPTH} deep"));
    }
    let fields = table.fields(message).ok_or_else(|| format!("{message} is not known"))?;
    let mut members = Map::new();
    let mut reader = Reader::new(bytes);
    while let Some((number, payload)) = reader.next()? {
        let Some(field) = fields.get(&number) else { continue };
        if field.name.is_empty() {
            if let (Kind::Message(inline), Payload::Bytes(bytes)) = (&field.kind, payload) {
                members.extend(read_struct(table, inline, bytes, depth + 1)?);
            }
            continue;
        }
        add(table, field, payload, &mut members, depth)?;
    }
    Ok(members)
}

fn add(
    table: &Table,
    field: &Field,
    payload: Payload<'_>,
    members: &mut Map<String, Value>,
    depth: usize,
) -> Result<(), String> {
    match &field.kind {
        Kind::List(item) => {
            let list = members.entry(field.name).or_insert_with(|| json!([]));
            let Some(list) = list.as_array_mut() else { return Ok(()) };
            if let (Kind::Scalar(scalar), Payload::Bytes(packed)) = (&**item, &payload)
                && scalar.is_number()
            {
                let mut reader = Reader::new(packed);
                while let Some(number) = reader.next_packed(*scalar == Scalar::Double)? {
                    list.push(read_scalar(*scalar, number)?);
                }
                return Ok(());
            }
            list.push(read_value(table, item, payload, depth)?);
        }
        Kind::Map(item) => {
            let Payload::Bytes(entry) = payload else { return Err(mismatch(field.name)) };
            let (key, value) = read_entry(table, item, entry, depth)?;
            let map = members.entry(field.name).or_insert_with(|| json!({}));
            if let Some(map) = map.as_object_mut() {
                map.insert(key, value);
            }
        }
        kind => {
            let value = read_value(table, kind, payload, depth)?;
            // Go writes every plain field; in JSON those that are empty are left out.
            if field.pointer || field.is_written() || !is_empty(&value) {
                members.insert(field.name.to_owned(), value);
            }
        }
    }
    Ok(())
}

fn read_entry(
    table: &Table,
    item: &Kind,
    bytes: &[u8],
    depth: usize,
) -> Result<(String, Value), String> {
    let mut key = String::new();
    let mut value = None;
    let mut reader = Reader::new(bytes);
    while let Some((number, payload)) = reader.next()? {
        match (number, payload) {
            (1, Payload::Bytes(text)) => key = utf8(text)?,
            (2, payload) => value = Some(read_value(table, item, payload, depth)?),
            _ => {}
        }
    }
    let empty = || match item {
        Kind::Scalar(_) => json!(""),
        _ => json!({}),
    };
    Ok((key, value.unwrap_or_else(empty)))
}

fn read_value(
    table: &Table,
    kind: &Kind,
    payload: Payload<'_>,
    depth: usize,
) -> Result<Value, String> {
    match (kind, payload) {
        (Kind::Scalar(scalar), payload) => read_scalar(*scalar, payload),
        (Kind::Message(name), Payload::Bytes(bytes)) => read_message(table, name, bytes, depth + 1),
        _ => Err(mismatch("a field")),
    }
}

fn read_scalar(scalar: Scalar, payload: Payload<'_>) -> Result<Value, String> {
    Ok(match (scalar, payload) {
        (Scalar::Text, Payload::Bytes(bytes)) => json!(utf8(bytes)?),
        (Scalar::Bytes, Payload::Bytes(bytes)) => json!(STANDARD.encode(bytes)),
        (Scalar::Bool, Payload::Varint(number)) => json!(number != 0),
        // Negative numbers are written as the 64 bits of their two's complement.
        (Scalar::Int, Payload::Varint(number)) => json!(number.cast_signed()),
        (Scalar::Double, Payload::Fixed64(bits)) => {
            Number::from_f64(f64::from_bits(bits)).map_or(Value::Null, Value::Number)
        }
        _ => return Err(mismatch("a scalar")),
    })
}

/// Types whose JSON form is not that of their fields.
fn read_message(table: &Table, name: &str, bytes: &[u8], depth: usize) -> Result<Value, String> {
    let plain = || Plain::read(bytes);
    Ok(match name {
        "meta.v1.Time" => plain()?.time("%Y-%m-%dT%H:%M:%SZ", bytes.is_empty()),
        "meta.v1.MicroTime" => plain()?.time("%Y-%m-%dT%H:%M:%S%.6fZ", bytes.is_empty()),
        "meta.v1.Duration" => json!(go_duration(plain()?.number(1).cast_signed())),
        "api.resource.Quantity" => json!(utf8(plain()?.bytes(1))?),
        "util.intstr.IntOrString" => {
            let plain = plain()?;
            if plain.number(1) == 0 {
                json!(plain.number(2).cast_signed())
            } else {
                json!(utf8(plain.bytes(3))?)
            }
        }
        "runtime.RawExtension" | "meta.v1.FieldsV1" | "apiextensions.v1.JSON" => {
            let plain = plain()?;
            let raw = plain.bytes(1);
            if raw.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(raw).map_err(|e| format!("embedded JSON: {e}"))?
            }
        }
        "apiextensions.v1.JSONSchemaPropsOrBool" => {
            let plain = plain()?;
            match plain.find(2) {
                Some(schema) => schema_of(table, schema, depth)?,
                None => json!(plain.number(1) != 0),
            }
        }
        "apiextensions.v1.JSONSchemaPropsOrArray" => {
            let plain = plain()?;
            if let Some(schema) = plain.find(1) {
                schema_of(table, schema, depth)?
            } else {
                let schemas = plain.all(2).map(|s| schema_of(table, s, depth));
                Value::Array(schemas.collect::<Result<_, _>>()?)
            }
        }
        _ => match table.list_of(name) {
            Some(Kind::Scalar(scalar)) => {
                let items = plain()?
                    .all(1)
                    .map(|b| read_scalar(*scalar, Payload::Bytes(b)))
                    .collect::<Result<_, _>>()?;
                Value::Array(items)
            }
            _ => Value::Object(read_struct(table, name, bytes, depth)?),
        },
    })
}

fn schema_of(table: &Table, bytes: &[u8], depth: usize) -> Result<Value, String> {
    read_struct(table, "apiextensions.v1.JSONSchemaProps", bytes, depth + 1).map(Value::Object)
}

/// A message read without knowing its fields.
struct Plain<'a>(Vec<(u64, Payload<'a>)>);

impl<'a> Plain<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let mut reader = Reader::new(bytes);
        let mut fields = Vec::new();
        while let Some(field) = reader.next()? {
            fields.push(field);
        }
        Ok(Self(fields))
    }

    fn number(&self, wanted: u64) -> u64 {
        let found = self.0.iter().find_map(|(number, payload)| match payload {
            Payload::Varint(value) if *number == wanted => Some(*value),
            _ => None,
        });
        found.unwrap_or(0)
    }

    fn all(&self, wanted: u64) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter_map(move |(number, payload)| match payload {
            Payload::Bytes(bytes) if *number == wanted => Some(*bytes),
            _ => None,
        })
    }

    fn find(&self, wanted: u64) -> Option<&'a [u8]> {
        self.all(wanted).next()
    }

    fn bytes(&self, wanted: u64) -> &'a [u8] {
        self.find(wanted).unwrap_or_default()
    }

    /// A time of seconds and nanoseconds; none at all is null.
    fn time(&self, format: &str, none: bool) -> Value {
        let nanos = i32::try_from(self.number(2)).unwrap_or(0);
        match Timestamp::new(self.number(1).cast_signed(), nanos) {
            Ok(time) if !none => json!(time.strftime(format).to_string()),
            _ => Value::Null,
        }
    }
}

/// A duration as Go prints it: `1h0m0s`.
fn go_duration(nanos: i64) -> String {
    let duration = SignedDuration::from_nanos(nanos);
    let seconds = duration.as_secs();
    let fraction = duration.subsec_nanos();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = if fraction == 0 {
        String::new()
    } else {
        format!(".{:09}", fraction.abs()).trim_end_matches('0').to_owned()
    };
    match (hours, minutes) {
        (0, 0) => format!("{rest}{fraction}s"),
        (0, minutes) => format!("{minutes}m{}{fraction}s", rest.abs()),
        (hours, minutes) => format!("{hours}h{}m{}{fraction}s", minutes.abs(), rest.abs()),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(_) => false,
    }
}

fn utf8(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "a text is not UTF-8".to_owned())
}

fn mismatch(what: &str) -> String {
    format!("{what} has another type than expected")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `kubectl create configmap x --from-literal=a=b` sends.
    const CONFIG_MAP: &[u8] = b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12\x1b\x0a\x11\x0a\x01x\x12\0\x1a\0\x22\0\x2a\x002\x008\0B\0\x12\x06\x0a\x01a\x12\x01b\x1a\0\x22\0";

    #[test]
    fn an_object_is_read() {
        assert_eq!(
            decode(CONFIG_MAP).unwrap(),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "b"}})
        );
    }

    #[test]
    fn damaged_bodies_are_refused() {
        for end in 5..CONFIG_MAP.len() - 4 {
            // A cut is an error, or leaves a shorter object; it never panics.
            let _ = decode(&CONFIG_MAP[..end]);
        }
        assert!(decode(b"{}").is_err());
        assert!(decode(b"k8s\0\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").is_err());
        assert!(decode(b"k8s\0\x12\x7f").is_err());
    }

    #[test]
    fn durations_are_printed_as_in_go() {
        for (nanos, want) in [
            (0, "0s"),
            (1_500_000_000, "1.5s"),
            (61_000_000_000, "1m1s"),
            (3_600_000_000_000, "1h0m0s"),
        ] {
            assert_eq!(go_duration(nanos), want);
        }
    }
}
