//! Go's strings: bytes that are usually, but not always, UTF-8.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::Arc;

/// The rune Go reports for a byte that is not part of valid UTF-8.
pub(crate) const RUNE_ERROR: char = '\u{FFFD}';

/// An immutable Go string: any bytes, cheap to clone.
///
/// Templates can cut strings anywhere (`trunc`, `substr`) and decode binary data (`b64dec`), so the
/// bytes need not be UTF-8; they become text again, in Go's way, when a template's output is made.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Str(Arc<[u8]>);

impl Str {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text, with U+FFFD in place of every byte that is not UTF-8.
    pub fn text(&self) -> Cow<'_, str> {
        lossy(&self.0)
    }
}

impl Borrow<[u8]> for Str {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text(), f)
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl From<String> for Str {
    fn from(text: String) -> Self {
        Self(text.into_bytes().into())
    }
}

impl From<Vec<u8>> for Str {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<Arc<[u8]>> for Str {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Str {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

/// Text of `bytes`; every byte that is not UTF-8 becomes U+FFFD (Go replaces byte by byte, where
/// Rust replaces a cut-off sequence as one).
pub(crate) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(runes(bytes).map(|(_, rune)| rune).collect()),
    }
}

/// The first rune of `bytes` and its width; an invalid byte is U+FFFD of width 1, no bytes are
/// U+FFFD of width 0.
pub(crate) fn decode(bytes: &[u8]) -> (char, usize) {
    let Some(&first) = bytes.first() else { return (RUNE_ERROR, 0) };
    if first < 0x80 {
        return (char::from(first), 1);
    }
    let width = match first {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return (RUNE_ERROR, 1),
    };
    let rune = bytes.get(..width).and_then(|b| std::str::from_utf8(b).ok());
    rune.and_then(|text| text.chars().next()).map_or((RUNE_ERROR, 1), |rune| (rune, width))
}

/// The last rune of `bytes` and its width, like [`decode`].
pub(crate) fn decode_last(bytes: &[u8]) -> (char, usize) {
    for width in (1..=bytes.len().min(4)).rev() {
        let (rune, read) = decode(&bytes[bytes.len() - width..]);
        if read == width {
            return (rune, width);
        }
    }
    (RUNE_ERROR, 0)
}

/// The runes of `bytes` with their byte offsets.
pub(crate) fn runes(bytes: &[u8]) -> Runes<'_> {
    Runes { bytes, at: 0 }
}

/// Iterator of [`runes`].
pub(crate) struct Runes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Iterator for Runes<'_> {
    type Item = (usize, char);

    fn next(&mut self) -> Option<Self::Item> {
        let (rune, width) = decode(self.bytes.get(self.at..)?);
        if width == 0 {
            return None;
        }
        let at = self.at;
        self.at += width;
        Some((at, rune))
    }
}

/// How many runes `bytes` has.
pub(crate) fn rune_count(bytes: &[u8]) -> usize {
    runes(bytes).count()
}

/// Appends `rune` as UTF-8.
pub(crate) fn push_rune(out: &mut Vec<u8>, rune: char) {
    let mut buffer = [0; 4];
    out.extend_from_slice(rune.encode_utf8(&mut buffer).as_bytes());
}

/// Whether `needle` occurs in `hay`.
pub(crate) fn contains(hay: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(hay, needle).is_some()
}

/// `hay` without white space at both ends, as `strings.TrimSpace`.
pub(crate) fn trim_space(hay: &[u8]) -> &[u8] {
    trim(hay, is_space)
}

/// `hay` without the leading and trailing runes for which `cut` is true.
pub(crate) fn trim(hay: &[u8], cut: impl Fn(char) -> bool) -> &[u8] {
    let mut rest = hay;
    while !rest.is_empty() {
        let (rune, width) = decode(rest);
        if !cut(rune) {
            break;
        }
        rest = &rest[width..];
    }
    while !rest.is_empty() {
        let (rune, width) = decode_last(rest);
        if !cut(rune) {
            break;
        }
        rest = &rest[..rest.len() - width];
    }
    rest
}

/// Go's `unicode.IsSpace`.
pub(crate) fn is_space(rune: char) -> bool {
    match rune {
        '\t' | '\n' | '\u{B}' | '\u{C}' | '\r' | ' ' | '\u{85}' | '\u{A0}' => true,
        '\0'..='\u{FF}' => false,
        rune => rune.is_whitespace(),
    }
}

/// `text` cut at every `separator`, at most `limit` pieces, as `strings.SplitN`: an empty separator
/// cuts between runes.
pub(crate) fn split<'a>(text: &'a [u8], separator: &[u8], limit: Option<usize>) -> Vec<&'a [u8]> {
    let limit = limit.unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    if limit == 0 {
        return parts;
    }
    let mut rest = text;
    if separator.is_empty() {
        while !rest.is_empty() && parts.len() + 1 < limit {
            let (_, width) = decode(rest);
            parts.push(&rest[..width]);
            rest = &rest[width..];
        }
        if !rest.is_empty() {
            parts.push(rest);
        }
        return parts;
    }
    let finder = memchr::memmem::Finder::new(separator);
    while parts.len() + 1 < limit {
        let Some(at) = finder.find(rest) else { break };
        parts.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
    }
    parts.push(rest);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_bytes_become_one_replacement_each() {
        assert_eq!(lossy(b"a\xe6\x97b"), "a\u{FFFD}\u{FFFD}b");
        assert_eq!(decode_last(b"a\xe6\x97"), (RUNE_ERROR, 1));
        assert_eq!(decode_last("é".as_bytes()), ('é', 2));
    }

    #[test]
    fn split_follows_go() {
        assert_eq!(split(b"", b",", None), [b""]);
        assert!(split(b"", b"", None).is_empty());
        assert_eq!(split("aé".as_bytes(), b"", None), ["a".as_bytes(), "é".as_bytes()]);
        assert_eq!(split(b"a,b,c", b",", Some(2)), [&b"a"[..], b"b,c"]);
    }
}
