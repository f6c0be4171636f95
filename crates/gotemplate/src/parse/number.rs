//! Number literals.

use crate::strconv::{Unquoted, parse_float, parse_int, parse_uint, quote, unquote_char};

/// A number literal with every value it can stand for, as Go's ideal constants do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number {
    pub(crate) text: String,
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
    pub(crate) complex: Option<(f64, f64)>,
}

impl Number {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), int: None, uint: None, float: None, complex: None }
    }

    /// Reads a character constant with its quotes.
    pub(crate) fn character(text: &str) -> Result<Self, String> {
        let bytes = text.as_bytes();
        let (part, width) = unquote_char(&bytes[1..], b'\'').ok_or("invalid syntax")?;
        if bytes[1 + width..] != *b"'" {
            return Err(format!("malformed character constant: {text}"));
        }
        let code = match part {
            Unquoted::Byte(byte) => u32::from(byte),
            Unquoted::Rune(rune) => u32::from(rune),
        };
        let mut number = Self::new(text);
        number.int = Some(i64::from(code));
        number.uint = Some(u64::from(code));
        number.float = Some(f64::from(code));
        Ok(number)
    }

    /// Reads a constant of real and imaginary part, such as `1+2i`.
    pub(crate) fn complex(text: &str) -> Result<Self, String> {
        let body = text.strip_suffix('i').unwrap_or(text);
        let exponent = |at: usize| {
            let hex = body.to_ascii_lowercase().trim_start_matches(['+', '-']).starts_with("0x");
            matches!(body.as_bytes()[at - 1], b'p' | b'P')
                || (!hex && matches!(body.as_bytes()[at - 1], b'e' | b'E'))
        };
        let cut = body.rmatch_indices(['+', '-']).map(|(at, _)| at);
        let cut = cut.into_iter().find(|at| *at > 0 && !exponent(*at));
        let parts = cut.map(|at| (parse_float(&body[..at]), parse_float(&body[at..])));
        let Some((Some(re), Some(im))) = parts else {
            return Err("syntax error scanning complex number".to_owned());
        };
        let mut number = Self::new(text);
        number.set_complex(re, im);
        Ok(number)
    }

    /// Reads any other number.
    pub(crate) fn simple(text: &str) -> Result<Self, String> {
        let mut number = Self::new(text);
        if let Some(im) = text.strip_suffix('i').and_then(parse_float) {
            number.set_complex(0.0, im);
            return Ok(number);
        }
        number.uint = parse_uint(text, 0);
        number.int = parse_int(text, 0);
        if number.int == Some(0) {
            number.uint = number.uint.or(Some(0));
        }
        #[expect(clippy::cast_precision_loss, reason = "Go converts the same way")]
        if let Some(int) = number.int {
            number.float = Some(int as f64);
        } else if let Some(uint) = number.uint {
            number.float = Some(uint as f64);
        } else if let Some(float) = parse_float(text) {
            // An integer too large for any integer type.
            if !text.contains(['.', 'e', 'E', 'p', 'P']) {
                return Err(format!("integer overflow: {}", quote(text.as_bytes(), false)));
            }
            number.set_float(float);
        } else {
            return Err(format!("illegal number syntax: {}", quote(text.as_bytes(), false)));
        }
        Ok(number)
    }

    fn set_complex(&mut self, re: f64, im: f64) {
        self.complex = Some((re, im));
        if im == 0.0 {
            self.set_float(re);
        }
    }

    /// Sets the float, and the integers that are the same number.
    fn set_float(&mut self, float: f64) {
        self.float = Some(float);
        if float.fract() == 0.0 {
            #[expect(clippy::cast_possible_truncation, reason = "only kept if in range")]
            let wide = float as i128;
            self.int = i64::try_from(wide).ok();
            self.uint = u64::try_from(wide).ok();
        }
    }

    /// Whether the literal is written as a float: with a point or an exponent.
    pub(crate) fn looks_float(&self) -> bool {
        let bytes = self.text.as_bytes();
        let hex = bytes.len() > 2 && bytes[0] == b'0' && matches!(bytes[1], b'x' | b'X');
        let hex_int = hex && !self.text.contains(['p', 'P']);
        self.float.is_some()
            && !hex_int
            && bytes.first() != Some(&b'\'')
            && self.text.contains(['.', 'e', 'E', 'p', 'P'])
    }
}
