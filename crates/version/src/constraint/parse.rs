//! The constraint grammar of Masterminds/semver, which defines it by regular expressions; here it
//! is scanned by hand, as every token ends where no shorter one could be continued.

use super::comparison::{Comparison, Operator, Wildcard};
use crate::parsed::{identifiers, run};
use crate::{Error, Version};

/// Longest first, so that a prefix never hides a longer sign.
const SIGNS: [(&str, Operator); 12] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("=>", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=<", Operator::LessOrEqual),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
    ("", Operator::Equal),
];

/// Replaces every `a - b` by `>= a, <= b `.
pub(super) fn rewrite_hyphen_ranges(text: &str) -> String {
    let mut rewritten = text.to_owned();
    let mut rest = text;
    while !rest.is_empty() {
        let Some((length, low, high)) = hyphen_range(rest) else {
            rest = rest.split_at(rest.chars().next().map_or(0, char::len_utf8)).1;
            continue;
        };
        // Masterminds replaces the first place that holds the matched text, wherever it matched.
        rewritten = rewritten.replacen(&rest[..length], &format!(">= {low}, <= {high} "), 1);
        rest = &rest[length..];
    }
    rewritten
}

/// The comparisons of one AND group.
pub(super) fn comparisons(group: &str) -> Result<Vec<Comparison>, Error> {
    let improper = || Error::ImproperConstraint(group.to_owned());
    let mut tokens = Vec::new();
    let mut rest = skip_space(group);
    loop {
        let (token, after) = Token::read(rest).ok_or_else(improper)?;
        tokens.push(token);
        rest = skip_space(after);
        if rest.is_empty() {
            break;
        }
        rest = match rest.strip_prefix(',') {
            Some(next) => skip_space(next),
            None if rest.len() < after.len() => rest,
            None => return Err(improper()),
        };
    }
    tokens.iter().map(Token::comparison).collect()
}

/// `a - b` with the space around it, at the start of `text`: its length, `a` and `b`.
fn hyphen_range(text: &str) -> Option<(usize, &str, &str)> {
    let (low, rest) = Pattern::read(skip_space(text))?;
    let rest = skip_some_space(rest)?.strip_prefix('-')?;
    let (high, rest) = Pattern::read(skip_some_space(rest)?)?;
    Some((text.len() - skip_space(rest).len(), low.written, high.written))
}

/// An operator and a version pattern, not yet judged.
struct Token<'a> {
    sign: &'static str,
    operator: Operator,
    pattern: Pattern<'a>,
}

impl<'a> Token<'a> {
    fn read(text: &'a str) -> Option<(Self, &'a str)> {
        let (sign, operator) = *SIGNS.iter().find(|(sign, _)| text.starts_with(sign))?;
        let (pattern, rest) = Pattern::read(skip_space(&text[sign.len()..]))?;
        Some((Self { sign, operator, pattern }, rest))
    }

    fn comparison(&self) -> Result<Comparison, Error> {
        let wildcard = self.pattern.wildcard();
        let version = Version::parse(&self.pattern.version(wildcard))
            .map_err(|_| Error::ConstraintVersion)?;
        let (sign, operator) = (self.sign, self.operator);
        Ok(Comparison { sign, operator, version, wildcard, written: self.pattern.written.into() })
    }
}

/// A version in which numbers may be missing or wildcards.
struct Pattern<'a> {
    written: &'a str,
    /// Without dots; empty if missing.
    segments: [&'a str; 3],
    /// With its hyphen; empty if missing.
    prerelease: &'a str,
}

impl<'a> Pattern<'a> {
    fn read(text: &'a str) -> Option<(Self, &'a str)> {
        let mut at = usize::from(text.starts_with('v'));
        let mut segments = [""; 3];
        for (index, segment) in segments.iter_mut().enumerate() {
            let dot = usize::from(index > 0);
            if index > 0 && text.as_bytes().get(at) != Some(&b'.') {
                break;
            }
            let length = run(&text[at + dot..], is_pattern);
            if length == 0 {
                break;
            }
            *segment = &text[at + dot..at + dot + length];
            at += dot + length;
        }
        if segments[0].is_empty() {
            return None;
        }
        let prerelease = suffix(&text[at..], '-');
        at += prerelease.len();
        at += suffix(&text[at..], '+').len();
        let (written, rest) = text.split_at(at);
        Some((Self { written, segments, prerelease }, rest))
    }

    fn wildcard(&self) -> Wildcard {
        match self.segments.map(|segment| matches!(segment, "" | "x" | "X" | "*")) {
            [true, ..] => Wildcard::Major,
            [_, true, _] => Wildcard::Minor,
            [_, _, true] => Wildcard::Patch,
            _ => Wildcard::None,
        }
    }

    /// The version text with 0 from the first wildcard on; build metadata is dropped with it.
    fn version(&self, wildcard: Wildcard) -> String {
        let Self { written, segments: [major, minor, _], prerelease } = self;
        match wildcard {
            Wildcard::None => (*written).to_owned(),
            Wildcard::Patch => format!("{major}.{minor}.0{prerelease}"),
            Wildcard::Minor => format!("{major}.0.0{prerelease}"),
            Wildcard::Major => format!("0.0.0{prerelease}"),
        }
    }
}

/// `<sign>identifiers` at the start of `text`, or nothing.
fn suffix(text: &str, sign: char) -> &str {
    match text.strip_prefix(sign).map_or(0, identifiers) {
        0 => "",
        length => &text[..=length],
    }
}

/// Digits and wildcards, and, by an accident that became the grammar, `|`.
fn is_pattern(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'|' | b'x' | b'X' | b'*')
}

fn skip_space(text: &str) -> &str {
    text.trim_start_matches(['\t', '\n', '\x0c', '\r', ' '])
}

fn skip_some_space(text: &str) -> Option<&str> {
    let rest = skip_space(text);
    (rest.len() < text.len()).then_some(rest)
}
