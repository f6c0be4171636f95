//! Conversions between types.

use crate::error::Stop;
use crate::text;
use crate::time;
use crate::value::Value;

/// The functions that convert; with a constant they are applied when an expression is compiled.
pub(crate) const CONVERSIONS: [&str; 8] =
    ["bool", "bytes", "double", "duration", "int", "string", "timestamp", "uint"];

/// The value as another type, if `name` is a conversion of one value.
pub(crate) fn convert(name: &str, method: bool, operands: &[Value]) -> Option<Result<Value, Stop>> {
    let [value] = operands else { return None };
    if method || !CONVERSIONS.contains(&name) {
        return None;
    }
    if name == value.type_name() {
        return Some(Ok(value.clone()));
    }
    Some(match name {
        "bool" => bool(value),
        "bytes" => bytes(value),
        "double" => double(value),
        "int" => int(value),
        "uint" => uint(value),
        "string" => string(value),
        "timestamp" => timestamp(value),
        _ => duration(value),
    })
}

fn impossible(name: &str, value: &Value) -> Stop {
    Stop::new(format!("no such overload: {name}({})", value.type_name()))
}

fn unreadable(value: &Value, to: &str) -> Stop {
    Stop::new(format!("type conversion error from '{}' to '{to}'", value.type_name()))
}

fn bool(value: &Value) -> Result<Value, Stop> {
    let Value::String(text) = value else { return Err(impossible("bool", value)) };
    match &**text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
        _ => Err(unreadable(value, "bool")),
    }
}

fn bytes(value: &Value) -> Result<Value, Stop> {
    match value {
        Value::String(text) => Ok(Value::Bytes(text.as_bytes().into())),
        _ => Err(impossible("bytes", value)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as in the original, large numbers are rounded")]
fn double(value: &Value) -> Result<Value, Stop> {
    match value {
        Value::Int(whole) => Ok(Value::Double(*whole as f64)),
        Value::Uint(whole) => Ok(Value::Double(*whole as f64)),
        Value::String(text) => {
            text.parse().map(Value::Double).map_err(|_| unreadable(value, "double"))
        }
        _ => Err(impossible("double", value)),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn int(value: &Value) -> Result<Value, Stop> {
    match value {
        Value::Uint(whole) => i64::try_from(*whole).map(Value::Int).map_err(|_| Stop::overflow()),
        Value::Double(float) if float.abs() < 9.223_372_036_854_775e18 => {
            Ok(Value::Int(*float as i64))
        }
        Value::Double(_) => Err(Stop::overflow()),
        Value::String(text) => text.parse().map(Value::Int).map_err(|_| unreadable(value, "int")),
        Value::Timestamp(time) => Ok(Value::Int(time.as_second())),
        Value::Duration(nanos) => Ok(Value::Int(*nanos)),
        _ => Err(impossible("int", value)),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked first"
)]
fn uint(value: &Value) -> Result<Value, Stop> {
    let overflow = || Stop::new("unsigned integer overflow");
    match value {
        Value::Int(whole) => u64::try_from(*whole).map(Value::Uint).map_err(|_| overflow()),
        Value::Double(float) if (0.0..1.844_674_407_370_955e19).contains(float) => {
            Ok(Value::Uint(*float as u64))
        }
        Value::Double(_) => Err(overflow()),
        Value::String(text) => text.parse().map(Value::Uint).map_err(|_| unreadable(value, "uint")),
        _ => Err(impossible("uint", value)),
    }
}

fn string(value: &Value) -> Result<Value, Stop> {
    match value {
        Value::Bool(_)
        | Value::Int(_)
        | Value::Uint(_)
        | Value::Double(_)
        | Value::Timestamp(_)
        | Value::Duration(_) => Ok(Value::text(text::display(value))),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Value::text(text)),
            Err(_) => Err(Stop::new("invalid UTF-8 in bytes, cannot convert to string")),
        },
        _ => Err(impossible("string", value)),
    }
}

fn timestamp(value: &Value) -> Result<Value, Stop> {
    let name = "google.protobuf.Timestamp";
    let time = match value {
        Value::Timestamp(time) => Some(*time),
        Value::Int(seconds) => jiff::Timestamp::from_second(*seconds).ok(),
        Value::String(text) => time::timestamp(text),
        _ => None,
    };
    time.map(Value::Timestamp).ok_or_else(|| unreadable(value, name))
}

fn duration(value: &Value) -> Result<Value, Stop> {
    let nanos = match value {
        Value::Duration(nanos) => Some(*nanos),
        Value::String(text) => time::duration(text),
        _ => None,
    };
    nanos.map(Value::Duration).ok_or_else(|| unreadable(value, "google.protobuf.Duration"))
}
