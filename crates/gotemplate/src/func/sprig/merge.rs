//! `merge` and `mergeOverwrite`, as mergo 1.0.1 merges maps.

use super::{Answer, Call, Table};
use crate::error::Fault;
use crate::text::Str;
use crate::value::{Key, List, Map, Type, Value};

pub(super) fn add(table: &mut Table) {
    table.add(&["merge", "mustMerge"], "dict, ...dict -> any", |call| merge(call, false));
    table.add(&["mergeOverwrite", "mustMergeOverwrite"], "dict, ...dict -> any", |call| {
        merge(call, true)
    });
}

fn merge(call: &mut Call<'_>, overwrite: bool) -> Answer {
    let mut target = call.map(0);
    for at in 1..call.len() {
        let source = call.map(at);
        if target.is_nil() && !source.is_nil() {
            target = Map::dict([]);
        }
        merge_maps(call, &target, &source, overwrite)?;
    }
    Ok(Value::Map(target))
}

/// Copies what `target` lacks, or with `overwrite` everything, from `source`.
fn merge_maps(call: &Call<'_>, target: &Map, source: &Map, overwrite: bool) -> Result<(), Fault> {
    call.budget().changed(target)?;
    for (key, value) in source.entries() {
        call.budget().step()?;
        let Some(name) = key.text() else { continue };
        let old = target.at(&Key::from(name.clone()));
        if matches!(value, Value::Nil) {
            if overwrite {
                assign(target, name, value, Some(source.element()))?;
            }
            continue;
        }
        if let (Value::Map(source), Some(Value::Map(target))) = (&value, &old)
            && !target.is_nil()
        {
            call.budget().nested(|| merge_maps(call, target, source, overwrite))?;
        }
        if let Value::List(source) = &value {
            let replaced = overwrite || target.is_empty();
            let list = match &old {
                _ if replaced => value.clone(),
                None | Some(Value::Nil) => {
                    Value::List(List::new(source.element().clone(), Vec::new()))
                }
                Some(old) => old.clone(),
            };
            assign(target, name, list, None)?;
        }
        let kept = old.as_ref().is_some_and(is_full);
        if kept && matches!(value, Value::List(_)) {
            continue;
        }
        if kept && matches!((&value, &old), (Value::Map(_), Some(Value::Map(_)))) {
            continue;
        }
        if overwrite || !kept {
            assign(target, name, value, Some(source.element()))?;
        }
    }
    Ok(())
}

/// Sets an entry to a value from a place of type `from`. A map of another element type cannot hold
/// all values; the error is that of Go's reflection.
fn assign(target: &Map, name: &Str, value: Value, from: Option<&Type>) -> Result<(), Fault> {
    let ty = target.element();
    let given = from.cloned().or_else(|| value.ty()).unwrap_or(Type::Any);
    if *ty != Type::Any && given != *ty {
        let why = format!("value of type {given} is not assignable to type {ty}");
        return Err(format!("reflect.Value.SetMapIndex: {why}").into());
    }
    target.set(name.clone(), value);
    Ok(())
}

/// Mergo's opposite of empty: a struct is never empty.
fn is_full(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.underlying().is_none_or(|value| is_full(&value)),
        other => other.truth(),
    }
}
