//! One version: loose and strict parsing, and precedence.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

use crate::Error;

/// A parsed version that remembers the text it came from.
///
/// There is no `Eq`: versions may be of equal [precedence](Version::precedence) and yet differ in
/// build metadata or spelling.
#[derive(Debug, Clone)]
pub struct Version {
    numbers: [u64; 3],
    prerelease: Range<usize>,
    metadata: Range<usize>,
    original: String,
}

impl Version {
    /// Parses a version as people write them: an optional `v`, one to three numbers, leading zeros
    /// (Masterminds `NewVersion`).
    pub fn parse(text: &str) -> Result<Self, Error> {
        let shape = Shape::of(text).ok_or(Error::InvalidVersion)?;
        let mut numbers = [0; 3];
        for (number, digits) in numbers.iter_mut().zip(shape.segments.into_iter().flatten()) {
            *number = segment(digits).map_err(|error| Error::LooseSegment(Box::new(error)))?;
        }
        validate_prerelease(&text[shape.prerelease.clone()])?;
        Ok(Self {
            numbers,
            prerelease: shape.prerelease,
            metadata: shape.metadata,
            original: text.to_owned(),
        })
    }

    /// Parses a version exactly as semver.org defines it (Masterminds `StrictNewVersion`).
    pub fn parse_strict(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::Empty);
        }
        let mut parts = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(Error::InvalidVersion);
        };
        let (rest, metadata) = split_suffix(rest, '+', text.len());
        validate_metadata(metadata.as_ref().map(|range| &text[range.clone()]))?;
        let end = metadata.as_ref().map_or(text.len(), |range| range.start - 1);
        let (patch, prerelease) = split_suffix(rest, '-', end);
        if let Some(range) = &prerelease {
            non_empty(&text[range.clone()], Error::InvalidPrerelease)?;
            validate_prerelease(&text[range.clone()])?;
        }
        let segments = [major, minor, patch];
        segments.iter().try_for_each(|digits| validate_number(digits))?;
        let mut numbers = [0; 3];
        for (number, digits) in numbers.iter_mut().zip(segments) {
            *number = segment(digits)?;
        }
        Ok(Self {
            numbers,
            prerelease: prerelease.unwrap_or_default(),
            metadata: metadata.unwrap_or_default(),
            original: text.to_owned(),
        })
    }

    /// The first number.
    pub fn major(&self) -> u64 {
        self.numbers[0]
    }

    /// The second number; 0 if it was not written.
    pub fn minor(&self) -> u64 {
        self.numbers[1]
    }

    /// The third number; 0 if it was not written.
    pub fn patch(&self) -> u64 {
        self.numbers[2]
    }

    /// What follows `-`, without it; empty for a release.
    pub fn prerelease(&self) -> &str {
        &self.original[self.prerelease.clone()]
    }

    /// What follows `+`, without it; empty if there is none.
    pub fn metadata(&self) -> &str {
        &self.original[self.metadata.clone()]
    }

    /// The text that was parsed.
    pub fn original(&self) -> &str {
        &self.original
    }

    /// Orders two versions by semver.org §11; build metadata does not count.
    pub fn precedence(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| {
            let (mine, theirs) = (self.prerelease(), other.prerelease());
            match (mine.is_empty(), theirs.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => compare_prerelease(mine, theirs),
            }
        })
    }
}

/// The normal form: three numbers, no `v`, no leading zeros.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        if !self.prerelease().is_empty() {
            write!(f, "-{}", self.prerelease())?;
        }
        if !self.metadata().is_empty() {
            write!(f, "+{}", self.metadata())?;
        }
        Ok(())
    }
}

/// Orders two pre-release texts part by part; a missing part is lower than any.
pub(crate) fn compare_prerelease(mine: &str, theirs: &str) -> Ordering {
    let (mut mine, mut theirs) = (mine.split('.'), theirs.split('.'));
    loop {
        let (a, b) = (mine.next(), theirs.next());
        if a.is_none() && b.is_none() {
            return Ordering::Equal;
        }
        let order = compare_part(a.unwrap_or_default(), b.unwrap_or_default());
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn compare_part(a: &str, b: &str) -> Ordering {
    if a.is_empty() || b.is_empty() {
        return a.len().cmp(&b.len());
    }
    // A number beyond 64 bits is compared as a word, as Masterminds does.
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}

/// The parts of a loosely written version, found without judging the numbers.
struct Shape<'a> {
    segments: [Option<&'a str>; 3],
    prerelease: Range<usize>,
    metadata: Range<usize>,
}

impl<'a> Shape<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let mut at = usize::from(text.starts_with('v'));
        let mut segments = [None; 3];
        for (index, slot) in segments.iter_mut().enumerate() {
            let start = match (index, text.as_bytes().get(at)) {
                (0, _) => at,
                (_, Some(b'.')) => at + 1,
                _ => break,
            };
            let length = run(&text[start..], |byte| byte.is_ascii_digit());
            if length == 0 {
                return None;
            }
            at = start + length;
            *slot = Some(&text[start..at]);
        }
        let prerelease = suffix(text, &mut at, b'-')?;
        let metadata = suffix(text, &mut at, b'+')?;
        (at == text.len()).then_some(Self { segments, prerelease, metadata })
    }
}

/// Reads `<sign>identifiers` at `at`, if it is there; `None` if it is malformed.
fn suffix(text: &str, at: &mut usize, sign: u8) -> Option<Range<usize>> {
    if text.as_bytes().get(*at) != Some(&sign) {
        return Some(0..0);
    }
    let start = *at + 1;
    let length = identifiers(&text[start..]);
    *at = start + length;
    (length > 0).then_some(start..*at)
}

/// The length of the dot-separated identifiers at the start of `text`; 0 if there are none.
pub(crate) fn identifiers(text: &str) -> usize {
    let mut end = run(text, is_identifier);
    while end > 0 && text.as_bytes().get(end) == Some(&b'.') {
        match run(&text[end + 1..], is_identifier) {
            0 => break,
            more => end += 1 + more,
        }
    }
    end
}

/// The number of leading bytes that fulfil `is`, which accepts ASCII only.
pub(crate) fn run(text: &str, is: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|&byte| is(byte)).count()
}

fn is_identifier(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

fn segment(digits: &str) -> Result<u64, Error> {
    non_empty(digits, Error::SegmentEmpty)?;
    digits.parse().map_err(|_| Error::SegmentOutOfRange(digits.to_owned()))
}

fn non_empty(text: &str, error: Error) -> Result<(), Error> {
    if text.is_empty() { Err(error) } else { Ok(()) }
}

/// Splits `part`, which ends at `end` of the whole text, at the first `sign`.
fn split_suffix(part: &str, sign: char, end: usize) -> (&str, Option<Range<usize>>) {
    match part.split_once(sign) {
        Some((before, after)) => (before, Some(end - after.len()..end)),
        None => (part, None),
    }
}

fn validate_number(digits: &str) -> Result<(), Error> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::InvalidCharacters);
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return Err(Error::SegmentStartsZero);
    }
    Ok(())
}

/// Judges a pre-release; an empty text means that there is none.
fn validate_prerelease(text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Ok(());
    }
    text.split('.').try_for_each(|part| {
        non_empty(part, Error::InvalidPrerelease)?;
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            return validate_number(part);
        }
        if part.bytes().all(is_identifier) { Ok(()) } else { Err(Error::InvalidPrerelease) }
    })
}

fn validate_metadata(text: Option<&str>) -> Result<(), Error> {
    let valid = |text: &str| {
        text.split('.').all(|part| !part.is_empty() && part.bytes().all(is_identifier))
    };
    if text.is_none_or(valid) { Ok(()) } else { Err(Error::InvalidMetadata) }
}
