//! Numbers as Go's `strconv.ParseFloat` reads them.

/// Parses a 64-bit float: decimal with optional exponent, hexadecimal with mandatory exponent,
/// `Inf`, `Infinity`, `NaN` in any case, and underscores between digits.
///
/// `None` for everything else and for what does not fit.
pub(crate) fn parse(text: &str) -> Option<f64> {
    if let Some(special) = special(text) {
        return Some(special);
    }
    let (negative, digits) = sign(text);
    if !underscores_are_between_digits(digits) {
        return None;
    }
    let plain = digits.replace('_', "");
    let hexadecimal = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X"));
    let value = match hexadecimal {
        Some(rest) => parse_hexadecimal(rest)?,
        None => parse_decimal(&plain)?,
    };
    value.is_finite().then_some(if negative { -value } else { value })
}

fn special(text: &str) -> Option<f64> {
    let (negative, word) = sign(text);
    if word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("infinity") {
        return Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    text.eq_ignore_ascii_case("nan").then_some(f64::NAN)
}

/// Whether a minus leads, and the text without its sign.
fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// The prefix `0x` counts as a digit here.
fn underscores_are_between_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let hexadecimal = bytes.len() >= 2 && bytes[0] == b'0' && bytes[1].eq_ignore_ascii_case(&b'x');
    let is_digit = |at: usize| match bytes.get(at) {
        Some(b'x' | b'X') => hexadecimal && at == 1,
        Some(byte) if hexadecimal => byte.is_ascii_hexdigit(),
        Some(byte) => byte.is_ascii_digit(),
        None => false,
    };
    (0..bytes.len()).filter(|&at| bytes[at] == b'_').all(|at| {
        let before = bytes[..at].iter().rposition(|&byte| byte != b'_');
        before.is_some_and(|before| before + 1 == at && is_digit(before)) && is_digit(at + 1)
    })
}

fn parse_decimal(text: &str) -> Option<f64> {
    // Rust reads the same grammar once the words for infinity and NaN are out of the way.
    let numeric =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    let first = text.bytes().next()?;
    (matches!(first, b'.' | b'0'..=b'9') && text.bytes().all(numeric)).then(|| text.parse().ok())?
}

/// Parses what follows `0x`: digits with an optional point, then `p` and an exponent of two.
fn parse_hexadecimal(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut mantissa = Mantissa::default();
    for digit in whole.chars() {
        mantissa.push(digit.to_digit(16)?, 0);
    }
    for digit in fraction.chars() {
        mantissa.push(digit.to_digit(16)?, -4);
    }
    Some(mantissa.round(binary_exponent(exponent)?))
}

/// A decimal exponent, held within what can make a difference to a 64-bit float.
fn binary_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = sign(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value =
        digits.bytes().fold(0_i64, |sum, digit| (sum * 10 + i64::from(digit - b'0')).min(1 << 40));
    Some(if negative { -value } else { value })
}

/// The leading 64 bits of a binary number.
#[derive(Default)]
struct Mantissa {
    bits: u64,
    /// The value is `bits` times two to this.
    exponent: i64,
    /// Some bit below is set.
    sticky: bool,
}

impl Mantissa {
    fn push(&mut self, digit: u32, exponent: i64) {
        if self.bits >> 60 == 0 {
            self.bits = self.bits << 4 | u64::from(digit);
            self.exponent += exponent;
        } else {
            self.sticky |= digit != 0;
            self.exponent += 4 + exponent;
        }
    }

    /// The nearest float to this times two to `exponent`, ties to even.
    fn round(self, exponent: i64) -> f64 {
        if self.bits == 0 {
            return 0.0;
        }
        let shift = self.bits.leading_zeros();
        let bits = self.bits << shift;
        // The value is 1.xxx times two to `scale`.
        let scale = self.exponent.saturating_add(exponent) - i64::from(shift) + 63;
        if scale > 1023 {
            return f64::INFINITY;
        }
        let subnormal = (-1022 - scale).max(0);
        let dropped = 11 + subnormal;
        if dropped > 64 {
            return 0.0;
        }
        let wide = u128::from(bits);
        let (kept, rest) = (wide >> dropped, wide & ((1 << dropped) - 1));
        let half = 1_u128 << (dropped - 1);
        let up = rest > half || rest == half && (self.sticky || kept & 1 == 1);
        let rounded = u64::try_from(kept).unwrap_or(u64::MAX) + u64::from(up);
        // Adding, not or-ing, lets a carry flow into the exponent.
        let biased = u64::try_from((scale + 1022).max(0)).unwrap_or_default();
        f64::from_bits((biased << 52) + rounded)
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn accepts_what_go_accepts() {
        let cases = [
            ("1e3", 1000.0),
            ("+5", 5.0),
            ("-.5", -0.5),
            ("5.", 5.0),
            ("007", 7.0),
            ("1_000.5", 1000.5),
            ("1e1_0", 1e10),
            ("0x10p0", 16.0),
            ("0X1.8P+1", 3.0),
            ("0x_1p-1074", f64::from_bits(1)),
            ("0x1p-1075", 0.0),
            ("0x1.8p-1075", f64::from_bits(1)),
            ("0x1.fffffffffffff8p0", 2.0),
            ("0x1.fffffffffffff7p0", 1.999_999_999_999_999_8),
            ("0x1.00000000000008p0", 1.0),
            ("0x1.000000000000080000000000001p0", 1.000_000_000_000_000_2),
            ("0x0.0p99999999999", 0.0),
            ("1e-400", 0.0),
            ("-Infinity", f64::NEG_INFINITY),
            ("iNf", f64::INFINITY),
        ];
        for (text, want) in cases {
            assert_eq!(parse(text).map(f64::to_bits), Some(want.to_bits()), "{text}");
        }
        assert!(parse("nAn").is_some_and(f64::is_nan));
    }

    #[test]
    fn refuses_what_go_refuses() {
        let cases = [
            "", ".", "-", "+-1", "1e", "1e+", "e5", "0x10", "0xp1", "0x", "_1", "1_", "1__0",
            "1_.5", "1._5", "1e_5", "infinit", "+nan", "1,5", " 1", "1 ", "1e400", "0x1p1024",
            "1.2.3", "0b11", "1f", "٣",
        ];
        for text in cases {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
