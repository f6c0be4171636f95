//! Conversion of values to numbers, as spf13/cast does it.

use crate::func::builtin::to_integer;
use crate::strconv::parse_float;
use crate::value::Value;

/// `cast.ToInt64`: what cannot be converted is 0.
pub(super) fn to_int(value: &Value) -> i64 {
    to_integer(value)
}

/// `cast.ToFloat64`.
pub(super) fn to_float(value: &Value) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "Go converts the same way")]
    match value.underlying() {
        Value::Int(number, _) => number as f64,
        Value::Uint(number, _) => number as f64,
        Value::Float(number) => number,
        Value::Bool(truth) => f64::from(u8::from(truth)),
        Value::String(text) => parse_float(&text.text()).unwrap_or(0.0),
        _ => 0.0,
    }
}
