//! What is wrong with JSON, in the words of Go's decoder.

use super::body::DEPTH;

/// Why `text` is no JSON; `None` if it is. Deep nesting is not looked into.
pub(crate) fn problem(text: &[u8]) -> Option<String> {
    let mut scanner = Scanner { text, at: 0 };
    match scanner.value(0) {
        Err(why) => Some(why),
        Ok(()) => scanner.space().map(|c| invalid(c, "after top-level value")),
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

type Found = Result<(), String>;

/// `invalid character 'x' …`, with the character quoted as Go does it.
fn invalid(c: u8, place: &str) -> String {
    let shown = match c {
        b'\'' => r"\'".to_owned(),
        b'"' => "\"".to_owned(),
        b'\\' => r"\\".to_owned(),
        b'\n' => r"\n".to_owned(),
        b'\r' => r"\r".to_owned(),
        b'\t' => r"\t".to_owned(),
        0..=0x1f | 0x7f => format!("\\x{c:02x}"),
        0x80..=0x9f => format!("\\u{c:04x}"),
        _ => char::from(c).to_string(),
    };
    format!("invalid character '{shown}' {place}")
}

fn ended() -> String {
    "unexpected end of JSON input".to_owned()
}

impl Scanner<'_> {
    /// The next byte that is not blank, not taken.
    fn space(&mut self) -> Option<u8> {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self) -> Result<u8, String> {
        let c = self.text.get(self.at).copied().ok_or_else(ended)?;
        self.at += 1;
        Ok(c)
    }

    fn value(&mut self, depth: usize) -> Found {
        let c = self.space().ok_or_else(ended)?;
        if depth > DEPTH {
            self.at = self.text.len();
            return Ok(());
        }
        self.at += 1;
        match c {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string(),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            b'-' | b'0'..=b'9' => self.number(c),
            other => Err(invalid(other, "looking for beginning of value")),
        }
    }

    fn object(&mut self, depth: usize) -> Found {
        let mut first = true;
        loop {
            match self.space().ok_or_else(ended)? {
                b'}' if first => {
                    self.at += 1;
                    return Ok(());
                }
                b'"' => self.at += 1,
                other => return Err(invalid(other, "looking for beginning of object key string")),
            }
            first = false;
            self.string()?;
            match self.space().ok_or_else(ended)? {
                b':' => self.at += 1,
                other => return Err(invalid(other, "after object key")),
            }
            self.value(depth + 1)?;
            match self.space() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(other) => return Err(invalid(other, "after object key:value pair")),
                None => return Err(ended()),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Found {
        if self.space() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            match self.space() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(other) => return Err(invalid(other, "after array element")),
                None => return Err(ended()),
            }
        }
    }

    fn string(&mut self) -> Found {
        loop {
            match self.take()? {
                b'"' => return Ok(()),
                b'\\' => match self.take()? {
                    b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => {}
                    b'u' => {
                        for _ in 0..4 {
                            let c = self.take()?;
                            if !c.is_ascii_hexdigit() {
                                return Err(invalid(c, "in \\u hexadecimal character escape"));
                            }
                        }
                    }
                    other => return Err(invalid(other, "in string escape code")),
                },
                c if c < 0x20 => return Err(invalid(c, "in string literal")),
                _ => {}
            }
        }
    }

    fn literal(&mut self, word: &str) -> Found {
        for expected in word.chars().skip(1) {
            let c = self.take()?;
            if char::from(c) != expected {
                return Err(invalid(c, &format!("in literal {word} (expecting '{expected}')")));
            }
        }
        Ok(())
    }

    fn digits(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
    }

    fn digit(&mut self, place: &str) -> Found {
        let c = self.take()?;
        if c.is_ascii_digit() { Ok(()) } else { Err(invalid(c, place)) }
    }

    fn number(&mut self, first: u8) -> Found {
        let mut first = first;
        if first == b'-' {
            self.digit("in numeric literal")?;
            first = self.text[self.at - 1];
        }
        if first != b'0' {
            self.digits();
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digit("after decimal point in numeric literal")?;
            self.digits();
        }
        if matches!(self.text.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.text.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digit("in exponent of numeric literal")?;
            self.digits();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_told_in_the_words_of_go() {
        for (text, want) in [
            ("nonsense", "invalid character 'o' in literal null (expecting 'u')"),
            ("{\"a\":", "unexpected end of JSON input"),
            ("{\"a\":1} x", "invalid character 'x' after top-level value"),
            ("{\"a\":tru}", "invalid character '}' in literal true (expecting 'e')"),
            ("{'a':1}", "invalid character '\\'' looking for beginning of object key string"),
            ("{\"a\":01}", "invalid character '1' after object key:value pair"),
            ("[1 2]", "invalid character '2' after array element"),
            ("{\"a\":\"\\q\"}", "invalid character 'q' in string escape code"),
        ] {
            assert_eq!(problem(text.as_bytes()).unwrap(), want, "{text}");
        }
        for text in ["{}", " [1, -2.5e+3, null, true] ", "\"\\u00e9\""] {
            assert_eq!(problem(text.as_bytes()), None, "{text}");
        }
    }
}
