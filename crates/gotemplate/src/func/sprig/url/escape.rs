//! Percent encoding.

use crate::strconv::quote;

/// The part of a URL that is encoded: each has special characters of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Path,
    User,
    Host,
    Zone,
    Fragment,
}

/// Whether a byte must be encoded in a part.
fn is_special(byte: u8, part: Part) -> bool {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        return false;
    }
    match part {
        Part::Host | Part::Zone => !b"!$&'()*+,;=:[]<>\"".contains(&byte),
        Part::Path => !b"$&+,/:;=@".contains(&byte),
        Part::User => !b"$&+,;=".contains(&byte),
        Part::Fragment => !b"$&+,/:;=?@!()*".contains(&byte),
    }
}

pub(super) fn escape(text: &[u8], part: Part) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        if is_special(byte, part) {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            out.push(byte);
        }
    }
    out
}

/// Whether a path is encoded in some valid way.
pub(super) fn valid_encoded(path: &[u8]) -> bool {
    path.iter().all(|byte| b"!$&'()*+,;=:@[]%".contains(byte) || !is_special(*byte, Part::Path))
}

pub(super) fn unescape(text: &[u8], part: Part) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        if byte == b'%' {
            let escape = &text[at..(at + 3).min(text.len())];
            let Some(value) = hex(escape) else { return Err(invalid(escape)) };
            let percent = escape == b"%25";
            if part == Part::Host && value < 0x80 && !percent {
                return Err(invalid(escape));
            }
            let in_zone = part == Part::Zone && !percent;
            if in_zone && value != b' ' && is_special(value, Part::Host) {
                return Err(invalid(escape));
            }
            out.push(value);
            at += 3;
            continue;
        }
        if matches!(part, Part::Host | Part::Zone) && byte < 0x80 && is_special(byte, part) {
            let quoted = quote(&[byte], false);
            return Err(format!("invalid character {quoted} in host name"));
        }
        out.push(byte);
        at += 1;
    }
    Ok(out)
}

fn hex(escape: &[u8]) -> Option<u8> {
    let [_, high, low] = escape else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
}

fn invalid(escape: &[u8]) -> String {
    format!("invalid URL escape {}", quote(escape, false))
}
