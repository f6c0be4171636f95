//! Base 32 and base 64, with Go's rules for padding, line breaks and errors.

/// An encoding of groups of bytes in groups of characters.
pub(crate) struct Codec {
    name: &'static str,
    alphabet: &'static [u8],
    /// Bits per character.
    bits: u32,
    /// Characters per group.
    group: usize,
}

/// Standard base 64.
pub(crate) const BASE64: Codec = Codec {
    name: "base64",
    alphabet: b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    bits: 6,
    group: 4,
};

/// Standard base 32.
pub(crate) const BASE32: Codec =
    Codec { name: "base32", alphabet: b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", bits: 5, group: 8 };

impl Codec {
    /// Encodes with padding.
    pub(crate) fn encode(&self, bytes: &[u8]) -> Vec<u8> {
        let size = self.group * self.bits as usize / 8;
        let mut out = Vec::with_capacity(bytes.len().div_ceil(size) * self.group);
        for chunk in bytes.chunks(size) {
            let mut word = chunk.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
            word <<= 8 * (size - chunk.len());
            let used = (chunk.len() * 8).div_ceil(self.bits as usize);
            for place in 0..self.group {
                let shift = self.bits as usize * (self.group - 1 - place);
                let digit = usize::try_from(word >> shift).unwrap_or_default();
                let digit = digit & (self.alphabet.len() - 1);
                out.push(if place < used { self.alphabet[digit] } else { b'=' });
            }
        }
        out
    }

    /// Decodes; line breaks are skipped, padding is required. The error is Go's, with the place of
    /// the first wrong byte.
    pub(crate) fn decode(&self, text: &[u8]) -> Result<Vec<u8>, String> {
        let decoded = if self.group == 4 { self.base64(text) } else { self.base32(text) };
        decoded.map_err(|at| format!("illegal {} data at input byte {at}", self.name))
    }

    fn digit(&self, byte: u8) -> Option<u64> {
        self.alphabet.iter().position(|known| *known == byte).map(|digit| digit as u64)
    }

    /// Appends the bytes of a group with `digits` characters in `word`.
    fn push(&self, out: &mut Vec<u8>, word: u64, digits: usize) {
        let bits = digits * self.bits as usize;
        out.extend_from_slice(&(word << (64 - bits)).to_be_bytes()[..bits / 8]);
    }

    /// Go counts line breaks in the place of an error here.
    fn base64(&self, text: &[u8]) -> Result<Vec<u8>, usize> {
        let mut out = Vec::with_capacity(text.len() / 4 * 3);
        let (mut word, mut digits) = (0, 0);
        let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let skip = |from: usize| {
            let rest = text.get(from..).unwrap_or_default();
            from + rest.iter().take_while(|byte| is_break(byte)).count()
        };
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            if is_break(byte) {
                at += 1;
                continue;
            }
            if *byte == b'=' {
                if digits < 2 {
                    return Err(at);
                }
                let mut next = skip(at + 1);
                if digits == 2 {
                    match text.get(next) {
                        None => return Err(text.len()),
                        Some(b'=') => next = skip(next + 1),
                        Some(_) => return Err(next - 1),
                    }
                }
                if next < text.len() {
                    return Err(next);
                }
                self.push(&mut out, word, digits);
                return Ok(out);
            }
            word = word << self.bits | self.digit(*byte).ok_or(at)?;
            digits += 1;
            at += 1;
            if digits == self.group {
                self.push(&mut out, word, digits);
                (word, digits) = (0, 0);
            }
        }
        if digits > 0 { Err(text.len() - digits) } else { Ok(out) }
    }

    /// Go removes line breaks first, so that they do not count in the place of an error.
    fn base32(&self, text: &[u8]) -> Result<Vec<u8>, usize> {
        let text: Vec<u8> =
            text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        let mut out = Vec::with_capacity(text.len() / 8 * 5);
        let (mut word, mut digits) = (0, 0);
        for (at, byte) in text.iter().enumerate() {
            let left = text.len() - at - 1;
            if *byte == b'=' && digits >= 2 && left < 8 {
                if left + digits < 7 {
                    return Err(text.len());
                }
                for place in 0..(7 - digits).min(left) {
                    if text[at + 1 + place] != b'=' {
                        return Err(at + place);
                    }
                }
                if matches!(digits, 3 | 6) {
                    return Err(at);
                }
                self.push(&mut out, word, digits);
                return Ok(out);
            }
            word = word << self.bits | self.digit(*byte).ok_or(at)?;
            digits += 1;
            if digits == self.group {
                self.push(&mut out, word, digits);
                (word, digits) = (0, 0);
            }
        }
        if digits > 0 { Err(text.len() - digits) } else { Ok(out) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for text in [&b""[..], b"f", b"fo", b"foo", b"foob", b"fooba", b"foobar"] {
            for codec in [BASE64, BASE32] {
                assert_eq!(codec.decode(&codec.encode(text)).unwrap(), text);
            }
        }
        assert_eq!(BASE64.encode(b"fooba"), b"Zm9vYmE=");
        assert_eq!(BASE32.encode(b"foob"), b"MZXW6YQ=");
    }

    #[test]
    fn errors_are_go_s() {
        let error = |text: &[u8]| BASE64.decode(text).unwrap_err();
        assert_eq!(error(b"!!"), "illegal base64 data at input byte 0");
        assert_eq!(error(b"aGVsbG8"), "illegal base64 data at input byte 4");
        assert_eq!(BASE64.decode(b"aGVs\nbG8=").unwrap(), b"hello");
    }
}
