//! Go's regular expressions.

use regex::Regex;

use crate::Error;

/// Compiles an expression as Go's `regexp` reads it: `\d`, `\s`, `\w` and `\b` know ASCII only.
pub(crate) fn compile(pattern: &str) -> Result<Regex, Error> {
    let mut translated = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        translated.push(c);
        if c != '\\' {
            continue;
        }
        match chars.next() {
            Some(class @ ('d' | 'D' | 's' | 'S' | 'w' | 'W' | 'b' | 'B')) => {
                translated.pop();
                translated.push_str(ascii(class));
            }
            Some(other) => translated.push(other),
            None => {}
        }
    }
    Regex::new(&translated)
        .map_err(|error| Error::Invalid(format!("error parsing regexp: `{pattern}`: {error}")))
}

fn ascii(class: char) -> &'static str {
    match class {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        's' => r"[\t\n\f\r ]",
        'S' => r"[^\t\n\f\r ]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        'b' => r"(?-u:\b)",
        _ => r"(?-u:\B)",
    }
}

/// As [`compile`], for the whole of a text. An empty expression matches anything.
pub(crate) fn whole(pattern: &str) -> Result<Option<Regex>, Error> {
    if pattern.is_empty() {
        return Ok(None);
    }
    compile(&format!("^(?:{pattern})$")).map(Some)
}
