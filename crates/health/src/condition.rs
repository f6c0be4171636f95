//! `status.conditions` of an object.

use serde_json::{Map, Value};

use crate::Error;

/// One condition; what is absent is empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct Condition {
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Condition {
    pub(crate) fn is(&self, kind: &str, status: &str) -> bool {
        self.kind == kind && self.status == status
    }
}

/// The conditions of `object`, in their order.
///
/// # Errors
/// In the words of Kubernetes' converter, if status, conditions, one of them or a field of one is
/// not of the type it has everywhere.
pub(crate) fn conditions(object: &Value) -> Result<Vec<Condition>, Error> {
    let status = match object.get("status") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(status)) => status,
        Some(other) => return Err(no_struct(other)),
    };
    match status.get("conditions") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(condition).collect(),
        Some(other) => {
            Err(Error::Conversion(format!("cannot restore slice from {}", kind_of(other))))
        }
    }
}

fn condition(value: &Value) -> Result<Condition, Error> {
    let fields = match value {
        Value::Null => return Ok(Condition::default()),
        Value::Object(fields) => fields,
        other => return Err(no_struct(other)),
    };
    Ok(Condition {
        kind: text(fields, "type")?,
        status: text(fields, "status")?,
        reason: text(fields, "reason")?,
        message: text(fields, "message")?,
    })
}

fn text(fields: &Map<String, Value>, name: &str) -> Result<String, Error> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        // Go could convert a whole number, to the character of that code, and refuses to.
        Some(Value::Number(number)) if number.is_i64() => {
            let wanted = if name == "status" { "v1.ConditionStatus" } else { "string" };
            Err(Error::Conversion(format!("cannot convert int64 to {wanted}")))
        }
        Some(_) => Err(Error::Conversion("unrecognized type: string".to_owned())),
    }
}

fn no_struct(value: &Value) -> Error {
    Error::Conversion(format!("cannot restore struct from: {}", kind_of(value)))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "invalid",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
    }
}
