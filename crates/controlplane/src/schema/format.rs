//! The string formats kube-apiserver checks (`strfmt` of kube-openapi; others are ignored).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

use base64::Engine as _;
use regex::Regex;

use super::pattern;

/// A format that is enforced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Format {
    check: fn(&str) -> bool,
}

/// The checker of the format, or `None` if kube-apiserver ignores it, such as `int32`, or
/// `k8s-short-name` until all servers of a cluster know it.
pub(crate) fn find(name: &str) -> Option<Format> {
    let check: fn(&str) -> bool = match name.replace('-', "").as_str() {
        "bsonobjectid" => |s| matches(s, r"^[0-9a-fA-F]{24}$", &BSON),
        "uri" => is_request_uri,
        "email" => is_email,
        "hostname" => is_hostname,
        "ipv4" => |s| s.contains('.') && lenient_ipv4(s).is_some(),
        "ipv6" => |s| s.contains(':') && s.parse::<Ipv6Addr>().is_ok(),
        "cidr" => is_cidr,
        "mac" => is_mac,
        "uuid" => |s| is_uuid(s, None, false),
        "uuid3" => |s| is_uuid(s, Some('3'), false),
        "uuid4" => |s| is_uuid(s, Some('4'), true),
        "uuid5" => |s| is_uuid(s, Some('5'), true),
        "isbn" => |s| is_isbn10(s) || is_isbn13(s),
        "isbn10" => is_isbn10,
        "isbn13" => is_isbn13,
        "creditcard" => is_credit_card,
        "ssn" => |s| matches(s, r"^\d{3}[- ]?\d{2}[- ]?\d{4}$", &SSN),
        "hexcolor" => |s| matches(s, "^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$", &HEX),
        "rgbcolor" => |s| matches(s, RGB_PATTERN, &RGB),
        "byte" => is_base64,
        "password" => |_| true,
        "date" => is_date,
        "duration" => |s| duration_nanos(s).is_some(),
        "datetime" => is_date_time,
        _ => return None,
    };
    Some(Format { check })
}

impl Format {
    /// Whether the text has this format.
    pub(crate) fn accepts(self, text: &str) -> bool {
        (self.check)(text)
    }
}

static BSON: OnceLock<Regex> = OnceLock::new();
static SSN: OnceLock<Regex> = OnceLock::new();
static HEX: OnceLock<Regex> = OnceLock::new();
static RGB: OnceLock<Regex> = OnceLock::new();
static TIME: OnceLock<Regex> = OnceLock::new();
static SCALA: OnceLock<Regex> = OnceLock::new();
static EMAIL: OnceLock<Regex> = OnceLock::new();

const RGB_PATTERN: &str = r"^rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)$";

fn compiled<'a>(source: &str, cell: &'a OnceLock<Regex>) -> &'a Regex {
    cell.get_or_init(|| {
        pattern::compile(source).expect("because the patterns of this file are tested")
    })
}

fn matches(text: &str, source: &str, cell: &OnceLock<Regex>) -> bool {
    compiled(source, cell).is_match(text)
}

/// Labels of letters, digits, symbols and inner dashes; the last one of several letters only.
fn is_hostname(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    let valid = match labels.split_last() {
        Some((single, [])) => is_lone_label(single),
        Some((top, rest)) => is_top_label(top) && rest.iter().all(|label| is_host_label(label)),
        None => false,
    };
    valid && text.len() <= 255 && labels.iter().all(|label| label.len() <= 63)
}

fn is_host_char(c: char) -> bool {
    let ascii = c.is_ascii_alphanumeric() || "$+<=>^`|~".contains(c);
    ascii || (!c.is_ascii() && !c.is_numeric() && !c.is_whitespace() && !c.is_control())
}

/// A name of one label may have a dash only after its first character.
fn is_lone_label(label: &str) -> bool {
    let mut chars = label.chars();
    let first = chars.next().is_some_and(is_host_char);
    let rest = chars.as_str();
    first && rest.strip_prefix('-').unwrap_or(rest).chars().all(is_host_char)
}

fn is_host_label(label: &str) -> bool {
    let inner = |c: char| c == '-' || is_host_char(c);
    let outer = |c: Option<char>| c.is_some_and(is_host_char);
    outer(label.chars().next()) && outer(label.chars().last()) && label.chars().all(inner)
}

fn is_top_label(label: &str) -> bool {
    label.chars().count() >= 2 && label.chars().all(char::is_alphabetic)
}

/// What `url.ParseRequestURI` accepts: an absolute URI or an absolute path.
fn is_request_uri(text: &str) -> bool {
    let clean = !text.chars().any(|c| c.is_ascii_control() || c == ' ');
    let scheme_end = text.find(':');
    let absolute = scheme_end.is_some_and(|end| {
        let scheme = &text[..end];
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    clean && !text.is_empty() && (absolute || text.starts_with('/'))
}

/// A mailbox, alone or as `Name <mailbox>`.
fn is_email(text: &str) -> bool {
    let text = text.trim();
    let address = match (text.rfind('<'), text.strip_suffix('>')) {
        (Some(open), Some(inner)) => &inner[open + 1..],
        _ => text,
    };
    matches(
        address,
        r#"^([A-Za-z0-9!#$%&'*+/=?^_`{|}~.\x{80}-\x{10FFFF}-]+|"[^"]+")@[^\s@<>(),;:]+$"#,
        &EMAIL,
    )
}

/// IPv4 with leading zeros allowed, as Go accepted until 1.17.
fn lenient_ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0_u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *octet = part.parse::<u32>().ok()?.try_into().ok()?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    if length.is_empty() || !length.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let Ok(length) = length.parse::<u32>() else { return false };
    if lenient_ipv4(address).is_some() {
        length <= 32
    } else {
        address.parse::<Ipv6Addr>().is_ok() && length <= 128
    }
}

/// 6, 8 or 20 bytes as `aa:bb…`, `aa-bb…` or `aabb.ccdd…`.
fn is_mac(text: &str) -> bool {
    let groups = |separator: char, width: usize| {
        let parts: Vec<&str> = text.split(separator).collect();
        let hex = |p: &&str| p.len() == width && p.bytes().all(|b| b.is_ascii_hexdigit());
        parts.iter().all(hex) && matches!(parts.len() * width / 2, 6 | 8 | 20)
    };
    groups(':', 2) || groups('-', 2) || groups('.', 4)
}

fn is_uuid(text: &str, version: Option<char>, check_variant: bool) -> bool {
    let mut rest = text;
    for (n, width) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if n > 0 {
            rest = rest.strip_prefix('-').unwrap_or(rest);
        }
        let Some(group) = rest.get(..width) else { return false };
        let hex = group.bytes().all(|b| b.is_ascii_hexdigit());
        let versioned = n != 2 || version.is_none_or(|v| group.starts_with(v));
        let variant = n != 3 || !check_variant || group.starts_with(['8', '9', 'a', 'b', 'A', 'B']);
        if !(hex && versioned && variant) {
            return false;
        }
        rest = &rest[width..];
    }
    rest.is_empty()
}

fn isbn_digits(text: &str) -> Vec<u32> {
    let plain = text.chars().filter(|c| !matches!(c, '-' | ' ' | '\t' | '\n'));
    plain.map(|c| if c == 'X' { 10 } else { c.to_digit(10).unwrap_or(99) }).collect()
}

fn is_isbn10(text: &str) -> bool {
    let digits = isbn_digits(text);
    digits.len() == 10
        && digits[..9].iter().all(|d| *d < 10)
        && digits[9] <= 10
        && (1..).zip(&digits).map(|(n, d)| n * d).sum::<u32>() % 11 == 0
}

fn is_isbn13(text: &str) -> bool {
    let digits = isbn_digits(text);
    digits.len() == 13
        && digits.iter().all(|d| *d < 10)
        && digits.iter().enumerate().map(|(n, d)| if n % 2 == 0 { *d } else { 3 * d }).sum::<u32>()
            % 10
            == 0
}

fn is_credit_card(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let doubled = |(n, d): (usize, &u32)| match (n % 2 == 1, d * 2) {
        (true, twice) if twice > 9 => twice - 9,
        (true, twice) => twice,
        (false, _) => *d,
    };
    (13..=16).contains(&digits.len())
        && digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

fn is_base64(text: &str) -> bool {
    !text.is_empty() && base64::engine::general_purpose::STANDARD.decode(text).is_ok()
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

fn is_date_time(text: &str) -> bool {
    let lower = text.to_lowercase();
    let Some((date, time)) = lower.split_once('t') else { return false };
    let source = r"^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$";
    let Some(parts) = compiled(source, &TIME).captures(time) else { return false };
    is_date(date) && &parts[1] <= "23" && &parts[2] <= "59" && &parts[3] <= "59"
}

/// The nanoseconds of a Go duration (`1h30m`) or a Scala one (`3 days`).
pub(crate) fn duration_nanos(text: &str) -> Option<i64> {
    go_duration(text).or_else(|| scala_duration(text))
}

fn go_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| c != '.' && !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        total = total.checked_add(scaled(number, unit_nanos(unit)?)?)?;
        rest = next;
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

fn unit_nanos(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// `number` (digits with at most one point) times `unit`.
fn scaled(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || whole.len() > 20 {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut total = whole.checked_mul(unit)?;
    let mut place = unit;
    for digit in fraction.bytes() {
        place /= 10;
        total += i128::from(digit - b'0') * place;
    }
    Some(total)
}

fn scala_duration(text: &str) -> Option<i64> {
    let source = r"((\d+)\s*([A-Za-zµ]+))";
    let mut total: Option<i64> = None;
    for found in compiled(source, &SCALA).captures_iter(text) {
        let factor: i64 = found[2].parse().ok()?;
        if let Some(unit) = scala_unit(&found[3].to_lowercase()) {
            total = Some(total.unwrap_or(0).checked_add(factor.checked_mul(unit)?)?);
        }
    }
    total
}

fn scala_unit(unit: &str) -> Option<i64> {
    const UNITS: [(&[&str], &str, i64); 8] = [
        (&["ns"], "nano", 1),
        (&["us", "µs"], "micro", 1_000),
        (&["ms"], "milli", 1_000_000),
        (&["s"], "sec", 1_000_000_000),
        (&["m"], "min", 60_000_000_000),
        (&["h", "hr"], "hour", 3_600_000_000_000),
        (&["d"], "day", 86_400_000_000_000),
        (&["w", "wk"], "week", 604_800_000_000_000),
    ];
    let known =
        |(short, long, _): &&(&[&str], &str, i64)| short.contains(&unit) || unit.starts_with(*long);
    UNITS.iter().find(known).map(|(_, _, nanos)| *nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_accept_and_refuse() {
        let cases = [
            ("date-time", "2024-01-02T03:04:05Z", true),
            ("date-time", "2024-01-02T03:04:05.123+02:00", true),
            ("date-time", "2024-13-02T03:04:05Z", false),
            ("date-time", "2024-01-02 03:04:05", false),
            ("date", "2024-02-29", true),
            ("date", "2023-02-29", false),
            ("duration", "1h30m", true),
            ("duration", "3 days", true),
            ("duration", "1.5s", true),
            ("duration", "fast", false),
            ("byte", "aGVsbG8=", true),
            ("byte", "not base64", false),
            ("ipv4", "10.0.0.1", true),
            ("ipv4", "10.0.0.256", false),
            ("ipv6", "::1", true),
            ("cidr", "10.0.0.0/8", true),
            ("cidr", "10.0.0.0/33", false),
            ("mac", "00:11:22:33:44:55", true),
            ("mac", "00:11:22", false),
            ("uuid", "A987FBC9-4BED-3078-CF07-9141BA07C9F3", true),
            ("uuid4", "a987fbc9-4bed-3078-cf07-9141ba07c9f3", false),
            ("uri", "https://example.com/a", true),
            ("uri", "example", false),
            ("email", "a@example.com", true),
            ("email", "a", false),
            ("hostname", "example.com", true),
            ("hostname", "localhost", true),
            ("hostname", "a-b.example.com", true),
            ("hostname", "-a", false),
            ("hostname", "a.b", false),
            ("isbn10", "0321751043", true),
            ("isbn13", "978-0321751041", true),
            ("creditcard", "4111 1111 1111 1111", true),
            ("ssn", "123-45-6789", true),
            ("hexcolor", "#FFF", true),
            ("rgbcolor", "rgb(0, 255, 10)", true),
            ("bsonobjectid", "507f1f77bcf86cd799439011", true),
        ];
        for (name, text, want) in cases {
            assert_eq!(find(name).unwrap().accepts(text), want, "{name} {text}");
        }
    }

    #[test]
    fn number_formats_are_ignored() {
        for name in ["int32", "int64", "double", "k8s-short-name", "anything"] {
            assert!(find(name).is_none());
        }
    }

    #[test]
    fn durations_have_nanoseconds() {
        assert_eq!(duration_nanos("1h1m1s"), Some(3_661_000_000_000));
        assert_eq!(duration_nanos("-1.5ms"), Some(-1_500_000));
        assert_eq!(duration_nanos("2 days"), Some(172_800_000_000_000));
        assert_eq!(duration_nanos(""), None);
    }
}
