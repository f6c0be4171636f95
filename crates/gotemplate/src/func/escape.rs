//! `html`, `js` and `urlquery`.

use std::fmt::Write;

use super::Call;
use crate::error::Fault;
use crate::print;
use crate::text::{RUNE_ERROR, decode, push_rune};
use crate::unicode::is_print;
use crate::value::Value;

/// Applies `escape` to the text of all arguments.
pub(super) fn with(call: &Call<'_>, escape: fn(&[u8]) -> Vec<u8>) -> Result<Value, Fault> {
    let shown = |value: Value| match value {
        Value::Nil => Value::from("<no value>"),
        value => value,
    };
    let args: Vec<Value> = call.values(0).into_iter().map(shown).collect();
    let text = print::sprint(&args, call.budget())?;
    Ok(Value::string(escape(&text)))
}

/// Escapes what means something in HTML.
pub(super) fn html(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        match byte {
            0 => push_rune(&mut out, RUNE_ERROR),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            _ => out.push(byte),
        }
    }
    out
}

/// Escapes for a JavaScript string.
pub(super) fn js(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (rune, width) = decode(rest);
        match rune {
            '\\' | '\'' | '"' => out.extend([b'\\', rest[0]]),
            '<' | '>' | '&' | '=' | '\0'..='\u{1F}' => code(&mut out, rune),
            rune if rune.is_ascii() || is_print(rune) => out.extend_from_slice(&rest[..width]),
            rune => code(&mut out, rune),
        }
        rest = &rest[width..];
    }
    out
}

fn code(out: &mut Vec<u8>, rune: char) {
    let mut text = String::new();
    write!(text, "\\u{:04X}", u32::from(rune)).expect("because writing to a string cannot fail");
    out.extend_from_slice(text.as_bytes());
}

/// Escapes for a query in a URL.
pub(super) fn query(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte),
            b' ' => out.push(b'+'),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    out
}
