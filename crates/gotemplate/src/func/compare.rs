//! `eq`, `ne`, `lt`, `le`, `gt`, `ge`.
#![expect(clippy::float_cmp, reason = "Go's comparison of floats is exact")]

use super::Call;
use crate::error::Fault;
use crate::value::{Kind, Value};

/// The kinds that can be compared with each other.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Basic {
    Bool,
    Complex,
    Int,
    Float,
    String,
    Uint,
    Other,
}

fn basic(value: &Value) -> Basic {
    match value {
        Value::Bool(_) => Basic::Bool,
        Value::Complex(..) => Basic::Complex,
        Value::Int(..) => Basic::Int,
        Value::Float(_) => Basic::Float,
        Value::String(_) => Basic::String,
        Value::Uint(..) => Basic::Uint,
        _ => Basic::Other,
    }
}

fn incompatible(a: &Value, b: &Value) -> Fault {
    let (a, b) = (a.type_name(), b.type_name());
    format!("incompatible types for comparison: {a} and {b}").into()
}

pub(super) fn eq(call: &mut Call<'_>) -> Result<Value, Fault> {
    let first = call.value(0);
    if call.len() < 2 {
        return Err("missing argument for comparison".into());
    }
    for other in call.values(1) {
        if equal(call, &first, &other)? {
            return Ok(true.into());
        }
    }
    Ok(false.into())
}

fn equal(call: &Call<'_>, first: &Value, second: &Value) -> Result<bool, Fault> {
    let (a, b) = (first.underlying(), second.underlying());
    if basic(&a) != basic(&b) {
        return match (&a, &b) {
            (Value::Int(a, _), Value::Uint(b, _)) | (Value::Uint(b, _), Value::Int(a, _)) => {
                Ok(u64::try_from(*a).is_ok_and(|a| a == *b))
            }
            (Value::Nil, _) | (_, Value::Nil) => Ok(false),
            _ => Err(incompatible(first, second)),
        };
    }
    Ok(match (&a, &b) {
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Complex(a, b), Value::Complex(c, d)) => a == c && b == d,
        (Value::Int(a, _), Value::Int(b, _)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Uint(a, _), Value::Uint(b, _)) => a == b,
        _ => return same(call, first, second),
    })
}

/// Equality of what is neither number nor text: nil, or comparable by Go's `==`.
fn same(call: &Call<'_>, a: &Value, b: &Value) -> Result<bool, Fault> {
    let (ka, kb) = (a.kind(), b.kind());
    if ka != kb && ka != Kind::Invalid && kb != Kind::Invalid {
        let (text, other) = (printed(call, a)?, call.text(b)?);
        let other = crate::text::lossy(&other);
        let (ta, tb) = (a.type_name(), b.type_name());
        return Err(format!("non-comparable types {text}: {ta}, {tb}: {other}").into());
    }
    if a.is_nil() || b.is_nil() {
        return Ok(a.is_nil() == b.is_nil());
    }
    if let (Value::Object(a), Value::Object(b)) = (a, b)
        && a.kind() == Kind::Pointer
    {
        return Ok(std::rc::Rc::ptr_eq(a, b));
    }
    match b.ty() {
        Some(ty) if !ty.is_comparable() => {
            Err(format!("non-comparable type {}: {ty}", printed(call, b)?).into())
        }
        _ => Ok(a.deep_equal(b, call.budget())?),
    }
}

/// The value as Go's `%s` shows it.
fn printed(call: &Call<'_>, value: &Value) -> Result<String, Fault> {
    let text = crate::print::sprintf(b"%s", std::slice::from_ref(value), call.budget())?;
    Ok(crate::text::lossy(&text).into_owned())
}

pub(super) fn ne(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (a, b) = (call.value(0), call.value(1));
    Ok((!equal(call, &a, &b)?).into())
}

fn less(a: &Value, b: &Value) -> Result<bool, Fault> {
    let (first, second) = (a, b);
    let (a, b) = (a.underlying(), b.underlying());
    if basic(&a) == Basic::Other || basic(&b) == Basic::Other {
        return Err("invalid type for comparison".into());
    }
    Ok(match (&a, &b) {
        (Value::Int(a, _), Value::Uint(b, _)) => u64::try_from(*a).map_or(true, |a| a < *b),
        (Value::Uint(a, _), Value::Int(b, _)) => u64::try_from(*b).is_ok_and(|b| *a < b),
        (Value::Int(a, _), Value::Int(b, _)) => a < b,
        (Value::Float(a), Value::Float(b)) => a < b,
        (Value::String(a), Value::String(b)) => a < b,
        (Value::Uint(a, _), Value::Uint(b, _)) => a < b,
        (a, b) if basic(a) == basic(b) => return Err("invalid type for comparison".into()),
        _ => return Err(incompatible(first, second)),
    })
}

pub(super) fn lt(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(less(&call.value(0), &call.value(1))?.into())
}

pub(super) fn le(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(less_or_equal(call)?.into())
}

fn less_or_equal(call: &Call<'_>) -> Result<bool, Fault> {
    let (a, b) = (call.value(0), call.value(1));
    Ok(less(&a, &b)? || equal(call, &a, &b)?)
}

pub(super) fn gt(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok((!less_or_equal(call)?).into())
}

pub(super) fn ge(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok((!less(&call.value(0), &call.value(1))?).into())
}
