//! Randomness, environment and network: what only a host can give.

use std::fmt::Write;

use super::{Answer, Call, Table};
use crate::codec::BASE64;
use crate::error::Fault;
use crate::text::{push_rune, runes};
use crate::value::Value;

pub(super) fn add(table: &mut Table) {
    characters(table, "randAlphaNum", |byte| byte.is_ascii_alphanumeric());
    characters(table, "randAlpha", |byte| byte.is_ascii_alphabetic());
    characters(table, "randNumeric", |byte| byte.is_ascii_digit());
    characters(table, "randAscii", |byte| matches!(byte, b' '..=b'~'));
    table.add(&["randBytes"], "int -> string", |call| {
        let count = count(call, "runtime error: makeslice: len out of range")?;
        Ok(Value::string(BASE64.encode(&random(call, count)?)))
    });
    table.add(&["randInt"], "int, int -> int", |call| {
        let (min, max) = (call.int(0), call.int(1));
        let span = u64::try_from(max.wrapping_sub(min)).ok().filter(|span| *span > 0);
        let span = span.ok_or("invalid argument to Intn")?;
        let offset = below(call, span)?;
        Ok(Value::int(min.wrapping_add(i64::try_from(offset).unwrap_or_default())))
    });
    table.add(&["shuffle"], "string -> string", |call| {
        let mut all: Vec<char> = runes(call.str(0).bytes()).map(|(_, rune)| rune).collect();
        for at in (1..all.len()).rev() {
            let other = below(call, at as u64 + 1)?;
            all.swap(at, usize::try_from(other).unwrap_or_default());
        }
        let mut out = Vec::new();
        for rune in all {
            push_rune(&mut out, rune);
        }
        Ok(Value::string(out))
    });
    table.add(&["uuidv4"], "-> string", uuid);
    table.add(&["env"], "string -> string", |call| {
        Ok(call.host().env(&call.str(0).text()).unwrap_or_default().into())
    });
    table.add(&["expandenv"], "string -> string", |call| {
        let text = call.str(0);
        Ok(expand(call, &text.text()).into())
    });
    table.add(&["getHostByName"], "string -> string", |call| {
        Ok(call.host().resolve(&call.str(0).text())?.into())
    });
}

fn count(call: &Call<'_>, error: &str) -> Result<usize, Fault> {
    let count = usize::try_from(call.int(0)).map_err(|_| error)?;
    call.reserve(count)?;
    Ok(count)
}

fn random(call: &Call<'_>, count: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = vec![0; count];
    call.host().random(&mut bytes)?;
    Ok(bytes)
}

/// A number below `limit`, each as likely as the others.
fn below(call: &Call<'_>, limit: u64) -> Result<u64, Fault> {
    call.budget().step()?;
    let usable = u64::MAX - u64::MAX % limit;
    loop {
        let mut bytes = [0; 8];
        call.host().random(&mut bytes)?;
        let number = u64::from_le_bytes(bytes);
        if number < usable {
            return Ok(number % limit);
        }
        call.budget().step()?;
    }
}

fn characters(table: &mut Table, name: &str, class: fn(u8) -> bool) {
    table.add(&[name], "int -> string", move |call| {
        // Goutils fails on a negative count, and sprig drops its error.
        let Ok(count) = usize::try_from(call.int(0)) else { return Ok("".into()) };
        call.reserve(count)?;
        let alphabet: Vec<u8> = (0..=127).filter(|byte| class(*byte)).collect();
        let mut out = Vec::with_capacity(count);
        for _ in 0..count {
            let at = below(call, alphabet.len() as u64)?;
            out.push(alphabet[usize::try_from(at).unwrap_or_default()]);
        }
        Ok(Value::string(out))
    });
}

fn uuid(call: &mut Call<'_>) -> Answer {
    let mut bytes = [0; 16];
    call.host().random(&mut bytes)?;
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let mut text = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text.into())
}

/// Replaces `$name` and `${name}` by variables of the environment, as Go's `os.Expand`.
fn expand(call: &Call<'_>, text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (name, width) = variable_name(rest);
        match name {
            Some(name) => out.push_str(&call.host().env(name).unwrap_or_default()),
            None if width == 0 => out.push('$'),
            None => {}
        }
        rest = &rest[width..];
    }
    out.push_str(rest);
    out
}

/// The name after a dollar sign and the bytes it takes; bad syntax is no name.
fn variable_name(rest: &str) -> (Option<&str>, usize) {
    let special = |byte: u8| byte.is_ascii_digit() || b"*#$@!?-".contains(&byte);
    let bytes = rest.as_bytes();
    match bytes.first() {
        None => (None, 0),
        Some(b'{') => match rest.find('}') {
            Some(1) => (None, 2),
            Some(end) => (Some(&rest[1..end]), end + 1),
            None => (None, 1),
        },
        Some(byte) if special(*byte) => (Some(&rest[..1]), 1),
        Some(_) => {
            let is_name = |byte: &&u8| **byte == b'_' || byte.is_ascii_alphanumeric();
            let end = bytes.iter().take_while(is_name).count();
            if end == 0 { (None, 0) } else { (Some(&rest[..end]), end) }
        }
    }
}
