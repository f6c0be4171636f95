//! Values of charts: trees of JSON.
//!
//! Numbers read from YAML are floats, as for Helm; integers come from `--set` alone.

mod coalesce;
mod set;
mod table;

use serde_json::{Map, Number, Value};

use crate::Error;
use crate::decode;

pub(crate) use coalesce::{Nulls, coalesce, merge_tables};
pub use set::{Style, set, set_files};
pub(crate) use table::{leaf, nested, table};

/// The values of a chart or of a user.
pub type Values = Map<String, Value>;

/// Reads values from YAML: the first document, which is a mapping or nothing.
///
/// # Errors
/// [`Error::Yaml`] in the words of Go's readers.
pub fn parse(text: &[u8]) -> Result<Values, Error> {
    match decode::parse(text)? {
        yaml::Value::Null => Ok(Values::new()),
        yaml::Value::Mapping(mapping) => from_mapping(mapping),
        other => {
            let into = "Go value of type map[string]interface {}";
            Err(decode::mismatch(&other, into))
        }
    }
}

fn from_mapping(mapping: yaml::Mapping) -> Result<Values, Error> {
    mapping.into_iter().map(|(key, value)| Ok((key, from_yaml(value)?))).collect()
}

/// Values that came as JSON, with all numbers as floats, as Go reads them. What is no map is empty.
pub fn from_json(value: Value) -> Values {
    match set::floats(value) {
        Value::Object(values) => values,
        _ => Values::new(),
    }
}

/// A value of YAML as Helm holds it. The YAML reader bounds its depth.
///
/// # Errors
/// For an infinity and "not a number", which JSON does not know.
pub fn from_yaml(value: yaml::Value) -> Result<Value, Error> {
    #[expect(clippy::cast_precision_loss, reason = "Helm holds all numbers as floats")]
    Ok(match value {
        yaml::Value::Null => Value::Null,
        yaml::Value::Bool(truth) => Value::Bool(truth),
        yaml::Value::Int(number) => float(number as f64)?,
        yaml::Value::Uint(number) => float(number as f64)?,
        yaml::Value::Float(number) => float(number)?,
        yaml::Value::String(text) => Value::String(text),
        yaml::Value::Sequence(items) => {
            Value::Array(items.into_iter().map(from_yaml).collect::<Result<_, _>>()?)
        }
        yaml::Value::Mapping(mapping) => Value::Object(from_mapping(mapping)?),
    })
}

fn float(number: f64) -> Result<Value, Error> {
    Number::from_f64(number).map(Value::Number).ok_or_else(|| {
        let name = if number.is_nan() {
            "NaN"
        } else if number > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        };
        Error::Yaml(format!("error converting YAML to JSON: json: unsupported value: {name}"))
    })
}

/// Merges maps as Flux and `helm -f` do: `over` wins, maps go together, anything else is replaced.
/// A null is a value like any other. Nesting is bounded by that of `over`.
///
/// ```
/// use helm::values::{merge, parse};
///
/// let mut values = parse(b"a: {x: 1, y: [1]}\nb: 1")?;
/// merge(&mut values, &parse(b"a: {y: [2]}\nb: null")?);
/// assert_eq!(values, parse(b"a: {x: 1, y: [2]}\nb: null")?);
/// # Ok::<(), helm::Error>(())
/// ```
pub fn merge(values: &mut Values, over: &Values) {
    for (key, value) in over {
        match (values.get_mut(key), value) {
            (Some(Value::Object(below)), Value::Object(over)) => merge(below, over),
            _ => {
                values.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Values as YAML, with sorted keys.
///
/// # Errors
/// [`Error::Yaml`] when they nest too deep.
pub fn to_yaml(values: &Values) -> Result<String, Error> {
    let json = crate::json::encode(&Value::Object(values.clone()));
    yaml::json_to_yaml(&json).map_err(|error| Error::Yaml(error.to_string()))
}

/// Values as YAML with keys in the order of their bytes: what Flux hashes.
pub(crate) fn to_sorted_yaml(values: &Values) -> String {
    let sorted = Value::Object(crate::json::sorted_map(values));
    plain(&sorted).print_in_order().unwrap_or_default()
}

/// A value in the model of YAML; whole floats are whole numbers. Its reader bounds its depth.
pub(crate) fn plain(value: &Value) -> yaml::Value {
    match value {
        Value::Null => yaml::Value::Null,
        Value::Bool(truth) => yaml::Value::Bool(*truth),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => yaml::Value::Int(whole),
            (None, Some(whole)) => yaml::Value::Uint(whole),
            (None, None) => whole(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => yaml::Value::String(text.clone()),
        Value::Array(items) => yaml::Value::Sequence(items.iter().map(plain).collect()),
        Value::Object(entries) => yaml::Value::Mapping(
            entries.iter().map(|(key, value)| (key.clone(), plain(value))).collect(),
        ),
    }
}

/// A float as it is after a journey through JSON: whole ones are whole numbers.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "the number is checked to be whole and in range"
)]
pub(crate) fn whole(number: f64) -> yaml::Value {
    if number.trunc() != number || number.abs() >= 18_446_744_073_709_551_616.0 {
        yaml::Value::Float(number)
    } else if number.abs() < 9_223_372_036_854_775_808.0 {
        yaml::Value::Int(number as i64)
    } else if number > 0.0 {
        yaml::Value::Uint(number as u64)
    } else {
        yaml::Value::Float(number)
    }
}
