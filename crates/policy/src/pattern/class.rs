//! Character classes: `[a-z]`, `[[:alpha:]]`, `\d`, `\p{Greek}`.

use super::{Fault, PatternError, escape};

/// A class that matches nothing, for ranges made of surrogates only.
pub(super) const NOTHING: &str = r"[^\x{0}-\x{10ffff}]";

const POSIX: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// Translates the class at the start of `text` (which starts with `[`); gives what follows.
pub(super) fn bracketed<'a>(text: &'a str, out: &mut String) -> Result<&'a str, PatternError> {
    let mut rest = &text[1..];
    out.push('[');
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    // Without an item in it, the bracket would not be a class in the other syntax.
    out.push_str(NOTHING);
    let mut first = true;
    while first || !rest.starts_with(']') {
        first = false;
        rest = match named(rest, out)? {
            Some(after) => after,
            None => range(rest, text, out)?,
        };
    }
    out.push(']');
    Ok(&rest[1..])
}

/// Translates a class that has a name, if there is one at the start of `text`.
fn named<'a>(text: &'a str, out: &mut String) -> Result<Option<&'a str>, PatternError> {
    if let Some(after) = posix(text, out)? {
        return Ok(Some(after));
    }
    if let Some(after) = unicode(text, out)? {
        return Ok(Some(after));
    }
    Ok(perl(text, out))
}

fn posix<'a>(text: &'a str, out: &mut String) -> Result<Option<&'a str>, PatternError> {
    let Some(end) = text.strip_prefix("[:").and_then(|inner| inner.find(":]")) else {
        return Ok(None);
    };
    let (written, after) = text.split_at(end + 4);
    let name = &written[2..end + 2];
    if !POSIX.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return Err(PatternError::new(Fault::CharRange, written));
    }
    out.push_str(written);
    Ok(Some(after))
}

/// Translates `\d`, `\s`, `\w` and their opposites, which mean ASCII in Go.
pub(super) fn perl<'a>(text: &'a str, out: &mut String) -> Option<&'a str> {
    let mut chars = text.chars();
    let translation = match (chars.next()?, chars.next()?) {
        ('\\', 'd') => "[0-9]",
        ('\\', 'D') => "[^0-9]",
        ('\\', 's') => r"[\t\n\x0c\r\x20]",
        ('\\', 'S') => r"[^\t\n\x0c\r\x20]",
        ('\\', 'w') => "[0-9A-Za-z_]",
        ('\\', 'W') => "[^0-9A-Za-z_]",
        _ => return None,
    };
    out.push_str(translation);
    Some(chars.as_str())
}

/// Translates `\pL`, `\p{Greek}` and their opposites.
pub(super) fn unicode<'a>(
    text: &'a str,
    out: &mut String,
) -> Result<Option<&'a str>, PatternError> {
    let (after, mut negated) = match (text.strip_prefix(r"\p"), text.strip_prefix(r"\P")) {
        (Some(after), _) => (after, false),
        (_, Some(after)) => (after, true),
        _ => return Ok(None),
    };
    let refuse = |part: &str| PatternError::new(Fault::CharRange, part);
    let (name, rest) = match after.strip_prefix('{') {
        Some(inner) => inner.split_once('}').ok_or_else(|| refuse(text))?,
        None => after.split_at(after.chars().next().map_or(0, char::len_utf8)),
    };
    let written = &text[..text.len() - rest.len()];
    let name = match name.strip_prefix('^') {
        Some(name) => {
            negated = !negated;
            name
        }
        None => name,
    };
    let property = property(name).ok_or_else(|| refuse(written))?;
    out.push_str(if negated { r"\P{" } else { r"\p{" });
    out.push_str(&property);
    out.push('}');
    Ok(Some(rest))
}

/// The property that Go means by `name`: a general category, a script, or one of three others.
fn property(name: &str) -> Option<String> {
    // A name with an operator in it would be read as a query of its own.
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_- ".contains(c)) {
        return None;
    }
    if ["any", "assigned", "ascii"].contains(&name.to_ascii_lowercase().as_str()) {
        return Some(name.to_owned());
    }
    let known = |property: &String| regex::Regex::new(&format!(r"\p{{{property}}}")).is_ok();
    [format!("gc={name}"), format!("sc={name}")].into_iter().find(known)
}

/// Translates a single character or a range of them; `class` is the whole class, for errors.
fn range<'a>(text: &'a str, class: &str, out: &mut String) -> Result<&'a str, PatternError> {
    let (low, mut rest) = character(text, class)?;
    let mut high = low;
    if rest.starts_with('-') && rest.len() >= 2 && !rest.starts_with("-]") {
        (high, rest) = character(&rest[1..], class)?;
        if high < low {
            let written = &text[..text.len() - rest.len()];
            return Err(PatternError::new(Fault::CharRange, written));
        }
    }
    // Surrogates are legal in Go, but no text contains them.
    let (low, high) = (if is_surrogate(low) { 0xE000 } else { low }, high);
    let high = if is_surrogate(high) { 0xD7FF } else { high };
    if low <= high {
        escape::write(out, low);
        out.push('-');
        escape::write(out, high);
    }
    Ok(rest)
}

fn character<'a>(text: &'a str, class: &str) -> Result<(u32, &'a str), PatternError> {
    if text.starts_with('\\') {
        return escape::read(text);
    }
    let mut chars = text.chars();
    let next = chars.next().ok_or_else(|| PatternError::new(Fault::MissingBracket, class))?;
    Ok((u32::from(next), chars.as_str()))
}

pub(super) fn is_surrogate(code: u32) -> bool {
    (0xD800..0xE000).contains(&code)
}
