//! Floats in Go's syntax.

/// `strconv.ParseFloat(text, 64)`; out of range is `None` as well.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let (negative, body) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = body.to_ascii_lowercase();
    let number = match &lower[..] {
        "inf" | "infinity" => f64::INFINITY,
        "nan" => f64::NAN,
        _ => finite(&lower)?,
    };
    Some(if negative { -number } else { number })
}

fn finite(lower: &str) -> Option<f64> {
    let number = if let Some(hex) = lower.strip_prefix("0x") {
        parse_hex(&underscores(hex, true)?)?
    } else {
        if !lower.bytes().all(|b| b.is_ascii_digit() || b"._e+-".contains(&b)) {
            return None;
        }
        underscores(lower, false)?.parse::<f64>().ok()?
    };
    number.is_finite().then_some(number)
}

fn underscores(digits: &str, prefixed: bool) -> Option<String> {
    if !digits.contains('_') {
        return Some(digits.to_owned());
    }
    let bytes = digits.as_bytes();
    let digit = |at: Option<&u8>| at.is_some_and(u8::is_ascii_hexdigit);
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_') {
        let before = if at == 0 { prefixed } else { digit(bytes.get(at - 1)) };
        if !before || !digit(bytes.get(at + 1)) {
            return None;
        }
    }
    Some(digits.replace('_', ""))
}

/// A hexadecimal float without its prefix; the exponent is required.
fn parse_hex(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    if exponent.is_empty() || exponent.starts_with("+-") {
        return None;
    }
    let mut exponent: i32 = exponent.parse::<i64>().ok()?.clamp(-10_000, 10_000).try_into().ok()?;
    let mut bits: u64 = 0;
    let mut sticky = false;
    for (place, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(digit.to_digit(16)?);
        if bits >> 58 == 0 {
            bits = bits << 4 | digit;
            exponent -= if place >= whole.len() { 4 } else { 0 };
        } else {
            sticky |= digit != 0;
            exponent += if place < whole.len() { 4 } else { 0 };
        }
    }
    bits |= u64::from(sticky);
    Some(scale(bits, exponent))
}

/// `bits * 2^exponent`, rounded once to the nearest float, ties to even.
fn scale(bits: u64, exponent: i32) -> f64 {
    if bits == 0 {
        return 0.0;
    }
    let length = 64 - i32::try_from(bits.leading_zeros()).unwrap_or_default();
    // The weight of the lowest bit that a float of this size keeps.
    let lowest = (exponent + length - 53).max(-1074);
    let shift = lowest - exponent;
    let kept = if shift <= 0 {
        bits << (-shift).min(63)
    } else if shift > 64 {
        0
    } else {
        let wide = u128::from(bits);
        let (half, rest) = (1_u128 << (shift - 1), wide & ((1_u128 << shift) - 1));
        let kept = wide >> shift;
        let up = rest > half || (rest == half && kept & 1 == 1);
        u64::try_from(kept + u128::from(up)).unwrap_or(u64::MAX)
    };
    #[expect(clippy::cast_precision_loss, reason = "at most 54 bits are kept, the last one zero")]
    let mut number = kept as f64;
    let mut power = lowest;
    while power > 0 && number.is_finite() {
        let step = power.min(1000);
        number *= 2_f64.powi(step);
        power -= step;
    }
    while power < 0 && number != 0.0 {
        let step = (-power).min(1000);
        number /= 2_f64.powi(step);
        power += step;
    }
    number
}

/// `strconv.FormatFloat(number, verb, precision, 64)` for the verbs `b e E f g G x X`; no precision
/// is Go's -1, the shortest text that reads back as the same number.
pub(crate) fn format_float(number: f64, verb: char, precision: Option<usize>) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    match verb {
        'b' => binary(number),
        'x' | 'X' => {
            let text = hexadecimal(number, precision);
            if verb == 'X' { text.to_ascii_uppercase() } else { text }
        }
        'f' => fixed(number, precision),
        'e' | 'E' => {
            let text = scientific(number, precision);
            if verb == 'E' { text.to_ascii_uppercase() } else { text }
        }
        _ => {
            let text = general(number, precision);
            if verb == 'G' { text.to_ascii_uppercase() } else { text }
        }
    }
}

/// No float has more decimal digits after its point; further ones are zeros.
const MAX_DIGITS: usize = 1_100;

/// How many digits to ask of Rust, which takes 16 bits for their number, and how many zeros to add.
fn split_precision(digits: usize) -> (usize, String) {
    let asked = digits.min(MAX_DIGITS);
    (asked, "0".repeat(digits - asked))
}

fn fixed(number: f64, precision: Option<usize>) -> String {
    let Some(digits) = precision else { return format!("{number}") };
    let (digits, zeros) = split_precision(digits);
    format!("{number:.digits$}{zeros}")
}

/// Decimal digits and exponent: `-d.ddde±dd`.
fn scientific(number: f64, precision: Option<usize>) -> String {
    let (text, zeros) = match precision.map(split_precision) {
        Some((digits, zeros)) => (format!("{number:.digits$e}"), zeros),
        None => (format!("{number:e}"), String::new()),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}{zeros}e{sign}{:02}", exponent.abs())
}

fn general(number: f64, precision: Option<usize>) -> String {
    let digits = precision.map(|digits| digits.max(1));
    let rounded = scientific(number, digits.map(|digits| digits - 1));
    let (mantissa, exponent) = rounded.split_once('e').unwrap_or((&rounded, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    // %e is used if the exponent is below -4 or not below the precision; the shortest form counts
    // as 6 digits.
    let limit = i32::try_from(digits.unwrap_or(6)).unwrap_or(i32::MAX);
    let mantissa = trim_zeros(mantissa, digits.is_some());
    if exponent < -4 || exponent >= limit {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    positional(&mantissa, exponent)
}

/// Without the zeros that `%.{n}e` adds at the end.
fn trim_zeros(mantissa: &str, trim: bool) -> String {
    if trim && mantissa.contains('.') {
        return mantissa.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    mantissa.to_owned()
}

/// `d.ddd` times ten to `exponent`, written without exponent.
fn positional(mantissa: &str, exponent: i32) -> String {
    let (sign, mantissa) =
        mantissa.strip_prefix('-').map_or(("", mantissa), |mantissa| ("-", mantissa));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    if exponent < 0 {
        let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or_default());
        return format!("{sign}0.{zeros}{digits}");
    }
    let whole = usize::try_from(exponent).unwrap_or_default() + 1;
    if digits.len() <= whole {
        return format!("{sign}{digits}{}", "0".repeat(whole - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
}

/// Mantissa and exponent of two: value = mantissa * 2^exponent.
fn parts(number: f64) -> (bool, u64, i32) {
    let bits = number.to_bits();
    let exponent = i32::try_from(bits >> 52 & 0x7FF).unwrap_or_default();
    let mantissa = bits & ((1 << 52) - 1);
    let (mantissa, exponent) =
        if exponent == 0 { (mantissa, 1) } else { (mantissa | 1 << 52, exponent) };
    (bits >> 63 != 0, mantissa, exponent - 1075)
}

fn binary(number: f64) -> String {
    let (negative, mantissa, exponent) = parts(number);
    format!("{}{mantissa}p{exponent:+}", if negative { "-" } else { "" })
}

fn hexadecimal(number: f64, precision: Option<usize>) -> String {
    let (negative, mut mantissa, mut exponent) = parts(number);
    if mantissa == 0 {
        exponent = 0;
    } else {
        exponent += 52;
        // Normalised: one digit before the point, 60 bits after it.
        let shift = mantissa.leading_zeros() - 11;
        mantissa <<= shift;
        exponent -= i32::try_from(shift).unwrap_or_default();
        mantissa <<= 8;
    }
    if let Some(digits) = precision.filter(|digits| *digits < 15) {
        let drop = u32::try_from((15 - digits) * 4).unwrap_or_default();
        let (half, rest) = (1_u64 << (drop - 1), mantissa & ((1_u64 << drop) - 1));
        mantissa >>= drop;
        if rest > half || (rest == half && mantissa & 1 == 1) {
            mantissa += 1;
        }
        mantissa <<= drop;
        if mantissa >> 61 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let mut fraction = format!("{:015x}", mantissa & ((1 << 60) - 1));
    match precision {
        Some(digits) if digits <= 15 => fraction.truncate(digits),
        Some(digits) => fraction.push_str(&"0".repeat(digits - 15)),
        None => fraction.truncate(fraction.trim_end_matches('0').len()),
    }
    let point = if fraction.is_empty() { "" } else { "." };
    let sign = if negative { "-" } else { "" };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}0x{}{point}{fraction}p{exponent_sign}{:02}", mantissa >> 60, exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_like_go() {
        let general = |number: f64| format_float(number, 'g', None);
        assert_eq!(general(1e6), "1e+06");
        assert_eq!(general(123_456.0), "123456");
        assert_eq!(general(1e-5), "1e-05");
        assert_eq!(format_float(2.75, 'g', Some(2)), "2.8");
        assert_eq!(format_float(100.0, 'g', Some(2)), "1e+02");
        assert_eq!(format_float(2.75, 'x', None), "0x1.6p+01");
        assert_eq!(format_float(2.75, 'b', None), "6192449487634432p-51");
        assert_eq!(format_float(1.0, 'x', Some(3)), "0x1.000p+00");
        assert_eq!(format_float(1e21, 'f', Some(0)), "1000000000000000000000");
    }

    #[test]
    fn reads_like_go() {
        assert_eq!(parse_float("0x1p-2"), Some(0.25));
        assert_eq!(parse_float("0x.8p1"), Some(1.0));
        assert_eq!(parse_float("1e400"), None);
        assert_eq!((parse_float("1_0.5"), parse_float("1_.5")), (Some(10.5), None));
        assert_eq!(parse_float("0x1p-1074"), Some(5e-324));
    }
}
