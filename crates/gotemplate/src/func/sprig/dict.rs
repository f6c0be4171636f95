//! Dictionaries: `map[string]interface {}`.

use super::{Answer, Call, Table};
use crate::error::Fault;
use crate::text::Str;
use crate::value::{Key, Map, Value};

pub(super) fn add(table: &mut Table) {
    table.add(&["dict"], "...any -> dict", dict);
    table.add(&["get"], "dict, string -> any", |call| {
        Ok(call.map(0).get(&call.str(1)).unwrap_or_else(|| "".into()))
    });
    table.add(&["set"], "dict, string, any -> dict", |call| {
        let map = call.map(0);
        if !map.set(call.str(1), call.value(2)) {
            return Err("assignment to entry in nil map".into());
        }
        call.budget().changed(&map)?;
        Ok(Value::Map(map))
    });
    table.add(&["unset"], "dict, string -> dict", |call| {
        let map = call.map(0);
        map.remove(&call.str(1));
        Ok(Value::Map(map))
    });
    table.add(&["hasKey"], "dict, string -> bool", |call| {
        Ok(call.map(0).get(&call.str(1)).is_some().into())
    });
    table.add(&["pluck"], "string, ...dict -> []any", |call| {
        let key = call.str(0);
        let found = maps(call, 1).filter_map(|map| map.get(&key)).collect();
        Ok(Value::list(found))
    });
    table.add(&["keys"], "...dict -> []string", |call| {
        Ok(Value::strings(maps(call, 0).flat_map(|map| string_keys(&map))))
    });
    table.add(&["values"], "dict -> []any", |call| {
        Ok(Value::list(call.map(0).entries().into_iter().map(|(_, value)| value).collect()))
    });
    table.add(&["pick"], "dict, ...string -> dict", |call| {
        let (map, keys) = (call.map(0), names(call));
        let picked = keys.into_iter().filter_map(|key| map.get(&key).map(|value| (key, value)));
        Ok(Value::Map(Map::dict(picked)))
    });
    table.add(&["omit"], "dict, ...string -> dict", |call| {
        let (map, keys) = (call.map(0), names(call));
        let kept = string_keys(&map).into_iter().filter(|key| !keys.contains(key));
        let kept = kept.filter_map(|key| map.get(&key).map(|value| (key, value)));
        Ok(Value::Map(Map::dict(kept)))
    });
    table.add(&["dig"], "...any -> any", dig);
}

fn maps(call: &Call<'_>, from: usize) -> impl Iterator<Item = Map> {
    (from..call.len()).map(|at| call.map(at))
}

fn names(call: &Call<'_>) -> Vec<Str> {
    (1..call.len()).map(|at| call.str(at)).collect()
}

fn string_keys(map: &Map) -> Vec<Str> {
    let keys = map.entries().into_iter();
    keys.filter_map(|(key, _): (Key, Value)| key.text().cloned()).collect()
}

fn dict(call: &mut Call<'_>) -> Answer {
    let map = Map::dict([]);
    for pair in call.values(0).chunks(2) {
        let key = super::string::shown(call, &pair[0])?;
        map.set(key.into(), pair.get(1).cloned().unwrap_or_else(|| "".into()));
    }
    Ok(Value::Map(map))
}

fn dig(call: &mut Call<'_>) -> Answer {
    if call.len() < 3 {
        return Err("dig needs at least three arguments".into());
    }
    let (path, default) = (call.len() - 2, call.value(call.len() - 2));
    let mut map = as_dict(&call.value(call.len() - 1))?;
    let mut keys = Vec::with_capacity(path);
    for at in 0..path {
        let key = call.value(at);
        let text = key.as_str().cloned();
        keys.push(text.ok_or_else(|| conversion(&key, "string"))?);
    }
    for (at, key) in keys.iter().enumerate() {
        match map.get(key) {
            None => return Ok(default),
            Some(value) if at + 1 == path => return Ok(value),
            Some(value) => map = as_dict(&value)?,
        }
    }
    Ok(default)
}

/// Go's assertion that a value is a `map[string]interface {}`: no other map will do.
fn as_dict(value: &Value) -> Result<Map, Fault> {
    match value {
        Value::Map(map) if value.ty() == Some(crate::Type::dict()) => Ok(map.clone()),
        other => Err(conversion(other, "map[string]interface {}")),
    }
}

fn conversion(value: &Value, wanted: &str) -> Fault {
    let given = match value {
        Value::Nil => "nil".to_owned(),
        other => other.type_name(),
    };
    format!("interface conversion: interface {{}} is {given}, not {wanted}").into()
}
