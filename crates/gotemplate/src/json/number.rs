//! Numbers in JSON.

use super::decode::Decoder;
use crate::error::Fault;

/// Reads a number and returns its text.
pub(super) fn scan_number(decoder: &mut Decoder<'_>) -> Result<String, Fault> {
    let start = decoder.at;
    if decoder.peek() == Some(b'-') {
        decoder.at += 1;
    }
    match decoder.peek() {
        Some(b'0') => decoder.at += 1,
        Some(b'1'..=b'9') => digits(decoder),
        _ => return Err(decoder.unexpected("in numeric literal")),
    }
    if decoder.peek() == Some(b'.') {
        decoder.at += 1;
        if !matches!(decoder.peek(), Some(b'0'..=b'9')) {
            return Err(decoder.unexpected("after decimal point in numeric literal"));
        }
        digits(decoder);
    }
    if let Some(b'e' | b'E') = decoder.peek() {
        decoder.at += 1;
        if let Some(b'+' | b'-') = decoder.peek() {
            decoder.at += 1;
        }
        if !matches!(decoder.peek(), Some(b'0'..=b'9')) {
            return Err(decoder.unexpected("in exponent of numeric literal"));
        }
        digits(decoder);
    }
    Ok(String::from_utf8_lossy(&decoder.text[start..decoder.at]).into_owned())
}

fn digits(decoder: &mut Decoder<'_>) {
    while matches!(decoder.peek(), Some(b'0'..=b'9')) {
        decoder.at += 1;
    }
}
