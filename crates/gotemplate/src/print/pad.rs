//! Strings, numbers and characters with flags, width and precision.

use super::Printer;
use crate::strconv::{can_backquote, format_float, quote, quote_rune};
use crate::text::{RUNE_ERROR, rune_count, runes};
use crate::unicode::is_print;

/// An integer to print: Go keeps sign and magnitude apart.
#[derive(Clone, Copy)]
pub(super) struct Integer {
    pub(super) negative: bool,
    pub(super) magnitude: u64,
}

impl Integer {
    pub(super) fn signed(number: i64) -> Self {
        Self { negative: number < 0, magnitude: number.unsigned_abs() }
    }

    pub(super) fn unsigned(number: u64) -> Self {
        Self { negative: false, magnitude: number }
    }

    /// The number in 64 bits, negative ones in two's complement.
    fn bits(self) -> u64 {
        if self.negative { self.magnitude.wrapping_neg() } else { self.magnitude }
    }

    fn rune(self) -> char {
        u32::try_from(self.bits()).ok().and_then(char::from_u32).unwrap_or(RUNE_ERROR)
    }
}

impl Printer<'_> {
    fn padding(&mut self, count: usize) {
        let byte = if self.flags.zero && !self.flags.minus { b'0' } else { b' ' };
        self.out.resize(self.out.len() + count, byte);
    }

    /// Writes `text` in the width of the flags.
    pub(super) fn pad(&mut self, text: &[u8]) {
        let width = self.flags.width.unwrap_or_default();
        let fill = if width == 0 { 0 } else { width.saturating_sub(rune_count(text)) };
        if self.flags.minus {
            self.out.extend_from_slice(text);
            self.padding(fill);
        } else {
            self.padding(fill);
            self.out.extend_from_slice(text);
        }
    }

    /// Like [`Printer::pad`], but never with zeros.
    fn pad_spaces(&mut self, text: &[u8]) {
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(text);
        self.flags.zero = zero;
    }

    fn cut<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let end = self.flags.precision.and_then(|count| runes(text).nth(count));
        end.map_or(text, |(at, _)| &text[..at])
    }

    pub(super) fn plain(&mut self, text: &[u8]) {
        let text = self.cut(text);
        self.pad(text);
    }

    pub(super) fn quoted(&mut self, text: &[u8]) {
        let text = self.cut(text);
        if self.flags.sharp && can_backquote(text) {
            self.pad(&[b"`", text, b"`"].concat());
        } else {
            self.pad(quote(text, self.flags.plus).as_bytes());
        }
    }

    /// `%x` of a string: two digits per byte.
    pub(super) fn hex(&mut self, text: &[u8], upper: bool) {
        let count = self.flags.precision.map_or(text.len(), |precision| precision.min(text.len()));
        let (prefix, digits) =
            if upper { ("0X", b"0123456789ABCDEF") } else { ("0x", b"0123456789abcdef") };
        let mut hex = Vec::with_capacity(count * 2 + 2);
        for (at, byte) in text[..count].iter().enumerate() {
            if self.flags.space && at > 0 {
                hex.push(b' ');
            }
            if self.flags.sharp && (at == 0 || self.flags.space) {
                hex.extend_from_slice(prefix.as_bytes());
            }
            hex.push(digits[usize::from(byte >> 4)]);
            hex.push(digits[usize::from(byte & 15)]);
        }
        self.pad(&hex);
    }

    /// An integer in base 2, 8, 10 or 16.
    pub(super) fn integer(&mut self, number: Integer, verb: char) {
        let flags = self.flags.clone();
        let Integer { negative, magnitude } = number;
        let digits = match verb {
            'b' => format!("{magnitude:b}"),
            'o' | 'O' => format!("{magnitude:o}"),
            'x' => format!("{magnitude:x}"),
            'X' => format!("{magnitude:X}"),
            _ => magnitude.to_string(),
        };
        let mut least = 0;
        if let Some(precision) = flags.precision {
            // No digits at all for a zero of precision zero.
            if precision == 0 && magnitude == 0 {
                let zero = std::mem::take(&mut self.flags.zero);
                self.padding(flags.width.unwrap_or_default());
                self.flags.zero = zero;
                return;
            }
            least = precision;
        } else if let (true, false, Some(width)) = (flags.zero, flags.minus, flags.width) {
            let sign = negative || flags.plus || flags.space;
            least = width.saturating_sub(usize::from(sign));
        }
        let mut text = String::new();
        if negative {
            text.push('-');
        } else if flags.plus {
            text.push('+');
        } else if flags.space {
            text.push(' ');
        }
        let zeros = "0".repeat(least.saturating_sub(digits.len()));
        match verb {
            'O' => text.push_str("0o"),
            'b' if flags.sharp => text.push_str("0b"),
            'x' if flags.sharp => text.push_str("0x"),
            'X' if flags.sharp => text.push_str("0X"),
            _ => {}
        }
        let octal = matches!(verb, 'o' | 'O');
        if octal && flags.sharp && zeros.is_empty() && !digits.starts_with('0') {
            text.push('0');
        }
        text.push_str(&zeros);
        text.push_str(&digits);
        self.pad_spaces(text.as_bytes());
    }

    /// `%c`.
    pub(super) fn character(&mut self, number: Integer) {
        self.pad(number.rune().to_string().as_bytes());
    }

    /// `%q` of an integer.
    pub(super) fn quoted_character(&mut self, number: Integer) {
        self.pad(quote_rune(number.rune(), self.flags.plus).as_bytes());
    }

    /// `%U`.
    pub(super) fn code_point(&mut self, number: Integer) {
        let code = number.bits();
        let digits = format!("{code:X}");
        let width = self.flags.precision.unwrap_or_default().max(4);
        let zeros = "0".repeat(width.saturating_sub(digits.len()));
        let mut text = format!("U+{zeros}{digits}");
        if let (true, Some(rune)) =
            (self.flags.sharp, u32::try_from(code).ok().and_then(char::from_u32))
            && is_print(rune)
        {
            text.push_str(&[" '", &rune.to_string(), "'"].concat());
        }
        self.pad_spaces(text.as_bytes());
    }

    /// A float; `precision` is the verb's default, none the shortest.
    pub(super) fn float(&mut self, number: f64, verb: char, precision: Option<usize>) {
        let precision = self.flags.precision.or(precision);
        let text = format_float(number, verb, precision);
        let (sign, mut text) = match text.strip_prefix('-') {
            Some(text) => ('-', text.to_owned()),
            None => ('+', text.trim_start_matches('+').to_owned()),
        };
        let sign = if self.flags.space && sign == '+' && !self.flags.plus { ' ' } else { sign };
        if !number.is_finite() {
            let bare = number.is_nan() && !self.flags.space && !self.flags.plus;
            let text = if bare { text } else { format!("{sign}{text}") };
            self.pad_spaces(text.as_bytes());
            return;
        }
        if self.flags.sharp && verb != 'b' {
            text = with_point(&text, verb, precision);
        }
        if self.flags.plus || sign != '+' {
            let width = self.flags.width.unwrap_or_default();
            if self.flags.zero && !self.flags.minus && width > text.len() + 1 {
                self.out.push(sign as u8);
                self.padding(width - text.len() - 1);
                self.out.extend_from_slice(text.as_bytes());
                return;
            }
            self.pad(format!("{sign}{text}").as_bytes());
        } else {
            self.pad(text.as_bytes());
        }
    }
}

/// What the `#` flag makes of a float: always a decimal point, and `%g` keeps trailing zeros.
fn with_point(text: &str, verb: char, precision: Option<usize>) -> String {
    let mut missing = match verb {
        'v' | 'g' | 'G' | 'x' => precision.unwrap_or(6),
        _ => 0,
    };
    let hex = matches!(verb, 'x' | 'X');
    let tail = text.find(|c| matches!(c, 'p' | 'P') || (!hex && matches!(c, 'e' | 'E')));
    let (number, tail) = text.split_at(tail.unwrap_or(text.len()));
    // In hexadecimal, the `x` of the prefix and all after it are counted as digits.
    let significant = if hex { &number[1..] } else { number.trim_start_matches(['0', '.']) };
    let count = significant.chars().filter(|digit| *digit != '.').count();
    missing = missing.saturating_sub(count);
    let mut number = number.to_owned();
    if !number.contains('.') {
        if number == "0" {
            missing = missing.saturating_sub(1);
        }
        number.push('.');
    }
    format!("{number}{}{tail}", "0".repeat(missing))
}
