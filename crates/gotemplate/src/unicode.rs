//! The character classes of Go's `unicode` package.

use std::sync::OnceLock;

/// Sorted, inclusive ranges of one class.
type Table = OnceLock<Vec<(char, char)>>;

fn has(table: &'static Table, pattern: &str, rune: char) -> bool {
    let ranges = table.get_or_init(|| ranges(pattern));
    ranges
        .binary_search_by(|&(from, to)| {
            if to < rune {
                std::cmp::Ordering::Less
            } else if from > rune {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        })
        .is_ok()
}

fn ranges(pattern: &str) -> Vec<(char, char)> {
    use regex_syntax::hir::{Class, HirKind};
    let hir = regex_syntax::parse(pattern).expect("because the class patterns below are constants");
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().map(|range| (range.start(), range.end())).collect()
        }
        _ => Vec::new(),
    }
}

/// `unicode.IsLetter`: category L.
pub(crate) fn is_letter(rune: char) -> bool {
    static TABLE: Table = OnceLock::new();
    if rune.is_ascii() { rune.is_ascii_alphabetic() } else { has(&TABLE, r"\p{L}", rune) }
}

/// `unicode.IsDigit`: category Nd.
pub(crate) fn is_digit(rune: char) -> bool {
    static TABLE: Table = OnceLock::new();
    if rune.is_ascii() { rune.is_ascii_digit() } else { has(&TABLE, r"\p{Nd}", rune) }
}

/// `unicode.IsNumber`: category N.
pub(crate) fn is_number(rune: char) -> bool {
    static TABLE: Table = OnceLock::new();
    if rune.is_ascii() { rune.is_ascii_digit() } else { has(&TABLE, r"\p{N}", rune) }
}

/// `unicode.IsPunct`: category P.
pub(crate) fn is_punct(rune: char) -> bool {
    static TABLE: Table = OnceLock::new();
    has(&TABLE, r"\p{P}", rune)
}

/// `unicode.IsUpper`: category Lu.
pub(crate) fn is_upper(rune: char) -> bool {
    static TABLE: Table = OnceLock::new();
    if rune.is_ascii() { rune.is_ascii_uppercase() } else { has(&TABLE, r"\p{Lu}", rune) }
}

/// `unicode.IsLower`: category Ll.
pub(crate) fn is_lower(rune: char) -> bool {
    static TABLE: Table = OnceLock::new();
    if rune.is_ascii() { rune.is_ascii_lowercase() } else { has(&TABLE, r"\p{Ll}", rune) }
}

/// `unicode.IsTitle`: category Lt.
pub(crate) fn is_title(rune: char) -> bool {
    static TABLE: Table = OnceLock::new();
    !rune.is_ascii() && has(&TABLE, r"\p{Lt}", rune)
}

/// `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub(crate) fn is_print(rune: char) -> bool {
    static TABLE: Table = OnceLock::new();
    if rune.is_ascii() {
        return matches!(rune, ' '..='~');
    }
    has(&TABLE, r"[\p{L}\p{M}\p{N}\p{P}\p{S}]", rune)
}

/// `unicode.ToUpper`: the one-rune mapping; a rune whose upper case is longer stays as it is.
pub(crate) fn to_upper(rune: char) -> char {
    match rune {
        // Go maps the title-case digraphs and has no one-rune upper case for the others.
        'ᾀ'..='ᾯ' | 'ᾳ' | 'ῃ' | 'ῳ' => greek_title(rune),
        _ => single(rune.to_uppercase(), rune),
    }
}

/// `unicode.ToLower`.
pub(crate) fn to_lower(rune: char) -> char {
    match rune {
        // The only rune whose full lower case is two runes; its simple mapping is `i`.
        'İ' => 'i',
        _ => single(rune.to_lowercase(), rune),
    }
}

/// `unicode.ToTitle`: as upper case, but for the digraphs with a title case of their own.
pub(crate) fn to_title(rune: char) -> char {
    match rune {
        'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
        'ა'..='ჺ' | 'ჽ'..='ჿ' => rune,
        _ => to_upper(rune),
    }
}

/// Iota-subscript letters: full upper case is two letters, the simple one is the prosgegrammeni.
fn greek_title(rune: char) -> char {
    let code = u32::from(rune);
    let mapped = match rune {
        'ᾳ' => 0x1FBC,
        'ῃ' => 0x1FCC,
        'ῳ' => 0x1FFC,
        _ => code | 8,
    };
    char::from_u32(mapped).unwrap_or(rune)
}

fn single(mut mapped: impl ExactSizeIterator<Item = char>, rune: char) -> char {
    if mapped.len() == 1 { mapped.next().unwrap_or(rune) } else { rune }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        assert!(is_letter('é') && is_letter('日') && !is_letter('1') && !is_letter('_'));
        assert!(is_print('é') && !is_print('\u{A0}') && !is_print('\u{200B}') && !is_print('\n'));
        assert_eq!((to_upper('ß'), to_upper('é'), to_title('ǆ')), ('ß', 'É', 'ǅ'));
    }
}
