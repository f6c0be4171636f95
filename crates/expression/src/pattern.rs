//! Regular expressions in Go's dialect.

use regex::RegexBuilder;

use crate::error::Stop;

/// Bytes a compiled pattern may take.
const SIZE: usize = 1 << 20;

/// Whether `pattern` matches somewhere in `text`.
pub(crate) fn matches(pattern: &str, text: &str) -> Result<bool, Stop> {
    Ok(compile(pattern)?.is_match(text))
}

/// Compiles `pattern`; the classes `\d`, `\w` and `\s` are ASCII, as in Go.
pub(crate) fn compile(pattern: &str) -> Result<regex::Regex, Stop> {
    RegexBuilder::new(&ascii_classes(pattern)).size_limit(SIZE).build().map_err(|error| {
        let text = error.to_string();
        let what = if text.contains("unclosed character class") {
            let open = pattern.rfind('[').unwrap_or_default();
            return Stop::new(format!(
                "error parsing regexp: missing closing ]: `{}`",
                &pattern[open..]
            ));
        } else if text.contains("unclosed group") {
            "missing closing )"
        } else if text.contains("unopened group") {
            "unexpected )"
        } else {
            "invalid pattern"
        };
        Stop::new(format!("error parsing regexp: {what}: `{pattern}`"))
    })
}

fn ascii_classes(pattern: &str) -> String {
    let mut made = String::with_capacity(pattern.len());
    let mut runes = pattern.chars();
    while let Some(rune) = runes.next() {
        if rune != '\\' {
            made.push(rune);
            continue;
        }
        match runes.next() {
            Some('d') => made.push_str("[0-9]"),
            Some('D') => made.push_str("[^0-9]"),
            Some('w') => made.push_str("[0-9A-Za-z_]"),
            Some('W') => made.push_str("[^0-9A-Za-z_]"),
            Some('s') => made.push_str("[\\t\\n\\f\\r ]"),
            Some('S') => made.push_str("[^\\t\\n\\f\\r ]"),
            Some('b') => made.push_str("(?-u:\\b)"),
            Some(other) => made.extend(['\\', other]),
            None => made.push('\\'),
        }
    }
    made
}
