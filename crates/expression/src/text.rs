//! Values as text.

use crate::value::Value;

/// A value as `string()` writes it; what has no such form, as its type.
pub(crate) fn display(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(bool) => bool.to_string(),
        Value::Int(whole) => whole.to_string(),
        Value::Uint(whole) => whole.to_string(),
        Value::Double(float) => general(*float),
        Value::String(text) => text.to_string(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Timestamp(time) => time.to_string(),
        Value::Duration(nanos) => seconds(*nanos),
        Value::Type(name) => (*name).to_owned(),
        Value::List(_) | Value::Map(_) | Value::Optional(_) => value.type_name().to_owned(),
    }
}

/// A float as Go's shortest `%g` writes it.
fn general(float: f64) -> String {
    if float.is_nan() {
        return "NaN".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..21).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => float.to_string(),
    }
}

/// A duration in seconds, with as many decimals as it needs.
fn seconds(nanos: i64) -> String {
    let (sign, nanos) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    let (whole, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let decimals = format!(".{rest:09}");
    format!("{sign}{whole}{}s", decimals.trim_end_matches('0').trim_end_matches('.'))
}
