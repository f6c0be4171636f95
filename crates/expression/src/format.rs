//! `'%s is %d'.format([…])`.

use std::fmt::Write as _;

use crate::error::Stop;
use crate::text::display;
use crate::value::Value;

/// Puts `items` into the clauses of `text`.
pub(crate) fn format(text: &str, items: &[Value]) -> Result<String, Stop> {
    let mut made = String::new();
    let mut index = 0;
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        made.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            made.push('%');
            rest = after;
            continue;
        }
        let (precision, after) = precision(rest)?;
        let mut runes = after.chars();
        let clause = runes.next().ok_or_else(|| Stop::new("unexpected end of string"))?;
        rest = runes.as_str();
        let item = items.get(index);
        let item = item.ok_or_else(|| Stop::new(format!("index {index} out of range")))?;
        made.push_str(&formatted(clause, precision, item)?);
        index += 1;
    }
    made.push_str(rest);
    Ok(made)
}

fn precision(text: &str) -> Result<(usize, &str), Stop> {
    let Some(digits) = text.strip_prefix('.') else { return Ok((6, text)) };
    let end = digits.find(|rune: char| !rune.is_ascii_digit()).unwrap_or(digits.len());
    let precision = digits[..end].parse::<usize>().ok().filter(|precision| *precision <= 1000);
    let bad = || Stop::new("could not parse formatting clause: error while parsing precision");
    Ok((precision.ok_or_else(bad)?, &digits[end..]))
}

fn formatted(clause: char, precision: usize, item: &Value) -> Result<String, Stop> {
    let mismatch = |clause: &str, wanted: &str| {
        let given = item.type_name();
        Stop::new(format!(
            "error during formatting: {clause} clause can only be used on {wanted}, was given {given}"
        ))
    };
    match (clause, item) {
        ('s', _) => Ok(string(item)),
        ('d', Value::Int(_) | Value::Uint(_) | Value::Double(_))
        | ('f', Value::Int(_) | Value::Uint(_)) => Ok(display(item)),
        ('d', _) => Err(mismatch("decimal", "ints, uints, and doubles")),
        ('f', Value::Double(float)) => Ok(format!("{float:.precision$}")),
        ('f', _) => Err(mismatch("fixed-point", "doubles")),
        ('e', Value::Double(float)) => Ok(scientific(*float, precision)),
        ('e', _) => Err(mismatch("scientific", "doubles")),
        ('b', Value::Int(whole)) => Ok(format!("{whole:b}")),
        ('b', Value::Uint(whole)) => Ok(format!("{whole:b}")),
        ('b', Value::Bool(bool)) => Ok(i32::from(*bool).to_string()),
        ('b', _) => Err(mismatch("binary", "integers and bools")),
        ('o', Value::Int(whole)) => Ok(format!("{whole:o}")),
        ('o', Value::Uint(whole)) => Ok(format!("{whole:o}")),
        ('o', _) => Err(mismatch("octal", "integers")),
        ('x', _) => {
            hexadecimal(item).ok_or_else(|| mismatch("hex", "integers, byte buffers, and strings"))
        }
        ('X', _) => hexadecimal(item)
            .map(|text| text.to_uppercase())
            .ok_or_else(|| mismatch("hex", "integers, byte buffers, and strings")),
        _ => Err(Stop::new(format!(
            "could not parse formatting clause: unrecognized formatting clause \"{clause}\""
        ))),
    }
}

/// A value of any type. Depth is bounded by that of the value.
fn string(item: &Value) -> String {
    match item {
        Value::Double(float) => float.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(string).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", display(&key.value()), string(value)))
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        _ => display(item),
    }
}

fn scientific(float: f64, precision: usize) -> String {
    let text = format!("{float:.precision$e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}

fn hexadecimal(item: &Value) -> Option<String> {
    let of_bytes = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut made, byte| {
            // Writing to a string cannot fail.
            let _ = write!(made, "{byte:02x}");
            made
        })
    };
    match item {
        Value::Int(whole) if *whole < 0 => Some(format!("-{:x}", whole.unsigned_abs())),
        Value::Int(whole) => Some(format!("{whole:x}")),
        Value::Uint(whole) => Some(format!("{whole:x}")),
        Value::String(text) => Some(of_bytes(text.as_bytes())),
        Value::Bytes(bytes) => Some(of_bytes(bytes)),
        _ => None,
    }
}
