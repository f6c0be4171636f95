//! Quantities such as `500m` and `1Gi` in their canonical form.

/// Binary suffixes by power of 1024.
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// Decimal suffixes by power of 1000, from nano.
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
const NANO: i128 = 1_000_000_000;

/// How much a quantity is, in billionths; `None` if the text is no quantity or too large.
pub(super) fn amount(text: &str) -> Option<i128> {
    let digits_end = text.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c)));
    let (number, suffix) = text.split_at(digits_end.unwrap_or(text.len()));
    let nanos = nanos(number)?;
    if let Some(power) = BINARY.iter().skip(1).position(|s| *s == suffix) {
        let scale = 1024_i128.checked_pow(u32::try_from(power).ok()? + 1)?;
        return nanos.checked_mul(scale);
    }
    if let Some(power) = DECIMAL.iter().position(|s| *s == suffix) {
        return scaled(nanos, i32::try_from(power).ok()? * 3 - 9);
    }
    scaled(nanos, suffix.strip_prefix(['e', 'E'])?.parse().ok()?)
}

/// The canonical form, or `None` if the text is no quantity or too large.
pub(super) fn canonical(text: &str) -> Option<String> {
    let digits_end = text.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c)));
    let (number, suffix) = text.split_at(digits_end.unwrap_or(text.len()));
    let nanos = nanos(number)?;
    if let Some(power) = BINARY.iter().skip(1).position(|s| *s == suffix) {
        let scale = 1024_i128.checked_pow(u32::try_from(power).ok()? + 1)?;
        return Some(binary(nanos.checked_mul(scale)?));
    }
    if let Some(power) = DECIMAL.iter().position(|s| *s == suffix) {
        let exponent = i32::try_from(power).ok()? * 3 - 9;
        return Some(decimal(scaled(nanos, exponent)?));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    Some(exponential(scaled(nanos, exponent)?))
}

/// `number` times 10⁹, rounded up.
fn nanos(number: &str) -> Option<i128> {
    let (negative, number) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty())
        || !is_digits(whole)
        || !is_digits(fraction)
        || whole.len() > 18
    {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let kept: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let rest = fraction.get(9..).unwrap_or_default();
    let up = i128::from(rest.bytes().any(|b| b != b'0'));
    let value = whole * NANO + kept.parse::<i128>().ok()? + up;
    Some(if negative { -value } else { value })
}

/// Times a power of ten, rounded up.
fn scaled(nanos: i128, exponent: i32) -> Option<i128> {
    let factor = 10_i128.checked_pow(exponent.unsigned_abs())?;
    if exponent >= 0 {
        return nanos.checked_mul(factor);
    }
    let quotient = nanos / factor;
    let up = i128::from(nanos % factor != 0) * nanos.signum();
    Some(quotient + up)
}

fn binary(nanos: i128) -> String {
    if nanos.abs() < 1024 * NANO {
        return decimal(nanos);
    }
    let mut value = scaled(nanos, -9).unwrap_or(0);
    let mut power = 0;
    while value % 1024 == 0 && value != 0 && power + 1 < BINARY.len() {
        value /= 1024;
        power += 1;
    }
    format!("{value}{}", BINARY[power])
}

fn decimal(nanos: i128) -> String {
    let (value, power) = reduced(nanos);
    format!("{value}{}", DECIMAL[power])
}

fn exponential(nanos: i128) -> String {
    let (value, power) = reduced(nanos);
    match i32::try_from(power).unwrap_or(0) * 3 - 9 {
        0 => value.to_string(),
        exponent => format!("{value}e{exponent}"),
    }
}

/// As few digits as thousands allow, with the index of the suffix.
fn reduced(nanos: i128) -> (i128, usize) {
    if nanos == 0 {
        return (0, 3);
    }
    let (mut value, mut power) = (nanos, 0);
    while value % 1000 == 0 && power + 1 < DECIMAL.len() {
        value /= 1000;
        power += 1;
    }
    (value, power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms_are_those_of_kubernetes() {
        let cases = [
            ("1", "1"),
            ("0", "0"),
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1.5Gi", "1536Mi"),
            ("1024Mi", "1Gi"),
            ("512", "512"),
            ("1000Ki", "1000Ki"),
            ("100Ki", "100Ki"),
            ("1000", "1k"),
            ("1500", "1500"),
            ("0.1", "100m"),
            ("1e3", "1e3"),
            ("12e2", "1200"),
            ("-1500m", "-1500m"),
            ("2000M", "2G"),
            ("0.0000000001", "1n"),
            ("0.5Ki", "512"),
        ];
        for (text, want) in cases {
            assert_eq!(canonical(text).as_deref(), Some(want), "{text}");
        }
        for bad in ["", "x", "1 Gi", "1.2.3", "1Zi", "."] {
            assert_eq!(canonical(bad), None, "{bad}");
        }
    }
}
