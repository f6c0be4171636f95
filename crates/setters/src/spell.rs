//! How a new value is written in the place of an old one.

use std::ops::Range;

use yaml::{PlainKind, Style};

/// Bytes to replace in a text, and what by.
pub(crate) type Splice = (Range<usize>, String);

/// The splices that make the scalar at `span` of `text`, written in `style`, say `value`; in order
/// and apart from each other.
///
/// The style stays; a plain scalar is put in double quotes if the value would otherwise not be
/// read as a string.
pub(crate) fn spell(text: &str, span: &Range<usize>, style: Style, value: &str) -> Vec<Splice> {
    let written = match style {
        Style::Plain if is_plain(value) => value.to_owned(),
        Style::Plain | Style::DoubleQuoted => double_quoted(value),
        Style::SingleQuoted => format!("'{}'", value.replace('\'', "''")),
        Style::Literal | Style::Folded => return block(text, span, value),
    };
    vec![(span.clone(), written)]
}

/// Whether `value` may stand without quotes, in a flow collection too, and is a string there.
fn is_plain(value: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    let start = value.strip_prefix('-').unwrap_or(value);
    let starts = start.starts_with(|c: char| c.is_ascii_alphanumeric() || "._-".contains(c));
    starts
        && value.chars().all(allowed)
        && !value.ends_with(':')
        && !matches!(value, "..." | "---")
        && yaml::resolve_plain(value) == PlainKind::Str
}

fn double_quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Replaces the indicators and the lines of a block scalar; the header's comment stays.
///
/// The value has no line break at its end, so the block is stripped (`-`); an indentation
/// indicator goes, as the one line that is left shows its indentation itself.
fn block(text: &str, span: &Range<usize>, value: &str) -> Vec<Splice> {
    let start = span.start;
    let is_indicator = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-');
    let indicators = text.as_bytes()[start + 1..].iter().take_while(|byte| is_indicator(byte));
    let indicators = start + 1..start + 1 + indicators.count();
    let body = text[start..span.end].find('\n').map_or(span.end, |at| start + at + 1);
    let lines = &text[body..span.end];
    let content = lines.trim_end();
    let first = content.trim_start_matches(['\n', '\r', ' ']);
    let (range, replacement) = if first.is_empty() {
        (body..body, new_line(text, start, body, value))
    } else {
        let before = &content[..content.len() - first.len()];
        let indent = before.rsplit(['\n', '\r']).next().unwrap_or_default();
        // White space at the end of the last line is content.
        let rest = &lines[content.len()..];
        let end = content.len() + rest.find(['\n', '\r']).unwrap_or(rest.len());
        (body..body + end, format!("{indent}{value}"))
    };
    vec![(indicators, "-".to_owned()), (range, replacement)]
}

/// A first line for the empty block at `start`, to be put at `body`.
fn new_line(text: &str, start: usize, body: usize, value: &str) -> String {
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let indent = text[line..start].bytes().take_while(|byte| matches!(byte, b' ' | b'-')).count();
    let indent = " ".repeat(indent + 2);
    let newline = if text[..body].ends_with("\r\n") { "\r\n" } else { "\n" };
    if text[..body].ends_with('\n') {
        format!("{indent}{value}{newline}")
    } else {
        format!("{newline}{indent}{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn values_that_are_no_strings_need_quotes() {
        for value in [
            "v1",
            "1.2.3",
            "nginx:1",
            "a/b:1@sha256:ab",
            "x-y",
            "_",
            "1.0.0-rc.1",
            ".a",
            "-a",
            "--",
        ] {
            assert!(is_plain(value), "{value}");
        }
        let quoted = [
            "",
            "1",
            "1.0",
            "1e3",
            "0x1F",
            "0o17",
            "1_000",
            "true",
            "no",
            "Y",
            "null",
            "~",
            "2024-01-01",
            "-",
            "---",
            "...",
            ".inf",
            "a:",
            "a b",
            "a#b",
            "<<",
            "é",
            "{a}",
            "'",
        ];
        for value in quoted {
            assert!(!is_plain(value), "{value}");
        }
    }
}
