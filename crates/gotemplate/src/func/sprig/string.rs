//! Strings: trimming, cutting, joining, quoting.

use super::{Answer, Call, Table, int, out_of_range};
use crate::error::Fault;
use crate::strconv::quote;
use crate::text::{self, Str, contains, push_rune, runes, split};
use crate::unicode::{is_digit, is_letter, is_lower, is_title, is_upper};
use crate::unicode::{to_lower, to_title, to_upper};
use crate::value::{List, Type, Value};

pub(super) fn add(table: &mut Table) {
    change(table);
    cut(table);
    test(table);
    combine(table);
}

fn change(table: &mut Table) {
    table.add(&["trim"], "string -> string", |call| {
        Ok(Value::string(text::trim_space(call.str(0).bytes())))
    });
    table.add(&["upper"], "string -> string", |call| Ok(map(&call.str(0), to_upper)));
    table.add(&["lower"], "string -> string", |call| Ok(map(&call.str(0), to_lower)));
    table.add(&["title"], "string -> string", |call| {
        let mut before = ' ';
        Ok(map(&call.str(0), |rune| {
            let start = is_separator(std::mem::replace(&mut before, rune));
            if start { to_title(rune) } else { rune }
        }))
    });
    table.add(&["untitle"], "string -> string", |call| {
        let mut start = true;
        Ok(map(&call.str(0), |rune| {
            if text::is_space(rune) {
                start = true;
                return rune;
            }
            if std::mem::take(&mut start) { to_lower(rune) } else { rune }
        }))
    });
    table.add(&["swapcase"], "string -> string", |call| Ok(swap_case(&call.str(0))));
    table.add(&["repeat"], "int, string -> string", |call| {
        Ok(Value::string(repeat(call, call.str(1).bytes(), call.int(0))?))
    });
    table.add(&["trimall", "trimAll"], "string, string -> string", |call| {
        let (cut, hay) = (call.str(0), call.str(1));
        let cut: Vec<char> = runes(cut.bytes()).map(|(_, rune)| rune).collect();
        Ok(Value::string(text::trim(hay.bytes(), |rune| cut.contains(&rune))))
    });
    table.add(&["trimSuffix"], "string, string -> string", |call| {
        let (end, hay) = (call.str(0), call.str(1));
        Ok(Value::string(hay.bytes().strip_suffix(end.bytes()).unwrap_or(hay.bytes())))
    });
    table.add(&["trimPrefix"], "string, string -> string", |call| {
        let (start, hay) = (call.str(0), call.str(1));
        Ok(Value::string(hay.bytes().strip_prefix(start.bytes()).unwrap_or(hay.bytes())))
    });
    table.add(&["nospace"], "string -> string", |call| Ok(no_space(call.str(0))));
    table.add(&["initials"], "string -> string", |call| Ok(initials(&call.str(0))));
    table.add(&["indent"], "int, string -> string", |call| {
        Ok(Value::string(indent(call, call.int(0), &call.str(1))?))
    });
    table.add(&["nindent"], "int, string -> string", |call| {
        let mut out = vec![b'\n'];
        out.append(&mut indent(call, call.int(0), &call.str(1))?);
        Ok(Value::string(out))
    });
    table.add(&["replace"], "string, string, string -> string", |call| {
        let (old, new, source) = (call.str(0), call.str(1), call.str(2));
        Ok(Value::string(replace(call, source.bytes(), old.bytes(), new.bytes())?))
    });
}

fn cut(table: &mut Table) {
    table.add(&["trunc"], "int, string -> string", |call| {
        let (count, hay) = (call.int(0), call.str(1));
        let length = int(hay.len());
        let bytes = hay.bytes();
        Ok(match usize::try_from(count) {
            Ok(count) if count < bytes.len() => Value::string(&bytes[..count]),
            Err(_) if length.saturating_add(count) > 0 => {
                Value::string(&bytes[usize::try_from(length + count).unwrap_or_default()..])
            }
            _ => Value::String(hay),
        })
    });
    table.add(&["substr"], "int, int, string -> string", |call| {
        let (start, end, hay) = (call.int(0), call.int(1), call.str(2));
        let length = int(hay.len());
        if start < 0 {
            if end < 0 {
                return Err(out_of_range(&format!("[:{end}]")));
            }
            if end > length {
                return Err(out_of_range(&format!("[:{end}] with length {length}")));
            }
        }
        let (start, end) = match (start, end) {
            (..0, end) => (0, end),
            (start, end) if end < 0 || end > length => (start, length),
            bounds => bounds,
        };
        if start > end {
            return Err(out_of_range(&format!("[{start}:{end}]")));
        }
        let at = |place: i64| usize::try_from(place).unwrap_or_default();
        Ok(Value::string(&hay.bytes()[at(start)..at(end)]))
    });
    table.add(&["split"], "string, string -> any", |call| {
        Ok(numbered(&split(call.str(1).bytes(), call.str(0).bytes(), None)))
    });
    table.add(&["splitn"], "string, int, string -> any", |call| {
        Ok(numbered(&split(call.str(2).bytes(), call.str(0).bytes(), limit(call.int(1)))))
    });
    table.add(&["splitList"], "string, string -> []string", |call| {
        Ok(Value::strings(split(call.str(1).bytes(), call.str(0).bytes(), None)))
    });
    table.add(&["abbrev"], "int, string -> string", |call| {
        let (width, hay) = (call.int(0), call.str(1));
        if width < 4 {
            return Ok(Value::String(hay));
        }
        Ok(Value::string(abbreviate(hay.bytes(), 0, width)))
    });
    table.add(&["abbrevboth"], "int, int, string -> string", |call| {
        let (left, right, hay) = (call.int(0), call.int(1), call.str(2));
        if right < 4 || left > 0 && right < 7 {
            return Ok(Value::String(hay));
        }
        Ok(Value::string(abbreviate(hay.bytes(), left, right)))
    });
}

fn test(table: &mut Table) {
    table.add(&["contains"], "string, string -> bool", |call| {
        Ok(contains(call.str(1).bytes(), call.str(0).bytes()).into())
    });
    table.add(&["hasPrefix"], "string, string -> bool", |call| {
        Ok(call.str(1).bytes().starts_with(call.str(0).bytes()).into())
    });
    table.add(&["hasSuffix"], "string, string -> bool", |call| {
        Ok(call.str(1).bytes().ends_with(call.str(0).bytes()).into())
    });
    table.add(&["plural"], "string, string, int -> string", |call| {
        Ok(call.value(usize::from(call.int(2) != 1)))
    });
    table.add(&["hello"], "-> string", |_| Ok("Hello!".into()));
    table.add(&["fail"], "string -> string", |call| Err(call.str(0).to_string().into()));
}

fn combine(table: &mut Table) {
    table.add(&["quote"], "...any -> string", |call| {
        joined(call, |value| Ok(quote(&shown(call, value)?, false).into_bytes()))
    });
    table.add(&["squote"], "...any -> string", |call| {
        joined(call, |value| Ok([b"'", &call.text(value)?[..], b"'"].concat()))
    });
    table.add(&["cat"], "...any -> string", |call| joined(call, |value| call.text(value)));
    table.add(&["toString"], "any -> string", |call| {
        Ok(Value::string(shown(call, &call.value(0))?))
    });
    table.add(&["toStrings"], "any -> []string", |call| {
        Ok(Value::List(strings(call, &call.value(0))?))
    });
    table.add(&["join"], "string, any -> string", |call| {
        let items = strings(call, &call.value(1))?.items();
        let items: Vec<&[u8]> = items.iter().filter_map(|i| i.as_str().map(Str::bytes)).collect();
        let separator = call.str(0);
        let size: usize = items.iter().map(|item| item.len()).sum();
        call.reserve(size.saturating_add(separator.len().saturating_mul(items.len())))?;
        Ok(Value::string(items.join(separator.bytes())))
    });
    table.add(&["sortAlpha"], "any -> []string", |call| {
        let value = call.value(0);
        if !matches!(value.underlying(), Value::List(_)) {
            return Ok(Value::strings([shown(call, &value)?]));
        }
        // A list of strings is sorted where it is, as sprig does.
        let list = strings(call, &value)?;
        list.sort_strings();
        Ok(Value::List(list))
    });
}

/// The text of a value in sprig's sense: as `%v`, but bytes are text.
pub(super) fn shown(call: &Call<'_>, value: &Value) -> Result<Vec<u8>, Fault> {
    if let Value::List(list) = value
        && let Some(bytes) = list.as_bytes()
    {
        return Ok(bytes);
    }
    call.text(value)
}

/// The texts of the items of a list without the nil ones; of another value, its own.
fn strings(call: &Call<'_>, value: &Value) -> Result<List, Fault> {
    let items = match value.underlying() {
        Value::List(list) if *list.element() == Type::STRING => return Ok(list),
        Value::List(list) => list.items(),
        Value::Nil => Vec::new(),
        _ => vec![value.clone()],
    };
    let items = items.iter().filter(|item| !matches!(item, Value::Nil));
    let texts: Result<Vec<Value>, Fault> =
        items.map(|item| Ok(Value::string(shown(call, item)?))).collect();
    Ok(List::new(Type::STRING, texts?))
}

/// All arguments that are not nil, each in the form `form` gives it, with spaces between them.
fn joined(call: &Call<'_>, form: impl Fn(&Value) -> Result<Vec<u8>, Fault>) -> Answer {
    let mut out = Vec::new();
    let values = call.values(0);
    for (at, value) in values.iter().filter(|value| !matches!(value, Value::Nil)).enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.append(&mut form(value)?);
    }
    Ok(Value::string(out))
}

/// Each rune replaced by another.
fn map(hay: &Str, mut replace: impl FnMut(char) -> char) -> Value {
    let mut out = Vec::with_capacity(hay.len());
    for (_, rune) in runes(hay.bytes()) {
        push_rune(&mut out, replace(rune));
    }
    Value::string(out)
}

/// What separates words for `title`.
fn is_separator(rune: char) -> bool {
    if rune.is_ascii() {
        return !rune.is_ascii_alphanumeric() && rune != '_';
    }
    !is_letter(rune) && !is_digit(rune) && text::is_space(rune)
}

fn swap_case(hay: &Str) -> Value {
    let mut start = true;
    map(hay, |rune| {
        if is_upper(rune) || is_title(rune) {
            start = false;
            to_lower(rune)
        } else if is_lower(rune) {
            if std::mem::take(&mut start) { to_title(rune) } else { to_upper(rune) }
        } else {
            start = text::is_space(rune);
            rune
        }
    })
}

/// Sprig takes each byte for a rune here; a text without white space stays as it is.
fn no_space(hay: Str) -> Value {
    if !hay.bytes().iter().any(|byte| text::is_space(char::from(*byte))) {
        return Value::String(hay);
    }
    let kept = hay.bytes().iter().map(|byte| char::from(*byte));
    Value::string(kept.filter(|rune| !text::is_space(*rune)).collect::<String>())
}

/// Sprig takes each byte for a rune here, too.
fn initials(hay: &Str) -> Value {
    let mut out = String::new();
    let mut gap = true;
    for byte in hay.bytes() {
        let rune = char::from(*byte);
        if text::is_space(rune) {
            gap = true;
        } else if std::mem::take(&mut gap) {
            out.push(rune);
        }
    }
    Value::string(out)
}

fn repeat(call: &Call<'_>, unit: &[u8], count: i64) -> Result<Vec<u8>, Fault> {
    let Ok(count) = usize::try_from(count) else {
        return Err("strings: negative Repeat count".into());
    };
    let size = unit.len().checked_mul(count).filter(|size| isize::try_from(*size).is_ok());
    let Some(size) = size else { return Err("strings: Repeat output length overflow".into()) };
    call.reserve(size)?;
    Ok(unit.repeat(if unit.is_empty() { 0 } else { count }))
}

fn indent(call: &Call<'_>, spaces: i64, hay: &Str) -> Result<Vec<u8>, Fault> {
    let pad = repeat(call, b" ", spaces)?;
    let mut out = pad.clone();
    let break_and_pad = [b"\n", &pad[..]].concat();
    out.append(&mut replace(call, hay.bytes(), b"\n", &break_and_pad)?);
    Ok(out)
}

/// `strings.ReplaceAll`: an empty `old` stands before every rune and at the end.
pub(super) fn replace(
    call: &Call<'_>,
    hay: &[u8],
    old: &[u8],
    new: &[u8],
) -> Result<Vec<u8>, Fault> {
    let places: Vec<usize> = if old.is_empty() {
        runes(hay).map(|(at, _)| at).chain([hay.len()]).collect()
    } else {
        memchr::memmem::find_iter(hay, old).collect()
    };
    call.reserve(hay.len().saturating_add(new.len().saturating_mul(places.len())))?;
    let mut out = Vec::with_capacity(hay.len());
    let mut from = 0;
    for at in places {
        out.extend_from_slice(&hay[from..at]);
        out.extend_from_slice(new);
        from = at + old.len();
    }
    out.extend_from_slice(&hay[from..]);
    Ok(out)
}

/// The limit of a split: a negative one is none.
pub(super) fn limit(count: i64) -> Option<usize> {
    usize::try_from(count).ok()
}

/// The parts as a map with the keys `_0`, `_1` …
fn numbered(parts: &[&[u8]]) -> Value {
    let parts = parts.iter().enumerate();
    Value::string_map(parts.map(|(at, part)| (format!("_{at}"), *part)))
}

/// The text cut to `width` bytes with dots where something is left out; `offset` is where the
/// visible part begins.
fn abbreviate(hay: &[u8], offset: i64, width: i64) -> Vec<u8> {
    let length = int(hay.len());
    if hay.is_empty() || length <= width {
        return hay.to_vec();
    }
    let at = |place: i64| usize::try_from(place).unwrap_or_default();
    let mut offset = offset.min(length);
    if length - offset < width - 3 {
        offset = length - (width - 3);
    }
    if offset <= 4 {
        return [&hay[..at(width - 3)], b"..."].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if offset + width - 3 < length {
        let mut out = b"...".to_vec();
        // An inner width below 4 is an error to goutils, which sprig drops with the text.
        if width - 3 >= 4 {
            out.append(&mut abbreviate(&hay[at(offset)..], 0, width - 3));
        }
        return out;
    }
    [b"...", &hay[at(length - (width - 3))..]].concat()
}
