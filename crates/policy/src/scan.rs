//! What a scan of a repository leaves behind: the tags that count, in order, and their revision.

use crate::Error;
use crate::pattern::PatternSet;

/// Patterns of tags that a scan drops.
#[derive(Debug, Clone)]
pub struct Exclusions {
    patterns: PatternSet,
}

/// The result of one scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    tags: Vec<String>,
    revision: String,
}

impl Exclusions {
    /// What is dropped if nothing else is asked for: signatures.
    pub const DEFAULT: &'static str = r"^.*\.sig$";

    /// Compiles the patterns (Go RE2 syntax, unanchored); an empty list means
    /// [`Exclusions::DEFAULT`].
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, Error> {
        let set = match patterns {
            [] => PatternSet::new(&[Self::DEFAULT]),
            some => PatternSet::new(some),
        };
        let patterns = set.map_err(|(pattern, why)| Error::Exclusion { pattern, why })?;
        Ok(Self { patterns })
    }

    /// Whether `tag` is dropped.
    pub fn excludes(&self, tag: &str) -> bool {
        self.patterns.is_match(tag)
    }
}

impl Scan {
    /// Drops what is excluded, sorts the rest by bytes, greatest first, and takes the checksum.
    pub fn new(mut tags: Vec<String>, exclusions: &Exclusions) -> Self {
        tags.retain(|tag| !exclusions.excludes(tag));
        tags.sort_unstable_by(|a, b| b.cmp(a));
        let revision = revision(&tags);
        Self { tags, revision }
    }

    /// All tags, greatest first.
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// The first ten of [`Scan::tags`], as the status shows them.
    pub fn latest(&self) -> &[String] {
        &self.tags[..self.tags.len().min(10)]
    }

    /// The decimal Adler-32 checksum (RFC 1950) of the tags as a compact JSON array, which is what
    /// `status.lastScanResult.revision` holds.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Gives up the tags.
    pub fn into_tags(self) -> Vec<String> {
        self.tags
    }
}

/// The revision of `tags` in the given order; see [`Scan::revision`].
pub fn revision<S: AsRef<str>>(tags: &[S]) -> String {
    let mut checksum = Adler32::default();
    checksum.update(b"[");
    for (index, tag) in tags.iter().enumerate() {
        checksum.update(if index == 0 { b"\"" } else { b",\"" });
        json_characters(tag.as_ref(), &mut checksum);
        checksum.update(b"\"");
    }
    checksum.update(b"]");
    checksum.value().to_string()
}

/// Feeds `text` as Go's `encoding/json` prints the inside of a string, `<`, `>`, `&` escaped.
fn json_characters(text: &str, out: &mut Adler32) {
    for character in text.chars() {
        match character {
            '"' => out.update(b"\\\""),
            '\\' => out.update(b"\\\\"),
            '\n' => out.update(b"\\n"),
            '\r' => out.update(b"\\r"),
            '\t' => out.update(b"\\t"),
            '\u{8}' => out.update(b"\\b"),
            '\u{c}' => out.update(b"\\f"),
            '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.update(format!("\\u{:04x}", u32::from(character)).as_bytes());
            }
            plain => out.update(plain.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// The checksum of RFC 1950 §8.2.
struct Adler32 {
    low: u32,
    high: u32,
}

impl Default for Adler32 {
    fn default() -> Self {
        Self { low: 1, high: 0 }
    }
}

impl Adler32 {
    const MODULUS: u32 = 65_521;

    fn update(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.low = (self.low + u32::from(byte)) % Self::MODULUS;
            self.high = (self.high + self.low) % Self::MODULUS;
        }
    }

    fn value(&self) -> u32 {
        self.high << 16 | self.low
    }
}
