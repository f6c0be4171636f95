//! JSON to values.

use super::number::scan_number;
use crate::error::Fault;
use crate::limit::Budget;
use crate::strconv::{parse_float, quote};
use crate::text::{RUNE_ERROR, decode as decode_rune, push_rune};
use crate::value::{Map, Value};

/// Nesting at which Go gives up.
const MAX_DEPTH: usize = 10_000;

/// Decodes one JSON text; numbers become floats.
pub(crate) fn decode(text: &[u8], budget: &Budget) -> Result<Value, Fault> {
    let mut decoder = Decoder { text, at: 0, depth: 0, bad_number: None, budget };
    let value = decoder.value("looking for beginning of value")?;
    decoder.space();
    if decoder.at < text.len() {
        return Err(decoder.unexpected("after top-level value"));
    }
    match decoder.bad_number {
        None => Ok(value),
        Some(number) => {
            Err(format!("json: cannot unmarshal number {number} into Go value of type float64")
                .into())
        }
    }
}

/// A position in a JSON text.
pub(super) struct Decoder<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    depth: usize,
    /// The first number that is no float; Go reports it after the whole text was checked.
    bad_number: Option<String>,
    budget: &'a Budget,
}

impl Decoder<'_> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Go's error for the character here, or for the end.
    pub(super) fn unexpected(&self, context: &str) -> Fault {
        // At the end Go reads one more space, which is wrong only inside a word or a number.
        let token = ["in literal", "numeric literal", "in string escape", "in \\u"];
        let Some(byte) = self
            .peek()
            .or_else(|| token.iter().any(|token| context.contains(token)).then_some(b' '))
        else {
            return "unexpected end of JSON input".into();
        };
        let shown = match byte {
            b'\'' => r"'\''".to_owned(),
            b'"' => r#"'"'"#.to_owned(),
            byte => {
                let quoted = quote(char::from(byte).to_string().as_bytes(), false);
                format!("'{}'", &quoted[1..quoted.len() - 1])
            }
        };
        format!("invalid character {shown} {context}").into()
    }

    fn value(&mut self, context: &str) -> Result<Value, Fault> {
        self.budget.step()?;
        self.space();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => {
                self.at += 1;
                Ok(Value::string(self.string()?))
            }
            Some(b't') => self.literal("true", true.into()),
            Some(b'f') => self.literal("false", false.into()),
            Some(b'n') => self.literal("null", Value::Nil),
            Some(b'-' | b'0'..=b'9') => {
                let number = scan_number(self)?;
                let float = parse_float(&number);
                if float.is_none() && self.bad_number.is_none() {
                    self.bad_number = Some(number);
                }
                Ok(Value::Float(float.unwrap_or(0.0)))
            }
            _ => Err(self.unexpected(context)),
        }
    }

    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Value, Fault>,
    ) -> Result<Value, Fault> {
        self.at += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("exceeded max depth".into());
        }
        let value = self.budget.nested(|| read(self));
        self.depth -= 1;
        value
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, Fault> {
        for (place, expected) in word.bytes().enumerate() {
            if self.peek() != Some(expected) {
                debug_assert!(place > 0);
                let expected = char::from(expected);
                return Err(self.unexpected(&format!("in literal {word} (expecting '{expected}')")));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn array(&mut self) -> Result<Value, Fault> {
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::list(items));
        }
        loop {
            self.budget.values(1)?;
            items.push(self.value("looking for beginning of value")?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::list(items));
                }
                _ => return Err(self.unexpected("after array element")),
            }
        }
    }

    fn object(&mut self) -> Result<Value, Fault> {
        let map = Map::dict([]);
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Map(map));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("looking for beginning of object key string"));
            }
            self.at += 1;
            let key = self.string()?;
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("after object key"));
            }
            self.at += 1;
            self.budget.values(2)?;
            let value = self.value("looking for beginning of value")?;
            map.set(key.into(), value);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Map(map));
                }
                _ => return Err(self.unexpected("after object key:value pair")),
            }
        }
    }

    /// A string whose opening quote was read.
    fn string(&mut self) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::new();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    self.budget.bytes(out.len())?;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut out)?;
                }
                Some(0x20..) => {
                    let (rune, width) = decode_rune(&self.text[self.at..]);
                    push_rune(&mut out, rune);
                    self.at += width;
                }
                _ => return Err(self.unexpected("in string literal")),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode(out);
            }
            _ => return Err(self.unexpected("in string escape code")),
        };
        self.at += 1;
        out.push(plain);
        Ok(())
    }

    fn unicode(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let first = self.hex()?;
        if !(0xD800..0xE000).contains(&first) {
            push_rune(out, char::from_u32(first).unwrap_or(RUNE_ERROR));
            return Ok(());
        }
        // Half of a pair without the other is replaced; what follows it stands for itself.
        let back = self.at;
        if first < 0xDC00 && self.text[self.at..].starts_with(b"\\u") {
            self.at += 2;
            let second = self.hex()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                push_rune(out, char::from_u32(code).unwrap_or(RUNE_ERROR));
                return Ok(());
            }
        }
        self.at = back;
        push_rune(out, RUNE_ERROR);
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, Fault> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.unexpected("in \\u hexadecimal character escape"));
            };
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }
}
