//! Integers in Go's syntax.

/// `strconv.ParseUint(text, base, 64)`; base 0 reads the prefix and allows `_` between digits.
pub(crate) fn parse_uint(text: &str, base: u32) -> Option<u64> {
    let (digits, radix) = match base {
        0 => prefixed(text)?,
        base => (text.to_owned(), base),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(&digits, radix).ok()
}

/// `strconv.ParseInt(text, base, 64)`.
pub(crate) fn parse_int(text: &str, base: u32) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let number = parse_uint(digits, base)?;
    if negative { 0_i64.checked_sub_unsigned(number) } else { i64::try_from(number).ok() }
}

/// The digits of a literal without prefix and underscores, and its base.
fn prefixed(text: &str) -> Option<(String, u32)> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = if let Some(rest) = lower.strip_prefix("0x") {
        (rest, 16)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (rest, 2)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (rest, 8)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (&lower[1..], 8)
    } else {
        (&lower[..], 10)
    };
    if !digits.contains('_') {
        return Some((digits.to_owned(), radix));
    }
    // An underscore must stand between digits; the prefix counts as a digit.
    let after_prefix = digits.len() < lower.len();
    let bad_start = digits.starts_with('_') && !after_prefix;
    if bad_start || digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    Some((digits.replace('_', ""), radix))
}

/// What Go's conversion of a float to `int64` gives on amd64: out of range is the smallest number.
pub(crate) fn wrap_float(number: f64) -> i64 {
    const EDGE: f64 = 9_223_372_036_854_775_808.0;
    if (-EDGE..EDGE).contains(&number) {
        #[expect(clippy::cast_possible_truncation, reason = "the range was just checked")]
        let whole = number as i64;
        whole
    } else {
        i64::MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        assert_eq!(parse_int("0x1F", 0), Some(31));
        assert_eq!(parse_int("017", 0), Some(15));
        assert_eq!(parse_int("0b1_0", 0), Some(2));
        assert_eq!(parse_int("0x_f", 0), Some(15));
        assert_eq!(parse_int("1__0", 0), None);
        assert_eq!(parse_int("089", 0), None);
        assert_eq!(parse_int("-9223372036854775808", 0), Some(i64::MIN));
        assert_eq!(parse_int("9223372036854775808", 0), None);
        assert_eq!(parse_int("1_0", 10), None);
    }
}
