//! Go's `reflect.DeepEqual` and `==`.
#![expect(clippy::float_cmp, reason = "Go's comparison of floats is exact")]

use super::{Object, Value};
use crate::limit::{Budget, Exhausted};

impl Value {
    /// `reflect.DeepEqual`: same types, same content; a nil and an empty container differ.
    pub(crate) fn deep_equal(&self, other: &Self, budget: &Budget) -> Result<bool, Exhausted> {
        budget.step()?;
        Ok(match (self, other) {
            (Self::Nil, Self::Nil) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a, ka), Self::Int(b, kb)) => a == b && ka == kb,
            (Self::Uint(a, ka), Self::Uint(b, kb)) => a == b && ka == kb,
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::Complex(a, b), Self::Complex(c, d)) => a == c && b == d,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::List(a), Self::List(b)) => {
                if a.element() != b.element() || a.is_nil() != b.is_nil() || a.len() != b.len() {
                    return Ok(false);
                }
                if a.is_same(b) {
                    return Ok(true);
                }
                return budget.nested(|| all_equal(&a.items(), &b.items(), budget));
            }
            (Self::Map(a), Self::Map(b)) => {
                if a.types() != b.types() || a.is_nil() != b.is_nil() || a.len() != b.len() {
                    return Ok(false);
                }
                if a.is_same(b) {
                    return Ok(true);
                }
                let (a, b) = (a.entries(), b.entries());
                if a.iter().zip(&b).any(|((ka, _), (kb, _))| ka != kb) {
                    return Ok(false);
                }
                let values = |entries: Vec<(super::Key, Self)>| {
                    entries.into_iter().map(|(_, value)| value).collect::<Vec<_>>()
                };
                return budget.nested(|| all_equal(&values(a), &values(b), budget));
            }
            (Self::Object(a), Self::Object(b)) => return objects_equal(&**a, &**b, budget),
            _ => false,
        })
    }
}

fn objects_equal(a: &dyn Object, b: &dyn Object, budget: &Budget) -> Result<bool, Exhausted> {
    if a.type_name() != b.type_name() || a.text() != b.text() {
        return Ok(false);
    }
    if let (Some(a), Some(b)) = (a.underlying(), b.underlying()) {
        return budget.nested(|| a.deep_equal(&b, budget));
    }
    let (a, b) = (a.fields(), b.fields());
    if a.len() != b.len() {
        return Ok(false);
    }
    for ((_, a), (_, b)) in a.iter().zip(&b) {
        if !budget.nested(|| a.deep_equal(b, budget))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn all_equal(a: &[Value], b: &[Value], budget: &Budget) -> Result<bool, Exhausted> {
    for (a, b) in a.iter().zip(b) {
        if !a.deep_equal(b, budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}
