//! Operators that evaluate all their operands.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use kube_cel::cel::common::ast::operators;

use crate::error::Stop;
use crate::value::{Value, whole};

/// What the operator `name` makes of its operands, if there is such an operator.
pub(crate) fn apply(name: &str, operands: &[Value]) -> Option<Result<Value, Stop>> {
    let value = match (name, operands) {
        (operators::EQUALS, [a, b]) => Ok(Value::Bool(a == b)),
        (operators::NOT_EQUALS, [a, b]) => Ok(Value::Bool(a != b)),
        (operators::LESS, [a, b]) => ordered(name, a, b, &[Ordering::Less]),
        (operators::LESS_EQUALS, [a, b]) => ordered(name, a, b, &[Ordering::Less, Ordering::Equal]),
        (operators::GREATER, [a, b]) => ordered(name, a, b, &[Ordering::Greater]),
        (operators::GREATER_EQUALS, [a, b]) => {
            ordered(name, a, b, &[Ordering::Greater, Ordering::Equal])
        }
        (operators::IN, [item, container]) => contains(item, container),
        (operators::LOGICAL_NOT, [Value::Bool(bool)]) => Ok(Value::Bool(!bool)),
        (operators::LOGICAL_NOT, [_]) => Err(Stop::no_overload()),
        (operators::NEGATE, [value]) => negated(value),
        (operators::ADD, [a, b]) => added(a, b),
        (operators::SUBSTRACT, [a, b]) => subtracted(a, b),
        (operators::MULTIPLY, [a, b]) => multiplied(a, b),
        (operators::DIVIDE, [a, b]) => divided(a, b),
        (operators::MODULO, [a, b]) => remainder(a, b),
        _ => return None,
    };
    Some(value)
}

/// The entry of a list or map.
pub(crate) fn index(container: &Value, index: &Value) -> Result<Value, Stop> {
    match (container, index) {
        (Value::List(items), _) => {
            let position = match index {
                Value::Int(at) => Some(*at),
                Value::Uint(at) => i64::try_from(*at).ok(),
                Value::Double(at) => whole(*at),
                _ => {
                    let kind = index.type_name();
                    return Err(Stop::new(format!("unsupported index type '{kind}' in list")));
                }
            };
            let item = position.and_then(|at| items.get(usize::try_from(at).ok()?));
            item.cloned().ok_or_else(|| {
                Stop::new(format!("index out of bounds: {}", crate::text::display(index)))
            })
        }
        (Value::Map(map), _) => {
            let found = index.key().and_then(|key| map.get(&key));
            found.cloned().ok_or_else(|| Stop::no_key(crate::text::display(index)))
        }
        _ => Err(Stop::no_key(crate::text::display(index))),
    }
}

/// What is said where the first operand knows no such operator: some types are told by name.
fn no_operator(name: &str, first: &Value) -> Stop {
    match first {
        Value::List(_) | Value::Map(_) | Value::Null | Value::Optional(_) | Value::Type(_) => {
            Stop::new(format!("no such overload: {name}"))
        }
        Value::Double(_) if name == operators::MODULO => {
            Stop::new(format!("no such overload: {name}"))
        }
        _ => Stop::no_overload(),
    }
}

fn ordered(name: &str, a: &Value, b: &Value, wanted: &[Ordering]) -> Result<Value, Stop> {
    let is_number =
        |value: &Value| matches!(value, Value::Int(_) | Value::Uint(_) | Value::Double(_));
    match a.compare(b) {
        Some(order) => Ok(Value::Bool(wanted.contains(&order))),
        None if is_number(a) && is_number(b) => Ok(Value::Bool(false)),
        None => Err(no_operator(name, a)),
    }
}

fn contains(item: &Value, container: &Value) -> Result<Value, Stop> {
    match container {
        Value::List(items) => Ok(Value::Bool(items.contains(item))),
        Value::Map(map) => Ok(Value::Bool(item.key().is_some_and(|key| map.contains_key(&key)))),
        _ => Err(Stop::no_overload()),
    }
}

fn negated(value: &Value) -> Result<Value, Stop> {
    match value {
        Value::Int(a) => a.checked_neg().map(Value::Int).ok_or_else(Stop::overflow),
        Value::Duration(a) => a.checked_neg().map(Value::Duration).ok_or_else(Stop::overflow),
        Value::Double(a) => Ok(Value::Double(-a)),
        other => Err(no_operator(operators::NEGATE, other)),
    }
}

fn unsigned(value: Option<u64>) -> Result<Value, Stop> {
    value.map(Value::Uint).ok_or_else(|| Stop::new("unsigned integer overflow"))
}

fn signed(value: Option<i64>) -> Result<Value, Stop> {
    value.map(Value::Int).ok_or_else(Stop::overflow)
}

fn later(time: Timestamp, nanos: Option<i64>) -> Result<Value, Stop> {
    let moved = nanos.and_then(|n| time.checked_add(SignedDuration::from_nanos(n)).ok());
    moved.map(Value::Timestamp).ok_or_else(|| Stop::new("timestamp overflow"))
}

fn added(a: &Value, b: &Value) -> Result<Value, Stop> {
    use Value::{Bytes, Double, Duration, Int, List, String, Timestamp, Uint};
    match (a, b) {
        (Int(a), Int(b)) => signed(a.checked_add(*b)),
        (Uint(a), Uint(b)) => unsigned(a.checked_add(*b)),
        (Double(a), Double(b)) => Ok(Double(a + b)),
        (String(a), String(b)) => Ok(Value::text([&**a, &**b].concat())),
        (Bytes(a), Bytes(b)) => Ok(Bytes([&**a, &**b].concat().into())),
        (List(a), List(b)) => Ok(List(Arc::new([a.as_slice(), b.as_slice()].concat()))),
        (Duration(a), Duration(b)) => {
            a.checked_add(*b).map(Duration).ok_or_else(|| Stop::new("duration overflow"))
        }
        (Timestamp(time), Duration(nanos)) | (Duration(nanos), Timestamp(time)) => {
            later(*time, Some(*nanos))
        }
        (List(_), _) => Err(Stop::no_overload()),
        _ => Err(no_operator(operators::ADD, a)),
    }
}

fn subtracted(a: &Value, b: &Value) -> Result<Value, Stop> {
    use Value::{Double, Duration, Int, Timestamp, Uint};
    match (a, b) {
        (Int(a), Int(b)) => signed(a.checked_sub(*b)),
        (Uint(a), Uint(b)) => unsigned(a.checked_sub(*b)),
        (Double(a), Double(b)) => Ok(Double(a - b)),
        (Duration(a), Duration(b)) => {
            a.checked_sub(*b).map(Duration).ok_or_else(|| Stop::new("duration overflow"))
        }
        (Timestamp(time), Duration(nanos)) => later(*time, nanos.checked_neg()),
        (Timestamp(a), Timestamp(b)) => {
            let nanos = i64::try_from(a.duration_since(*b).as_nanos()).ok();
            nanos.map(Duration).ok_or_else(|| Stop::new("duration overflow"))
        }
        _ => Err(no_operator(operators::SUBSTRACT, a)),
    }
}

fn multiplied(a: &Value, b: &Value) -> Result<Value, Stop> {
    use Value::{Double, Int, Uint};
    match (a, b) {
        (Int(a), Int(b)) => signed(a.checked_mul(*b)),
        (Uint(a), Uint(b)) => unsigned(a.checked_mul(*b)),
        (Double(a), Double(b)) => Ok(Double(a * b)),
        _ => Err(no_operator(operators::MULTIPLY, a)),
    }
}

fn divided(a: &Value, b: &Value) -> Result<Value, Stop> {
    use Value::{Double, Int, Uint};
    match (a, b) {
        (Int(_), Int(0)) | (Uint(_), Uint(0)) => Err(Stop::new("division by zero")),
        (Int(a), Int(b)) => signed(a.checked_div(*b)),
        (Uint(a), Uint(b)) => unsigned(a.checked_div(*b)),
        (Double(a), Double(b)) => Ok(Double(a / b)),
        _ => Err(no_operator(operators::DIVIDE, a)),
    }
}

fn remainder(a: &Value, b: &Value) -> Result<Value, Stop> {
    use Value::{Int, Uint};
    match (a, b) {
        (Int(_), Int(0)) | (Uint(_), Uint(0)) => Err(Stop::new("modulus by zero")),
        (Int(a), Int(b)) => signed(a.checked_rem(*b)),
        (Uint(a), Uint(b)) => unsigned(a.checked_rem(*b)),
        _ => Err(no_operator(operators::MODULO, a)),
    }
}
