//! Escapes of one character, and printing one character.

use super::{Fault, PatternError};

/// Reads an escape such as `\n`, `\x{1F}` or `\.` at the start of `text` (which starts with `\`).
///
/// Gives the code point, which may be a surrogate, and what follows. The rules are those of Go's
/// `regexp/syntax`: an escaped punctuation mark is itself, an unknown letter is an error.
pub(super) fn read(text: &str) -> Result<(u32, &str), PatternError> {
    let mut reader = Reader { rest: text.get(1..).unwrap_or_default() };
    let Some(first) = reader.next() else {
        return Err(PatternError::new(Fault::TrailingBackslash, ""));
    };
    let code = match first {
        '1'..='7' if !reader.rest.starts_with(is_octal) => None,
        '0'..='7' => Some(reader.octal(first)),
        'x' => reader.hexadecimal(),
        'a' => Some(7),
        'f' => Some(12),
        'n' => Some(10),
        'r' => Some(13),
        't' => Some(9),
        'v' => Some(11),
        other if other.is_ascii() && !other.is_ascii_alphanumeric() => Some(u32::from(other)),
        _ => None,
    };
    let end = text.len() - reader.rest.len();
    let code = code.ok_or_else(|| PatternError::new(Fault::Escape, &text[..end]))?;
    Ok((code, reader.rest))
}

/// Appends the character `code` so that it stands for itself, inside or outside of a class.
///
/// A surrogate matches nothing in a text; the caller keeps those away.
pub(super) fn write(out: &mut String, code: u32) {
    match char::from_u32(code) {
        Some(plain) if plain.is_ascii_alphanumeric() => out.push(plain),
        _ => out.extend(["\\x{", &format!("{code:x}"), "}"]),
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    fn octal(&mut self, first: char) -> u32 {
        let mut code = digit(first, 8).unwrap_or_default();
        for _ in 0..2 {
            let Some(value) = self.rest.chars().next().and_then(|next| digit(next, 8)) else {
                break;
            };
            code = code * 8 + value;
            self.next();
        }
        code
    }

    /// Two digits, or any number of them in braces; reads on until it is clear that they are not.
    fn hexadecimal(&mut self) -> Option<u32> {
        if self.rest.is_empty() {
            return None;
        }
        let first = self.next()?;
        if first != '{' {
            let second = self.next();
            return Some(digit(first, 16)? * 16 + digit(second?, 16)?);
        }
        let (mut code, mut count) = (0, 0);
        loop {
            match self.next()? {
                '}' => return (count > 0).then_some(code),
                next => code = code * 16 + digit(next, 16)?,
            }
            count += 1;
            if code > u32::from(char::MAX) {
                return None;
            }
        }
    }
}

fn is_octal(c: char) -> bool {
    matches!(c, '0'..='7')
}

fn digit(c: char, radix: u32) -> Option<u32> {
    c.to_digit(radix)
}
