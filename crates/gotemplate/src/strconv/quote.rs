//! Quoting and unquoting of string and character literals.

use std::fmt::Write;

use crate::text::{self, RUNE_ERROR, push_rune};
use crate::unicode::is_print;

/// `strconv.Quote`, or `QuoteToASCII` with `ascii`.
pub(crate) fn quote(bytes: &[u8], ascii: bool) -> String {
    quote_with(bytes, '"', ascii)
}

/// `strconv.QuoteRune`, or `QuoteRuneToASCII` with `ascii`.
pub(crate) fn quote_rune(rune: char, ascii: bool) -> String {
    let mut out = String::from('\'');
    escape(&mut out, rune, '\'', ascii);
    out.push('\'');
    out
}

fn quote_with(bytes: &[u8], mark: char, ascii: bool) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push(mark);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (rune, width) = text::decode(rest);
        if width == 1 && rune == RUNE_ERROR {
            hex(&mut out, "\\x", u32::from(rest[0]), 2);
        } else {
            escape(&mut out, rune, mark, ascii);
        }
        rest = &rest[width..];
    }
    out.push(mark);
    out
}

fn escape(out: &mut String, rune: char, mark: char, ascii: bool) {
    if rune == mark || rune == '\\' {
        out.push('\\');
        out.push(rune);
        return;
    }
    if is_print(rune) && (!ascii || rune.is_ascii()) {
        out.push(rune);
        return;
    }
    match rune {
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{C}' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{B}' => out.push_str("\\v"),
        '\0'..='\u{1F}' | '\u{7F}' => hex(out, "\\x", u32::from(rune), 2),
        '\u{80}'..='\u{FFFF}' => hex(out, "\\u", u32::from(rune), 4),
        _ => hex(out, "\\U", u32::from(rune), 8),
    }
}

fn hex(out: &mut String, prefix: &str, code: u32, width: usize) {
    write!(out, "{prefix}{code:0width$x}").expect("because writing to a string cannot fail");
}

/// `strconv.CanBackquote`: whether a raw string literal can hold the text on one line.
pub(crate) fn can_backquote(bytes: &[u8]) -> bool {
    text::runes(bytes).all(|(at, rune)| match rune {
        '\t' => true,
        '\u{FEFF}' | '`' | '\u{7F}' | '\0'..='\u{1F}' => false,
        RUNE_ERROR => bytes[at..].starts_with("\u{FFFD}".as_bytes()),
        _ => true,
    })
}

/// `strconv.Unquote` of a Go string literal with its quotes; `None` is Go's `invalid syntax`.
pub(crate) fn unquote(literal: &[u8]) -> Option<Vec<u8>> {
    let (&mark, rest) = literal.split_first()?;
    let (&end, inner) = rest.split_last()?;
    if mark != end {
        return None;
    }
    match mark {
        b'`' => (!inner.contains(&b'`'))
            .then(|| inner.iter().copied().filter(|b| *b != b'\r').collect()),
        b'"' => {
            let mut out = Vec::with_capacity(inner.len());
            let mut rest = inner;
            while !rest.is_empty() {
                let (part, width) = unquote_char(rest, b'"')?;
                match part {
                    Unquoted::Byte(byte) => out.push(byte),
                    Unquoted::Rune(rune) => push_rune(&mut out, rune),
                }
                rest = &rest[width..];
            }
            Some(out)
        }
        _ => None,
    }
}

/// One unquoted character: `\x` and octal escapes above 0x7F are bytes, everything else is a rune.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unquoted {
    Byte(u8),
    Rune(char),
}

/// `strconv.UnquoteChar`: the first character of `text` in a literal with quote `mark`, and the
/// number of bytes it takes.
pub(crate) fn unquote_char(text: &[u8], mark: u8) -> Option<(Unquoted, usize)> {
    let &first = text.first()?;
    if first == mark || first == b'\n' {
        return None;
    }
    if first >= 0x80 {
        let (rune, width) = text::decode(text);
        let part = if width == 1 { Unquoted::Byte(first) } else { Unquoted::Rune(rune) };
        return Some((part, width));
    }
    if first != b'\\' {
        return Some((Unquoted::Rune(char::from(first)), 1));
    }
    let &escape = text.get(1)?;
    let simple = |rune| Some((Unquoted::Rune(rune), 2));
    match escape {
        b'a' => simple('\u{7}'),
        b'b' => simple('\u{8}'),
        b'f' => simple('\u{C}'),
        b'n' => simple('\n'),
        b'r' => simple('\r'),
        b't' => simple('\t'),
        b'v' => simple('\u{B}'),
        b'\\' => simple('\\'),
        b'\'' | b'"' => (escape == mark).then_some((Unquoted::Rune(char::from(escape)), 2)),
        b'x' => {
            let code = digits(text.get(2..4)?, 16)?;
            Some((Unquoted::Byte(u8::try_from(code).ok()?), 4))
        }
        b'u' => Some((Unquoted::Rune(char::from_u32(digits(text.get(2..6)?, 16)?)?), 6)),
        b'U' => Some((Unquoted::Rune(char::from_u32(digits(text.get(2..10)?, 16)?)?), 10)),
        b'0'..=b'7' => {
            let code = digits(text.get(1..4)?, 8)?;
            Some((Unquoted::Byte(u8::try_from(code).ok()?), 4))
        }
        _ => None,
    }
}

fn digits(text: &[u8], radix: u32) -> Option<u32> {
    text.iter().try_fold(0, |code: u32, &digit| {
        code.checked_mul(radix)?.checked_add(char::from(digit).to_digit(radix)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_like_go() {
        assert_eq!(quote("a\"\\\n\u{7f}é\u{a0}😀".as_bytes(), false), r#""a\"\\\n\x7fé\u00a0😀""#);
        assert_eq!(quote("é😀".as_bytes(), true), r#""\u00e9\U0001f600""#);
        assert_eq!(quote(b"\xff", false), r#""\xff""#);
        assert_eq!(quote_rune('\'', false), r"'\''");
    }

    #[test]
    fn unquotes_like_go() {
        assert_eq!(unquote(br#""\x41\101\u00e9\xff""#).unwrap(), b"AA\xc3\xa9\xff");
        assert_eq!(unquote(b"`a\r\nb`").unwrap(), b"a\nb");
        assert!(unquote(br#""\q""#).is_none() && unquote(br#""\'""#).is_none());
        assert!(unquote(br#""\ud800""#).is_none());
    }
}
