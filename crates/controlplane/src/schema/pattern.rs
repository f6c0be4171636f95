//! Regular expressions as Go's RE2 understands them.
//!
//! The `regex` crate descends from RE2, but its `\d`, `\w`, `\s` and `\b` know Unicode, a `[`
//! inside a class nests, and `&&`, `--`, `~~` are set operations there. Patterns are rewritten so
//! that they mean what they mean to kube-apiserver.

use regex::{Regex, RegexBuilder};

/// How much memory one compiled pattern may take.
const SIZE_LIMIT: usize = 16 << 20;

/// Compiles a Go pattern; the error is one line for people.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    let rewritten = rewrite(pattern)?;
    RegexBuilder::new(&rewritten)
        .size_limit(SIZE_LIMIT)
        .build()
        .map_err(|e| format!("error parsing regexp: {}", in_go(pattern, last_line(&e.to_string()))))
}

/// `regex` draws the pattern above its explanation; only the explanation is wanted.
fn last_line(text: &str) -> String {
    let line = text.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

/// Go's words for what is most often wrong.
fn in_go(pattern: &str, why: String) -> String {
    match why.as_str() {
        "unclosed group" => format!("missing closing ): `{pattern}`"),
        "unopened group" => format!("unexpected ): `{pattern}`"),
        "repetition operator missing expression" => {
            let operator: String = pattern.chars().take(1).collect();
            format!("missing argument to repetition operator: `{operator}`")
        }
        _ => why,
    }
}

/// Translates the pattern from Go's to the crate's dialect.
pub(crate) fn rewrite(pattern: &str) -> Result<String, String> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut at = 0;
    while at < chars.len() {
        at = match chars[at] {
            '\\' => escape(&chars, at, Place::Outside, &mut out)?,
            '[' => class(&chars, at, &mut out)?,
            '{' if !is_repetition(&chars[at..]) => {
                out.push_str("\\{");
                at + 1
            }
            c => {
                out.push(c);
                at + 1
            }
        };
    }
    Ok(out)
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Outside,
    InClass,
}

/// Writes the escape at `at`; answers where it ends.
fn escape(chars: &[char], at: usize, place: Place, out: &mut String) -> Result<usize, String> {
    let Some(&c) = chars.get(at + 1) else {
        return Err("error parsing regexp: trailing backslash at end of expression: ``".to_owned());
    };
    let outside = place == Place::Outside;
    match c {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str("[\\t\\n\\f\\r ]"),
        'S' => out.push_str("[^\\t\\n\\f\\r ]"),
        'b' if outside => out.push_str("(?-u:\\b)"),
        'Q' if outside => return Ok(quoted(chars, at + 2, out)),
        '<' | '>' => out.push(c),
        'u' | 'U' => {
            return Err(format!("error parsing regexp: invalid escape sequence: `\\{c}`"));
        }
        c => {
            out.push('\\');
            out.push(c);
        }
    }
    Ok(at + 2)
}

/// Writes what stands between `\Q` and `\E` literally.
fn quoted(chars: &[char], from: usize, out: &mut String) -> usize {
    let rest = &chars[from..];
    let end = rest.windows(2).position(|two| two == ['\\', 'E']).unwrap_or(rest.len());
    let literal: String = rest[..end].iter().collect();
    out.push_str(&regex::escape(&literal));
    (from + end + 2).min(chars.len())
}

/// Writes the character class that starts at `at`; answers where it ends.
fn class(chars: &[char], at: usize, out: &mut String) -> Result<usize, String> {
    out.push('[');
    let mut here = at + 1;
    if chars.get(here) == Some(&'^') {
        out.push('^');
        here += 1;
    }
    let first = here;
    while let Some(&c) = chars.get(here) {
        here = match c {
            ']' if here > first => {
                out.push(']');
                return Ok(here + 1);
            }
            ']' => {
                out.push_str("\\]");
                here + 1
            }
            '[' if chars.get(here + 1) == Some(&':') => posix(chars, here, out),
            '\\' => escape(chars, here, Place::InClass, out)?,
            '[' | '&' | '~' => {
                out.push('\\');
                out.push(c);
                here + 1
            }
            '-' if is_literal_dash(chars, here, first) => {
                out.push_str("\\-");
                here + 1
            }
            c => {
                out.push(c);
                here + 1
            }
        };
    }
    Err("error parsing regexp: missing closing ]".to_owned())
}

fn is_literal_dash(chars: &[char], at: usize, first: usize) -> bool {
    at == first || matches!(chars.get(at + 1), Some(']' | '-')) || chars.get(at - 1) == Some(&'-')
}

/// Writes `[:name:]` as it stands, or a literal bracket if it is none.
fn posix(chars: &[char], at: usize, out: &mut String) -> usize {
    let rest = &chars[at + 2..];
    let Some(end) = rest.windows(2).position(|two| two == [':', ']']) else {
        out.push_str("\\[");
        return at + 1;
    };
    out.extend(&chars[at..at + 2 + end + 2]);
    at + 2 + end + 2
}

/// Whether the brace at the start of `chars` opens `{n}`, `{n,}` or `{n,m}`.
fn is_repetition(chars: &[char]) -> bool {
    let Some(end) = chars.iter().position(|&c| c == '}') else { return false };
    let inner: String = chars[1..end].iter().collect();
    let (low, high) = inner.split_once(',').unwrap_or((&inner, ""));
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    !low.is_empty() && digits(low) && digits(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_ascii() {
        assert!(!compile(r"^\d$").unwrap().is_match("٣"));
        assert!(!compile(r"^\w$").unwrap().is_match("é"));
        assert!(compile(r"^[\w-]+$").unwrap().is_match("a-b"));
        assert!(!compile(r"^[\w-]+$").unwrap().is_match("é"));
        assert!(compile(r"^[^\d]$").unwrap().is_match("x"));
        assert!(compile(r"\bx\b").unwrap().is_match("a x b"));
    }

    #[test]
    fn brackets_and_operators_in_classes_are_literal() {
        assert!(compile("^[[a]+$").unwrap().is_match("[a"));
        assert!(compile("^[a&&b]+$").unwrap().is_match("a&b"));
        assert!(compile("^[]a]+$").unwrap().is_match("]a"));
        assert!(compile("^[a-z--]+$").is_ok());
        assert!(compile("^[[:alpha:]_]+$").unwrap().is_match("aB_"));
        assert!(compile("^[-a]+$").unwrap().is_match("-"));
    }

    #[test]
    fn braces_that_repeat_nothing_are_literal() {
        assert!(compile("^a{b}$").unwrap().is_match("a{b}"));
        assert!(compile("^a{2,3}$").unwrap().is_match("aaa"));
        assert!(compile("^a{,3}$").unwrap().is_match("a{,3}"));
    }

    #[test]
    fn quoting_and_errors() {
        assert!(compile(r"^\Qa.b\E$").unwrap().is_match("a.b"));
        assert!(!compile(r"^\Qa.b\E$").unwrap().is_match("axb"));
        for bad in ["(", "[a", "a\\", "\\u1234", "a**b("] {
            assert!(compile(bad).unwrap_err().starts_with("error parsing regexp: "), "{bad}");
        }
    }
}
