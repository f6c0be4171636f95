//! Character classes and escapes.

use super::translate::{error, push_literal};

/// Translates the class at the start of `text` and returns what follows it.
pub(super) fn translate<'a>(text: &'a str, out: &mut String) -> Result<&'a str, String> {
    let mut rest = &text[1..];
    out.push('[');
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    let mut first = true;
    while first || !rest.starts_with(']') {
        first = false;
        if let Some(after) = named(rest, out)? {
            rest = after;
            continue;
        }
        if let Some((class, after)) = escape(rest)? {
            // Without its brackets a class can be a part of another.
            let inner = class.strip_prefix('[').filter(|inner| !inner.starts_with('^'));
            out.push_str(inner.map_or(&class[..], |inner| inner.trim_end_matches(']')));
            rest = after;
            continue;
        }
        let start = rest;
        let (low, after) = class_character(rest, text)?;
        rest = after;
        push_literal(out, low);
        if rest.starts_with('-') && rest.len() >= 2 && !rest.starts_with("-]") {
            let (high, after) = class_character(&rest[1..], text)?;
            rest = after;
            if high < low {
                let range = &start[..start.len() - rest.len()];
                return Err(error("invalid character class range", range));
            }
            out.push('-');
            push_literal(out, high);
        }
    }
    out.push(']');
    Ok(&rest[1..])
}

fn class_character<'a>(text: &'a str, whole: &str) -> Result<(char, &'a str), String> {
    match text.chars().next() {
        None => Err(error("missing closing ]", whole)),
        Some('\\') => character(text),
        Some(rune) => Ok((rune, &text[rune.len_utf8()..])),
    }
}

/// A class such as `[:alpha:]`.
fn named<'a>(text: &'a str, out: &mut String) -> Result<Option<&'a str>, String> {
    const NAMES: [&str; 14] = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
        "space", "upper", "word", "xdigit",
    ];
    let Some(end) = text.strip_prefix("[:").and_then(|rest| rest.find(":]")) else {
        return Ok(None);
    };
    let (class, rest) = text.split_at(end + 4);
    let name = &class[2..end + 2];
    if !NAMES.contains(&name.trim_start_matches('^')) || name.starts_with("^^") {
        return Err(error("invalid character class range", class));
    }
    out.push_str(class);
    Ok(Some(rest))
}

/// A class escape (`\d`, `\pL`, `\p{Greek}`) at the start of `text`, translated, and what follows.
pub(super) fn escape(text: &str) -> Result<Option<(String, &str)>, String> {
    let class = match text.as_bytes() {
        [b'\\', b'd', ..] => "[0-9]",
        [b'\\', b'D', ..] => "[^0-9]",
        [b'\\', b's', ..] => "[\\t\\n\\x0C\\r ]",
        [b'\\', b'S', ..] => "[^\\t\\n\\x0C\\r ]",
        [b'\\', b'w', ..] => "[0-9A-Za-z_]",
        [b'\\', b'W', ..] => "[^0-9A-Za-z_]",
        [b'\\', b'p' | b'P', ..] => return unicode(text).map(Some),
        _ => return Ok(None),
    };
    Ok(Some((class.to_owned(), &text[2..])))
}

fn unicode(text: &str) -> Result<(String, &str), String> {
    let (class, name) = if text[2..].starts_with('{') {
        let Some(end) = text.find('}') else {
            return Err(error("invalid character class range", text));
        };
        (&text[..=end], &text[3..end])
    } else {
        let width = text[2..].chars().next().map_or(0, char::len_utf8);
        (&text[..2 + width], &text[2..2 + width])
    };
    let plain = name.strip_prefix('^').unwrap_or(name);
    let negative = text.starts_with("\\P") != name.starts_with('^');
    let letter = if negative { 'P' } else { 'p' };
    let translated = format!("\\{letter}{{{plain}}}");
    let is_name = plain.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b' '));
    if !is_name || regex_syntax::parse(&translated).is_err() {
        return Err(error("invalid character class range", class));
    }
    Ok((translated, &text[class.len()..]))
}

/// The character that the escape at the start of `text` stands for, and what follows it.
pub(super) fn character(text: &str) -> Result<(char, &str), String> {
    let after = &text[1..];
    let Some(rune) = after.chars().next() else {
        return Err(error("trailing backslash at end of expression", ""));
    };
    let rest = &after[rune.len_utf8()..];
    let invalid = |rest: &str| {
        let part = &text[..text.len() - rest.len()];
        Err(error("invalid escape sequence", part))
    };
    match rune {
        'a' => Ok(('\u{7}', rest)),
        'f' => Ok(('\u{C}', rest)),
        'n' => Ok(('\n', rest)),
        'r' => Ok(('\r', rest)),
        't' => Ok(('\t', rest)),
        'v' => Ok(('\u{B}', rest)),
        '1'..='7' if !rest.starts_with(|c| ('0'..='7').contains(&c)) => invalid(rest),
        '0'..='7' => {
            let length = after.bytes().take(3).take_while(|b| (b'0'..=b'7').contains(b)).count();
            let code = u32::from_str_radix(&after[..length], 8).unwrap_or_default();
            Ok((char::from_u32(code).unwrap_or_default(), &after[length..]))
        }
        'x' => hexadecimal(text, rest),
        rune if rune.is_ascii() && !rune.is_ascii_alphanumeric() => Ok((rune, rest)),
        _ => invalid(rest),
    }
}

fn hexadecimal<'a>(text: &str, rest: &'a str) -> Result<(char, &'a str), String> {
    let braced = rest.starts_with('{');
    let mut code = 0_u32;
    let mut count = 0;
    let mut at = usize::from(braced);
    while braced || count < 2 {
        let next = rest[at..].chars().next();
        at += next.map_or(0, char::len_utf8);
        let done = braced && next == Some('}') && count > 0;
        if done {
            break;
        }
        let digit = next.and_then(|next| next.to_digit(16));
        let wider = digit.and_then(|digit| Some(code.checked_mul(16)? + digit));
        let Some(wider) = wider.filter(|code| *code <= 0x10_FFFF) else {
            let part = &text[..text.len() - rest.len() + at];
            return Err(error("invalid escape sequence", part));
        };
        code = wider;
        count += 1;
    }
    // Half of a surrogate pair matches nothing; neither does the replacement in valid text.
    Ok((char::from_u32(code).unwrap_or(crate::text::RUNE_ERROR), &rest[at..]))
}
