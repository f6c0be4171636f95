//! Patterns of `${name#pattern}` and its like.

use crate::budget::Budget;
use crate::{Fault, rune};

/// Why a pattern does not match.
pub(crate) enum No {
    /// It is malformed.
    BadPattern,
    /// Matching took too much.
    Fault(Fault),
}

impl From<Fault> for No {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Whether `pattern` matches the whole of `name`: `*` any bytes, also `/`; `?` one character;
/// `[a-z]` and `[^a-z]` one of many; `\` takes what follows as it is. A malformed pattern is
/// noticed only where matching comes to it.
pub(crate) fn matches(
    mut pattern: &[u8],
    mut name: &[u8],
    budget: &mut Budget,
) -> Result<bool, No> {
    while !pattern.is_empty() {
        let (star, chunk, rest) = next_chunk(pattern);
        if star && chunk.is_empty() {
            return Ok(true);
        }
        pattern = rest;
        let last = rest.is_empty();
        let offsets = if star { name.len() } else { 0 };
        let mut found = None;
        for offset in 0..=offsets {
            let tail = match_chunk(chunk, &name[offset..], budget)?;
            // The last chunk must reach the end; an earlier match may be followed by a better one.
            if let Some(tail) = tail.filter(|tail| !last || tail.is_empty()) {
                found = Some(tail);
                break;
            }
        }
        match found {
            Some(tail) => name = tail,
            None => return Ok(false),
        }
    }
    Ok(name.is_empty())
}

/// Whether stars come first, what follows up to the next star, and the rest.
fn next_chunk(pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let stars = pattern.iter().take_while(|&&byte| byte == b'*').count();
    let pattern_after = &pattern[stars..];
    let mut in_class = false;
    let mut end = 0;
    while end < pattern_after.len() {
        match pattern_after[end] {
            b'\\' if end + 1 < pattern_after.len() => end += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'*' if !in_class => break,
            _ => {}
        }
        end += 1;
    }
    (stars > 0, &pattern_after[..end], &pattern_after[end..])
}

/// What is left of `name` after a pattern without stars matched its beginning.
fn match_chunk<'a>(
    mut chunk: &[u8],
    mut name: &'a [u8],
    budget: &mut Budget,
) -> Result<Option<&'a [u8]>, No> {
    while let Some((&head, tail)) = chunk.split_first() {
        budget.step()?;
        let Some(&byte) = name.first() else { return Ok(None) };
        match head {
            b'[' => {
                let (rune, width) = rune::first(name);
                let (matched, after) = match_class(tail, rune, budget)?;
                if !matched {
                    return Ok(None);
                }
                name = &name[width..];
                chunk = after;
            }
            b'?' => {
                name = &name[rune::first(name).1..];
                chunk = tail;
            }
            _ => {
                let (literal, after) = match head {
                    b'\\' => tail.split_first().map(|(&b, t)| (b, t)).ok_or(No::BadPattern)?,
                    literal => (literal, tail),
                };
                if literal != byte {
                    return Ok(None);
                }
                name = &name[1..];
                chunk = after;
            }
        }
    }
    Ok(Some(name))
}

/// Whether the class whose text begins after `[` holds `rune`, and what follows it.
fn match_class<'p>(
    mut class: &'p [u8],
    rune: char,
    budget: &mut Budget,
) -> Result<(bool, &'p [u8]), No> {
    let negated = class.first() == Some(&b'^');
    class = &class[usize::from(negated)..];
    let (mut matched, mut ranges) = (false, 0);
    loop {
        budget.step()?;
        if ranges > 0 && class.first() == Some(&b']') {
            return Ok((matched != negated, &class[1..]));
        }
        let (low, after) = class_rune(class)?;
        let (high, after) =
            if after.first() == Some(&b'-') { class_rune(&after[1..])? } else { (low, after) };
        matched |= (low..=high).contains(&rune);
        class = after;
        ranges += 1;
    }
}

/// The next, perhaps escaped character of a class; something must follow it.
fn class_rune(class: &[u8]) -> Result<(char, &[u8]), No> {
    let class = match class {
        [] | [b'-' | b']', ..] => return Err(No::BadPattern),
        [b'\\', after @ ..] => after,
        class => class,
    };
    if class.is_empty() {
        return Err(No::BadPattern);
    }
    let (rune, width) = rune::first(class);
    let after = &class[width..];
    let broken = rune == char::REPLACEMENT_CHARACTER && width == 1;
    if broken || after.is_empty() { Err(No::BadPattern) } else { Ok((rune, after)) }
}
