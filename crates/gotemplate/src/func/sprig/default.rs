//! Defaults and choices.

use super::Table;
use crate::value::Value;

pub(super) fn add(table: &mut Table) {
    table.add(&["default"], "any, ...any -> any", |call| {
        Ok(if call.value(1).is_full() { call.value(1) } else { call.value(0) })
    });
    table.add(&["empty"], "any -> bool", |call| Ok((!call.value(0).is_full()).into()));
    table.add(&["coalesce"], "...any -> any", |call| {
        Ok(call.values(0).into_iter().find(Value::is_full).unwrap_or_default())
    });
    table.add(&["all"], "...any -> bool", |call| {
        Ok(call.values(0).iter().all(Value::is_full).into())
    });
    table.add(&["any"], "...any -> bool", |call| {
        Ok(call.values(0).iter().any(Value::is_full).into())
    });
    table.add(&["ternary"], "any, any, bool -> any", |call| {
        Ok(call.value(usize::from(!call.bool(2))))
    });
}
