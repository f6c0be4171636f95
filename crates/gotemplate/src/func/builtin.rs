//! Go's own functions: `index`, `slice`, `len`, `call`, printing, and the tables of all of them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::{Call, Function, Slot, compare, escape};
use crate::error::Fault;
use crate::print;
use crate::strconv::wrap_float;
use crate::value::{Key, List, Type, Value};

/// The builtin function `name`.
pub(crate) fn builtin(name: &str) -> Option<&'static Function> {
    static TABLE: OnceLock<BTreeMap<&'static str, Function>> = OnceLock::new();
    TABLE.get_or_init(table).get(name)
}

/// Whether `name` is a builtin function.
pub(crate) fn is_builtin(name: &str) -> bool {
    builtin(name).is_some()
}

fn table() -> BTreeMap<&'static str, Function> {
    // The executor itself does `and` and `or`, since they do not evaluate all their arguments.
    let decided = |call: &mut Call<'_>| Ok(call.value(0));
    BTreeMap::from([
        ("and", Function::new("value, ...value -> value", decided)),
        ("or", Function::new("value, ...value -> value", decided)),
        ("not", Function::new("value -> bool", |call| Ok((!call.value(0).truth()).into()))),
        ("call", Function::new("value, ...value -> value", call_function)),
        ("index", Function::new("value, ...value -> value", index)),
        ("slice", Function::new("value, ...value -> value", slice)),
        ("len", Function::new("value -> int", length)),
        (
            "print",
            Function::new("...any -> string", |call| {
                Ok(Value::string(print::sprint(&call.values(0), call.budget())?))
            }),
        ),
        (
            "println",
            Function::new("...any -> string", |call| {
                Ok(Value::string(print::sprintln(&call.values(0), call.budget())?))
            }),
        ),
        (
            "printf",
            Function::new("string, ...any -> string", |call| {
                let format = call.str(0);
                Ok(Value::string(print::sprintf(format.bytes(), &call.values(1), call.budget())?))
            }),
        ),
        ("html", Function::new("...any -> string", |call| escape::with(call, escape::html))),
        ("js", Function::new("...any -> string", |call| escape::with(call, escape::js))),
        ("urlquery", Function::new("...any -> string", |call| escape::with(call, escape::query))),
        ("eq", Function::new("value, ...value -> bool", compare::eq)),
        ("ne", Function::new("value, value -> bool", compare::ne)),
        ("lt", Function::new("value, value -> bool", compare::lt)),
        ("le", Function::new("value, value -> bool", compare::le)),
        ("gt", Function::new("value, value -> bool", compare::gt)),
        ("ge", Function::new("value, value -> bool", compare::ge)),
    ])
}

/// The type of a value, or of what it points to.
fn pointed(value: &Value) -> String {
    value.type_name().trim_start_matches('*').to_owned()
}

/// An index into something of the given size.
fn index_arg(index: &Value, size: usize) -> Result<usize, Fault> {
    let number = match index.underlying() {
        Value::Int(number, _) => number,
        #[expect(clippy::cast_possible_wrap, reason = "Go converts the same way")]
        Value::Uint(number, _) => number as i64,
        Value::Nil => return Err("cannot index slice/array with nil".into()),
        other => {
            return Err(format!("cannot index slice/array with type {}", other.type_name()).into());
        }
    };
    let found = usize::try_from(number).ok().filter(|number| *number <= size);
    found.ok_or_else(|| format!("index out of range: {number}").into())
}

fn index(call: &mut Call<'_>) -> Result<Value, Fault> {
    let mut item = Slot::bare(call.value(0));
    if item.is_invalid() {
        return Err("index of untyped nil".into());
    }
    for index in call.values(1) {
        item = match item.value.underlying() {
            Value::Nil => return Err("index of nil pointer".into()),
            Value::String(text) => {
                let at = index_arg(&index, text.len())?;
                // Go lets the index be the length, and fails only when it reads there.
                let byte = text.bytes().get(at).ok_or("reflect: string index out of range")?;
                Slot::bare(Value::Uint(u64::from(*byte), crate::Kind::Uint8))
            }
            Value::List(list) => {
                let at = index_arg(&index, list.len())?;
                let found = list.get(at).ok_or("reflect: slice index out of range")?;
                Slot::of(found, list.element())
            }
            Value::Map(map) => {
                let key = prepare(&index, map.key_type())?;
                let found = Key::of(&key).and_then(|key| map.at(&key));
                let element = map.element();
                Slot::of(found.unwrap_or_else(|| element.zero()), element)
            }
            other => return Err(format!("can't index item of type {}", pointed(&other)).into()),
        };
    }
    Ok(item.value)
}

/// The value as an argument of type `ty`; integers are converted.
fn prepare(value: &Value, ty: &Type) -> Result<Value, Fault> {
    let Some(given) = value.ty() else {
        if ty.takes_nil() {
            return Ok(ty.zero());
        }
        return Err(format!("value is nil; should be of type {ty}").into());
    };
    if *ty == Type::Any || *ty == Type::Reflect || given == *ty {
        return Ok(value.clone());
    }
    let kind = ty.kind();
    if given.kind().is_integer() && kind.is_integer() {
        #[expect(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "Go wraps as well")]
        return Ok(match (value.underlying(), kind.is_signed()) {
            (Value::Int(number, _), false) => Value::Uint(number as u64, kind),
            (Value::Int(number, _), true) => Value::Int(number, kind),
            (Value::Uint(number, _), true) => Value::Int(number as i64, kind),
            (Value::Uint(number, _), false) => Value::Uint(number, kind),
            (other, _) => other,
        });
    }
    Err(format!("value has type {given}; should be {ty}").into())
}

fn slice(call: &mut Call<'_>) -> Result<Value, Fault> {
    let item = call.value(0).underlying();
    let indexes = call.values(1);
    if let Value::Nil = item {
        return Err("slice of untyped nil".into());
    }
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()).into());
    }
    let size = match &item {
        Value::String(_) if indexes.len() == 3 => {
            return Err("cannot 3-index slice a string".into());
        }
        Value::String(text) => text.len(),
        Value::List(list) => list.len(),
        other => return Err(format!("can't slice item of type {}", pointed(other)).into()),
    };
    let mut bounds = [0, size, size];
    for (bound, index) in bounds.iter_mut().zip(&indexes) {
        *bound = index_arg(index, size)?;
    }
    let [from, to, capacity] = bounds;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}").into());
    }
    if indexes.len() == 3 && to > capacity {
        return Err(format!("invalid slice index: {to} > {capacity}").into());
    }
    Ok(match item {
        Value::String(text) => Value::string(&text.bytes()[from..to]),
        Value::List(list) => {
            let items = list.items()[from..to].to_vec();
            Value::List(List::new(list.element().clone(), items))
        }
        other => other,
    })
}

fn length(call: &mut Call<'_>) -> Result<Value, Fault> {
    let slot = call.slot(0);
    let length = match slot.value.underlying() {
        Value::String(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Nil if slot.boxed => return Err("len of nil pointer".into()),
        Value::Nil => return Err("reflect: call of reflect.Value.Type on zero Value".into()),
        other => return Err(format!("len of type {}", pointed(&other)).into()),
    };
    Ok(Value::int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn call_function(call: &mut Call<'_>) -> Result<Value, Fault> {
    let name = call.callee().to_owned();
    let function = match call.value(0) {
        Value::Func(function) => function,
        Value::Nil => return Err("call of nil".into()),
        other => return Err(format!("non-function {name} of type {}", other.type_name()).into()),
    };
    let args = call.values(1);
    let signature = function.signature();
    let (want, got) = (signature.params.len(), args.len());
    if signature.variadic {
        let least = want - 1;
        if got < least {
            let message =
                format!("wrong number of args for {name}: got {got} want at least {least}");
            return Err(message.into());
        }
    } else if got != want {
        return Err(format!("wrong number of args for {name}: got {got} want {want}").into());
    }
    let mut values = Vec::with_capacity(got);
    for (at, arg) in args.iter().enumerate() {
        let value = prepare(arg, signature.param(at));
        let value = value.map_err(|fault| match fault {
            Fault::Failed(why) => Fault::Failed(format!("arg {at}: {why}")),
            limit @ Fault::Limit(_) => limit,
        })?;
        values.push(Slot::bare(value));
    }
    let context = call.context();
    call.budget().nested(|| function.run(&mut Call::new(&values, context)))
}

/// Go's conversion of any number, text or truth value to an integer, as sprig does it.
pub(super) fn to_integer(value: &Value) -> i64 {
    match value.underlying() {
        Value::Int(number, _) => number,
        #[expect(clippy::cast_possible_wrap, reason = "Go wraps as well")]
        Value::Uint(number, _) => number as i64,
        Value::Float(number) => wrap_float(number),
        Value::Bool(truth) => i64::from(truth),
        Value::String(text) => {
            let text = text.text();
            crate::strconv::parse_int(without_zero_fraction(&text), 0).unwrap_or(0)
        }
        _ => 0,
    }
}

/// `5.00` without its fraction; other texts as they are.
fn without_zero_fraction(text: &str) -> &str {
    let trimmed = text.trim_end_matches('0');
    if trimmed.len() == text.len() { text } else { trimmed.strip_suffix('.').unwrap_or(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_texts() {
        let int = |text: &str| to_integer(&Value::from(text));
        assert_eq!((int("42"), int("4.9"), int("5.00"), int("0x10"), int("")), (42, 0, 5, 16, 0));
    }
}
