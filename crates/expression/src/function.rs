//! Functions: those of the language, and of the libraries strings, sets, encoders and optionals.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use kube_cel::cel::common::ast::{Expr, IdedExpr};

use crate::convert::{CONVERSIONS, convert};
use crate::error::Stop;
use crate::evaluate::Evaluation;
use crate::value::Value;
use crate::{format, pattern, strings, time};

/// Functions that are called by a name with a point in it.
const QUALIFIED: [&str; 9] = [
    "base64.decode",
    "base64.encode",
    "optional.none",
    "optional.of",
    "optional.ofNonZeroValue",
    "sets.contains",
    "sets.equivalent",
    "sets.intersects",
    "strings.quote",
];

/// The whole name of a function that is called on a namespace instead of a value.
pub(crate) fn qualified(target: &IdedExpr, name: &str) -> Option<String> {
    let Expr::Ident(space) = &target.expr else { return None };
    let qualified = format!("{space}.{name}");
    QUALIFIED.contains(&qualified.as_str()).then_some(qualified)
}

/// Calls a function; as a method, the first operand is what it is called on.
pub(crate) fn call(
    evaluation: &mut Evaluation<'_>,
    (name, method): (&str, bool),
    operands: &[Value],
) -> Result<Value, Stop> {
    if let Some(value) = convert(name, method, operands) {
        return value;
    }
    match (name, operands) {
        ("matches", [Value::String(text), Value::String(pattern)]) => {
            // A pattern is compiled and run in time linear in its size and the text's.
            evaluation.spend((pattern.len() as u64 * 8).saturating_add(text.len() as u64 / 8))?;
            pattern::matches(pattern, text).map(Value::Bool)
        }
        ("format", [Value::String(text), Value::List(items)]) if method => {
            format::format(text, items).map(Value::text)
        }
        ("size", [value]) => size(value),
        ("type", [value]) => Ok(Value::Type(value.type_name())),
        ("dyn", [value]) => Ok(value.clone()),
        (
            "sets.contains" | "sets.intersects" | "sets.equivalent",
            [Value::List(a), Value::List(b)],
        ) => {
            evaluation.spend((a.len() as u64).saturating_mul(b.len() as u64))?;
            Ok(Value::Bool(set(name, a, b)))
        }
        ("base64.encode", [Value::Bytes(bytes)]) => Ok(Value::text(STANDARD.encode(bytes))),
        ("base64.decode", [Value::String(text)]) => decoded(text),
        _ => optional(name, operands)
            .or_else(|| method.then(|| strings::call(name, operands)).flatten())
            .or_else(|| method.then(|| time::call(name, operands)).flatten())
            .or_else(|| (name == "strings.quote").then(|| strings::quoted(operands)).flatten())
            .unwrap_or_else(|| Err(none_such(name, operands))),
    }
}

/// What is said where no function fits. Some types are asked themselves and do not tell the name.
fn none_such(name: &str, operands: &[Value]) -> Stop {
    let types = || operands.iter().map(Value::type_name).collect::<Vec<_>>().join(", ");
    match (name, operands) {
        (_, []) => Stop::new(format!("no such overload: {name}()")),
        ("split" | "join" | "base64.encode" | "base64.decode", _) => {
            Stop::new(format!("no such overload: {name}({})", types()))
        }
        _ if CONVERSIONS.contains(&name) => {
            Stop::new(format!("no such overload: {name}({})", types()))
        }
        (
            _,
            [Value::String(_) | Value::Timestamp(_) | Value::Duration(_) | Value::Optional(_), ..],
        ) if name != "size" => Stop::no_overload(),
        _ => Stop::new(format!("no such overload: {name}")),
    }
}

fn size(value: &Value) -> Result<Value, Stop> {
    match value {
        Value::String(text) => Ok(Value::size(text.chars().count())),
        Value::Bytes(bytes) => Ok(Value::size(bytes.len())),
        Value::List(items) => Ok(Value::size(items.len())),
        Value::Map(map) => Ok(Value::size(map.len())),
        _ => Err(Stop::new("no such overload: size")),
    }
}

fn set(name: &str, a: &[Value], b: &[Value]) -> bool {
    let holds = |set: &[Value], items: &[Value]| items.iter().all(|item| set.contains(item));
    match name {
        "sets.contains" => holds(a, b),
        "sets.intersects" => a.iter().any(|item| b.contains(item)),
        _ => holds(a, b) && holds(b, a),
    }
}

fn decoded(text: &str) -> Result<Value, Stop> {
    let decoded = STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text));
    decoded.map(|bytes| Value::Bytes(bytes.into())).map_err(|error| {
        let at = match error {
            base64::DecodeError::InvalidByte(at, _)
            | base64::DecodeError::InvalidLastSymbol(at, _) => at,
            _ => text.len(),
        };
        Stop::new(format!("illegal base64 data at input byte {at}"))
    })
}

fn optional(name: &str, operands: &[Value]) -> Option<Result<Value, Stop>> {
    let value = match (name, operands) {
        ("optional.none", []) => Value::Optional(None),
        ("optional.ofNonZeroValue", [value]) if value.is_zero() => Value::Optional(None),
        ("optional.of" | "optional.ofNonZeroValue", [value]) => Value::some(value.clone()),
        ("hasValue", [Value::Optional(inner)]) => Value::Bool(inner.is_some()),
        ("value", [Value::Optional(None)]) => {
            return Some(Err(Stop::new("optional.none() dereference")));
        }
        ("value", [Value::Optional(Some(inner))])
        | ("orValue", [Value::Optional(Some(inner)), _]) => Arc::unwrap_or_clone(inner.clone()),
        ("orValue" | "or", [Value::Optional(None), other]) => other.clone(),
        ("or", [some @ Value::Optional(Some(_)), _]) => some.clone(),
        _ => return None,
    };
    Some(Ok(value))
}
