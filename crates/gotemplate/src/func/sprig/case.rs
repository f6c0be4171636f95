//! `camelcase`, `snakecase`, `kebabcase`, as xstrings 1.5.0 cuts words.

use super::Table;
use crate::text::{RUNE_ERROR, decode, is_space, push_rune};
use crate::unicode::{is_letter, is_number, is_punct, is_upper, to_lower, to_upper};
use crate::value::Value;

pub(super) fn add(table: &mut Table) {
    table.add(&["camelcase"], "string -> string", |call| {
        Ok(Value::string(pascal(call.str(0).bytes())))
    });
    table.add(&["snakecase"], "string -> string", |call| {
        Ok(Value::string(lower_words(call.str(0).bytes(), b'_')))
    });
    table.add(&["kebabcase"], "string -> string", |call| {
        Ok(Value::string(lower_words(call.str(0).bytes(), b'-')))
    });
}

fn is_connector(rune: char) -> bool {
    rune == '-' || rune == '_' || is_space(rune)
}

fn pascal(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut last = RUNE_ERROR;
    // Whether the word began with an upper case letter, and had nothing else so far: its further
    // upper case letters become lower case.
    let mut upper_word = false;
    let take = |rest: &mut &[u8]| {
        let (rune, width) = decode(rest);
        *rest = &rest[width..];
        rune
    };
    if rest.is_empty() {
        return out;
    }
    while !rest.is_empty() {
        last = take(&mut rest);
        if !is_connector(last) {
            upper_word = is_upper(last);
            last = to_upper(last);
            break;
        }
        push_rune(&mut out, last);
    }
    if rest.is_empty() {
        push_rune(&mut out, last);
        return out;
    }
    while !rest.is_empty() {
        let before = last;
        last = take(&mut rest);
        if is_connector(last) && is_connector(before) {
            push_rune(&mut out, before);
            continue;
        }
        if is_connector(before) {
            upper_word = is_upper(last);
            last = to_upper(last);
            continue;
        }
        if upper_word {
            if is_upper(last) {
                last = to_lower(last);
            } else {
                upper_word = false;
            }
        }
        push_rune(&mut out, before);
    }
    push_rune(&mut out, last);
    out
}

/// The kind of a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Invalid,
    Number,
    Upper,
    Alphabet,
    Connector,
    Punct,
    Other,
}

impl Word {
    fn is_text(self) -> bool {
        matches!(self, Self::Alphabet | Self::Number)
    }

    fn separates(self) -> bool {
        matches!(self, Self::Connector | Self::Punct)
    }
}

/// A letter that is not Chinese, Japanese or Korean.
fn is_alphabet(rune: char) -> bool {
    is_letter(rune)
        && !matches!(rune, '\u{4E00}'..='\u{9FCC}' | '\u{3400}'..='\u{4D85}' | '\u{20000}'..='\u{2B81D}')
}

/// The words of a text, one after the other.
struct Words<'a> {
    kind: Word,
    word: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    fn new(text: &'a [u8]) -> Self {
        let mut words = Self { kind: Word::Invalid, word: &[], rest: text };
        words.advance();
        words
    }

    fn advance(&mut self) {
        let (kind, length) = next_word(self.rest);
        self.kind = kind;
        (self.word, self.rest) = self.rest.split_at(length);
    }
}

/// The first valid rune of `text` and the bytes up to its end; without one, `before` and all bytes.
fn valid_rune(text: &[u8], before: char) -> (char, usize) {
    let mut size = 0;
    while size < text.len() {
        let (rune, width) = decode(&text[size..]);
        size += width;
        if rune != RUNE_ERROR {
            return (rune, size);
        }
    }
    (before, size)
}

/// The length of `text` up to the first rune for which `belongs` is false, and that rune.
fn run(text: &[u8], from: usize, first: char, belongs: impl Fn(char) -> bool) -> (usize, char) {
    let (mut at, mut last) = (from, first);
    while at < text.len() {
        let (rune, size) = valid_rune(&text[at..], last);
        last = rune;
        if !belongs(rune) {
            break;
        }
        at += size;
    }
    (at, last)
}

fn next_word(text: &[u8]) -> (Word, usize) {
    let (first, size) = valid_rune(text, RUNE_ERROR);
    if first == RUNE_ERROR {
        return (Word::Invalid, size);
    }
    if is_connector(first) {
        return (Word::Connector, run(text, size, first, is_connector).0);
    }
    if is_punct(first) {
        return (Word::Punct, run(text, size, first, is_punct).0);
    }
    if is_upper(first) {
        return (Word::Upper, upper_word(text, size));
    }
    if is_alphabet(first) {
        return (Word::Alphabet, run(text, size, first, is_small).0);
    }
    if is_number(first) {
        return (Word::Number, run(text, size, first, is_number).0);
    }
    let other =
        |rune| !(is_connector(rune) || is_alphabet(rune) || is_number(rune) || is_punct(rune));
    (Word::Other, run(text, size, first, other).0)
}

fn is_small(rune: char) -> bool {
    is_alphabet(rune) && !is_upper(rune)
}

/// Length of a word that begins with an upper case letter of `size` bytes: `Word`, or `WORD` up to
/// the last letter before a small one.
fn upper_word(text: &[u8], size: usize) -> usize {
    if size == text.len() {
        return size;
    }
    let (second, width) = valid_rune(&text[size..], RUNE_ERROR);
    if is_upper(second) {
        let (mut at, mut last, mut last_width) = (size + width, second, width);
        while at < text.len() {
            let (rune, width) = valid_rune(&text[at..], last);
            last = rune;
            if !is_upper(rune) {
                break;
            }
            last_width = width;
            at += width;
        }
        return if at < text.len() && is_alphabet(last) { at - last_width } else { at };
    }
    if is_alphabet(second) {
        return run(text, size + width, second, is_small).0;
    }
    size
}

fn lower_words(text: &[u8], connector: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    if text.is_empty() {
        return out;
    }
    let mut words = Words::new(text);
    while !words.rest.is_empty() {
        let (kind, word) = (words.kind, words.word);
        if kind != Word::Connector {
            push_lower(&mut out, kind, word, connector);
        }
        words.advance();
        match kind {
            Word::Number => {
                push_texts(&mut out, &mut words, connector);
                if words.kind != Word::Invalid && !words.kind.separates() {
                    out.push(connector);
                }
            }
            Word::Connector => push_lower(&mut out, kind, word, connector),
            Word::Punct => {}
            _ if words.kind != Word::Number => {
                if !words.kind.separates() {
                    out.push(connector);
                }
            }
            _ if words.rest.is_empty() => {}
            _ => number_after_word(&mut out, &mut words, connector),
        }
    }
    push_lower(&mut out, words.kind, words.word, connector);
    out
}

/// A number right after a word belongs to the word, unless small letters follow it.
fn number_after_word(out: &mut Vec<u8>, words: &mut Words<'_>, connector: u8) {
    let number = words.word;
    words.advance();
    if words.kind != Word::Alphabet {
        push_lower(out, Word::Number, number, connector);
        if !words.kind.separates() {
            out.push(connector);
        }
        return;
    }
    out.push(connector);
    push_lower(out, Word::Number, number, connector);
    push_texts(out, words, connector);
    if words.kind != Word::Invalid && !words.kind.separates() {
        out.push(connector);
    }
}

fn push_texts(out: &mut Vec<u8>, words: &mut Words<'_>, connector: u8) {
    while words.kind.is_text() {
        push_lower(out, words.kind, words.word, connector);
        words.advance();
    }
}

fn push_lower(out: &mut Vec<u8>, kind: Word, word: &[u8], connector: u8) {
    if kind != Word::Upper && kind != Word::Connector {
        out.extend_from_slice(word);
        return;
    }
    let mut rest = word;
    while !rest.is_empty() {
        let (rune, width) = decode(rest);
        rest = &rest[width..];
        if is_connector(rune) {
            out.push(connector);
        } else {
            push_rune(out, if is_upper(rune) { to_lower(rune) } else { rune });
        }
    }
}
