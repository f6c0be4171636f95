//! Bytes to text.

use std::borrow::Cow;

use crate::Error;

/// The text of a file: UTF-8, or UTF-16 if it starts with a byte order mark that says so.
///
/// # Errors
/// [`Error::Syntax`] with the words of go-yaml's reader and the offset of the byte that is wrong,
/// as for a binary file.
///
/// ```
/// assert_eq!(yaml::text(b"\xff\xfea\0:\0")?, "a:");
/// let error = yaml::text(b"a: \xff").unwrap_err();
/// assert_eq!(error.to_string(), "yaml: invalid leading UTF-8 octet");
/// # Ok::<(), yaml::Error>(())
/// ```
pub fn text(bytes: &[u8]) -> Result<Cow<'_, str>, Error> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf_16(rest, u16::from_le_bytes).map(Cow::Owned),
        [0xfe, 0xff, rest @ ..] => utf_16(rest, u16::from_be_bytes).map(Cow::Owned),
        _ => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| {
            let offset = error.valid_up_to();
            refuse(utf_8_problem(&bytes[offset..]), offset)
        }),
    }
}

fn refuse(problem: &str, offset: usize) -> Error {
    Error::Syntax { line: None, problem: problem.to_owned(), offset }
}

/// Why the character at the start of `bytes` is none.
fn utf_8_problem(bytes: &[u8]) -> &'static str {
    let lead = bytes[0];
    let width = match lead.leading_ones() {
        0 => 1,
        ones @ 2..=4 => ones as usize,
        _ => return "invalid leading UTF-8 octet",
    };
    let Some(trail) = bytes.get(1..width) else { return "incomplete UTF-8 octet sequence" };
    if trail.iter().any(|octet| octet & 0xc0 != 0x80) {
        return "invalid trailing UTF-8 octet";
    }
    let overlong = match lead {
        0xe0 => trail[0] < 0xa0,
        0xf0 => trail[0] < 0x90,
        _ => matches!(lead, 0xc0 | 0xc1),
    };
    if overlong { "invalid length of a UTF-8 sequence" } else { "invalid Unicode character" }
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Error> {
    let mut text = String::with_capacity(bytes.len() / 2);
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut units = pairs.iter().map(|pair| unit(*pair));
    let mut offset = 2;
    while let Some(first) = units.next() {
        let second = if (0xd800..0xdc00).contains(&first) { units.next() } else { None };
        let decoded = char::decode_utf16([first].into_iter().chain(second)).next();
        match decoded {
            Some(Ok(c)) => {
                text.push(c);
                offset += 2 * c.len_utf16();
            }
            _ if first & 0xfc00 == 0xdc00 => {
                return Err(refuse("unexpected low surrogate area", offset));
            }
            _ if second.is_none() => {
                return Err(refuse("incomplete UTF-16 surrogate pair", offset));
            }
            _ => return Err(refuse("expected low surrogate area", offset + 2)),
        }
    }
    if odd.is_empty() { Ok(text) } else { Err(refuse("incomplete UTF-16 character", offset)) }
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn problems() {
        for (bytes, want) in [
            (&b"a\x80"[..], "invalid leading UTF-8 octet"),
            (b"\xf8\x80", "invalid leading UTF-8 octet"),
            (b"\xe2\x80", "incomplete UTF-8 octet sequence"),
            (b"\xe2\x80a", "invalid trailing UTF-8 octet"),
            (b"\xc0\x80", "invalid length of a UTF-8 sequence"),
            (b"\xe0\x80\x80", "invalid length of a UTF-8 sequence"),
            (b"\xed\xa0\x80", "invalid Unicode character"),
            (b"\xf4\x90\x80\x80", "invalid Unicode character"),
            (b"\xff\xfea", "incomplete UTF-16 character"),
            (b"\xff\xfe\x00\xdc", "unexpected low surrogate area"),
            (b"\xff\xfe\x00\xd8", "incomplete UTF-16 surrogate pair"),
            (b"\xff\xfe\x00\xd8a\0", "expected low surrogate area"),
        ] {
            let error = text(bytes).expect_err("not a text").to_string();
            assert_eq!(error, format!("yaml: {want}"));
        }
        assert_eq!(text(b"\xfe\xff\xd8\x3d\xde\x00").expect("a text"), "😀");
        assert_eq!(text("\u{feff}é".as_bytes()).expect("a text"), "\u{feff}é");
    }
}
