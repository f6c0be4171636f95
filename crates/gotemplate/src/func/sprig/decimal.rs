//! Decimal arithmetic on floats, as shopspring/decimal does it.

use std::cmp::Ordering;
use std::fmt::Write;

use crate::strconv::format_float;

/// An arithmetic operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Add,
    Sub,
    Mul,
    Div,
}

/// A decimal number: digits times a power of ten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    digits: Digits,
    exponent: i64,
}

/// Digits of a quotient after the point.
const DIVISION_PRECISION: i64 = 16;

impl Decimal {
    /// The shortest decimal number that reads back as `number`.
    pub(super) fn from_float(number: f64) -> Result<Self, String> {
        if !number.is_finite() {
            let text = format_float(number, 'g', None);
            return Err(format!("Cannot create a Decimal from {text}"));
        }
        let text = format!("{:e}", number.abs());
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i64 = exponent.parse().unwrap_or_default();
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = Digits::parse(&format!("{whole}{fraction}"));
        let exponent = exponent - i64::try_from(fraction.len()).unwrap_or_default();
        Ok(Self { negative: number < 0.0, digits, exponent })
    }

    /// The float nearest to the number.
    pub(super) fn to_float(&self) -> f64 {
        let sign = if self.negative { "-" } else { "" };
        let text = format!("{sign}{}e{}", self.digits.text(), self.exponent);
        let number = text.parse().unwrap_or(0.0);
        if number == 0.0 { 0.0 } else { number }
    }

    /// How much work an operation on the number is.
    pub(super) fn size(&self) -> u64 {
        1 + self.digits.0.len() as u64
    }

    pub(super) fn apply(&self, operation: Operation, other: &Self) -> Result<Self, String> {
        Ok(match operation {
            Operation::Add => self.add(other),
            Operation::Sub => self.add(&Self { negative: !other.negative, ..other.clone() }),
            Operation::Mul => Self {
                negative: self.negative != other.negative,
                digits: self.digits.mul(&other.digits),
                exponent: self.exponent + other.exponent,
            },
            Operation::Div => return self.div(other),
        })
    }

    fn add(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        let a = self.digits.shift(self.exponent - exponent);
        let b = other.digits.shift(other.exponent - exponent);
        if self.negative == other.negative {
            return Self { negative: self.negative, digits: a.add(&b), exponent };
        }
        match a.cmp(&b) {
            Ordering::Less => Self { negative: other.negative, digits: b.sub(&a), exponent },
            _ => Self { negative: self.negative, digits: a.sub(&b), exponent },
        }
    }

    fn div(&self, other: &Self) -> Result<Self, String> {
        if other.digits.is_zero() {
            return Err("decimal division by 0".to_owned());
        }
        let shift = self.exponent - other.exponent + DIVISION_PRECISION;
        let (a, b) = (self.digits.shift(shift.max(0)), other.digits.shift((-shift).max(0)));
        let (mut quotient, rest) = a.divide(&b);
        // Half and more is rounded away from zero.
        if rest.add(&rest) >= b {
            quotient = quotient.add(&Digits(vec![1]));
        }
        let negative = self.negative != other.negative;
        Ok(Self { negative, digits: quotient, exponent: -DIVISION_PRECISION })
    }
}

/// A natural number of any size in base 10^9, lowest limb first, without zero limbs at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Digits(Vec<u32>);

const BASE: u64 = 1_000_000_000;

/// The low and high part of a limb and a carry.
fn split(number: u64) -> (u32, u64) {
    (u32::try_from(number % BASE).unwrap_or_default(), number / BASE)
}

impl Digits {
    fn parse(text: &str) -> Self {
        let limbs = text.as_bytes().rchunks(9).map(|chunk| {
            chunk.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
        });
        Self(limbs.collect()).trimmed()
    }

    fn text(&self) -> String {
        let mut limbs = self.0.iter().rev();
        let mut text = limbs.next().map_or_else(|| "0".to_owned(), u32::to_string);
        for limb in limbs {
            let _ = write!(text, "{limb:09}");
        }
        text
    }

    fn trimmed(mut self) -> Self {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    /// Times ten to the power of `places`.
    fn shift(&self, places: i64) -> Self {
        if self.is_zero() || places <= 0 {
            return self.clone();
        }
        let limbs = usize::try_from(places / 9).unwrap_or_default();
        let mut shifted = vec![0; limbs];
        shifted.extend_from_slice(&self.0);
        Self(shifted).mul(&Self(vec![10_u32.pow(u32::try_from(places % 9).unwrap_or_default())]))
    }

    fn add(&self, other: &Self) -> Self {
        let mut carry = 0;
        let mut sum = Vec::with_capacity(self.0.len().max(other.0.len()) + 1);
        for at in 0..self.0.len().max(other.0.len()) {
            let limb = |number: &Self| u64::from(number.0.get(at).copied().unwrap_or_default());
            let (low, high) = split(limb(self) + limb(other) + carry);
            sum.push(low);
            carry = high;
        }
        sum.push(u32::try_from(carry).unwrap_or_default());
        Self(sum).trimmed()
    }

    /// The difference; `other` must not be larger.
    fn sub(&self, other: &Self) -> Self {
        let mut borrow = 0;
        let mut difference = Vec::with_capacity(self.0.len());
        for (at, limb) in self.0.iter().enumerate() {
            let taken = u64::from(other.0.get(at).copied().unwrap_or_default()) + borrow;
            let limb = u64::from(*limb);
            borrow = u64::from(limb < taken);
            difference.push(split(limb + BASE * borrow - taken).0);
        }
        Self(difference).trimmed()
    }

    fn mul(&self, other: &Self) -> Self {
        let mut product = vec![0_u32; self.0.len() + other.0.len()];
        for (i, a) in self.0.iter().enumerate() {
            let mut carry = 0;
            for (j, b) in other.0.iter().enumerate() {
                let sum = u64::from(product[i + j]) + u64::from(*a) * u64::from(*b) + carry;
                (product[i + j], carry) = split(sum);
            }
            product[i + other.0.len()] = u32::try_from(carry).unwrap_or_default();
        }
        Self(product).trimmed()
    }

    fn scaled(&self, factor: u32) -> Self {
        self.mul(&Self(vec![factor]).trimmed())
    }

    /// Quotient and rest. Each limb of the quotient is found by halving, which is slow and simple;
    /// numbers here have a few dozen limbs.
    fn divide(&self, other: &Self) -> (Self, Self) {
        let mut quotient = vec![0; self.0.len()];
        let mut rest = Self(Vec::new());
        for (at, limb) in self.0.iter().enumerate().rev() {
            rest.0.insert(0, *limb);
            rest = rest.trimmed();
            let (mut low, mut high) = (0, u32::try_from(BASE).unwrap_or_default());
            while low + 1 < high {
                let middle = low + (high - low) / 2;
                if other.scaled(middle) <= rest {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            rest = rest.sub(&other.scaled(low));
            quotient[at] = low;
        }
        (Self(quotient).trimmed(), rest)
    }
}

impl Ord for Digits {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_limbs = || self.0.iter().rev().cmp(other.0.iter().rev());
        self.0.len().cmp(&other.0.len()).then_with(by_limbs)
    }
}

impl PartialOrd for Digits {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the result is exact")]
mod tests {
    use super::*;

    fn apply(a: f64, operation: Operation, b: f64) -> f64 {
        let (a, b) = (Decimal::from_float(a).unwrap(), Decimal::from_float(b).unwrap());
        a.apply(operation, &b).unwrap().to_float()
    }

    #[test]
    fn arithmetic() {
        assert_eq!(apply(0.1, Operation::Add, 0.2), 0.3);
        assert_eq!(apply(1.0, Operation::Div, 3.0), 0.333_333_333_333_333_3);
        assert_eq!(apply(-2.0, Operation::Div, 3.0), -0.666_666_666_666_666_7);
        assert_eq!(apply(1e300, Operation::Sub, 1e-300), 1e300);
        assert_eq!(apply(5.0, Operation::Sub, 7.5), -2.5);
        assert_eq!(
            apply(123_456_789.125, Operation::Mul, 987_654_321.5),
            1.219_326_312_978_204_5e17
        );
    }
}
