//! Lists.

use super::{Answer, Call, Table, cast::to_int, int};
use crate::error::Fault;
use crate::value::{List, Type, Value};

pub(super) fn add(table: &mut Table) {
    table.add(&["list", "tuple"], "...any -> []any", |call| Ok(Value::list(call.values(0))));
    ends(table);
    grow(table);
    filter(table);
    parts(table);
}

/// The items of a list; `what` is what sprig says it cannot do with anything else.
fn items(call: &Call<'_>, value: &Value, what: &str) -> Result<List, Fault> {
    match value.underlying() {
        Value::List(list) => {
            call.budget().values(list.len())?;
            Ok(list)
        }
        Value::Nil => Err(nil_type()),
        _ => Err(format!("{what} {}", value.kind()).into()),
    }
}

/// Go's panic when sprig asks a nil for its type.
fn nil_type() -> Fault {
    "runtime error: invalid memory address or nil pointer dereference".into()
}

fn nil_list() -> Value {
    Value::List(List::nil(Type::Any))
}

fn ends(table: &mut Table) {
    table.add(&["first", "mustFirst"], "any -> any", |call| {
        let list = items(call, &call.value(0), "Cannot find first on type")?;
        Ok(list.get(0).unwrap_or_default())
    });
    table.add(&["last", "mustLast"], "any -> any", |call| {
        let list = items(call, &call.value(0), "Cannot find last on type")?;
        Ok(list.items().pop().unwrap_or_default())
    });
    table.add(&["rest", "mustRest"], "any -> []any", |call| {
        let list = items(call, &call.value(0), "Cannot find rest on type")?.items();
        Ok(if list.is_empty() { nil_list() } else { Value::list(list[1..].to_vec()) })
    });
    table.add(&["initial", "mustInitial"], "any -> []any", |call| {
        let mut list = items(call, &call.value(0), "Cannot find initial on type")?.items();
        Ok(if list.pop().is_none() { nil_list() } else { Value::list(list) })
    });
    table.add(&["reverse", "mustReverse"], "any -> []any", |call| {
        let mut list = items(call, &call.value(0), "Cannot find reverse on type")?.items();
        list.reverse();
        Ok(Value::list(list))
    });
}

fn grow(table: &mut Table) {
    table.add(&["append", "push", "mustAppend", "mustPush"], "any, any -> []any", |call| {
        let mut list = items(call, &call.value(0), "Cannot push on type")?.items();
        list.push(call.value(1));
        Ok(Value::list(list))
    });
    table.add(&["prepend", "mustPrepend"], "any, any -> []any", |call| {
        let mut list = items(call, &call.value(0), "Cannot prepend on type")?.items();
        list.insert(0, call.value(1));
        Ok(Value::list(list))
    });
    table.add(&["concat"], "...any -> any", |call| {
        let mut all = Vec::new();
        for value in call.values(0) {
            match value.underlying() {
                Value::List(list) => {
                    call.budget().values(list.len())?;
                    all.append(&mut list.items());
                }
                Value::Nil => return Err(nil_type()),
                _ => return Err(format!("Cannot concat type {} as list", value.kind()).into()),
            }
        }
        Ok(if all.is_empty() { nil_list() } else { Value::list(all) })
    });
}

fn filter(table: &mut Table) {
    table.add(&["compact", "mustCompact"], "any -> []any", |call| {
        let list = items(call, &call.value(0), "Cannot compact on type")?;
        Ok(Value::list(list.items().into_iter().filter(Value::is_full).collect()))
    });
    table.add(&["uniq", "mustUniq"], "any -> []any", |call| {
        let list = items(call, &call.value(0), "Cannot find uniq on type")?;
        let mut unique: Vec<Value> = Vec::new();
        for item in list.items() {
            if !contains(call, &unique, &item)? {
                unique.push(item);
            }
        }
        Ok(Value::list(unique))
    });
    table.add(&["without", "mustWithout"], "any, ...any -> []any", |call| {
        let list = items(call, &call.value(0), "Cannot find without on type")?;
        let omitted = call.values(1);
        let mut kept = Vec::new();
        for item in list.items() {
            if !contains(call, &omitted, &item)? {
                kept.push(item);
            }
        }
        Ok(Value::list(kept))
    });
    table.add(&["has", "mustHas"], "any, any -> bool", |call| {
        let list = call.value(1);
        if matches!(list, Value::Nil) {
            return Ok(false.into());
        }
        let list = items(call, &list, "Cannot find has on type")?;
        Ok(contains(call, &list.items(), &call.value(0))?.into())
    });
}

fn contains(call: &Call<'_>, items: &[Value], wanted: &Value) -> Result<bool, Fault> {
    for item in items {
        if wanted.deep_equal(item, call.budget())? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn parts(table: &mut Table) {
    table.add(&["slice", "mustSlice"], "any, ...any -> any", |call| {
        let list = items(call, &call.value(0), "list should be type of slice or array but")?;
        let length = int(list.len());
        if length == 0 {
            return Ok(Value::Nil);
        }
        let start = if call.len() > 1 { to_int(&call.value(1)) } else { 0 };
        let end = if call.len() > 2 { to_int(&call.value(2)) } else { length };
        let bounds = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let part = bounds.and_then(|(start, end)| list.items().get(start..end).map(<[_]>::to_vec));
        let part = part.ok_or("reflect.Value.Slice: slice index out of bounds")?;
        Ok(Value::List(List::new(list.element().clone(), part)))
    });
    table.add(&["chunk", "mustChunk"], "int, any -> [][]any", chunk);
}

fn chunk(call: &mut Call<'_>) -> Answer {
    let list = items(call, &call.value(1), "Cannot chunk type")?.items();
    let size = call.int(0);
    let Some(size) = usize::try_from(size).ok().filter(|size| *size > 0) else {
        // Sprig computes the number of chunks in floats. Without a positive size that is absurd,
        // except for a single item.
        return match &list[..] {
            [_] if size < 0 => Ok(chunks(vec![Value::list(list)])),
            _ => Err("runtime error: makeslice: len out of range".into()),
        };
    };
    Ok(chunks(list.chunks(size).map(|part| Value::list(part.to_vec())).collect()))
}

fn chunks(chunks: Vec<Value>) -> Value {
    Value::List(List::new(Type::list(Type::Any), chunks))
}
