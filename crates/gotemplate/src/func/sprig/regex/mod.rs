//! Regular expressions in Go's syntax (RE2).

mod class;
mod translate;

use regex::bytes::{Captures, Match, Regex, RegexBuilder};

use super::string::limit;
use super::{Answer, Call, Table};
use crate::text::decode;
use crate::unicode::{is_digit, is_letter};
use crate::value::{List, Type, Value};
use translate::{Translated, translate};

/// Memory a compiled expression and its search may take.
const SIZE_LIMIT: usize = 4 << 20;

pub(super) fn add(table: &mut Table) {
    table.add(&["regexMatch"], "string, string -> bool", |call| {
        let found = compile(call).is_ok_and(|it| it.regex.is_match(call.str(1).bytes()));
        Ok(found.into())
    });
    table.add(&["mustRegexMatch"], "string, string -> bool", |call| {
        let it = compile(call)?;
        Ok(it.regex.is_match(call.str(1).bytes()).into())
    });
    both(table, "Find", "string, string -> string", |call, it| {
        let hay = call.str(1);
        let found = it.regex.find(hay.bytes()).map_or(&b""[..], |found| found.as_bytes());
        Ok(Value::string(found))
    });
    both(table, "FindAll", "string, string, int -> []string", find_all);
    both(table, "Split", "string, string, int -> []string", split);
    both(table, "ReplaceAll", "string, string, string -> string", |call, it| {
        let template = call.str(2);
        replace(call, it, |captures, out| it.expand(template.bytes(), captures, out))
    });
    both(table, "ReplaceAllLiteral", "string, string, string -> string", |call, it| {
        let text = call.str(2);
        replace(call, it, |_, out| out.extend_from_slice(text.bytes()))
    });
    table.add(&["regexQuoteMeta"], "string -> string", |call| {
        let mut out = Vec::new();
        for &byte in call.str(0).bytes() {
            if b"\\.+*?()|[]{}^$".contains(&byte) {
                out.push(b'\\');
            }
            out.push(byte);
        }
        Ok(Value::string(out))
    });
}

/// Adds `regexX` and `mustRegexX`: they differ in the error for a bad expression.
fn both(
    table: &mut Table,
    name: &str,
    signature: &str,
    body: fn(&mut Call<'_>, &Expression) -> Answer,
) {
    table.add(&[&format!("regex{name}")], signature, move |call| {
        let it = compile(call).map_err(|error| {
            let pattern = call.str(0);
            let text = pattern.text();
            let quoted = if crate::strconv::can_backquote(pattern.bytes()) {
                format!("`{text}`")
            } else {
                crate::strconv::quote(pattern.bytes(), false)
            };
            format!("regexp: Compile({quoted}): {error}")
        })?;
        body(call, &it)
    });
    table.add(&[&format!("mustRegex{name}")], signature, move |call| {
        let it = compile(call)?;
        body(call, &it)
    });
}

/// A compiled expression.
struct Expression {
    regex: Regex,
    names: Vec<(String, usize)>,
}

/// The expression in the first argument; the error is Go's.
fn compile(call: &Call<'_>) -> Result<Expression, String> {
    let pattern = call.str(0);
    let Translated { pattern: translated, names } = translate(pattern.bytes())?;
    let mut builder = RegexBuilder::new(&translated);
    builder.size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT).nest_limit(1_000);
    let regex = crate::limit::with_stack(|| builder.build());
    let regex =
        regex.map_err(|_| format!("error parsing regexp: expression too large: `{pattern}`"))?;
    Ok(Expression { regex, names })
}

#[expect(clippy::unnecessary_wraps, reason = "one of the bodies of `both`")]
fn find_all(call: &mut Call<'_>, it: &Expression) -> Answer {
    let hay = call.str(1);
    let limit = limit(call.int(2)).unwrap_or(usize::MAX);
    let found: Vec<&[u8]> =
        it.find_iter(hay.bytes()).take(limit).map(|found| found.as_bytes()).collect();
    if found.is_empty() {
        return Ok(Value::List(List::nil(Type::STRING)));
    }
    Ok(Value::strings(found))
}

#[expect(clippy::unnecessary_wraps, reason = "one of the bodies of `both`")]
fn split(call: &mut Call<'_>, it: &Expression) -> Answer {
    let hay = call.str(1);
    let (hay, limit) = (hay.bytes(), limit(call.int(2)));
    if limit == Some(0) {
        return Ok(Value::List(List::nil(Type::STRING)));
    }
    if !call.str(0).is_empty() && hay.is_empty() {
        return Ok(Value::strings([""]));
    }
    let limit = limit.unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let (mut from, mut end) = (0, 0);
    for found in it.find_iter(hay).take(limit) {
        if parts.len() + 1 == limit {
            break;
        }
        end = found.start();
        if found.end() != 0 {
            parts.push(&hay[from..end]);
        }
        from = found.end();
    }
    if end != hay.len() {
        parts.push(&hay[from..]);
    }
    Ok(Value::strings(parts))
}

/// The text with every match replaced by what `write` appends.
fn replace(
    call: &Call<'_>,
    it: &Expression,
    write: impl Fn(&Captures<'_>, &mut Vec<u8>),
) -> Answer {
    let hay = call.str(1);
    let mut out = Vec::new();
    let (mut from, mut paid) = (0, 0);
    for captures in it.regex.captures_iter(hay.bytes()) {
        let Some(found) = captures.get(0).filter(|it| is_between_runes(hay.bytes(), it)) else {
            continue;
        };
        out.extend_from_slice(&hay.bytes()[from..found.start()]);
        write(&captures, &mut out);
        from = found.end();
        call.reserve(out.len() - paid)?;
        paid = out.len();
    }
    out.extend_from_slice(&hay.bytes()[from..]);
    Ok(Value::string(out))
}

impl Expression {
    /// The matches, as Go finds them.
    fn find_iter<'h>(&self, hay: &'h [u8]) -> impl Iterator<Item = Match<'h>> {
        self.regex.find_iter(hay).filter(move |found| is_between_runes(hay, found))
    }

    /// Appends a replacement with `$1`, `$name` and `${name}` filled in; `$$` is a dollar sign.
    fn expand(&self, template: &[u8], captures: &Captures<'_>, out: &mut Vec<u8>) {
        let mut rest = template;
        while let Some(at) = memchr::memchr(b'$', rest) {
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
            if rest.first() == Some(&b'$') {
                out.push(b'$');
                rest = &rest[1..];
                continue;
            }
            let Some((name, width)) = group_name(rest) else {
                out.push(b'$');
                continue;
            };
            rest = &rest[width..];
            let group = self.group(name, captures);
            out.extend_from_slice(group.map_or(&b""[..], |group| group.as_bytes()));
        }
        out.extend_from_slice(rest);
    }

    /// The group of that number, or the first of that name that took part in the match.
    fn group<'h>(&self, name: &str, captures: &Captures<'h>) -> Option<Match<'h>> {
        let digits = name.bytes().all(|byte| byte.is_ascii_digit());
        if digits && (name == "0" || !name.starts_with('0')) {
            return name.parse().ok().and_then(|number| captures.get(number));
        }
        let named = self.names.iter().filter(|(known, _)| known == name);
        named.into_iter().find_map(|(_, number)| captures.get(*number))
    }
}

/// Whether a match is not an empty one inside a rune, which there is in bytes only.
fn is_between_runes(hay: &[u8], found: &Match<'_>) -> bool {
    let at = found.start();
    !found.is_empty()
        || (at.saturating_sub(3)..at).all(|start| {
            let (rune, width) = decode(&hay[start..]);
            rune.is_ascii() || width == 1 || start + width <= at
        })
}

/// The name after a dollar sign and the bytes it takes.
fn group_name(rest: &[u8]) -> Option<(&str, usize)> {
    let braced = rest.first() == Some(&b'{');
    let start = usize::from(braced);
    let mut end = start;
    while end < rest.len() {
        let (rune, width) = decode(&rest[end..]);
        if !is_letter(rune) && !is_digit(rune) && rune != '_' {
            break;
        }
        end += width;
    }
    let name = std::str::from_utf8(&rest[start..end]).ok().filter(|name| !name.is_empty())?;
    if !braced {
        return Some((name, end));
    }
    (rest.get(end) == Some(&b'}')).then_some((name, end + 1))
}
