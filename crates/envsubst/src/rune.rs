//! Characters as Go's `unicode` and `utf8` packages see them, in texts that may be broken UTF-8.

use std::sync::OnceLock;

use regex_syntax::hir::{Class, HirKind};

/// Whether a name may hold `rune`: letters, decimal digits and `_`.
pub(crate) fn is_name(rune: char) -> bool {
    static TABLE: OnceLock<Vec<(char, char)>> = OnceLock::new();
    if rune.is_ascii() {
        return rune.is_ascii_alphanumeric() || rune == '_';
    }
    let table = TABLE.get_or_init(|| ranges(r"[\p{L}\p{Nd}]"));
    let next = table.partition_point(|&(_, to)| to < rune);
    table.get(next).is_some_and(|&(from, _)| from <= rune)
}

fn ranges(pattern: &str) -> Vec<(char, char)> {
    let hir = regex_syntax::parse(pattern).expect("because the pattern is a constant");
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().map(|range| (range.start(), range.end())).collect()
        }
        _ => Vec::new(),
    }
}

/// The first character of a text that is not empty, and its bytes; U+FFFD for a broken one.
pub(crate) fn first(text: &[u8]) -> (char, usize) {
    let head = &text[..text.len().min(4)];
    let valid = match std::str::from_utf8(head) {
        Ok(valid) => valid,
        Err(error) => std::str::from_utf8(&head[..error.valid_up_to()])
            .expect("because it is valid up to there"),
    };
    valid.chars().next().map_or((char::REPLACEMENT_CHARACTER, 1), |rune| (rune, rune.len_utf8()))
}

/// The characters of `text` from first to last.
pub(crate) fn runes(text: &[u8]) -> impl Iterator<Item = char> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (rune, width) = first(rest);
        rest = &rest[width..];
        Some(rune)
    })
}

/// The characters of `text` from last to first.
pub(crate) fn reversed(text: &[u8]) -> Vec<u8> {
    let mut runes: Vec<char> = runes(text).collect();
    runes.reverse();
    runes.into_iter().collect::<String>().into_bytes()
}

/// One character in upper case: one character again, unlike in the full rules of Unicode.
pub(crate) fn upper(rune: char) -> char {
    match u32::from(rune) {
        // Greek with iota below: their full mapping is two characters, the simple one is a title.
        code @ (0x1F80..=0x1FAF) if code & 8 == 0 => char::from_u32(code + 8).unwrap_or(rune),
        0x1FB3 => '\u{1FBC}',
        0x1FC3 => '\u{1FCC}',
        0x1FF3 => '\u{1FFC}',
        _ => single(rune.to_uppercase(), rune),
    }
}

/// One character in lower case.
pub(crate) fn lower(rune: char) -> char {
    if rune == '\u{130}' { 'i' } else { single(rune.to_lowercase(), rune) }
}

fn single(mut mapped: impl Iterator<Item = char>, rune: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(only), None) => only,
        _ => rune,
    }
}
