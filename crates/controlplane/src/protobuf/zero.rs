//! What Go writes of an object whether it was set or not: its structs, and fields without `omitempty`.

use serde_json::{Map, Value, json};

use super::table::{self, Field, Kind, Scalar, Table};

/// The deepest nesting of messages.
const DEPTH: usize = 40;
/// What is written in a form of its own, or complete without this.
const WHOLE: [&str; 3] =
    ["meta.v1.ObjectMeta", "apiextensions.v1.JSONSchemaProps", "meta.v1.ListMeta"];

/// The object that Go writes for a kind when nothing is set: its structs are there, its lists null.
pub(crate) fn empty(api_version: &str, kind: &str) -> Option<Value> {
    let mut object = json!({"apiVersion": api_version, "kind": kind});
    table::get().kind(api_version, kind)?;
    complete(&mut object);
    Some(object)
}

/// Adds to an object of a built-in kind what Go writes of it even if it is empty.
pub(crate) fn complete(object: &mut Value) {
    each(object, &mut |field, members| {
        let missing = members.get(field.name).is_none_or(Value::is_null);
        if missing
            && !field.pointer
            && let Some(zero) = zero(table::get(), field)
        {
            members.insert(field.name.to_owned(), zero);
        }
    });
}

/// Makes lists and maps null that are empty and written all the same: that is how they come back
/// from etcd.
pub(crate) fn forget_empty(object: &mut Value) {
    each(object, &mut |field, members| {
        let is_empty = match members.get(field.name) {
            Some(Value::Array(items)) => items.is_empty(),
            Some(Value::Object(entries)) => {
                matches!(field.kind, Kind::Map(_)) && entries.is_empty()
            }
            _ => false,
        };
        if field.always && is_empty {
            members.insert(field.name.to_owned(), Value::Null);
        }
    });
}

/// Removes what Go does not write because it is zero.
pub(crate) fn forget_zero(object: &mut Value) {
    each(object, &mut |field, members| {
        let plain = matches!(field.kind, Kind::Scalar(_)) && !field.pointer && !field.always;
        let is_zero = |value: &Value| match value {
            Value::String(text) => text.is_empty(),
            Value::Bool(flag) => !flag,
            Value::Number(number) => number.as_f64() == Some(0.0),
            _ => false,
        };
        if plain && members.get(field.name).is_some_and(is_zero) {
            members.shift_remove(field.name);
        }
    });
}

/// Whether Go writes a field of a type even if it is empty.
pub(crate) fn is_always_written(message: &str, name: &str) -> bool {
    let fields = table::get().fields(message).into_iter().flat_map(|fields| fields.values());
    fields.into_iter().any(|field| field.always && field.name == name)
}

type Visit<'a> = dyn FnMut(&Field, &mut Map<String, Value>) + 'a;

/// Visits the fields of all messages of an object, outer ones first.
fn each(object: &mut Value, visit: &mut Visit<'_>) {
    let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
    let table = table::get();
    if let Some(message) = table.kind(&text("apiVersion"), &text("kind"))
        && let Some(members) = object.as_object_mut()
    {
        each_field(table, message, (members, DEPTH), visit);
    }
}

fn each_field(
    table: &Table,
    message: &str,
    (members, depth): (&mut Map<String, Value>, usize),
    visit: &mut Visit<'_>,
) {
    if depth == 0 || WHOLE.contains(&message) {
        return;
    }
    for field in table.fields(message).into_iter().flat_map(|fields| fields.values()) {
        if field.name.is_empty() {
            if let Kind::Message(inline) = field.kind {
                each_field(table, inline, (members, depth - 1), visit);
            }
            continue;
        }
        visit(field, members);
        if let Some(value) = members.get_mut(field.name) {
            each_value(table, &field.kind, (value, depth - 1), visit);
        }
    }
}

fn each_value(
    table: &Table,
    kind: &Kind,
    (value, depth): (&mut Value, usize),
    visit: &mut Visit<'_>,
) {
    match (kind, value) {
        (Kind::Message(message), Value::Object(members)) => {
            each_field(table, message, (members, depth), visit);
        }
        (Kind::List(item), Value::Array(items)) => {
            for value in items {
                each_value(table, item, (value, depth), visit);
            }
        }
        (Kind::Map(item), Value::Object(entries)) => {
            for (_, value) in entries.iter_mut() {
                each_value(table, item, (value, depth), visit);
            }
        }
        _ => {}
    }
}

/// What a field that is not set is written as, if it is written.
fn zero(table: &Table, field: &Field) -> Option<Value> {
    let plain = match &field.kind {
        Kind::Message(_) if field.name == "creationTimestamp" => return None,
        Kind::Message(message) => return zero_message(table, message, field.always),
        Kind::Scalar(Scalar::Text) => json!(""),
        Kind::Scalar(Scalar::Bool) => json!(false),
        Kind::Scalar(Scalar::Int | Scalar::Double) => json!(0),
        Kind::Scalar(Scalar::Bytes) | Kind::List(_) | Kind::Map(_) => Value::Null,
    };
    field.always.then_some(plain)
}

fn zero_message(table: &Table, message: &str, always: bool) -> Option<Value> {
    match message {
        "api.resource.Quantity" => Some(json!("0")),
        "util.intstr.IntOrString" => Some(json!(0)),
        "meta.v1.Duration" => Some(json!("0s")),
        "meta.v1.Time" | "meta.v1.MicroTime" | "runtime.RawExtension" | "meta.v1.FieldsV1" => {
            Some(Value::Null)
        }
        _ if table.list_of(message).is_some() => always.then_some(Value::Null),
        _ => Some(json!({})),
    }
}
