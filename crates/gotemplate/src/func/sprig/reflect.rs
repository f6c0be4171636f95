//! Types and kinds, equality and copies.

use super::{Call, Table};
use crate::error::Fault;
use crate::value::{List, Map, Value};

pub(super) fn add(table: &mut Table) {
    table.add(&["typeOf"], "any -> string", |call| Ok(call.value(0).type_name().into()));
    table.add(&["typeIs"], "string, any -> bool", |call| {
        Ok((call.str(0).text() == call.value(1).type_name()).into())
    });
    table.add(&["typeIsLike"], "string, any -> bool", |call| {
        let (target, name) = (call.str(0), call.value(1).type_name());
        Ok((target.text() == name || name.strip_prefix('*') == Some(&target.text())).into())
    });
    table.add(&["kindOf"], "any -> string", |call| Ok(call.value(0).kind().to_string().into()));
    table.add(&["kindIs"], "string, any -> bool", |call| {
        Ok((call.str(0).text() == call.value(1).kind().to_string()).into())
    });
    table.add(&["deepEqual"], "any, any -> bool", |call| {
        Ok(call.value(0).deep_equal(&call.value(1), call.budget())?.into())
    });
    table.add(&["deepCopy", "mustDeepCopy"], "any -> any", |call| {
        if let Value::Nil = call.value(0) {
            return Err("reflect: call of reflect.Value.Type on zero Value".into());
        }
        copy(call, &call.value(0))
    });
}

fn copy(call: &Call<'_>, value: &Value) -> Result<Value, Fault> {
    match value {
        Value::List(list) if !list.is_nil() => {
            call.budget().values(list.len())?;
            if let Some(bytes) = list.copy_bytes() {
                return Ok(Value::List(bytes));
            }
            let items: Result<Vec<Value>, Fault> =
                call.budget().nested(|| list.items().iter().map(|item| copy(call, item)).collect());
            Ok(Value::List(List::typed(list.element_arc(), items?)))
        }
        Value::Map(map) if !map.is_nil() => {
            call.budget().values(map.len())?;
            let entries: Result<Vec<_>, Fault> = call.budget().nested(|| {
                let entries = map.entries().into_iter();
                entries.map(|(key, value)| Ok((key, copy(call, &value)?))).collect()
            });
            Ok(Value::Map(Map::typed(map.types(), entries?)))
        }
        Value::Object(object) if let Some(plain) = object.underlying() => {
            let plain = call.budget().nested(|| copy(call, &plain))?;
            Ok(object.around(plain).unwrap_or_else(|| value.clone()))
        }
        other => {
            call.budget().step()?;
            Ok(other.clone())
        }
    }
}
