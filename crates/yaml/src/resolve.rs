//! What a scalar without quotes means: the words and numbers of YAML 1.1 as go-yaml v2 knows
//! them. Kubernetes, Helm and Flux read manifests by these rules.

use crate::timestamp::is_timestamp;

/// The type of a plain scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlainKind {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` and `false`, but also `yes`, `no`, `on`, `off`, `y` and `n`.
    Bool,
    /// Decimal, octal (`0o7`, `07`), hexadecimal or binary, with `_` anywhere.
    Int,
    /// A decimal fraction, an exponent, an infinity or not a number; also an integer out of range.
    Float,
    /// A date, perhaps with a time. When decoded without a type it stays a string.
    Timestamp,
    /// The key `<<`.
    Merge,
    /// Anything else.
    Str,
}

/// The type that a scalar written as `text` without quotes and tag has.
///
/// These are the rules of go-yaml v2 (YAML 1.1), by which kyaml decides on quotes and Kubernetes
/// reads: `yes` is a bool here, which go-yaml v3 does not say.
///
/// ```
/// use yaml::{PlainKind, resolve_plain};
/// assert_eq!(resolve_plain("1.10"), PlainKind::Float);
/// assert_eq!(resolve_plain("1.10.0"), PlainKind::Str);
/// assert_eq!(resolve_plain("on"), PlainKind::Bool);
/// ```
pub fn resolve_plain(text: &str) -> PlainKind {
    resolve(text, true).into()
}

impl From<Resolved> for PlainKind {
    fn from(resolved: Resolved) -> Self {
        match resolved {
            Resolved::Null => Self::Null,
            Resolved::Bool(_) => Self::Bool,
            Resolved::Int(_) | Resolved::Uint(_) => Self::Int,
            Resolved::Float(_) => Self::Float,
            Resolved::Timestamp => Self::Timestamp,
            Resolved::Merge => Self::Merge,
            Resolved::Str => Self::Str,
        }
    }
}

/// Whether `text`, written as it is after `key: `, is read as that very string by YAML 1.1.
///
/// kyaml puts quotes around a new value by this question (`IsValueNonString`): it reads the text as
/// a whole document, so `a: b` and `# c` are no strings either, while a text that is no YAML and
/// one of several lines count as strings.
///
/// ```
/// assert!(yaml::reads_as_string("v1.0"));
/// assert!(!yaml::reads_as_string("1.0"));
/// ```
pub fn reads_as_string(text: &str) -> bool {
    if text.is_empty() || text.contains('\n') {
        return true;
    }
    match crate::parse(text) {
        Ok(value) => value.as_str().is_some(),
        // A mapping with a key that JSON does not know is still a mapping.
        Err(error) => !matches!(error, crate::Error::Json(_)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Resolved {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Timestamp,
    Merge,
    Str,
}

/// By the rules of go-yaml v3, which knows fewer words for true and false.
pub(crate) fn resolve_1_2(text: &str) -> Resolved {
    match resolve(text, true) {
        Resolved::Bool(_)
            if !text.eq_ignore_ascii_case("true") && !text.eq_ignore_ascii_case("false") =>
        {
            Resolved::Str
        }
        resolved => resolved,
    }
}

/// `timestamps`: whether a date is one (an explicit tag of another type says no).
pub(crate) fn resolve(text: &str, timestamps: bool) -> Resolved {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Resolved::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Resolved::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Resolved::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" => Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Resolved::Float(f64::NEG_INFINITY),
        "<<" => Resolved::Merge,
        _ => match text.as_bytes()[0] {
            b'.' => fraction(text).map_or(Resolved::Str, Resolved::Float),
            b'0'..=b'9' | b'+' | b'-' if timestamps && is_timestamp(text) => Resolved::Timestamp,
            b'0'..=b'9' | b'+' | b'-' => resolve_number(&text.replace('_', "")),
            _ => Resolved::Str,
        },
    }
}

fn resolve_number(plain: &str) -> Resolved {
    if let Some(value) = signed(plain) {
        return Resolved::Int(value);
    }
    if let Some(value) = unsigned(plain) {
        return Resolved::Uint(value);
    }
    if let Some(value) = decimal(plain) {
        return Resolved::Float(value);
    }
    // go-yaml tries binary a second time, so that a sign may stand behind the prefix.
    plain
        .strip_prefix("0b")
        .and_then(|digits| i64::from_str_radix(digits, 2).ok())
        .map_or(Resolved::Str, Resolved::Int)
}

fn signed(plain: &str) -> Option<i64> {
    let (negative, digits) = match plain.as_bytes().first()? {
        b'-' => (true, &plain[1..]),
        b'+' => (false, &plain[1..]),
        _ => (false, plain),
    };
    let magnitude = unsigned(digits)?;
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// As Go's `strconv.ParseUint` with base 0.
fn unsigned(digits: &str) -> Option<u64> {
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'b' | b'B', _, ..] => (2, &digits[2..]),
        [b'0', b'o' | b'O', _, ..] => (8, &digits[2..]),
        [b'0', b'x' | b'X', _, ..] => (16, &digits[2..]),
        [b'0'] => return Some(0),
        [b'0', ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let bare = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if bare { u64::from_str_radix(digits, radix).ok() } else { None }
}

/// What starts with a point: `_` may stand only between two digits.
fn fraction(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let separates = |(at, _): (usize, _)| at > 0 && digit(at - 1) && digit(at + 1);
    if text.match_indices('_').all(separates) { decimal(&text.replace('_', "")) } else { None }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?` within the range of a double.
fn decimal(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let exponent = exponent.map(|text| text.strip_prefix(['-', '+']).unwrap_or(text));
    let well_formed = digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|text| !text.is_empty() && digits(text));
    if !well_formed {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}
