//! Numbers as Go writes them.

/// The shortest decimal digits that stand for a number, and where its point is.
struct Decimal {
    negative: bool,
    digits: String,
    /// Power of ten of the first digit.
    exponent: i32,
}

impl Decimal {
    fn new(value: f64) -> Self {
        let shortest = format!("{value:e}");
        let digits = shortest.bytes().filter(u8::is_ascii_digit).count();
        let exponent = shortest
            .split_once('e')
            .map_or(0, |(_, exponent)| exponent.bytes().filter(u8::is_ascii_digit).count());
        // Of two shortest forms that are equally close, Go takes the even one, Rust the larger.
        let even = format!("{value:.*e}", digits - exponent - 1);
        let same = even.parse() == Ok(value);
        Self::from_scientific(if same { &even } else { &shortest })
    }

    /// From Rust's form with exponent, such as `-1.25e-7`.
    fn from_scientific(scientific: &str) -> Self {
        let (negative, rest) =
            scientific.strip_prefix('-').map_or((false, scientific), |rest| (true, rest));
        let (mantissa, exponent) = rest.split_once('e').unwrap_or((rest, "0"));
        Self {
            negative,
            digits: mantissa.replace('.', ""),
            exponent: exponent.parse().unwrap_or(0),
        }
    }

    /// `d.ddde±dd`, with at least `width` digits in the exponent.
    fn scientific(&self, width: usize) -> String {
        let mut text = self.sign();
        text.push_str(&self.digits[..1]);
        if self.digits.len() > 1 {
            text.push('.');
            text.push_str(&self.digits[1..]);
        }
        let sign = if self.exponent < 0 { '-' } else { '+' };
        text + &format!("e{sign}{:0width$}", self.exponent.unsigned_abs())
    }

    /// Without an exponent.
    fn plain(&self) -> String {
        let mut text = self.sign();
        let Ok(whole) = usize::try_from(self.exponent + 1) else {
            let zeros = usize::try_from(-self.exponent - 1).unwrap_or(0);
            return text + "0." + &"0".repeat(zeros) + &self.digits;
        };
        if whole == 0 {
            return text + "0." + &self.digits;
        }
        let (before, after) = self.digits.split_at(whole.min(self.digits.len()));
        text.push_str(before);
        text.push_str(&"0".repeat(whole - before.len()));
        if !after.is_empty() {
            text.push('.');
            text.push_str(after);
        }
        text
    }

    fn sign(&self) -> String {
        if self.negative { "-".to_owned() } else { String::new() }
    }

    /// Go's `%g` in its shortest form: with an exponent below 0.0001 and from a million on.
    fn general(&self) -> String {
        if (-4..6).contains(&self.exponent) { self.plain() } else { self.scientific(2) }
    }
}

/// `strconv.FormatFloat(value, 'g', -1, 64)` with YAML's names for what is no number.
pub(crate) fn yaml_float(value: f64) -> String {
    special(value).map_or_else(|| Decimal::new(value).general(), str::to_owned)
}

/// As `yaml_float`, but rounded to single precision: how sigs.k8s.io/yaml names a float key.
#[expect(clippy::cast_possible_truncation, reason = "the loss is what Go does here")]
pub(crate) fn float_key(value: f64) -> String {
    let narrow = value as f32;
    special(f64::from(narrow))
        .map_or_else(|| Decimal::from_scientific(&format!("{narrow:e}")).general(), str::to_owned)
}

fn special(value: f64) -> Option<&'static str> {
    match value {
        _ if value.is_nan() => Some(".nan"),
        f64::INFINITY => Some(".inf"),
        f64::NEG_INFINITY => Some("-.inf"),
        _ => None,
    }
}

/// As Go's `encoding/json` writes it; `Err` has Go's name for a value JSON does not know.
pub(crate) fn json_float(value: f64) -> Result<String, &'static str> {
    match value {
        _ if value.is_nan() => return Err("NaN"),
        f64::INFINITY => return Err("+Inf"),
        f64::NEG_INFINITY => return Err("-Inf"),
        _ => {}
    }
    let digits = Decimal::new(value);
    let small = value.abs() < 1e-6 && value != 0.0;
    if small || value.abs() >= 1e21 {
        // Go takes the zero out of e-09 but leaves e+21 alone, which has none.
        return Ok(digits.scientific(1));
    }
    Ok(digits.plain())
}

/// As Go's `%#v` writes it.
pub(crate) fn go_float(value: f64) -> String {
    match value {
        _ if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        _ => Decimal::new(value).general(),
    }
}

#[cfg(test)]
mod tests {
    use super::{float_key, json_float, yaml_float};

    #[test]
    fn forms() {
        assert_eq!(yaml_float(1e6), "1e+06");
        assert_eq!(yaml_float(100_000.0), "100000");
        assert_eq!(yaml_float(0.0001), "0.0001");
        assert_eq!(yaml_float(0.000_01), "1e-05");
        assert_eq!(yaml_float(-0.0), "-0");
        assert_eq!(yaml_float(-2_228_458_295_418.656_2), "-2.2284582954186562e+12");
        assert_eq!(yaml_float(123_456_789.125), "1.23456789125e+08");
        assert_eq!(json_float(1e-7), Ok("1e-7".to_owned()));
        assert_eq!(json_float(1e20), Ok("100000000000000000000".to_owned()));
        assert_eq!(json_float(1.5e300), Ok("1.5e+300".to_owned()));
        assert_eq!(json_float(-0.0), Ok("-0".to_owned()));
        assert_eq!(float_key(1000.0), "1000");
        assert_eq!(float_key(123_456_789.5), "1.2345679e+08");
    }
}
