//! What can be done with a value before it takes the place of its `${…}`.

use memchr::memmem;

use crate::Fault;
use crate::budget::Budget;
use crate::glob::{self, No};
use crate::rune;

/// A function, by what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    /// `${v}`
    Value,
    /// `${#v}`: bytes, not characters.
    Length,
    /// `${v,}`
    LowerFirst,
    /// `${v,,}`
    Lower,
    /// `${v^}`
    UpperFirst,
    /// `${v^^}`
    Upper,
    /// `${v:=d}`, `${v:-d}`, `${v:?d}`, `${v:+d}`, `${v=d}`: all the same.
    Default,
    /// `${v:offset}`, `${v:offset:length}`: in bytes.
    Substring,
    /// `${v/p/r}`
    ReplaceFirst,
    /// `${v//p/r}`
    ReplaceAll,
    /// `${v/#p/r}`
    ReplacePrefix,
    /// `${v/%p/r}`
    ReplaceSuffix,
    /// `${v#p}`
    TrimShortestPrefix,
    /// `${v##p}`
    TrimLongestPrefix,
    /// `${v%p}`
    TrimShortestSuffix,
    /// `${v%%p}`
    TrimLongestSuffix,
}

impl Function {
    /// Applies it to the value of the variable `name`.
    pub(crate) fn apply(
        self,
        (name, value): (&str, &[u8]),
        arguments: &[Vec<u8>],
        budget: &mut Budget,
    ) -> Result<Vec<u8>, Fault> {
        let argument = |index: usize| arguments.get(index).map_or(&[][..], Vec::as_slice);
        let made = match self {
            Self::Length => value.len().to_string().into_bytes(),
            Self::LowerFirst => first_mapped(value, rune::lower),
            Self::Lower => mapped(value, rune::lower),
            Self::UpperFirst => first_mapped(value, rune::upper),
            Self::Upper => mapped(value, rune::upper),
            Self::Default if value.is_empty() => arguments.concat(),
            Self::Value | Self::Default => value.to_vec(),
            Self::Substring => substring(name, value, arguments)?.to_vec(),
            Self::ReplaceFirst => replaced(value, (argument(0), argument(1)), 1, budget)?,
            Self::ReplaceAll => replaced(value, (argument(0), argument(1)), usize::MAX, budget)?,
            Self::ReplacePrefix => replaced_prefix(value, arguments),
            Self::ReplaceSuffix => replaced_suffix(value, arguments),
            Self::TrimShortestPrefix => trim(value, argument(0), true, budget)?.to_vec(),
            Self::TrimLongestPrefix => trim(value, argument(0), false, budget)?.to_vec(),
            Self::TrimShortestSuffix => trim_suffix(value, argument(0), true, budget)?,
            Self::TrimLongestSuffix => trim_suffix(value, argument(0), false, budget)?,
        };
        budget.bytes(made.len())?;
        Ok(made)
    }
}

fn mapped(value: &[u8], map: fn(char) -> char) -> Vec<u8> {
    rune::runes(value).map(map).collect::<String>().into_bytes()
}

fn first_mapped(value: &[u8], map: fn(char) -> char) -> Vec<u8> {
    if value.is_empty() {
        return Vec::new();
    }
    let (first, width) = rune::first(value);
    let mut made = map(first).to_string().into_bytes();
    made.extend_from_slice(&value[width..]);
    made
}

/// Numbers that are none leave the value whole; what lies beyond the end is empty.
fn substring<'v>(name: &str, value: &'v [u8], arguments: &[Vec<u8>]) -> Result<&'v [u8], Fault> {
    let number = |index: usize| arguments.get(index).map(|argument| whole(argument));
    let Some(Some(offset)) = number(0) else { return Ok(value) };
    let size = i64::try_from(value.len()).unwrap_or(i64::MAX);
    let offset = if offset < 0 { (size + offset).max(0) } else { offset };
    let rest = usize::try_from(offset).ok().and_then(|from| value.get(from..)).unwrap_or_default();
    match number(1) {
        None => Ok(rest),
        Some(None) => Ok(value),
        Some(Some(length)) => match offset.checked_add(length) {
            Some(end) if end >= size => Ok(rest),
            // Upstream panics where the end lies before the offset, or beyond all numbers.
            Some(_) if length >= 0 => Ok(&rest[..usize::try_from(length).unwrap_or(rest.len())]),
            _ => Err(Fault::NegativeLength(name.to_owned())),
        },
    }
}

/// A whole number as Go's `strconv.Atoi` reads it.
fn whole(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `value` with the first `limit` occurrences of a text replaced. An empty text is found before
/// each character and at the end.
fn replaced(
    value: &[u8],
    (needle, replacement): (&[u8], &[u8]),
    limit: usize,
    budget: &mut Budget,
) -> Result<Vec<u8>, Fault> {
    let mut made = Vec::new();
    let mut from = 0;
    for at in occurrences(value, needle).take(limit) {
        budget.bytes(replacement.len())?;
        made.extend_from_slice(&value[from..at]);
        made.extend_from_slice(replacement);
        from = at + needle.len();
    }
    made.extend_from_slice(&value[from..]);
    Ok(made)
}

fn occurrences<'a>(value: &'a [u8], needle: &'a [u8]) -> Box<dyn Iterator<Item = usize> + 'a> {
    if !needle.is_empty() {
        return Box::new(memmem::find_iter(value, needle));
    }
    let mut next = Some(0);
    Box::new(std::iter::from_fn(move || {
        let at = next?;
        next = (at < value.len()).then(|| at + rune::first(&value[at..]).1);
        Some(at)
    }))
}

fn replaced_prefix(value: &[u8], arguments: &[Vec<u8>]) -> Vec<u8> {
    match arguments {
        [prefix, replacement] => match value.strip_prefix(prefix.as_slice()) {
            Some(rest) => [replacement, rest].concat(),
            None => value.to_vec(),
        },
        _ => value.to_vec(),
    }
}

fn replaced_suffix(value: &[u8], arguments: &[Vec<u8>]) -> Vec<u8> {
    match arguments {
        [suffix, replacement] => match value.strip_suffix(suffix.as_slice()) {
            Some(rest) => [rest, replacement].concat(),
            None => value.to_vec(),
        },
        _ => value.to_vec(),
    }
}

/// `value` without the shortest or longest beginning that matches. A match must hold at least one
/// character; with a malformed pattern nothing is taken away.
fn trim<'v>(
    value: &'v [u8],
    pattern: &[u8],
    shortest: bool,
    budget: &mut Budget,
) -> Result<&'v [u8], Fault> {
    let mut rest = value;
    // From long to short, as upstream: the lengths tried decide whether a malformed part is seen.
    for length in (1..=value.len()).rev() {
        match glob::matches(pattern, &value[..length], budget) {
            Ok(false) => {}
            Ok(true) => {
                rest = &value[length..];
                if !shortest {
                    break;
                }
            }
            Err(No::BadPattern) => return Ok(value),
            Err(No::Fault(fault)) => return Err(fault),
        }
    }
    Ok(rest)
}

/// As [`trim`] at the other end: value and pattern are turned round, brackets and all, as upstream.
fn trim_suffix(
    value: &[u8],
    pattern: &[u8],
    shortest: bool,
    budget: &mut Budget,
) -> Result<Vec<u8>, Fault> {
    let turned = rune::reversed(value);
    let rest = trim(&turned, &rune::reversed(pattern), shortest, budget)?;
    Ok(rune::reversed(rest))
}
